//! Presences, routings and desks: what commands of routing will touch, what waits, and the reads of the API.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_engine::{AggregateId, Footprint, Gauge, Reading};
use sqlx::{PgConnection, PgExecutor, PgPool, types::Json};

use crate::domain::{
    CaseState, Command, Snapshot, StaffingState,
    command::PresenceCommand,
    presence::{self, PresenceState},
    routing::{
        RoutingState,
        plan::{self, Found},
    },
    staffing::{self, Presences, Present},
};

/// How many waiting contacts of each branch, and how many silent desks, one look goes through.
const LOOK: i64 = 200;

/// The footprints of commands of presence and routing, each in its place.
pub(crate) async fn plan(
    connection: &mut PgConnection,
    snapshot: &Snapshot,
    commands: &[&Command],
    footprints: &mut [Footprint],
) -> sqlx::Result<()> {
    let wanted = plan::wanted(commands);
    let (routings, reserved): (Vec<String>, Vec<String>) =
        (wanted.routings.into_iter().collect(), wanted.reserved.into_iter().collect());
    let presences: Vec<String> = reserved.iter().map(|employee| presence::id(employee).0).collect();
    // What is named, what rings at desks, and the calls that their employees are on.
    let rows = sqlx::query!(
        r#"select id, state as "state: Json<RoutingState>", null as on_it from routings where id = any($1)
           union all
           select id, state, null from routings where reserved = any($2) and id <> all($1)
           union all
           select 'routings/' || substr(p.state ->> 'on', 10), null, p.employee from presences p
               where p.id = any($3) and p.state ->> 'on' is not null"#,
        &routings,
        &reserved,
        &presences
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut found = Found { now: now(&mut *connection).await?, ..Found::default() };
    for row in rows {
        match (row.id, row.state, row.on_it) {
            (Some(id), Some(state), _) => {
                found.routings.insert(id, state.0);
            }
            (Some(id), None, Some(employee)) => {
                found.lines.insert(employee, AggregateId(id));
            }
            _ => {}
        }
    }
    let seekers = plan::seekers(commands, &found);
    people(connection, snapshot, &seekers, &mut found).await?;
    for (footprint, planned) in footprints.iter_mut().zip(plan::footprints(commands, &found, snapshot)) {
        if let Some(planned) = planned {
            *footprint = planned;
        }
    }
    Ok(())
}

/// Contacts that wait although somebody looks free, and desks that have been silent for too long.
pub(crate) async fn pending(
    connection: &mut PgConnection,
    snapshot: &Snapshot,
    at: DateTime<Utc>,
) -> sqlx::Result<Vec<Command>> {
    let mut commands = lost(connection, snapshot, at).await?;
    let branches: Vec<String> = snapshot.roster.branches().map(|branch| branch.name.clone()).collect();
    // No branch keeps those of another from being looked at.
    let queue: Vec<(AggregateId, RoutingState)> = sqlx::query!(
        r#"select q.id as "id!", q.state as "state!: Json<RoutingState>"
           from unnest($1::text[]) as b (branch) cross join lateral (
               select id, state, vip, begun from routings r where r.branch = b.branch and r.phase = 'queued'
               order by r.vip desc, r.begun, r.id limit $2) q
           order by q.vip desc, q.begun, q.id"#,
        &branches,
        LOOK
    )
    .fetch_all(&mut *connection)
    .await?
    .into_iter()
    .map(|row| (AggregateId(row.id), row.state.0))
    .collect();
    if !queue.is_empty() {
        let mut found = Found { now: at, ..Found::default() };
        let seekers: Vec<RoutingState> = queue.iter().map(|(_, routing)| routing.clone()).collect();
        people(connection, snapshot, &seekers, &mut found).await?;
        commands.extend(plan::dispatchable(&queue, &found, snapshot));
    }
    commands.extend(staffing(connection, snapshot, at).await?);
    Ok(commands)
}

/// Alarms of published lines that have to be raised or are over (K1).
async fn staffing(
    connection: &mut PgConnection,
    snapshot: &Snapshot,
    at: DateTime<Utc>,
) -> sqlx::Result<Vec<Command>> {
    // Before looking for lines: an alarm also ends where none is published any more.
    let alarmed = alarms(&mut *connection).await?;
    let published = snapshot.roster.lines().filter(|line| line.published);
    let branches: BTreeSet<String> = published.map(|line| line.branch.clone()).collect();
    if branches.is_empty() && alarmed.is_empty() {
        return Ok(Vec::new());
    }
    let branches: Vec<String> = branches.into_iter().collect();
    // One who is not there is enough to say that a branch works by presence.
    let rows = sqlx::query!(
        r#"select branch as "branch!", employee as "employee!", (state ->> 'wanted')::int as "wanted!"
           from presences where branch = any($1) and signed_on
           union all
           select b.branch, away.employee, away.wanted from unnest($1::text[]) as b (branch) cross join lateral (
               select employee, (state ->> 'wanted')::int as wanted from presences p
               where p.branch = b.branch and not p.signed_on limit 1) away"#,
        &branches
    )
    .fetch_all(connection)
    .await?;
    let mut presences = Presences::new();
    for row in rows {
        let present = Present { employee: row.employee, wanted: row.wanted };
        presences.entry(row.branch).or_default().push(present);
    }
    Ok(staffing::changes(&presences, &alarmed, at, snapshot))
}

const UNSTAFFED: Gauge = Gauge {
    name: "shouwen.lines.unstaffed",
    unit: "{line}",
    description: "Published lines with nobody at the desk in working hours",
};

const WAITING: Gauge = Gauge {
    name: "shouwen.routings.waiting",
    unit: "{contact}",
    description: "Contacts that wait until somebody is free",
};

/// What is shown in numbers.
pub(crate) async fn readings(connection: &mut PgConnection) -> sqlx::Result<Vec<Reading>> {
    let row = sqlx::query!(
        r#"select (select count(*) from staffing where unstaffed) as "unstaffed!",
                  (select count(*) from routings where phase = 'queued') as "waiting!""#
    )
    .fetch_one(connection)
    .await?;
    Ok(vec![UNSTAFFED.reads(row.unstaffed), WAITING.reads(row.waiting)])
}

/// Since when lines are unstaffed, by `lines/{line}`.
pub(crate) async fn unstaffed(pool: &PgPool) -> sqlx::Result<HashMap<String, DateTime<Utc>>> {
    let alarmed = alarms(pool).await?;
    Ok(alarmed.into_iter().filter_map(|(line, alarm)| Some((line, alarm.unstaffed?))).collect())
}

/// The alarms that are on, by `lines/{line}`.
async fn alarms(executor: impl PgExecutor<'_>) -> sqlx::Result<BTreeMap<String, StaffingState>> {
    let rows =
        sqlx::query!(r#"select id, state as "state: Json<StaffingState>" from staffing where unstaffed"#)
            .fetch_all(executor)
            .await?;
    Ok(rows.into_iter().map(|row| (row.id.replacen("staffing/", "lines/", 1), row.state.0)).collect())
}

async fn lost(
    connection: &mut PgConnection,
    snapshot: &Snapshot,
    at: DateTime<Utc>,
) -> sqlx::Result<Vec<Command>> {
    let of = |branch| snapshot.policies.routing(branch, at).value.session_length();
    let shortest = snapshot.roster.branches().map(|branch| of(Some(&*branch.name))).chain([of(None)]).min();
    let rows = sqlx::query!(
        r#"select p.state as "state!: Json<PresenceState>", s.last_seen as "last_seen!"
           from desk_session s join presences p on p.id = 'presences/' || substr(s.employee, 11)
           where s.last_seen <= $1 order by s.last_seen limit $2"#,
        at - shortest.unwrap_or(TimeDelta::zero()),
        LOOK
    )
    .fetch_all(connection)
    .await?;
    let presences = rows.into_iter().map(|row| PresenceState { seen: Some(row.last_seen), ..row.state.0 });
    let silent = presences.filter(|known| presence::is_lost(known, at, snapshot));
    let lost =
        |known: PresenceState| PresenceCommand::Lost { employee: known.employee, session: known.session };
    Ok(silent.map(|known| Command::Presence(lost(known))).collect())
}

/// Who may be asked for these routings: who is free in their branches or at HQ, and whom their cases name.
async fn people(
    connection: &mut PgConnection,
    snapshot: &Snapshot,
    seekers: &[RoutingState],
    found: &mut Found,
) -> sqlx::Result<()> {
    if seekers.is_empty() {
        return Ok(());
    }
    let cases: Vec<String> = seekers.iter().filter_map(|routing| routing.case.clone()).collect();
    if !cases.is_empty() {
        let rows = sqlx::query!(
            r#"select id, state as "state: Json<CaseState>" from cases where id = any($1)"#,
            &cases
        )
        .fetch_all(&mut *connection)
        .await?;
        found.cases.extend(rows.into_iter().map(|row| (row.id, row.state.0)));
    }
    let branches: BTreeSet<String> = seekers.iter().map(|routing| routing.branch.clone()).collect();
    let branches: Vec<String> = branches.into_iter().collect();
    let named: BTreeSet<String> = seekers
        .iter()
        .flat_map(|routing| {
            let case = routing.case.as_ref().and_then(|case| found.cases.get(case));
            plan::named(routing, case, snapshot)
        })
        .map(|employee| presence::id(&employee).0)
        .collect();
    let named: Vec<String> = named.into_iter().collect();
    let rows = sqlx::query!(
        r#"with asked as (
               select id, state from presences where free and branch = any($1)
               union all
               select id, state from presences where free and hq and branch <> all($1)
               union all
               select id, state from presences
               where id = any($2) and not (free and (hq or branch = any($1)))
           )
           select state as "state!: Json<PresenceState>",
                  exists (select from routings r where r.reserved = a.state ->> 'employee') as "reserved!"
           from asked a"#,
        &branches,
        &named
    )
    .fetch_all(connection)
    .await?;
    found.presences = rows.into_iter().map(|row| (row.state.0, row.reserved)).collect();
    Ok(())
}

async fn now(executor: impl PgExecutor<'_>) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"select coalesce((select simulated_at from clock), clock_timestamp()) as "now!""#)
        .fetch_one(executor)
        .await
}

/// The desk is heard of; answers when, or `None` where the employee is not signed on from it.
pub(crate) async fn heard(
    pool: &PgPool,
    employee: &str,
    session: &str,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        "update desk_session
         set last_seen = greatest(last_seen, coalesce((select simulated_at from clock), clock_timestamp()))
         where employee = $1 and session = $2 returning last_seen",
        employee,
        session
    )
    .fetch_optional(pool)
    .await
}

