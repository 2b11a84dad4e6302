//! The timeline of a case: its own ledger, what was merged into it, and the projection of the other services' feeds.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use shouwen_proto::events::v1::{Cursor, Event};
use shouwen_serving::timestamps;
use sqlx::{PgConnection, PgPool};

use crate::domain::timeline::{At, Line};

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

/// The positions up to which services' events are told, the services in their order of showing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AsOf(pub(crate) Vec<(String, Cursor)>);

impl AsOf {
    fn columns(&self) -> (Vec<String>, Vec<i64>) {
        self.0.iter().map(|(service, cursor)| (service.clone(), cursor.position)).unzip()
    }

    fn covers(&self, (service, position): At<'_>) -> bool {
        self.0.iter().any(|(known, cursor)| known == service && position <= cursor.position)
    }
}

/// The lines of a case, and the causes of those that lie elsewhere, as of positions; in no order that means anything.
pub(crate) async fn read(pool: &PgPool, case: &str, as_of: &AsOf) -> sqlx::Result<Vec<Line>> {
    let (services, heads) = as_of.columns();
    let rows =
        sqlx::query_file_as!(Row, "src/store/timeline.sql", case, &services, &heads).fetch_all(pool).await?;
    let mut lines: Vec<Line> = rows.into_iter().map(|row| row.line(true)).collect();
    // Causes lie ever further back, so this ends; hardly any case has one that is not its own.
    loop {
        let known: HashSet<At<'_>> = lines.iter().map(Line::at).collect();
        let sought: BTreeSet<At<'_>> = lines
            .iter()
            .filter_map(Line::caused_by)
            .filter(|cause| !known.contains(cause) && as_of.covers(*cause))
            .collect();
        let (services, positions): (Vec<String>, Vec<i64>) =
            sought.into_iter().map(|(service, position)| (service.to_owned(), position)).unzip();
        let found =
            if services.is_empty() { Vec::new() } else { causes(pool, &services, &positions).await? };
        if found.is_empty() {
            return Ok(lines);
        }
        lines.extend(found.into_iter().map(|row| row.line(false)));
    }
}

async fn causes(pool: &PgPool, services: &[String], positions: &[i64]) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        r#"select t.service as "service!", t.position as "position!", t.time as "time!", t.type as "type!", t.aggregate as "aggregate!",
                  t.case_name as "case_name!", t.actor as "actor!", t.on_behalf as "on_behalf!", t.capacity as "capacity!", t.cause as "cause!"
           from unnest($1::text[], $2::bigint[]) as sought (service, position)
           join timeline t on t.service = sought.service and t.position = sought.position
           union all
           select 'ownership', l.position, l.time, l.type, l.aggregate, l.case_name, l.actor, l.on_behalf, l.capacity, l.cause
           from unnest($1::text[], $2::bigint[]) as sought (service, position)
           join ledger l on sought.service = 'ownership' and l.position = sought.position"#,
        services,
        positions
    )
    .fetch_all(pool)
    .await
}

struct Row {
    service: String,
    position: i64,
    time: DateTime<Utc>,
    r#type: String,
    aggregate: String,
    case_name: String,
    actor: String,
    on_behalf: String,
    capacity: String,
    cause: String,
}

impl Row {
    fn line(self, shown: bool) -> Line {
        let Self { service, position, time, r#type, aggregate, case_name, actor, on_behalf, capacity, cause } =
            self;
        Line {
            service,
            position,
            time,
            r#type,
            aggregate,
            case_name,
            actor,
            on_behalf,
            capacity,
            cause,
            shown,
        }
    }
}
