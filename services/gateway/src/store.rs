//! SQL of schema `ownership`: load many and save many for the engine, and the reads of the API.

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

/// Rows of one table to write.
#[derive(Default)]
struct Rows {
    ids: Vec<String>,
    before: Vec<i64>,
    after: Vec<i64>,
    states: Vec<serde_json::Value>,
}

impl Rows {
    fn push(&mut self, row: &Saved<State>, state: serde_json::Value) {
        self.ids.push(row.id.0.clone());
        self.before.push(row.before);
        self.after.push(row.after);
        self.states.push(state);
    }
}

/// Saves aggregates of all kinds; answers how many rows were written.
pub(crate) async fn save(connection: &mut PgConnection, rows: &[Saved<State>]) -> sqlx::Result<u64> {
    let (mut cases, mut contacts, mut policies, mut roster) =
        (Rows::default(), Rows::default(), Rows::default(), Rows::default());
    let (mut absences, mut reassignments) = (Rows::default(), Rows::default());
    let (mut presences, mut routings, mut staffing) = (Rows::default(), Rows::default(), Rows::default());
    let mut desks = Vec::new();
    for row in rows {
        let encoded = match &row.state {
            State::Case(state) => serde_json::to_value(state).map(|state| (&mut cases, state)),
            State::Contact(state) => serde_json::to_value(state).map(|state| (&mut contacts, state)),
            State::Policy(state) => serde_json::to_value(state).map(|state| (&mut policies, state)),
            State::Roster(state, _) => serde_json::to_value(state).map(|state| (&mut roster, state)),
            State::Absence(state) => serde_json::to_value(state).map(|state| (&mut absences, state)),
            State::Reassignment(state) => {
                serde_json::to_value(state).map(|state| (&mut reassignments, state))
            }
            State::Presence(state) => {
                desks.push(&**state);
                serde_json::to_value(state).map(|state| (&mut presences, state))
            }
            State::Routing(state) => serde_json::to_value(state).map(|state| (&mut routings, state)),
            State::Staffing(state) => serde_json::to_value(state).map(|state| (&mut staffing, state)),
        };
        let (table, state) = encoded.map_err(|error| sqlx::Error::Encode(error.into()))?;
        table.push(row, state);
    }
    let mut saved = 0;
    if !cases.ids.is_empty() || !contacts.ids.is_empty() {
        // Most commands touch both: one round trip.
        saved += sqlx::query_scalar!(
            r#"with saved_cases as (
                   insert into cases as t (id, version, state)
                   select i, a, s from unnest($1::text[], $2::bigint[], $3::bigint[], $4::jsonb[]) as u (i, b, a, s)
                   on conflict (id) do update set version = excluded.version, state = excluded.state
                   where t.version = (select b from unnest($1::text[], $2::bigint[]) as g (i, b) where g.i = t.id)
                   returning 1
               ), saved_contacts as (
                   insert into contacts as t (id, version, state)
                   select i, a, s from unnest($5::text[], $6::bigint[], $7::bigint[], $8::jsonb[]) as u (i, b, a, s)
                   on conflict (id) do update set version = excluded.version, state = excluded.state
                   where t.version = (select b from unnest($5::text[], $6::bigint[]) as g (i, b) where g.i = t.id)
                   returning 1
               )
               select (select count(*) from saved_cases) + (select count(*) from saved_contacts) as "saved!""#,
            &cases.ids,
            &cases.before,
            &cases.after,
            &cases.states,
            &contacts.ids,
            &contacts.before,
            &contacts.after,
            &contacts.states
        )
        .fetch_one(&mut *connection)
        .await?
        .unsigned_abs();
    }
    if !policies.ids.is_empty() {
        saved += sqlx::query!(
            "insert into policy as t (id, version, state)
             select i, a, s from unnest($1::text[], $2::bigint[], $3::bigint[], $4::jsonb[]) as u (i, b, a, s)
             on conflict (id) do update set version = excluded.version, state = excluded.state
             where t.version = (select b from unnest($1::text[], $2::bigint[]) as g (i, b) where g.i = t.id)",
            &policies.ids,
            &policies.before,
            &policies.after,
            &policies.states
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    if !roster.ids.is_empty() {
        saved += sqlx::query!(
            "insert into roster as t (id, version, state)
             select i, a, s from unnest($1::text[], $2::bigint[], $3::bigint[], $4::jsonb[]) as u (i, b, a, s)
             on conflict (id) do update set version = excluded.version, state = excluded.state
             where t.version = (select b from unnest($1::text[], $2::bigint[]) as g (i, b) where g.i = t.id)",
            &roster.ids,
            &roster.before,
            &roster.after,
            &roster.states
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    if !absences.ids.is_empty() {
        saved += sqlx::query!(
            "insert into absences as t (id, version, state)
             select i, a, s from unnest($1::text[], $2::bigint[], $3::bigint[], $4::jsonb[]) as u (i, b, a, s)
             on conflict (id) do update set version = excluded.version, state = excluded.state
             where t.version = (select b from unnest($1::text[], $2::bigint[]) as g (i, b) where g.i = t.id)",
            &absences.ids,
            &absences.before,
            &absences.after,
            &absences.states
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    if !presences.ids.is_empty() {
        saved += sqlx::query!(
            "insert into presences as t (id, version, state)
             select i, a, s from unnest($1::text[], $2::bigint[], $3::bigint[], $4::jsonb[]) as u (i, b, a, s)
             on conflict (id) do update set version = excluded.version, state = excluded.state
             where t.version = (select b from unnest($1::text[], $2::bigint[]) as g (i, b) where g.i = t.id)",
            &presences.ids,
            &presences.before,
            &presences.after,
            &presences.states
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    if !reassignments.ids.is_empty() {
        saved += sqlx::query!(
            "insert into reassignments as t (id, version, state)
             select i, a, s from unnest($1::text[], $2::bigint[], $3::bigint[], $4::jsonb[]) as u (i, b, a, s)
             on conflict (id) do update set version = excluded.version, state = excluded.state
             where t.version = (select b from unnest($1::text[], $2::bigint[]) as g (i, b) where g.i = t.id)",
            &reassignments.ids,
            &reassignments.before,
            &reassignments.after,
            &reassignments.states
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    if !routings.ids.is_empty() {
        saved += sqlx::query!(
            "insert into routings as t (id, version, state)
             select i, a, s from unnest($1::text[], $2::bigint[], $3::bigint[], $4::jsonb[]) as u (i, b, a, s)
             on conflict (id) do update set version = excluded.version, state = excluded.state
             where t.version = (select b from unnest($1::text[], $2::bigint[]) as g (i, b) where g.i = t.id)",
            &routings.ids,
            &routings.before,
            &routings.after,
            &routings.states
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    if !staffing.ids.is_empty() {
        saved += sqlx::query!(
            "insert into staffing as t (id, version, state)
             select i, a, s from unnest($1::text[], $2::bigint[], $3::bigint[], $4::jsonb[]) as u (i, b, a, s)
             on conflict (id) do update set version = excluded.version, state = excluded.state
             where t.version = (select b from unnest($1::text[], $2::bigint[]) as g (i, b) where g.i = t.id)",
            &staffing.ids,
            &staffing.before,
            &staffing.after,
            &staffing.states
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    if !desks.is_empty() {
        routing::keep_desks(connection, &desks).await?;
    }
    desk::apply(connection, &waiting(rows)).await?;
    Ok(saved)
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
