//! The second half of a batch: `write_batch` of the migrations writes in one round trip what was decided beside the states.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::RequestColumns;
use crate::{
    domain::{AggregateId, Deadline, Key},
    ledger::LedgerRow,
    submission::RequestKey,
};

/// What a batch writes beside the states.
#[derive(Default)]
pub(crate) struct Writes<'a> {
    /// Requests whose rows go.
    pub(crate) rejected: Vec<&'a RequestKey>,
    /// Requests with the aggregate and version that are their result.
    pub(crate) done: Vec<(&'a RequestKey, &'a AggregateId, i64)>,
    pub(crate) held: Vec<(&'a Key, &'a AggregateId)>,
    pub(crate) free: Vec<&'a Key>,
    pub(crate) counters: Vec<(&'a str, i64)>,
    /// Aggregates that got a row to lock and did not come to be.
    pub(crate) unused: Vec<&'a str>,
    /// Changed aggregates with their versions before and after.
    pub(crate) changed: Vec<(&'a AggregateId, i64, i64)>,
    /// Aggregates whose former deadlines go.
    pub(crate) moved: Vec<&'a str>,
    /// Aggregates whose deadlines changed, with all that they have now.
    pub(crate) deadlines: Vec<(&'a AggregateId, &'a [Deadline])>,
    pub(crate) rows: &'a [LedgerRow],
    /// Where the head stands now, if it moves.
    pub(crate) head: Option<(i64, &'a [u8], DateTime<Utc>)>,
    /// The feed's name, its incarnation and where its cursor stands now.
    pub(crate) cursor: Option<(&'a str, &'a str, i64)>,
}

/// Writes it. Answers how many of the changed aggregates still had the version from which they were changed.
pub(crate) async fn write(conn: &mut PgConnection, writes: &Writes<'_>) -> sqlx::Result<u64> {
    let rejected = RequestColumns::of(writes.rejected.iter().copied());
    let done = RequestColumns::of(writes.done.iter().map(|(key, ..)| *key));
    let (results, versions): (Vec<&str>, Vec<i64>) =
        writes.done.iter().map(|(_, id, version)| (&*id.0, *version)).unzip();
    let (held, holders): (Vec<&Key>, Vec<&str>) =
        writes.held.iter().map(|(key, holder)| (*key, &*holder.0)).unzip();
    let (held_kinds, held_keys) = key_columns(&held);
    let (free_kinds, free_keys) = key_columns(&writes.free);
    let (counters, values): (Vec<&str>, Vec<i64>) = writes.counters.iter().copied().unzip();
    let changed: Vec<&str> = writes.changed.iter().map(|(id, ..)| &*id.0).collect();
    let (before, after): (Vec<i64>, Vec<i64>) =
        writes.changed.iter().map(|(_, before, after)| (*before, *after)).unzip();
    let due = || writes.deadlines.iter().flat_map(|(id, all)| all.iter().map(move |one| (&*id.0, one)));
    let rows = writes.rows;
    let (head, hash, time) = match writes.head {
        Some((head, hash, time)) => (Some(head), Some(hash), Some(time)),
        None => (None, None, None),
    };
    let (feed, incarnation, cursor) = writes.cursor.unwrap_or_default();
    let advanced = sqlx::query_scalar!(
        r#"select write_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                              $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38,
                              $39, $40, $41, $42, $43, $44, $45, $46) as "advanced!""#,
        &rejected.principals as &[&str],
        &rejected.methods as &[&str],
        &rejected.ids as &[&str],
        &done.principals as &[&str],
        &done.methods as &[&str],
        &done.ids as &[&str],
        &results as &[&str],
        &versions,
        &held_kinds as &[&str],
        &held_keys as &[&str],
        &holders as &[&str],
        &free_kinds as &[&str],
        &free_keys as &[&str],
        &counters as &[&str],
        &values,
        &writes.unused as &[&str],
        &changed as &[&str],
        &before,
        &after,
        &writes.moved as &[&str],
        &due().map(|(id, _)| id).collect::<Vec<_>>() as &[&str],
        &due().map(|(_, one)| one.step).collect::<Vec<_>>() as &[&str],
        &due().map(|(_, one)| one.due).collect::<Vec<_>>(),
        &due().map(|(_, one)| &*one.policy).collect::<Vec<_>>() as &[&str],
        &due().map(|(_, one)| &*one.calendar).collect::<Vec<_>>() as &[&str],
        &due().map(|(_, one)| one.provisional).collect::<Vec<_>>(),
        &column(rows, |row| row.position),
        &column(rows, |row| &*row.r#type) as &[&str],
        &column(rows, |row| &*row.aggregate) as &[&str],
        &column(rows, |row| row.version),
        &column(rows, |row| &*row.payload) as &[&[u8]],
        &column(rows, |row| &*row.actor) as &[&str],
        &column(rows, |row| &*row.on_behalf) as &[&str],
        &column(rows, |row| &*row.capacity) as &[&str],
        &column(rows, |row| &*row.case_name) as &[&str],
        &column(rows, |row| &*row.branch) as &[&str],
        &column(rows, |row| &*row.request_id) as &[&str],
        &column(rows, |row| &*row.cause) as &[&str],
        &column(rows, |row| row.time),
        &column(rows, |row| &*row.hash) as &[&[u8]],
        head,
        hash,
        time,
        feed,
        incarnation,
        cursor
    )
    .fetch_one(conn)
    .await?;
    Ok(advanced.unsigned_abs())
}

fn key_columns<'a>(keys: &[&'a Key]) -> (Vec<&'a str>, Vec<&'a str>) {
    keys.iter().map(|key| (key.kind, &*key.key)).unzip()
}

fn column<'a, T>(rows: &'a [LedgerRow], value: impl Fn(&'a LedgerRow) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
