//! Reading roster and policies.

use shouwen_policy::PolicyState;
use sqlx::{PgPool, types::Json};

use crate::domain::RosterState;

/// An entry as stored.
pub(crate) struct RosterRow {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) state: Json<RosterState>,
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

/// Whether a version of an entry was written by the call with this request id.
pub(crate) async fn wrote(pool: &PgPool, entry: &str, version: i64, request_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select 1 from ledger where aggregate = $1 and version = $2 and request_id = $3
           ) as "wrote!""#,
        entry,
        version,
        request_id
    )
    .fetch_one(pool)
    .await
}
