//! SQL of schema `calls`: the reads of the API.

use shouwen_policy::{PolicyVersion, StoredPolicy};
use sqlx::{PgExecutor, types::Json};

use crate::domain::CallState;

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

/// All policies.
pub(crate) async fn policies(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<StoredPolicy>> {
    let rows =
        sqlx::query!(r#"select id, state as "state: Json<Option<PolicyVersion>>" from policy order by id"#)
            .fetch_all(executor)
            .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.state.0)).collect())
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
