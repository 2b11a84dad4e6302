//! Whose clients are to be looked through because the roster has changed.

use sqlx::{PgConnection, PgPool};

/// A change that is not worked off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handover {
    pub(crate) employee: String,
    pub(crate) branch: String,
    pub(crate) position: i64,
}

/// Notes a change, in the transaction that takes it in.
pub(crate) async fn note(connection: &mut PgConnection, handover: &Handover) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into handover (employee, branch, position) values ($1, $2, $3)
         on conflict (employee) do update set branch = excluded.branch, position = excluded.position",
        handover.employee,
        handover.branch,
        handover.position
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How many changes are not worked off.
pub(crate) async fn count(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from handover"#).fetch_one(connection).await
}

/// The changes in the order in which they came.
pub(crate) async fn open(pool: &PgPool, limit: i64) -> sqlx::Result<Vec<Handover>> {
    sqlx::query_as!(
        Handover,
        "select employee, branch, position from handover order by position limit $1",
        limit
    )
    .fetch_all(pool)
    .await
}

/// The change is worked off, unless another one came meanwhile.
pub(crate) async fn close(pool: &PgPool, handover: &Handover) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from handover where employee = $1 and position = $2",
        handover.employee,
        handover.position
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A page of the employee's clients behind an id, with their branches.
pub(crate) async fn clients_of(
    pool: &PgPool,
    employee: &str,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        "select id, branch from client where manager = $1 and id > $2 order by id limit $3",
        employee,
        after,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.branch)).collect())
}

/// A page of the branch's clients whom nobody serves, behind an id.
pub(crate) async fn unserved(
    pool: &PgPool,
    branch: &str,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        "select id, branch from client where manager = '' and branch = $1 and id > $2 order by id limit $3",
        branch,
        after,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.branch)).collect())
}
