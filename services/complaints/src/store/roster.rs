//! SQL: the firm's employees as ownership's feed tells of them, and how far it was read for them.

use sqlx::{PgExecutor, PgPool};

/// What of ownership's feed was passed over without taking note of employees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) incarnation: String,
    /// The position up to which everybody is known.
    pub(crate) from: i64,
    /// Where the follower's cursor stands.
    pub(crate) to: i64,
}

/// Those of the employees of whom ownership has told.
pub(crate) async fn known(pool: &PgPool, employees: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("select id from known_employee where id = any($1)", employees).fetch_all(pool).await
}

/// Takes in the employees of the events after `from` up to `to`. Everybody is known up to there if everybody was up to `from`.
///
/// One statement, which locks in one order: the follower and a reading of what it passed over may both be at it.
pub(crate) async fn note(
    executor: impl PgExecutor<'_>,
    from: i64,
    to: i64,
    employees: &[String],
) -> sqlx::Result<()> {
    sqlx::query!(
        "with entered as (
             insert into known_employee (id)
             select distinct employee from unnest($3::text[]) as employee order by employee
             on conflict do nothing
         )
         update roster_read r set position = greatest(r.position, $2) where r.position >= $1",
        from,
        to,
        employees
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// What the follower has passed over; `None` where everybody is known whom it has met.
pub(crate) async fn gap(pool: &PgPool) -> sqlx::Result<Option<Gap>> {
    sqlx::query_as!(
        Gap,
        r#"select c.incarnation, r.position as "from", c.position as "to"
           from feed_cursor c, roster_read r where c.feed = 'ownership' and r.position < c.position"#
    )
    .fetch_optional(pool)
    .await
}
