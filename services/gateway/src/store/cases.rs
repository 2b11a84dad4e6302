//! Reading cases for the API.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, types::Json};

use crate::domain::{CaseState, ContactState};

/// A case as stored.
pub(crate) struct CaseRow {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) state: Json<CaseState>,
}

pub(crate) async fn get(pool: &PgPool, ids: &[String]) -> sqlx::Result<Vec<CaseRow>> {
    sqlx::query_as!(
        CaseRow,
        r#"select id, version, state as "state: Json<CaseState>" from cases where id = any($1)"#,
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

/// Newest first, before the id given. One plan per shape of filter, since absent terms would hide the indexes.
pub(crate) async fn list(
    pool: &PgPool,
    filter: &CaseFilter,
    before: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<CaseRow>> {
    let mut query = sqlx::QueryBuilder::new("select id, version, state from cases where true");
    if let Some(branches) = &filter.branches {
        query.push(" and branch = any(").push_bind(branches.clone()).push(")");
    }
    for (column, value) in [
        ("handler", &filter.handler),
        ("accountable", &filter.accountable),
        ("client", &filter.client),
        ("phase", &filter.phase),
    ] {
        if let Some(value) = value {
            query.push(" and ").push(column).push(" = ").push_bind(value.clone());
        }
    }
    if let Some(before) = before {
        query.push(" and id < ").push_bind(before.to_owned());
    }
    query.push(" order by id desc limit ").push_bind(limit);
    let rows: Vec<(String, i64, Json<CaseState>)> = query.build_query_as().fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(id, version, state)| CaseRow { id, version, state }).collect())
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
