//! Reading cases for the API.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, QueryBuilder, types::Json};

use crate::domain::{CaseState, ContactState};

/// A case as stored.
pub(crate) struct CaseRow {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) state: Json<CaseState>,
    /// Whether its client has a file.
    pub(crate) filed: bool,
}

pub(crate) async fn get(pool: &PgPool, ids: &[String]) -> sqlx::Result<Vec<CaseRow>> {
    sqlx::query_as!(
        CaseRow,
        r#"select c.id as "id!", c.version as "version!", c.state as "state!: Json<CaseState>", f.client is not null as "filed!"
           from cases c left join client_file f on f.client = c.client where c.id = any($1)"#,
        ids
    )
    .fetch_all(pool)
    .await
}

/// What a list asks for; absent terms do not restrict.
#[derive(Clone, Debug, Default)]
pub(crate) struct CaseFilter {
    pub(crate) branches: Option<Vec<String>>,
    pub(crate) handler: Option<String>,
    pub(crate) accountable: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) phase: Option<String>,
}

/// Newest first, before the id given. One statement per shape of filter, since absent terms would hide the indexes; one branch is compared with `=`, for
/// only then does the index hold its cases in the order asked for. Planned for its values each time: a plan that suits a large branch would walk through
/// everybody's cases in search of a small one's.
pub(crate) async fn list(
    pool: &PgPool,
    filter: &CaseFilter,
    before: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<CaseRow>> {
    let mut query = listing(filter, before, limit);
    let rows: Vec<(String, i64, Json<CaseState>, bool)> =
        query.build_query_as().persistent(false).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(id, version, state, filed)| CaseRow { id, version, state, filed }).collect())
}

fn listing(filter: &CaseFilter, before: Option<&str>, limit: i64) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(
        "select c.id, c.version, c.state, f.client is not null
         from cases c left join client_file f on f.client = c.client where true",
    );
    match filter.branches.as_deref() {
        None => {}
        Some([branch]) => {
            query.push(" and c.branch = ").push_bind(branch.clone());
        }
        Some(branches) => {
            query.push(" and c.branch = any(").push_bind(branches.to_vec()).push(")");
        }
    }
    for (column, value) in [
        ("handler", &filter.handler),
        ("accountable", &filter.accountable),
        ("client", &filter.client),
        ("phase", &filter.phase),
    ] {
        if let Some(value) = value {
            query.push(" and c.").push(column).push(" = ").push_bind(value.clone());
        }
    }
    if let Some(before) = before {
        query.push(" and c.id < ").push_bind(before.to_owned());
    }
    query.push(" order by c.id desc limit ").push_bind(limit);
    query
}

/// A contact whose first touch a backend has not taken yet.
pub(crate) struct PendingContact {
    pub(crate) id: String,
    pub(crate) state: Json<ContactState>,
}

/// First touches that are still owed, of contacts claimed before a moment, oldest first.
pub(crate) async fn pending(
    pool: &PgPool,
    before: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<PendingContact>> {
    sqlx::query_as!(
        PendingContact,
        r#"select id, state as "state: Json<ContactState>" from contacts
           where touch = 'pending' and (state ->> 'claimed_at')::timestamptz <= $1
           order by (state ->> 'claimed_at')::timestamptz, id limit $2"#,
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

#[cfg(test)]
mod tests;
