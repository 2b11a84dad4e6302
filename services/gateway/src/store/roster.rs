//! Reading roster and policies.

use shouwen_policy::{PolicyState, PolicyVersion};
use sqlx::{PgPool, types::Json};

use crate::domain::RosterState;

/// An entry as stored.
pub(crate) struct RosterRow {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) state: Json<RosterState>,
}

/// The whole roster, for the snapshot.
pub(crate) async fn all(pool: &PgPool) -> sqlx::Result<Vec<RosterState>> {
    let rows = sqlx::query_scalar!(r#"select state as "state: Json<RosterState>" from roster"#)
        .fetch_all(pool)
        .await?;
    Ok(rows.into_iter().map(|state| state.0).collect())
}

pub(crate) async fn get(pool: &PgPool, id: &str) -> sqlx::Result<Option<RosterRow>> {
    sqlx::query_as!(
        RosterRow,
        r#"select id, version, state as "state: Json<RosterState>" from roster where id = $1"#,
        id
    )
    .fetch_optional(pool)
    .await
}

/// One collection by name, of one branch or of all.
pub(crate) async fn list(
    pool: &PgPool,
    collection: &str,
    branch: Option<&str>,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<RosterRow>> {
    match branch {
        Some(branch) => {
            sqlx::query_as!(
                RosterRow,
                r#"select id, version, state as "state: Json<RosterState>" from roster
                   where collection = $1 and branch = $2 and id > $3 order by id limit $4"#,
                collection,
                branch,
                after,
                limit
            )
            .fetch_all(pool)
            .await
        }
        None => {
            sqlx::query_as!(
                RosterRow,
                r#"select id, version, state as "state: Json<RosterState>" from roster
                   where collection = $1 and id > $2 order by id limit $3"#,
                collection,
                after,
                limit
            )
            .fetch_all(pool)
            .await
        }
    }
}

/// A policy as stored.
pub(crate) struct PolicyRow {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) state: Json<PolicyState>,
}

pub(crate) async fn policy(pool: &PgPool, id: &str) -> sqlx::Result<Option<PolicyRow>> {
    sqlx::query_as!(
        PolicyRow,
        r#"select id, version, state as "state: Json<PolicyState>" from policy where id = $1"#,
        id
    )
    .fetch_optional(pool)
    .await
}

/// Newest first; an empty kind or scope does not restrict.
pub(crate) async fn policies(
    pool: &PgPool,
    kind: &str,
    scope: &str,
    before: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<PolicyRow>> {
    sqlx::query_as!(
        PolicyRow,
        r#"select id, version, state as "state: Json<PolicyState>" from policy
           where ($1 = '' or kind = $1) and ($2 = '' or scope = $2) and ($3::text is null or id < $3)
           order by id desc limit $4"#,
        kind,
        scope,
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Every approved version, for the book of policies.
pub(crate) async fn approved(pool: &PgPool) -> sqlx::Result<Vec<PolicyVersion>> {
    let rows = sqlx::query_scalar!(
        r#"select state as "state: Json<PolicyState>" from policy where status = 'approved' order by id"#
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().filter_map(|state| state.0.version().ok().flatten()).collect())
}
