//! SQL: callbacks, policies and voided cases.

use shouwen_engine::AggregateId;
use shouwen_policy::{PolicyVersion, StoredPolicy};
use sqlx::{PgConnection, PgExecutor, PgPool, types::Json};

use crate::domain::{Callback, Tally, command::Owed};

/// A callback with its version.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) version: i64,
    pub(crate) callback: Callback,
}

/// Where a page of [`due`] begins: behind this limit and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct After {
    /// Microseconds since 1970.
    pub(crate) due: i64,
    pub(crate) id: String,
}

/// One callback by its aggregate id.
pub(crate) async fn find(pool: &PgPool, id: &AggregateId) -> sqlx::Result<Option<Row>> {
    let row =
        sqlx::query!(r#"select version, state as "state: Json<Callback>" from callback where id = $1"#, id.0)
            .fetch_optional(pool)
            .await?;
    Ok(row.map(|row| Row { version: row.version, callback: row.state.0 }))
}

/// The open callbacks of a branch, the soonest limit first.
pub(crate) async fn due(pool: &PgPool, branch: &str, after: &After, limit: i64) -> sqlx::Result<Vec<Row>> {
    let rows = sqlx::query!(
        r#"select version, state as "state: Json<Callback>" from callback
           where branch = $1 and open and (due, id) > ($2, $3) order by due, id limit $4"#,
        branch,
        after.due,
        after.id,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| Row { version: row.version, callback: row.state.0 }).collect())
}

/// How many callbacks of one kind are open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenOfKind {
    pub(crate) kind: String,
    pub(crate) open: i64,
    pub(crate) overdue: i64,
}

/// How many callbacks are open, by kind.
pub(crate) async fn open_by_kind(connection: &mut PgConnection) -> sqlx::Result<Vec<OpenOfKind>> {
    sqlx::query_as!(
        OpenOfKind,
        r#"select case when state -> 'kind' ? 'verification' then 'verification' else state ->> 'kind' end as "kind!",
                  count(*) as "open!",
                  count(*) filter (where state ->> 'missed' = 'true'
                      and (state ->> 'first_attempt' is null or state ->> 'renewed' = 'true')) as "overdue!"
           from callback where open group by 1 order by 1"#
    )
    .fetch_all(connection)
    .await
}

/// The open callbacks under a case, and its tally at the same instant.
pub(crate) async fn owed_of_case(pool: &PgPool, case: &str) -> sqlx::Result<Owed> {
    let row = sqlx::query!(
        r#"select array(select id from callback where parent = $1 and open order by id) as "callbacks!",
                  coalesce((select value from counter where name = $2), 0) as "tally!""#,
        case,
        Tally::counter(case)
    )
    .fetch_one(pool)
    .await?;
    let callbacks = row.callbacks.into_iter().map(AggregateId).collect();
    Ok(Owed { callbacks, tally: row.tally.into() })
}

/// Whether the case is known to be void. Only a yes holds for good.
pub(crate) async fn is_voided(pool: &PgPool, case: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select 1 from voided_case where case_name = $1) as "voided!""#,
        case
    )
    .fetch_one(pool)
    .await
}

/// Remembers voided cases.
pub(crate) async fn note_voided(connection: &mut PgConnection, cases: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into voided_case (case_name) select unnest($1::text[]) on conflict do nothing",
        cases
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// All policies.
pub(crate) async fn policies(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<StoredPolicy>> {
    let rows =
        sqlx::query!(r#"select id, state as "state: Json<Option<PolicyVersion>>" from policy order by id"#)
            .fetch_all(executor)
            .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.state.0)).collect())
}
