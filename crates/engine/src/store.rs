//! The SQL of one batch. Each lock is a statement of its own with its keys sorted; state is read by later statements.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::{
    domain::{AggregateId, Deadline, Key},
    ledger::{Head, LedgerRow},
    submission::RequestKey,
};

/// Begins a transaction of the write path, whose statements find every row by its key. A prepared statement keeps the plan that it got while its
/// tables were small, and for those reading a table as a whole is cheapest: with millions of rows it would still be read so until the next `analyze`.
/// Where there is no other way, as for the one row of the head, the penalty must not have the statement compiled.
pub(crate) const BEGIN: &str = "begin;
    set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off; set local jit = off";

/// A request row that was there before.
#[derive(Debug)]
pub(crate) struct FormerRequest {
    pub(crate) principal: String,
    pub(crate) method: String,
    pub(crate) id: String,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) aggregate: String,
    pub(crate) version: i64,
}

struct RequestColumns {
    principals: Vec<String>,
    methods: Vec<String>,
    ids: Vec<String>,
}

impl RequestColumns {
    fn of<'a>(keys: impl Iterator<Item = &'a RequestKey>) -> Self {
        let mut columns = Self { principals: Vec::new(), methods: Vec::new(), ids: Vec::new() };
        for key in keys {
            columns.principals.push(key.principal.clone());
            columns.methods.push(key.method.clone());
            columns.ids.push(key.id.clone());
        }
        columns
    }
}

/// Locks a follower's cursor and reads it; the first time it begins before everything.
pub(crate) async fn lock_cursor(conn: &mut PgConnection, feed: &str) -> sqlx::Result<(String, i64)> {
    loop {
        let row = sqlx::query!(
            "select incarnation, position from feed_cursor where feed = $1 for no key update",
            feed
        )
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(row) = row {
            return Ok((row.incarnation, row.position));
        }
        sqlx::query!("insert into feed_cursor (feed) values ($1) on conflict do nothing", feed)
            .execute(&mut *conn)
            .await?;
    }
}

pub(crate) async fn move_cursor(
    conn: impl PgExecutor<'_>,
    feed: &str,
    incarnation: &str,
    position: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update feed_cursor set incarnation = $2, position = $3 where feed = $1",
        feed,
        incarnation,
        position
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Which of a feed's aggregates have parked events. Read under the cursor's lock.
pub(crate) async fn parked_aggregates(
    conn: &mut PgConnection,
    feed: &str,
    aggregates: &BTreeSet<&str>,
) -> sqlx::Result<HashSet<String>> {
    if aggregates.is_empty() {
        return Ok(HashSet::new());
    }
    let aggregates: Vec<String> = aggregates.iter().map(|name| (*name).to_owned()).collect();
    let rows = sqlx::query_scalar!(
        "select distinct aggregate from parked_event where feed = $1 and aggregate = any($2)",
        feed,
        &aggregates
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Whether an event of one of these types lies after one position and up to another.
pub(crate) async fn any_of_types(
    conn: &mut PgConnection,
    after: i64,
    up_to: i64,
    types: &[&str],
) -> sqlx::Result<bool> {
    let types: Vec<String> = types.iter().map(|name| (*name).to_owned()).collect();
    sqlx::query_scalar!(
        r#"select exists (select 1 from ledger where position > $1 and position <= $2 and type = any($3)) as "any!""#,
        after,
        up_to,
        &types
    )
    .fetch_one(conn)
    .await
}

/// Inserts request rows; answers which were new. Waits for a first attempt still in flight.
pub(crate) async fn insert_requests(
    conn: &mut PgConnection,
    keys: &[&RequestKey],
) -> sqlx::Result<Vec<(String, String, String)>> {
    let columns = RequestColumns::of(keys.iter().copied());
    let fingerprints: Vec<Vec<u8>> = keys.iter().map(|key| key.fingerprint.clone()).collect();
    let rows = sqlx::query!(
        "insert into request (principal, method, id, fingerprint)
         select p, m, i, f from unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) as u (p, m, i, f) order by p, m, i
         on conflict do nothing returning principal, method, id",
        &columns.principals,
        &columns.methods,
        &columns.ids,
        &fingerprints
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.principal, row.method, row.id)).collect())
}