/// Adds to presences when their desks were heard of last.
pub(crate) async fn see(
    connection: &mut PgConnection,
    presences: &mut [&mut PresenceState],
) -> sqlx::Result<()> {
    let employees: Vec<String> = presences.iter().map(|known| known.employee.clone()).collect();
    let desks =
        sqlx::query!("select employee, last_seen from desk_session where employee = any($1)", &employees)
            .fetch_all(connection)
            .await?;
    let seen: HashMap<String, DateTime<Utc>> =
        desks.into_iter().map(|desk| (desk.employee, desk.last_seen)).collect();
    for known in presences {
        known.seen = Some(seen.get(&known.employee).copied().unwrap_or(known.since));
    }
    Ok(())
}

/// Keeps the desks up with the presences that are saved.
pub(crate) async fn keep_desks(
    connection: &mut PgConnection,
    presences: &[&PresenceState],
) -> sqlx::Result<()> {
    let signed_on = presences.iter().filter(|known| !known.session.is_empty());
    let (mut employees, mut sessions, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for known in signed_on {
        employees.push(known.employee.clone());
        sessions.push(known.session.clone());
        seen.push(known.seen.unwrap_or(known.since));
    }
    sqlx::query!(
        "insert into desk_session as d (employee, session, last_seen)
         select * from unnest($1::text[], $2::text[], $3::timestamptz[])
         on conflict (employee) do update
         set session = excluded.session, last_seen = greatest(d.last_seen, excluded.last_seen)",
        &employees,
        &sessions,
        &seen
    )
    .execute(&mut *connection)
    .await?;
    let gone = presences.iter().filter(|known| known.session.is_empty());
    let gone: Vec<String> = gone.map(|known| known.employee.clone()).collect();
    if !gone.is_empty() {
        sqlx::query!("delete from desk_session where employee = any($1)", &gone).execute(connection).await?;
    }
    Ok(())
}

/// What is known of a client for routing: VIP or core, service manager, and the open case, on the topic before others.
#[derive(Debug, Default)]
pub(crate) struct ClientFile {
    pub(crate) vip: bool,
    pub(crate) service_manager: Option<String>,
    pub(crate) case: Option<String>,
}

pub(crate) async fn client(pool: &PgPool, client: &str, topic: &str) -> sqlx::Result<ClientFile> {
    let row = sqlx::query!(
        r#"select (coalesce(f.vip, false) or coalesce(f.core, false)) as "vip!",
                  coalesce(f.service_manager, '') as "service_manager!",
                  (select id from cases c
                   where c.client = $1 and c.phase in ('open', 'awaiting_satisfaction')
                   order by (c.topic = $2) desc, c.id desc limit 1) as open
           from (select $1::text as client) asked left join client_file f on f.client = asked.client"#,
        client,
        topic
    )
    .fetch_one(pool)
    .await?;
    let service_manager = Some(row.service_manager).filter(|manager| !manager.is_empty());
    Ok(ClientFile { vip: row.vip, service_manager, case: row.open })
}

/// A presence as stored, with what rings there.
pub(crate) struct PresenceRow {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) state: Json<PresenceState>,
    pub(crate) seen: Option<DateTime<Utc>>,
    pub(crate) ringing: Option<String>,
}

