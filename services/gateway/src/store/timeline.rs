//! The timeline of a case: its own ledger, what was merged into it, and the projection of the other services' feeds.

use chrono::{DateTime, Utc};
use shouwen_proto::events::v1::Event;
use shouwen_serving::timestamps;
use sqlx::{PgConnection, PgPool};

/// Projects events of another service.
pub(crate) async fn project(
    connection: &mut PgConnection,
    service: &str,
    events: &[Event],
) -> sqlx::Result<()> {
    let column = |value: fn(&Event) -> &str| -> Vec<String> {
        events.iter().map(|event| value(event).to_owned()).collect()
    };
    let positions: Vec<i64> =
        events.iter().map(|event| event.cursor.as_ref().map_or(0, |cursor| cursor.position)).collect();
    let times: Vec<DateTime<Utc>> = events
        .iter()
        .map(|event| event.time.as_ref().and_then(timestamps::from_proto).unwrap_or_default())
        .collect();
    sqlx::query!(
        "insert into timeline (service, position, time, type, aggregate, case_name, actor, on_behalf, capacity, cause)
         select $1, * from unnest($2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[],
                                  $8::text[], $9::text[], $10::text[])
         on conflict do nothing",
        service,
        &positions,
        &times,
        &column(|event| &event.r#type),
        &column(|event| &event.aggregate),
        &column(|event| &event.case),
        &column(|event| &event.actor),
        &column(|event| &event.on_behalf),
        &column(|event| &event.capacity),
        &column(|event| &event.cause)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// One line of a timeline.
pub(crate) struct Line {
    pub(crate) service: String,
    pub(crate) position: i64,
    pub(crate) time: DateTime<Utc>,
    pub(crate) r#type: String,
    pub(crate) aggregate: String,
    pub(crate) actor: String,
    pub(crate) on_behalf: String,
    pub(crate) capacity: String,
    pub(crate) cause: String,
}

/// Lines of a case after a point, in order of time, service and position.
pub(crate) async fn read(
    pool: &PgPool,
    case: &str,
    after: (DateTime<Utc>, &str, i64),
    limit: i64,
) -> sqlx::Result<Vec<Line>> {
    sqlx::query_file_as!(Line, "src/store/timeline.sql", case, after.0, after.1, after.2, limit)
        .fetch_all(pool)
        .await
}