pub(crate) async fn former_requests(
    conn: &mut PgConnection,
    keys: &[&RequestKey],
) -> sqlx::Result<Vec<FormerRequest>> {
    let columns = RequestColumns::of(keys.iter().copied());
    sqlx::query_as!(
        FormerRequest,
        "select principal, method, id, fingerprint, aggregate, version from request
         where (principal, method, id) in (select * from unnest($1::text[], $2::text[], $3::text[]))",
        &columns.principals,
        &columns.methods,
        &columns.ids
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn delete_requests(conn: &mut PgConnection, keys: &[&RequestKey]) -> sqlx::Result<()> {
    let columns = RequestColumns::of(keys.iter().copied());
    sqlx::query!(
        "delete from request
         where (principal, method, id) in (select * from unnest($1::text[], $2::text[], $3::text[]))",
        &columns.principals,
        &columns.methods,
        &columns.ids
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes where each accepted request's result is found.
pub(crate) async fn complete_requests(
    conn: &mut PgConnection,
    results: &[(&RequestKey, AggregateId, i64)],
) -> sqlx::Result<u64> {
    let columns = RequestColumns::of(results.iter().map(|(key, ..)| *key));
    let aggregates: Vec<String> = results.iter().map(|(_, id, _)| id.0.clone()).collect();
    let versions: Vec<i64> = results.iter().map(|(.., version)| *version).collect();
    let done = sqlx::query!(
        "update request r set aggregate = u.a, version = u.v
         from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) as u (p, m, i, a, v)
         where r.principal = u.p and r.method = u.m and r.id = u.i",
        &columns.principals,
        &columns.methods,
        &columns.ids,
        &aggregates,
        &versions
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Raises fences, in a transaction of its own: a batch never upgrades its share lock.
pub(crate) async fn raise_fences(conn: &mut PgConnection, fences: &[(String, i64)]) -> sqlx::Result<()> {
    let cases: Vec<String> = fences.iter().map(|(case, _)| case.clone()).collect();
    let epochs: Vec<i64> = fences.iter().map(|(_, epoch)| *epoch).collect();
    sqlx::query!(
        "insert into fence (case_name, epoch)
         select c, e from unnest($1::text[], $2::bigint[]) as u (c, e) order by c
         on conflict (case_name) do update set epoch = excluded.epoch where fence.epoch < excluded.epoch",
        &cases,
        &epochs
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn share_fences(
    conn: &mut PgConnection,
    cases: &[String],
) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        "select case_name, epoch from fence where case_name = any($1) order by case_name for share",
        cases
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.case_name, row.epoch)).collect())
}

fn key_columns<'a>(keys: impl Iterator<Item = &'a Key>) -> (Vec<String>, Vec<String>) {
    keys.map(|key| (key.kind.to_owned(), key.key.clone())).unzip()
}

/// Inserts keys; answers which were free. The others are held, or were until a moment ago.
pub(crate) async fn insert_keys(
    conn: &mut PgConnection,
    keys: &[&Key],
) -> sqlx::Result<Vec<(String, String)>> {
    let (kinds, names) = key_columns(keys.iter().copied());
    let rows = sqlx::query!(
        "insert into unique_key (kind, key, holder)
         select k, n, '' from unnest($1::text[], $2::text[]) as u (k, n) order by k, n
         on conflict do nothing returning kind, key",
        &kinds,
        &names
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.key)).collect())
}

pub(crate) async fn key_holders(
    conn: &mut PgConnection,
    keys: &[&Key],
) -> sqlx::Result<Vec<(String, String, String)>> {
    let (kinds, names) = key_columns(keys.iter().copied());
    let rows = sqlx::query!(
        "select kind, key, holder from unique_key
         where (kind, key) in (select * from unnest($1::text[], $2::text[]))",
        &kinds,
        &names
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.key, row.holder)).collect())
}

pub(crate) async fn hold_keys(conn: &mut PgConnection, keys: &[(&Key, &AggregateId)]) -> sqlx::Result<u64> {
    let (kinds, names) = key_columns(keys.iter().map(|(key, _)| *key));
    let holders: Vec<String> = keys.iter().map(|(_, id)| id.0.clone()).collect();
    let done = sqlx::query!(
        "update unique_key k set holder = u.h
         from unnest($1::text[], $2::text[], $3::text[]) as u (k, n, h) where k.kind = u.k and k.key = u.n",
        &kinds,
        &names,
        &holders
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn release_keys(conn: &mut PgConnection, keys: &[&Key]) -> sqlx::Result<()> {
    let (kinds, names) = key_columns(keys.iter().copied());
    sqlx::query!(
        "delete from unique_key where (kind, key) in (select * from unnest($1::text[], $2::text[]))",
        &kinds,
        &names
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes sure that each aggregate has a row to lock; answers which are new.
pub(crate) async fn ensure_aggregates(conn: &mut PgConnection, ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "insert into aggregate (id, version) select i, 0 from unnest($1::text[]) as u (i) order by i
         on conflict do nothing returning id",
        ids
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn lock_aggregates(
    conn: &mut PgConnection,
    ids: &[String],
) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        "select id, version from aggregate where id = any($1) order by id for no key update",
        ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.version)).collect())
}

/// As [`lock_aggregates`] without the lock; only for the mutant that shows what the lock is for.
pub(crate) async fn read_aggregates(
    conn: &mut PgConnection,
    ids: &[String],
) -> sqlx::Result<Vec<(String, i64)>> {
    let rows =
        sqlx::query!("select id, version from aggregate where id = any($1)", ids).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.version)).collect())
}

