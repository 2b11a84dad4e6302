//! How much of what there is.

use sqlx::PgConnection;

/// What is open at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) open: i64,
    pub(crate) awaiting_satisfaction: i64,
    pub(crate) overdue: i64,
    pub(crate) offers: i64,
}

/// Counts what is open. A pending offer is one whose expiry is still ahead or not swept yet.
pub(crate) async fn read(connection: &mut PgConnection) -> sqlx::Result<Counts> {
    sqlx::query_as!(
        Counts,
        r#"select (select count(*) from cases where phase = 'open') as "open!",
                  (select count(*) from cases where phase = 'awaiting_satisfaction') as "awaiting_satisfaction!",
                  (select count(*) from cases
                   where answer_due <= coalesce((select simulated_at from clock), statement_timestamp())) as "overdue!",
                  (select count(*) from deadline where step = 'offer') as "offers!""#
    )
    .fetch_one(connection)
    .await
}