pub(crate) async fn presence(pool: &PgPool, id: &str) -> sqlx::Result<Option<PresenceRow>> {
    sqlx::query_as!(
        PresenceRow,
        r#"select p.id as "id!", p.version as "version!", p.state as "state!: Json<PresenceState>", s.last_seen as "seen?",
                  (select r.id from routings r where r.reserved = p.employee limit 1) as ringing
           from presences p left join desk_session s on s.employee = p.employee where p.id = $1"#,
        id
    )
    .fetch_optional(pool)
    .await
}

pub(crate) async fn signed_on(pool: &PgPool, branch: &str, limit: i64) -> sqlx::Result<Vec<PresenceRow>> {
    sqlx::query_as!(
        PresenceRow,
        r#"select p.id as "id!", p.version as "version!", p.state as "state!: Json<PresenceState>", s.last_seen as "seen?",
                  (select r.id from routings r where r.reserved = p.employee limit 1) as ringing
           from presences p left join desk_session s on s.employee = p.employee
           where p.branch = $1 and p.signed_on order by p.id limit $2"#,
        branch,
        limit
    )
    .fetch_all(pool)
    .await
}

/// A routing as stored.
pub(crate) struct RoutingRow {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) state: Json<RoutingState>,
}

pub(crate) async fn routing(pool: &PgPool, id: &str) -> sqlx::Result<Option<RoutingRow>> {
    sqlx::query_as!(
        RoutingRow,
        r#"select id, version, state as "state: Json<RoutingState>" from routings where id = $1"#,
        id
    )
    .fetch_optional(pool)
    .await
}

