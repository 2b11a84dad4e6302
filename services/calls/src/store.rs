//! SQL of schema `calls`: load many and save many for the engine, and the reads of the API.

use shouwen_engine::{AggregateId, Loaded, Saved};
use shouwen_policy::PolicyVersion;
use sqlx::{PgConnection, PgExecutor, types::Json};

use crate::domain::{CallState, State};

/// A contact as it is shown.
#[derive(Debug)]
pub(crate) struct CallRow {
    pub(crate) version: i64,
    pub(crate) state: Json<CallState>,
}

/// Where a page of contacts ends: microseconds since 1970 and `calls/{call}` of its last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) occurred: i64,
    pub(crate) id: String,
}

/// Loads the aggregates that exist.
pub(crate) async fn load(
    connection: &mut PgConnection,
    ids: &[AggregateId],
) -> sqlx::Result<Vec<Loaded<State>>> {
    let (calls, policies): (Vec<String>, Vec<String>) =
        ids.iter().map(|id| id.0.clone()).partition(|name| is_call(name));
    let mut loaded = Vec::with_capacity(ids.len());
    if !calls.is_empty() {
        let rows = sqlx::query!(
            r#"select id, version, state as "state: Json<CallState>" from call where id = any($1)"#,
            &calls
        )
        .fetch_all(&mut *connection)
        .await?;
        loaded.extend(
            rows.into_iter()
                .map(|row| (AggregateId(row.id), row.version, State::Call(Box::new(row.state.0)))),
        );
    }
    if !policies.is_empty() {
        let rows = sqlx::query!(
            r#"select id, version, state as "state: Json<Option<Box<PolicyVersion>>>" from policy
               where id = any($1)"#,
            &policies
        )
        .fetch_all(connection)
        .await?;
        loaded.extend(
            rows.into_iter().map(|row| (AggregateId(row.id), row.version, State::Policy(row.state.0))),
        );
    }
    Ok(loaded)
}

/// Saves aggregates, each guarded by the version before; answers how many rows were written.
pub(crate) async fn save(connection: &mut PgConnection, rows: &[Saved<State>]) -> sqlx::Result<u64> {
    let (calls, policies): (Vec<_>, Vec<_>) = rows.iter().partition(|row| is_call(&row.id.0));
    let mut written = 0;
    if !calls.is_empty() {
        let rows = Columns::of(&calls)?;
        written += sqlx::query!(
            "insert into call (id, version, state)
             select i, n, s from unnest($1::text[], $2::bigint[], $3::bigint[], $4::jsonb[]) as u (i, o, n, s)
             where o = 0
             on conflict do nothing",
            &rows.ids,
            &rows.before,
            &rows.after,
            &rows.states
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
        written += sqlx::query!(
            "update call c set version = u.n, state = u.s
             from unnest($1::text[], $2::bigint[], $3::bigint[], $4::jsonb[]) as u (i, o, n, s)
             where c.id = u.i and c.version = u.o and u.o > 0",
            &rows.ids,
            &rows.before,
            &rows.after,
            &rows.states
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    if !policies.is_empty() {
        let rows = Columns::of(&policies)?;
        written += sqlx::query!(
            "insert into policy as p (id, version, state)
             select i, n, s from unnest($1::text[], $2::bigint[], $3::bigint[], $4::jsonb[]) as u (i, o, n, s)
             on conflict (id) do update set version = excluded.version, state = excluded.state
             where p.version < excluded.version",
            &rows.ids,
            &rows.before,
            &rows.after,
            &rows.states
        )
        .execute(connection)
        .await?
        .rows_affected();
    }
    Ok(written)
}

/// All policy versions adopted so far that this release can read (P1).
pub(crate) async fn policies(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<PolicyVersion>> {
    let rows = sqlx::query_scalar!(
        r#"select state as "state: Json<Option<PolicyVersion>>" from policy order by id"#
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().filter_map(|Json(version)| version).collect())
}

/// One contact by `calls/{call}`.
pub(crate) async fn call(executor: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Option<CallRow>> {
    sqlx::query_as!(
        CallRow,
        r#"select version, state as "state: Json<CallState>" from call where id = $1"#,
        name
    )
    .fetch_optional(executor)
    .await
}

/// Contacts of a branch behind a position, newest first.
pub(crate) async fn calls_of_branch(
    executor: impl PgExecutor<'_>,
    branch: &str,
    after: Option<&Position>,
    limit: i64,
) -> sqlx::Result<Vec<CallRow>> {
    sqlx::query_as!(
        CallRow,
        r#"select version, state as "state: Json<CallState>" from call
           where branch = $1 and (occurred, id) < ($2, $3)
           order by occurred desc, id desc limit $4"#,
        branch,
        // Behind nothing: every contact lies before the end of time.
        after.map_or(i64::MAX, |position| position.occurred),
        after.map_or("", |position| &position.id),
        limit
    )
    .fetch_all(executor)
    .await
}

/// Whether an aggregate is kept among the contacts; the others are policies.
fn is_call(name: &str) -> bool {
    name.starts_with("calls/")
}

/// Rows of one table to write.
struct Columns {
    ids: Vec<String>,
    before: Vec<i64>,
    after: Vec<i64>,
    states: Vec<serde_json::Value>,
}

impl Columns {
    fn of(rows: &[&Saved<State>]) -> sqlx::Result<Self> {
        let mut columns = Self { ids: Vec::new(), before: Vec::new(), after: Vec::new(), states: Vec::new() };
        for row in rows {
            columns.ids.push(row.id.0.clone());
            columns.before.push(row.before);
            columns.after.push(row.after);
            let state = match &row.state {
                State::Call(call) => serde_json::to_value(call),
                State::Policy(version) => serde_json::to_value(version),
            };
            columns.states.push(state.map_err(|error| sqlx::Error::Encode(error.into()))?);
        }
        Ok(columns)
    }
}