pub(crate) async fn advance_aggregates(
    conn: &mut PgConnection,
    changes: &[(&AggregateId, i64, i64)],
    guarded: bool,
) -> sqlx::Result<u64> {
    let ids: Vec<String> = changes.iter().map(|(id, ..)| id.0.clone()).collect();
    let before: Vec<i64> = changes.iter().map(|(_, before, _)| *before).collect();
    let after: Vec<i64> = changes.iter().map(|(.., after)| *after).collect();
    let done = sqlx::query!(
        "update aggregate a set version = u.n
         from unnest($1::text[], $2::bigint[], $3::bigint[]) as u (i, o, n)
         where a.id = u.i and (a.version = u.o or not $4)",
        &ids,
        &before,
        &after,
        guarded
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn forget_aggregates(conn: &mut PgConnection, ids: &[String]) -> sqlx::Result<()> {
    sqlx::query!("delete from aggregate where id = any($1) and version = 0", ids).execute(conn).await?;
    Ok(())
}

pub(crate) async fn lock_counters(
    conn: &mut PgConnection,
    names: &[String],
) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query!(
        "insert into counter (name, value) select n, 0 from unnest($1::text[]) as u (n) order by n on conflict do nothing",
        names
    )
    .execute(&mut *conn)
    .await?;
    let rows = sqlx::query!(
        "select name, value from counter where name = any($1) order by name for no key update",
        names
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.value)).collect())
}

pub(crate) async fn set_counters(conn: &mut PgConnection, values: &[(String, i64)]) -> sqlx::Result<()> {
    let (names, numbers): (Vec<String>, Vec<i64>) = values.iter().cloned().unzip();
    sqlx::query!(
        "update counter c set value = u.v from unnest($1::text[], $2::bigint[]) as u (n, v) where c.name = u.n",
        &names,
        &numbers
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn lock_head(conn: &mut PgConnection) -> sqlx::Result<Head> {
    sqlx::query_as!(
        Head,
        r#"select incarnation, position, hash, nullif(time, '-infinity') as "time?" from ledger_head for no key update"#
    )
    .fetch_one(conn)
    .await
}

/// Business time: simulated where the clock is, otherwise Postgres's.
pub(crate) async fn business_time(conn: impl PgExecutor<'_>) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"select coalesce((select simulated_at from clock), clock_timestamp()) as "now!""#)
        .fetch_one(conn)
        .await
}

pub(crate) async fn append(conn: &mut PgConnection, rows: &[LedgerRow]) -> sqlx::Result<()> {
    fn column<T>(rows: &[LedgerRow], value: impl Fn(&LedgerRow) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    sqlx::query!(
        "insert into ledger (position, type, aggregate, version, payload, actor, on_behalf, capacity, case_name, branch,
                             request_id, cause, time, hash)
         select * from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::text[], $7::text[],
                              $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::bytea[])",
        &column(rows, |row| row.position),
        &column(rows, |row| row.r#type.clone()),
        &column(rows, |row| row.aggregate.clone()),
        &column(rows, |row| row.version),
        &column(rows, |row| row.payload.clone()),
        &column(rows, |row| row.actor.clone()),
        &column(rows, |row| row.on_behalf.clone()),
        &column(rows, |row| row.capacity.clone()),
        &column(rows, |row| row.case_name.clone()),
        &column(rows, |row| row.branch.clone()),
        &column(rows, |row| row.request_id.clone()),
        &column(rows, |row| row.cause.clone()),
        &column(rows, |row| row.time),
        &column(rows, |row| row.hash.clone())
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn set_head(
    conn: &mut PgConnection,
    position: i64,
    hash: &[u8],
    time: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!("update ledger_head set position = $1, hash = $2, time = $3", position, hash, time)
        .execute(conn)
        .await?;
    Ok(())
}

/// Replaces the deadlines of the aggregates named.
pub(crate) async fn replace_deadlines(
    conn: &mut PgConnection,
    aggregates: &[String],
    deadlines: &[(AggregateId, Deadline)],
) -> sqlx::Result<()> {
    sqlx::query!("delete from deadline where aggregate = any($1)", aggregates).execute(&mut *conn).await?;
    if deadlines.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = deadlines.iter().map(|(id, _)| id.0.clone()).collect();
    let steps: Vec<String> = deadlines.iter().map(|(_, deadline)| deadline.step.to_owned()).collect();
    let dues: Vec<DateTime<Utc>> = deadlines.iter().map(|(_, deadline)| deadline.due).collect();
    let policies: Vec<String> = deadlines.iter().map(|(_, deadline)| deadline.policy.clone()).collect();
    let calendars: Vec<String> = deadlines.iter().map(|(_, deadline)| deadline.calendar.clone()).collect();
    let provisional: Vec<bool> = deadlines.iter().map(|(_, deadline)| deadline.provisional).collect();
    sqlx::query!(
        "insert into deadline (aggregate, step, due, policy_version, calendar_version, provisional)
         select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::boolean[])",
        &ids,
        &steps,
        &dues,
        &policies,
        &calendars,
        &provisional
    )
    .execute(conn)
    .await?;
    Ok(())
}
