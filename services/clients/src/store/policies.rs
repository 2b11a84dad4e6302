//! Adopted policy versions.

use shouwen_policy::{PolicyVersion, StoredPolicy};
use sqlx::{PgExecutor, types::Json};

/// All policies.
pub(crate) async fn all(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<StoredPolicy>> {
    let rows =
        sqlx::query!(r#"select id, state as "state: Json<Option<PolicyVersion>>" from policy order by id"#)
            .fetch_all(executor)
            .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.state.0)).collect())
}
