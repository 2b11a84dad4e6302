//! SQL of schema `ownership`: load many for the engine, desks, and the reads of the API.

pub(crate) mod absences;
pub(crate) mod cases;
pub(crate) mod clients;
pub(crate) mod counts;
pub(crate) mod desk;
pub(crate) mod known;
pub(crate) mod open;
pub(crate) mod reach;
pub(crate) mod roster;
pub(crate) mod routing;
pub(crate) mod timeline;

use shouwen_engine::{AggregateId, Loaded, Saved};
use sqlx::{PgConnection, types::Json};

use crate::domain::{
    LeftBehind, PresenceState, RosterState, RoutingState, StaffingState, State,
    desk::{Item, items},
    is_roster,
};

/// Loads aggregates of all kinds that are asked for.
pub(crate) async fn load(
    connection: &mut PgConnection,
    ids: &[AggregateId],
) -> sqlx::Result<Vec<Loaded<State>>> {
    let mut loaded = Vec::with_capacity(ids.len());
    let of = |collection: &str| -> Vec<String> {
        ids.iter().filter(|id| id.collection() == collection).map(|id| id.0.clone()).collect()
    };
    let cases = of("cases");
    if !cases.is_empty() {
        let rows = sqlx::query!(
            r#"select id, version, state as "state: Json<crate::domain::CaseState>" from cases where id = any($1)"#,
            &cases
        )
        .fetch_all(&mut *connection)
        .await?;
        loaded.extend(
            rows.into_iter()
                .map(|row| (AggregateId(row.id), row.version, State::Case(Box::new(row.state.0)))),
        );
    }
    let contacts = of("contacts");
    if !contacts.is_empty() {
        let rows = sqlx::query!(
            r#"select id, version, state as "state: Json<crate::domain::ContactState>" from contacts where id = any($1)"#,
            &contacts
        )
        .fetch_all(&mut *connection)
        .await?;
        loaded.extend(
            rows.into_iter()
                .map(|row| (AggregateId(row.id), row.version, State::Contact(Box::new(row.state.0)))),
        );
    }
    let policies = of("policies");
    if !policies.is_empty() {
        let rows = sqlx::query!(
            r#"select id, version, state as "state: Json<shouwen_policy::PolicyState>" from policy where id = any($1)"#,
            &policies
        )
        .fetch_all(&mut *connection)
        .await?;
        loaded.extend(
            rows.into_iter()
                .map(|row| (AggregateId(row.id), row.version, State::Policy(Box::new(row.state.0)))),
        );
    }
    let presences = of("presences");
    if !presences.is_empty() {
        let rows = sqlx::query!(
            r#"select p.id as "id!", p.version as "version!", p.state as "state!: Json<PresenceState>",
                      s.last_seen as "seen?"
               from presences p left join desk_session s on s.employee = p.employee where p.id = any($1)"#,
            &presences
        )
        .fetch_all(&mut *connection)
        .await?;
        loaded.extend(rows.into_iter().map(|row| {
            let seen = Some(row.seen.unwrap_or(row.state.0.since));
            let state = PresenceState { seen, ..row.state.0 };
            (AggregateId(row.id), row.version, State::Presence(Box::new(state)))
        }));
    }
    let staffing = of("staffing");
    if !staffing.is_empty() {
        let rows = sqlx::query!(
            r#"select id, version, state as "state: Json<StaffingState>" from staffing where id = any($1)"#,
            &staffing
        )
        .fetch_all(&mut *connection)
        .await?;
        loaded.extend(
            rows.into_iter().map(|row| (AggregateId(row.id), row.version, State::Staffing(row.state.0))),
        );
    }
    let routings = of("routings");
    if !routings.is_empty() {
        let rows = sqlx::query!(
            r#"select id, version, state as "state: Json<RoutingState>" from routings where id = any($1)"#,
            &routings
        )
        .fetch_all(&mut *connection)
        .await?;
        loaded.extend(
            rows.into_iter()
                .map(|row| (AggregateId(row.id), row.version, State::Routing(Box::new(row.state.0)))),
        );
    }
    let roster: Vec<String> = ids.iter().filter(|id| is_roster(id)).map(|id| id.0.clone()).collect();
    if !roster.is_empty() {
        let rows = sqlx::query!(
            r#"select id, version, state as "state: Json<crate::domain::RosterState>" from roster where id = any($1)"#,
            &roster
        )
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let entry = row.state.0;
            let left = match &entry {
                RosterState::Employee(employee) => open::left_behind(connection, &employee.name).await?,
                _ => LeftBehind::default(),
            };
            loaded.push((AggregateId(row.id), row.version, State::Roster(entry, left)));
        }
    }
    let absences = of("absences");
    if !absences.is_empty() {
        let rows = sqlx::query!(
            r#"select id, version, state as "state: Json<crate::domain::AbsenceState>" from absences where id = any($1)"#,
            &absences
        )
        .fetch_all(&mut *connection)
        .await?;
        loaded.extend(
            rows.into_iter()
                .map(|row| (AggregateId(row.id), row.version, State::Absence(Box::new(row.state.0)))),
        );
    }
    let reassignments = of("reassignments");
    if !reassignments.is_empty() {
        let rows = sqlx::query!(
            r#"select id, version, state as "state: Json<crate::domain::ReassignmentState>" from reassignments where id = any($1)"#,
            &reassignments
        )
        .fetch_all(&mut *connection)
        .await?;
        loaded.extend(
            rows.into_iter()
                .map(|row| (AggregateId(row.id), row.version, State::Reassignment(Box::new(row.state.0)))),
        );
    }
    Ok(loaded)
}

/// Keeps desks up with the states that are saved.
pub(crate) async fn attach(connection: &mut PgConnection, rows: &[Saved<State>]) -> sqlx::Result<()> {
    let presences: Vec<&PresenceState> = rows
        .iter()
        .filter_map(|row| match &row.state {
            State::Presence(presence) => Some(&**presence),
            _ => None,
        })
        .collect();
    if !presences.is_empty() {
        routing::keep_desks(connection, &presences).await?;
    }
    let mut waiting = waiting(rows);
    let cases = rows.iter().filter(|row| row.before > 0).filter_map(|row| match &row.state {
        State::Case(case) => Some(&**case),
        _ => None,
    });
    waiting.extend(desk::below(connection, cases).await?);
    desk::apply(connection, &waiting).await?;
    Ok(())
}

/// What waits because of the states, for those that may have made something wait, or do so now.
fn waiting(rows: &[Saved<State>]) -> Vec<(String, Vec<Item>)> {
    let items = rows.iter().map(|row| (row, items(&row.id.0, &row.state)));
    items
        .filter(|(row, items)| !items.is_empty() || (row.before > 0 && may_wait(&row.id)))
        .map(|(row, items)| (row.id.0.clone(), items))
        .collect()
}

/// Whether something can wait because of aggregates of this collection.
fn may_wait(id: &AggregateId) -> bool {
    matches!(id.collection(), "cases" | "routings" | "staffing")
}
