//! SQL: complaints, policies, and what other services' feeds told of cases, clients and employees.

pub(crate) mod projections;
pub(crate) mod roster;

use chrono::{DateTime, Utc};
use shouwen_engine::AggregateId;
use shouwen_policy::{PolicyVersion, StoredPolicy};
use sqlx::{PgConnection, PgExecutor, PgPool, types::Json};

use crate::domain::Complaint;

/// Which complaints a list shows; absent terms do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ComplaintFilter {
    /// Receiving units, `branches/{branch}`.
    pub(crate) units: Option<Vec<String>>,
    /// As stored, e.g. `filed`.
    pub(crate) stage: Option<&'static str>,
    pub(crate) client: Option<String>,
    pub(crate) number: Option<String>,
    /// None that is about this employee (O12), `employees/{employee}`.
    pub(crate) not_about: Option<String>,
}

/// One complaint by its aggregate id.
pub(crate) async fn find(pool: &PgPool, id: &AggregateId) -> sqlx::Result<Option<Complaint>> {
    let row =
        sqlx::query_scalar!(r#"select state as "state: Json<Complaint>" from complaint where id = $1"#, id.0)
            .fetch_optional(pool)
            .await?;
    Ok(row.map(|state| state.0))
}

/// Newest first, before the id given. One plan per shape of filter, since absent terms would hide the indexes.
pub(crate) async fn list(
    pool: &PgPool,
    filter: &ComplaintFilter,
    before: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Complaint>> {
    let mut query = sqlx::QueryBuilder::new("select state from complaint where true");
    match filter.units.as_deref() {
        None => {}
        Some([unit]) => {
            query.push(" and receiving_unit = ").push_bind(unit.clone());
        }
        Some(units) => {
            query.push(" and receiving_unit = any(").push_bind(units.to_vec()).push(")");
        }
    }
    if let Some(stage) = filter.stage {
        query.push(" and stage = ").push_bind(stage);
    }
    if let Some(client) = &filter.client {
        // The partial index holds known clients only.
        query.push(" and client <> '' and client = ").push_bind(client.clone());
    }
    if let Some(number) = &filter.number {
        query.push(" and number = ").push_bind(number.clone());
    }
    if let Some(employee) = &filter.not_about {
        query
            .push(" and (state -> 'complained_about' @> to_jsonb(")
            .push_bind(employee.clone())
            .push("::text)) is not true");
    }
    if let Some(before) = before {
        query.push(" and id < ").push_bind(before.to_owned());
    }
    query.push(" order by id desc limit ").push_bind(limit);
    let rows: Vec<(Json<Complaint>,)> = query.build_query_as().fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(state,)| state.0).collect())
}

/// The units of those complaints that have no number yet.
pub(crate) async fn unnumbered(
    connection: &mut PgConnection,
    ids: &[String],
) -> sqlx::Result<Vec<(AggregateId, String)>> {
    let rows = sqlx::query!(
        r#"select id, receiving_unit as "receiving_unit!" from complaint where id = any($1) and number is null"#,
        ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (AggregateId(row.id), row.receiving_unit)).collect())
}

/// Business time, as the engine has it.
pub(crate) async fn business_time(connection: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"select coalesce((select simulated_at from clock), clock_timestamp()) as "now!""#)
        .fetch_one(connection)
        .await
}

/// All policies.
pub(crate) async fn policies(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<StoredPolicy>> {
    let rows =
        sqlx::query!(r#"select id, state as "state: Json<Option<PolicyVersion>>" from policy order by id"#)
            .fetch_all(executor)
            .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.state.0)).collect())
}

/// How many there are of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) name: String,
    pub(crate) count: i64,
}

/// How many record forms are open, by stage.
pub(crate) async fn open_by_stage(connection: &mut PgConnection) -> sqlx::Result<Vec<Counted>> {
    sqlx::query_as!(
        Counted,
        r#"select stage as "name!", count(*) as "count!" from complaint
           where stage not in ('closed', 'declined') group by 1 order by 1"#
    )
    .fetch_all(connection)
    .await
}

/// How many limits of open record forms have passed and are still owed, by kind.
pub(crate) async fn overdue_by_kind(connection: &mut PgConnection) -> sqlx::Result<Vec<Counted>> {
    sqlx::query_as!(
        Counted,
        r#"select "limit" ->> 'kind' as "name!", count(*) as "count!"
           from complaint, jsonb_array_elements(state -> 'limits') as "limit"
           where stage not in ('closed', 'declined')
             and "limit" @> '{"missed": true, "met": null, "given_up": false}'
           group by 1 order by 1"#
    )
    .fetch_all(connection)
    .await
}
