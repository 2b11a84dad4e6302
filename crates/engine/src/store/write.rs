//! The second half of a batch: `write_batch` of the migrations, which writes what was decided, and COMMIT, in one round trip.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, PgConnection};

use super::call::{bytes, call, micros};
use crate::{
    domain::{AggregateId, Deadline, Key},
    ledger::LedgerRow,
    submission::RequestKey,
};

/// What a batch writes.
#[derive(Default, Serialize)]
pub(crate) struct Writes<'a> {
    /// Requests whose rows go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rejected: Vec<RequestName<'a>>,
    /// Requests whose result is another than their rows say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) done: Vec<Done<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) held: Vec<Held<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) free: Vec<&'a Key>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) counters: Vec<Counter<'a>>,
    /// Aggregates that got a row to lock and did not come to be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unused: Vec<&'a AggregateId>,
    /// Versions that are others than the locked rows say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) versions: Vec<Version<'a>>,
    /// How many states there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) states: Option<usize>,
    /// By their collections, those of aggregates that come to be and those of others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) fresh: BTreeMap<&'a str, Vec<StoredState<'a>>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) changed: BTreeMap<&'a str, Vec<StoredState<'a>>>,
    /// Aggregates whose former deadlines go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) moved: Vec<&'a str>,
    /// All deadlines of the aggregates whose deadlines changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) deadlines: Vec<Due<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) rows: &'a [LedgerRow],
    /// Where the head stands now, if it moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) head: Option<NewHead<'a>>,
    /// Where the feed's cursor stands now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<NewCursor<'a>>,
}

/// A request, whatever was asked.
#[derive(Serialize)]
pub(crate) struct RequestName<'a> {
    principal: &'a str,
    method: &'a str,
    id: &'a str,
}

impl<'a> From<&'a RequestKey> for RequestName<'a> {
    fn from(RequestKey { principal, method, id, .. }: &'a RequestKey) -> Self {
        Self { principal, method, id }
    }
}

#[derive(Serialize)]
pub(crate) struct Done<'a> {
    #[serde(flatten)]
    pub(crate) request: RequestName<'a>,
    pub(crate) aggregate: &'a AggregateId,
    pub(crate) version: i64,
}

/// A key with its new holder.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Held<'a> {
    #[serde(flatten)]
    pub(crate) key: &'a Key,
    pub(crate) holder: &'a AggregateId,
}

#[derive(Serialize)]
pub(crate) struct Counter<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: i64,
}

/// Versions of an aggregate before and after the batch.
#[derive(Serialize)]
pub(crate) struct Version<'a> {
    pub(crate) id: &'a AggregateId,
    pub(crate) before: i64,
    pub(crate) after: i64,
}

/// An aggregate's version and state.
#[derive(Serialize)]
pub(crate) struct StoredState<'a> {
    #[serde(flatten)]
    pub(crate) version: Version<'a>,
    pub(crate) state: &'a RawValue,
}

#[derive(Serialize)]
pub(crate) struct Due<'a> {
    pub(crate) aggregate: &'a AggregateId,
    #[serde(flatten)]
    pub(crate) deadline: &'a Deadline,
}

/// Where the ledger ends now.
#[derive(Serialize)]
pub(crate) struct NewHead<'a> {
    pub(crate) position: i64,
    #[serde(serialize_with = "bytes")]
    pub(crate) hash: &'a [u8],
    #[serde(serialize_with = "micros")]
    pub(crate) time: DateTime<Utc>,
}

/// Where a follower's cursor stands now.
#[derive(Serialize)]
pub(crate) struct NewCursor<'a> {
    pub(crate) feed: &'a str,
    pub(crate) incarnation: &'a str,
    pub(crate) position: i64,
}

/// What ends a batch, ready to be sent.
pub(crate) struct Ending(String);

impl Writes<'_> {
    pub(crate) fn ending(&self) -> sqlx::Result<Ending> {
        Ok(Ending(format!("{}; commit", call("write_batch", self)?)))
    }
}

/// Writes and commits. If Postgres refuses to write, COMMIT is not looked at.
pub(crate) async fn commit(conn: &mut PgConnection, ending: Ending) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(ending.0)).execute(conn).await?;
    Ok(())
}

/// Ends a transaction without an effect, if there is one.
pub(crate) async fn rollback(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("rollback").execute(conn).await?;
    Ok(())
}
