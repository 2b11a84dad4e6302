//! Adopted policy versions.

use shouwen_engine::{AggregateId, Loaded};
use shouwen_policy::PolicyVersion;
use sqlx::{PgConnection, PgExecutor, types::Json};

use crate::{domain::State, policies::StoredPolicy};

/// All policies.
pub(crate) async fn all(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<StoredPolicy>> {
    let rows =
        sqlx::query!(r#"select id, state as "state: Json<Option<PolicyVersion>>" from policy order by id"#)
            .fetch_all(executor)
            .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.state.0)).collect())
}

/// Loads policies; locked by the engine before.
pub(crate) async fn load(connection: &mut PgConnection, ids: &[String]) -> sqlx::Result<Vec<Loaded<State>>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"select id, version, state as "state: Json<Option<PolicyVersion>>" from policy where id = any($1)"#,
        ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (AggregateId(row.id), row.version, State::Policy(row.state.0.map(Box::new))))
        .collect())
}
