//! The ledger: rows, their hash chain, and reading them back.
//!
//! A hash covers the previous one and every column, each length-prefixed, so that no byte can move from one column to the next unnoticed.

use chrono::{DateTime, Utc};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, PgPool};

use crate::store::call::{bytes, hexadecimal, micros};

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerRow {
    pub position: i64,
    pub r#type: String,
    pub aggregate: String,
    pub version: i64,
    #[serde(serialize_with = "bytes")]
    pub payload: Vec<u8>,
    pub actor: String,
    pub on_behalf: String,
    pub capacity: String,
    pub case_name: String,
    pub branch: String,
    pub request_id: String,
    pub cause: String,
    #[serde(serialize_with = "micros")]
    pub time: DateTime<Utc>,
    #[serde(serialize_with = "bytes")]
    pub hash: Vec<u8>,
}

impl LedgerRow {
    /// The hash that the row must have after `previous`.
    pub fn chained(&self, previous: &[u8]) -> Vec<u8> {
        let mut digest = Context::new(&SHA256);
        let mut field = |bytes: &[u8]| {
            digest.update(&(bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        field(previous);
        field(&self.position.to_be_bytes());
        field(self.r#type.as_bytes());
        field(self.aggregate.as_bytes());
        field(&self.version.to_be_bytes());
        field(&self.payload);
        field(self.actor.as_bytes());
        field(self.on_behalf.as_bytes());
        field(self.capacity.as_bytes());
        field(self.case_name.as_bytes());
        field(self.branch.as_bytes());
        field(self.request_id.as_bytes());
        field(self.cause.as_bytes());
        field(&self.time.timestamp_micros().to_be_bytes());
        digest.finish().as_ref().to_vec()
    }
}

/// The end of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Head {
    pub incarnation: uuid::Uuid,
    pub position: i64,
    #[serde(deserialize_with = "hexadecimal")]
    pub hash: Vec<u8>,
    /// `None` while the ledger is empty.
    pub time: Option<DateTime<Utc>>,
}

/// Reads the head without locking it.
pub async fn head(executor: impl PgExecutor<'_>) -> sqlx::Result<Head> {
    sqlx::query_as!(
        Head,
        r#"select incarnation, position, hash, nullif(time, '-infinity') as "time?" from ledger_head"#
    )
    .fetch_one(executor)
    .await
}

/// Rows after `position`, in order, at most `limit`. The range is named, so that few partitions are locked.
pub async fn after(pool: impl PgExecutor<'_>, position: i64, limit: i64) -> sqlx::Result<Vec<LedgerRow>> {
    sqlx::query_as!(
        LedgerRow,
        "select position, type as \"type\", aggregate, version, payload, actor, on_behalf, capacity, case_name, branch,
                request_id, cause, time, hash
         from ledger where position > $1 and position <= $2 order by position",
        position,
        position.saturating_add(limit)
    )
    .fetch_all(pool)
    .await
}

/// The oldest position that is kept; 1 for a whole ledger, 0 for an empty one.
pub async fn first_position(pool: &PgPool) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select coalesce(min(position), 0) as "first!" from ledger"#).fetch_one(pool).await
}

/// Events of an aggregate up to a version, in order.
pub async fn history(pool: &PgPool, aggregate: &str, version: i64) -> sqlx::Result<Vec<LedgerRow>> {
    sqlx::query_as!(
        LedgerRow,
        "select position, type as \"type\", aggregate, version, payload, actor, on_behalf, capacity, case_name, branch,
                request_id, cause, time, hash
         from ledger where aggregate = $1 and version <= $2 order by version",
        aggregate,
        version
    )
    .fetch_all(pool)
    .await
}
