//! Reading absences for the API.

use sqlx::{PgPool, types::Json};

use crate::domain::AbsenceState;

/// An absence as stored.
pub(crate) struct AbsenceRow {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) state: Json<AbsenceState>,
}

pub(crate) async fn get(pool: &PgPool, id: &str) -> sqlx::Result<Option<AbsenceRow>> {
    sqlx::query_as!(
        AbsenceRow,
        r#"select id, version, state as "state: Json<AbsenceState>" from absences where id = $1"#,
        id
    )
    .fetch_optional(pool)
    .await
}

/// What a list asks for; empty and absent terms do not restrict.
pub(crate) struct AbsenceFilter<'a> {
    pub(crate) branches: Option<&'a [String]>,
    pub(crate) employee: &'a str,
    /// Only planned and running ones.
    pub(crate) current: bool,
}

/// Latest entered first, before the id given.
pub(crate) async fn list(
    pool: &PgPool,
    filter: &AbsenceFilter<'_>,
    before: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<AbsenceRow>> {
    sqlx::query_as!(
        AbsenceRow,
        r#"select id, version, state as "state: Json<AbsenceState>" from absences
           where ($1::text[] is null or branch = any($1)) and ($2 = '' or employee = $2)
               and (not $3 or status in ('planned', 'running')) and ($4::text is null or id < $4)
           order by id desc limit $5"#,
        filter.branches,
        filter.employee,
        filter.current,
        before,
        limit
    )
    .fetch_all(pool)
    .await
}
