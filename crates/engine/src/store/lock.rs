//! The first half of a batch: `lock_batch` of the migrations takes all locks in one round trip.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::RequestColumns;
use crate::{
    domain::{AggregateId, Key},
    ledger::Head,
    submission::RequestKey,
};

/// What a batch locks.
pub(crate) struct Wanted<'a> {
    pub(crate) feed: Option<Feed<'a>>,
    pub(crate) requests: Vec<&'a RequestKey>,
    /// Cases whose fences are shared, each once.
    pub(crate) fences: Vec<&'a str>,
    /// Each once.
    pub(crate) keys: Vec<&'a Key>,
    pub(crate) aggregates: Vec<&'a str>,
    pub(crate) counters: Vec<&'a str>,
}

/// The feed from which a batch comes.
pub(crate) struct Feed<'a> {
    pub(crate) name: &'a str,
    /// Where the follower believes the cursor to stand.
    pub(crate) from: i64,
    /// The aggregates that the events are about.
    pub(crate) sources: Vec<&'a str>,
}

/// What was found under the locks.
pub(crate) struct Locked {
    /// Of the feed, if the batch comes from one.
    pub(crate) cursor: Option<(String, i64)>,
    /// Aggregates of the feed with parked events.
    pub(crate) parked: HashSet<String>,
    /// What was locked; `None` where something was not as it had been read, and the batch has to start again.
    pub(crate) rows: Option<LockedRows>,
}

pub(crate) struct LockedRows {
    /// The requests that were there before.
    pub(crate) former: Vec<FormerRequest>,
    /// Epochs of the fences.
    pub(crate) fences: HashMap<String, i64>,
    /// Holders of the keys that were not free, by kind and key.
    pub(crate) holders: HashMap<(String, String), AggregateId>,
    /// Versions of the aggregates, holders of keys among them.
    pub(crate) versions: HashMap<AggregateId, i64>,
    /// Aggregates that have only got a row now.
    pub(crate) fresh: Vec<String>,
    pub(crate) counters: HashMap<String, i64>,
    pub(crate) head: Head,
    /// Business time, read when everything was locked.
    pub(crate) now: DateTime<Utc>,
}

/// A request row that was there before.
pub(crate) struct FormerRequest {
    pub(crate) principal: String,
    pub(crate) method: String,
    pub(crate) id: String,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) aggregate: String,
    pub(crate) version: i64,
}

impl FormerRequest {
    pub(crate) fn is_of(&self, key: &RequestKey) -> bool {
        self.id == key.id && self.principal == key.principal && self.method == key.method
    }
}

/// Locks everything that a batch wants.
pub(crate) async fn lock(conn: &mut PgConnection, wanted: &Wanted<'_>) -> sqlx::Result<Locked> {
    let requests = RequestColumns::of(wanted.requests.iter().copied());
    let fingerprints: Vec<&[u8]> = wanted.requests.iter().map(|key| &*key.fingerprint).collect();
    let (kinds, keys): (Vec<&str>, Vec<&str>) = wanted.keys.iter().map(|key| (key.kind, &*key.key)).unzip();
    let (feed, from, sources) =
        wanted.feed.as_ref().map_or(("", 0, &[][..]), |feed| (feed.name, feed.from, &feed.sources[..]));
    let row = sqlx::query!(
        r#"select settled as "settled!", cursor_incarnation, cursor_position, parked,
                  former_principals, former_methods, former_ids, former_fingerprints, former_aggregates, former_versions,
                  fence_cases, fence_epochs, held_kinds, held_keys, holders, locked_ids, locked_versions, fresh_ids,
                  counter_names, counter_values, head_incarnation, head_position, head_hash, head_time, business_time
           from lock_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"#,
        feed,
        from,
        sources as &[&str],
        &requests.principals as &[&str],
        &requests.methods as &[&str],
        &requests.ids as &[&str],
        &fingerprints as &[&[u8]],
        &wanted.fences as &[&str],
        &kinds as &[&str],
        &keys as &[&str],
        &wanted.aggregates as &[&str],
        &wanted.counters as &[&str]
    )
    .fetch_one(conn)
    .await?;
    let held = pairs(row.held_kinds, row.held_keys);
    let head = row.head_incarnation.zip(row.head_position).zip(row.head_hash);
    let rows =
        head.zip(row.business_time).filter(|_| row.settled).map(|(((incarnation, position), hash), now)| {
            LockedRows {
                former: former(
                    pairs(row.former_principals, row.former_methods),
                    pairs(row.former_ids, row.former_fingerprints),
                    pairs(row.former_aggregates, row.former_versions),
                ),
                fences: pairs(row.fence_cases, row.fence_epochs).collect(),
                holders: held.zip(row.holders.unwrap_or_default().into_iter().map(AggregateId)).collect(),
                versions: pairs(row.locked_ids, row.locked_versions)
                    .map(|(id, version)| (AggregateId(id), version))
                    .collect(),
                fresh: row.fresh_ids.unwrap_or_default(),
                counters: pairs(row.counter_names, row.counter_values).collect(),
                head: Head { incarnation, position, hash, time: row.head_time },
                now,
            }
        });
    Ok(Locked {
        cursor: row.cursor_incarnation.zip(row.cursor_position),
        parked: row.parked.unwrap_or_default().into_iter().collect(),
        rows,
    })
}

/// Two columns side by side.
fn pairs<A, B>(left: Option<Vec<A>>, right: Option<Vec<B>>) -> impl Iterator<Item = (A, B)> {
    left.unwrap_or_default().into_iter().zip(right.unwrap_or_default())
}

fn former(
    callers: impl Iterator<Item = (String, String)>,
    ids: impl Iterator<Item = (String, Vec<u8>)>,
    results: impl Iterator<Item = (String, i64)>,
) -> Vec<FormerRequest> {
    let columns = callers.zip(ids).zip(results);
    columns
        .map(|(((principal, method), (id, fingerprint)), (aggregate, version))| FormerRequest {
            principal,
            method,
            id,
            fingerprint,
            aggregate,
            version,
        })
        .collect()
}
