//! The connection pool: made from configuration, patient while Postgres is not there yet, silent about passwords.
//! What is done with the connections is the services' business.
//!
//! Behind `PgBouncer` in transaction mode set `statement_cache = 0` (before `PgBouncer` 1.21 or without
//! `max_prepared_statements`) and `statement_timeout = "0s"`, and give the role its limits with
//! `ALTER ROLE … SET statement_timeout` and `idle_in_transaction_session_timeout`: a pooled session must not carry settings of its own. Give it [`BY_INDEX`] in the same
//! way: what a connection sets of these reaches one session of the server.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::time::sleep;

use crate::config::{Period, Secret};

/// Waits between attempts to reach Postgres: doubled from the first to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A connection that was used this recently is taken as alive; one that rested longer is asked first.
const FRESH: Duration = Duration::from_secs(1);

/// Settings of every connection of a service. Its statements find all rows by their keys; but a prepared statement keeps the plan that it got while its
/// tables were small, and for those reading a table as a whole, or a hash of it, is cheapest: with millions of rows it would still be read so until the
/// next `analyze`. Where there is no other way, as for a table of one row, the penalty must not have the statement compiled.
pub const BY_INDEX: &str = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off;
    set enable_memoize = off; set jit = off";

/// How to reach one schema's database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseConfig {
    /// `postgres://role:password@host:port/database`, with sqlx's parameters such as `sslmode=verify-full`.
    pub url: Secret,
    /// Connections of the pool at most; a hot path holds its own beside it.
    pub max_connections: u32,
    /// How long to wait for a connection of the pool.
    pub acquire_timeout: Period,
    /// How long one statement may run before Postgres ends it; `0s` leaves it to the role.
    pub statement_timeout: Period,
    /// Prepared statements kept per connection; 0 prepares none under a name.
    pub statement_cache: usize,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            max_connections: 10,
            acquire_timeout: Period::secs(5),
            statement_timeout: Period::secs(10),
            statement_cache: 100,
        }
    }
}

impl DatabaseConfig {
    /// The defaults with this URL.
    pub fn at(url: impl Into<Secret>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// The parsed connection options, for connections outside the pool.
    pub fn connect_options(&self) -> Result<PgConnectOptions, DatabaseError> {
        if self.url.expose().is_empty() {
            return Err(DatabaseError::Missing);
        }
        // sqlx's message may quote parts of the URL.
        let options = PgConnectOptions::from_str(self.url.expose()).map_err(|_| DatabaseError::InvalidUrl)?;
        let options = options
            .statement_cache_capacity(self.statement_cache)
            .application_name("shouwen")
            // Floats travel in binary; PgBouncer knows nothing of this parameter.
            .extra_float_digits(None)
            .log_statements(tracing::log::LevelFilter::Trace)
            .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1));
        let millis = self.statement_timeout.as_millis().to_string();
        // A session whose host is lost in the midst of a transaction would hold its locks until TCP notices.
        let limits = [("statement_timeout", &millis), ("idle_in_transaction_session_timeout", &millis)];
        Ok(if self.statement_timeout.as_millis() == 0 { options } else { options.options(limits) })
    }

    /// `host:port/database` for messages.
    pub fn place(&self) -> String {
        self.connect_options().map_or_else(|error| error.to_string(), |options| place(&options))
    }
}

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No URL is configured.
    #[error("the database URL is not set")]
    Missing,
    /// The URL cannot be read. It is not shown, because it may hold a password.
    #[error("the database URL is not of the form postgres://role:password@host:port/database")]
    InvalidUrl,
    /// Postgres answered and refused: wrong password, no such database, no such role.
    #[error("the database at {place} refuses the connection: {message}")]
    Refused { place: String, message: String },
}

/// A pool that connects when it is first used; fails on a bad URL only.
pub fn pool(config: &DatabaseConfig) -> Result<PgPool, DatabaseError> {
    let options = config.connect_options()?;
    Ok(PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout.get())
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(BY_INDEX).await.map(|_| ()) })
        })
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > FRESH {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options))
}

/// A pool whose database has answered once. Waits for as long as Postgres cannot be reached or is starting, and says
/// so in the log; gives up only on an answer that no waiting changes.
pub async fn connect(config: &DatabaseConfig) -> Result<PgPool, DatabaseError> {
    let options = config.connect_options()?;
    let place = place(&options);
    let mut wait = FIRST_WAIT;
    let mut waited = false;
    loop {
        match options.connect().await {
            Ok(connection) => {
                if waited {
                    tracing::info!(database = %place, "database is reachable");
                }
                // The server notices the end of the session either way.
                let _ = connection.close().await;
                return pool(config);
            }
            Err(error) if is_final(&error) => {
                return Err(DatabaseError::Refused { place, message: error.to_string() });
            }
            Err(error) => {
                tracing::warn!(
                    database = %place, error = %error, retry_in_ms = wait.as_millis(),
                    "database is not reachable; trying again"
                );
                waited = true;
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

/// Wrong credentials and missing databases stay wrong; a server that starts, stops or is full does not.
fn is_final(error: &sqlx::Error) -> bool {
    match error {
        // 28: authorization, 3D: no such database.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("28") || code == "3D000")
        }
        sqlx::Error::Configuration(_) => true,
        _ => false,
    }
}

fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    format!("{}:{}/{database}", options.get_host(), options.get_port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_place_and_never_the_password() {
        let config = DatabaseConfig::at("postgres://calls:hunter2@db.example:6432/shouwen");
        assert_eq!(config.place(), "db.example:6432/shouwen");
        assert!(!format!("{config:?}").contains("hunter2"));
        let bad = DatabaseConfig::at("postgres://calls:hunter2@db:port/x").connect_options().unwrap_err();
        assert!(!bad.to_string().contains("hunter2"));
    }

    #[test]
    fn a_missing_url_is_said_to_be_missing() {
        assert!(matches!(pool(&DatabaseConfig::default()), Err(DatabaseError::Missing)));
    }
}
