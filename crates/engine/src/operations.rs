//! What operators need to know of a service, and the upkeep that runs by itself.

use std::time::Duration;

use chrono::{DateTime, Utc};
use shouwen_proto::events::v1::Cursor;
use sqlx::types::Json;

use crate::{domain::Domain, engine::Engine, ledger::Head};

/// How a service stands.
#[derive(Clone, Debug)]
pub struct Status {
    pub head: Head,
    /// Feed and cursor of each follower.
    pub followers: Vec<(String, Cursor)>,
    pub now: DateTime<Utc>,
    pub simulated: bool,
    pub next_due: Option<DateTime<Utc>>,
    pub deadlines: i64,
    pub outstanding: i64,
    pub parked: i64,
}

impl Status {
    fn is_idle(&self, reached: &[(String, i64)]) -> bool {
        let followed = |feed: &String| self.followers.iter().find(|(name, _)| name == feed);
        self.outstanding == 0
            && self.next_due.is_none_or(|due| due > self.now)
            && reached.iter().all(|(feed, position)| {
                followed(feed).map_or(*position == 0, |(_, cursor)| cursor.position >= *position)
            })
    }
}

/// A follower's cursor as the database tells it.
#[derive(Debug, serde::Deserialize)]
struct FollowerRow {
    feed: String,
    incarnation: String,
    position: i64,
}

/// How long a status waits for idleness.
const IDLE_PATIENCE: Duration = Duration::from_secs(1);

/// How often upkeep runs.
const UPKEEP: Duration = Duration::from_secs(60);

/// How many requests are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 5_000;

impl<D: Domain> Engine<D> {
    pub async fn status(&self) -> sqlx::Result<Status> {
        let mut connection = self.pool().acquire().await?;
        let row = sqlx::query!(
            r#"select coalesce((select simulated_at from clock), clock_timestamp()) as "now!",
                      (select simulated_at from clock) is not null as "simulated!",
                      (select min(due) from deadline) as next_due,
                      (select count(*) from deadline) as "deadlines!",
                      (select count(*) from parked_event) as "parked!",
                      (select coalesce(json_agg(c order by c.feed), '[]') from feed_cursor c)
                          as "followers!: Json<Vec<FollowerRow>>",
                      h.incarnation, h.position, h.hash, nullif(h.time, '-infinity') as "time?"
               from ledger_head h"#
        )
        .fetch_one(&mut *connection)
        .await?;
        // What came with a cursor's move is owed once that move is seen.
        let owed = self.domain().owed(&mut connection).await?;
        let followers = row
            .followers
            .0
            .into_iter()
            .map(|row| (row.feed, Cursor { incarnation: row.incarnation, position: row.position }))
            .collect();
        Ok(Status {
            head: Head {
                incarnation: row.incarnation,
                position: row.position,
                hash: row.hash,
                time: row.time,
            },
            followers,
            now: row.now,
            simulated: row.simulated,
            next_due: row.next_due,
            deadlines: row.deadlines,
            outstanding: self.outstanding_count() + owed,
            parked: row.parked,
        })
    }

    /// The status once the service is idle: followers have read their feeds up to the positions given, nothing is due, no command is being worked
    /// on. The present status when that takes longer than a second.
    pub async fn status_when_idle(&self, reached: &[(String, i64)]) -> sqlx::Result<Status> {
        let patience = tokio::time::Instant::now() + IDLE_PATIENCE;
        loop {
            let progress = self.0.progress.notified();
            let status = self.status().await?;
            let idle =
                status.is_idle(reached) && self.pending().await?.is_some_and(|pending| pending.is_empty());
            if idle || tokio::time::timeout_at(patience, progress).await.is_err() {
                return Ok(status);
            }
        }
    }

    /// Keeps the ledger's next ranges in being, forgets old request ids, and reads for [`metrics`](crate::metrics) what only the database knows,
    /// until the engine stops.
    pub fn keep_up(&self) {
        self.keep_sampling();
        let engine = self.clone();
        self.0.parts.run(async move {
            let stop = engine.0.stop.clone();
            loop {
                if let Err(error) = engine.upkeep().await {
                    tracing::warn!(service = D::SERVICE, %error, "upkeep could not run");
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(UPKEEP) => {}
                }
            }
        });
    }

    async fn upkeep(&self) -> sqlx::Result<()> {
        sqlx::query_scalar!("select ensure_ledger_ranges()").fetch_one(self.pool()).await?;
        let retention = self.options().request_retention.as_secs_f64();
        loop {
            // A stable time, which the index can be asked for.
            let gone = sqlx::query!(
                "delete from request where ctid = any(array(
                     select ctid from request where created_at < statement_timestamp() - make_interval(secs => $1)
                     order by created_at limit $2))",
                retention,
                FORGOTTEN_AT_ONCE
            )
            .execute(self.pool())
            .await?;
            if gone.rows_affected() < FORGOTTEN_AT_ONCE.unsigned_abs() {
                return Ok(());
            }
        }
    }
}

/// Whether the ledger has room for what comes: at least one whole range beyond the head's.
pub async fn ranges_ready(pool: &sqlx::PgPool) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select 1 from pg_inherits i join pg_class c on c.oid = i.inhrelid, ledger_head h
               where i.inhparent = 'ledger'::regclass
                 and substring(pg_get_expr(c.relpartbound, c.oid) from 'FROM \(''?(\d+)')::bigint > h.position
           ) as "ready!""#
    )
    .fetch_one(pool)
    .await
}
