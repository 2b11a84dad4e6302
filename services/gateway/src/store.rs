//! SQL of schema `ownership`: what the engine's states lack, desks, and the reads of the API.

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
use sqlx::PgConnection;

use crate::domain::{
    PresenceState, RosterState, State,
    desk::{Item, items},
};

/// Adds when who is present was last seen, and what employees would leave behind.
pub(crate) async fn complete(
    connection: &mut PgConnection,
    loaded: &mut [Loaded<State>],
) -> sqlx::Result<()> {
    let mut present: Vec<&mut PresenceState> = Vec::new();
    for Loaded { state, .. } in loaded {
        match state {
            State::Presence(presence) => present.push(presence),
            State::Roster(RosterState::Employee(employee), left) => {
                *left = open::left_behind(connection, &employee.name).await?;
            }
            _ => {}
        }
    }
    if !present.is_empty() {
        routing::see(connection, &mut present).await?;
    }
    Ok(())
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
