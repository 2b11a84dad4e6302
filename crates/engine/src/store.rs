//! The SQL of the write path: what a batch locks, what it writes, and single reads and writes beside it.

pub(crate) mod call;
mod lock;
mod write;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, types::Json};

pub(crate) use self::{
    lock::{Cursor, FIRST, Feed, Kept, Locked, LockedRows, Wanted, WantedRequest, begin},
    write::{
        Counter, Done, Due, Ending, Held, NewCursor, NewHead, StoredState, Version, Writes, commit, rollback,
    },
};
use crate::{domain::AggregateId, ledger::Head, submission::RequestKey};

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

/// The states of those aggregates that exist.
pub(crate) async fn load_states(conn: &mut PgConnection, ids: &[String]) -> sqlx::Result<Json<Vec<Kept>>> {
    sqlx::query_scalar!(r#"select load_states($1) as "states!: Json<Vec<Kept>>""#, ids).fetch_one(conn).await
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

/// Inserts the row of one request and answers whether it was new. Waits for a first attempt still in flight.
pub(crate) async fn insert_request(conn: &mut PgConnection, key: &RequestKey) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "insert into request (principal, method, id, fingerprint) values ($1, $2, $3, $4) on conflict do nothing",
        key.principal,
        key.method,
        key.id,
        key.fingerprint
    )
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// The row of a request: its fingerprint, and where its result is found.
pub(crate) async fn former_request(
    conn: &mut PgConnection,
    key: &RequestKey,
) -> sqlx::Result<Option<(Vec<u8>, AggregateId, i64)>> {
    let row = sqlx::query!(
        "select fingerprint, aggregate, version from request where principal = $1 and method = $2 and id = $3",
        key.principal,
        key.method,
        key.id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.fingerprint, AggregateId(row.aggregate), row.version)))
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

/// Moves a cursor outside of a batch; only for the mutant that shows what the batch is for.
pub(crate) async fn move_cursor(
    conn: &mut PgConnection,
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