/// The queue of a branch in its order.
pub(crate) async fn queue(pool: &PgPool, branch: &str, limit: i64) -> sqlx::Result<Vec<RoutingRow>> {
    sqlx::query_as!(
        RoutingRow,
        r#"select id, version, state as "state: Json<RoutingState>" from routings
           where branch = $1 and phase = 'queued' order by vip desc, begun, id limit $2"#,
        branch,
        limit
    )
    .fetch_all(pool)
    .await
}

/// How many are served before a routing, and how many seconds those waited who were served last.
pub(crate) struct Place {
    pub(crate) before: i64,
    pub(crate) expected: Option<i64>,
}

pub(crate) async fn place(pool: &PgPool, id: &str, routing: &RoutingState) -> sqlx::Result<Place> {
    sqlx::query_as!(
        Place,
        r#"select (select count(*) from routings
                   where branch = $1 and phase = 'queued'
                     and (vip > $2 or (vip = $2 and (begun, id) < ($3, $4)))) as "before!",
                  (select avg(waited)::bigint from (
                      select waited from routings where branch = $1 and waited is not null
                      order by begun desc limit $5) recent) as expected"#,
        &routing.branch,
        routing.vip,
        routing.begun.timestamp_micros(),
        id,
        RECENT
    )
    .fetch_one(pool)
    .await
}

/// Of how many recent waits the expectation is the mean.
const RECENT: i64 = 20;
