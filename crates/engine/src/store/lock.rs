//! The first half of a batch: BEGIN and `lock_batch` of the migrations, which takes all locks, in one round trip.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, PgConnection, Row as _, types::Json};

use super::call::{call, hexadecimal};
use crate::{
    domain::{AggregateId, Key},
    ledger::Head,
    submission::RequestKey,
};

/// Version of new rows: most aggregates come to be with one event.
pub(crate) const FIRST: i64 = 1;

/// What a batch locks.
#[derive(Serialize)]
pub(crate) struct Wanted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) feed: Option<Feed<'a>>,
    /// Each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) requests: Vec<WantedRequest<'a>>,
    /// Cases whose fences are shared.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) fences: BTreeSet<&'a str>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) keys: BTreeSet<&'a Key>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) aggregates: BTreeSet<&'a str>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) counters: BTreeSet<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct WantedRequest<'a> {
    #[serde(flatten)]
    pub(crate) key: &'a RequestKey,
    /// What [`Footprint::makes`](crate::domain::Footprint::makes): its row is written with that result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) makes: Option<&'a AggregateId>,
}

/// The feed from which a batch comes.
#[derive(Serialize)]
pub(crate) struct Feed<'a> {
    pub(crate) name: &'a str,
    /// Where the follower believes the cursor to stand; without it the batch goes on wherever that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<i64>,
    /// The aggregates that the events are about.
    pub(crate) sources: &'a BTreeSet<&'a str>,
}

/// What was found under the locks.
#[derive(Deserialize)]
pub(crate) struct Locked {
    /// Of the feed, if the batch comes from one.
    pub(crate) cursor: Option<Cursor>,
    /// Aggregates of the feed with parked events.
    #[serde(default)]
    pub(crate) parked: HashSet<String>,
    /// What was locked; `None` where something was not as it had been read, and the batch has to start again.
    pub(crate) rows: Option<LockedRows>,
}

/// Where a follower's cursor stands.
#[derive(Deserialize)]
pub(crate) struct Cursor {
    /// Empty before the first event.
    pub(crate) incarnation: String,
    pub(crate) position: i64,
}

#[derive(Deserialize)]
pub(crate) struct LockedRows {
    /// The requests that were there before.
    #[serde(default)]
    pub(crate) former: Vec<FormerRequest>,
    /// Epochs of the fences.
    #[serde(default)]
    pub(crate) fences: HashMap<String, i64>,
    /// The keys that were not free.
    #[serde(default)]
    pub(crate) held: Vec<HeldKey>,
    /// The aggregates that were there before, holders of keys among them.
    #[serde(default)]
    pub(crate) states: Vec<Kept>,
    /// Aggregates that have only got a row now, with [`FIRST`] in it.
    #[serde(default)]
    pub(crate) fresh: Vec<AggregateId>,
    #[serde(default)]
    pub(crate) counters: HashMap<String, i64>,
    pub(crate) head: Head,
    /// Business time, read when everything was locked.
    pub(crate) now: DateTime<Utc>,
}

/// A request row that was there before.
#[derive(Deserialize)]
pub(crate) struct FormerRequest {
    pub(crate) principal: String,
    pub(crate) method: String,
    pub(crate) id: String,
    #[serde(deserialize_with = "hexadecimal")]
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) aggregate: AggregateId,
    pub(crate) version: i64,
}

impl FormerRequest {
    pub(crate) fn is_of(&self, key: &RequestKey) -> bool {
        self.id == key.id && self.principal == key.principal && self.method == key.method
    }
}

/// An aggregate as it is kept.
#[derive(Deserialize)]
pub(crate) struct Kept {
    pub(crate) id: AggregateId,
    pub(crate) version: i64,
    pub(crate) state: Box<RawValue>,
}

/// A key with the aggregate that holds it.
#[derive(Deserialize)]
pub(crate) struct HeldKey {
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) holder: AggregateId,
}

/// Begins the transaction and locks everything that a batch wants.
pub(crate) async fn begin(conn: &mut PgConnection, wanted: &Wanted<'_>) -> sqlx::Result<Locked> {
    let sql = format!("begin; {}", call("lock_batch", wanted)?);
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(conn).await?;
    Ok(row.try_get::<Json<Locked>, _>(0)?.0)
}
