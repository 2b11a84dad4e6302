//! Presence (在席状态): whether an employee can be given contacts. Not absence, which needs a deputy (O9).
//!
//! An employee says what they are, from one desk. On an answered call they are busy whatever they said, until the call is over. A desk that is not heard
//! of any more is lost; when it was heard of last is no event, so decisions find that time with the state they have locked.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::{AggregateId, DecideContext, Decision, Key, Refusal, World};
use shouwen_proto::{
    events::v1::{
        PresenceCause, PresenceChanged, PresenceEngaged, PresenceReleased, PresenceState as Wanted,
        ReservationCounted, ReservationEnd, ownership_event::Event,
    },
    r#type::v1::Channel,
};

use super::{
    Snapshot, State,
    command::{Claim, PresenceCommand},
    rejection::{AttendanceRejection, Rejection},
    roster::Employee,
    routing::{self, candidates::Standing},
};

/// The state of a presence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceState {
    pub employee: String,
    pub branch: String,
    /// Helps out in every branch.
    pub hq: bool,
    /// What the employee said: a number of `shouwen.events.v1.PresenceState`.
    pub wanted: i32,
    /// Since when they have been so, or free again.
    pub since: DateTime<Utc>,
    /// The desk; empty while offline.
    pub session: String,
    /// A number of `shouwen.events.v1.PresenceCause`.
    pub cause: i32,
    /// Reservations missed one after the other.
    pub missed: i32,
    /// The contact of the call that they are on.
    pub on: Option<String>,
    /// When the desk was heard of last, as read with the state; never part of it.
    #[serde(skip)]
    pub seen: Option<DateTime<Utc>>,
}

/// `presences/{employee}` of `employees/{employee}`.
pub fn id(employee: &str) -> AggregateId {
    AggregateId(format!("presences/{}", employee.trim_start_matches("employees/")))
}

/// The key of which one contact at a time has an employee reserved.
pub fn reserved_key(employee: &str) -> Key {
    Key { kind: "reserved_employee", key: employee.to_owned() }
}

impl PresenceState {
    pub fn is(&self, wanted: Wanted) -> bool {
        self.wanted == i32::from(wanted)
    }

    /// Whether who says so is on no call any more: who is available again, or leaves. A desk that is new knows of no call that it could have ended.
    fn ends_call(&self, wanted: i32, session: &str) -> bool {
        wanted == i32::from(Wanted::Offline)
            || (wanted == i32::from(Wanted::Available) && self.session == *session)
    }

    /// What the employee does, reservations aside.
    pub fn standing(&self) -> Standing {
        match Wanted::try_from(self.wanted).unwrap_or_default() {
            Wanted::Offline | Wanted::Unspecified => Standing::Offline,
            _ if self.on.is_some() => Standing::Busy,
            Wanted::Available | Wanted::Reserved => Standing::Free { since: self.since },
            Wanted::Busy => Standing::Busy,
            Wanted::Paused => Standing::Paused,
        }
    }
}

/// The presence of an employee, if it was locked and exists.
pub(super) fn find<'a>(world: &World<'a, State>, employee: &str) -> Option<&'a PresenceState> {
    match world.state(&id(employee)) {
        Some(State::Presence(presence)) => Some(presence),
        _ => None,
    }
}

pub fn decide(
    world: &World<'_, State>,
    command: &PresenceCommand,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    match command {
        PresenceCommand::Set { employee, state, session, take_over } => {
            let known = find(world, employee);
            let works = snapshot.roster.employee(employee);
            let works = works.ok_or_else(|| AttendanceRejection::EmployeeNotFound(employee.clone()))?;
            let hq = works.is_hq();
            if let Some(known) = known.filter(|known| !known.is(Wanted::Offline)) {
                if known.session != *session && !take_over {
                    return Err(Rejection::SessionElsewhere(employee.clone()).into());
                }
                let same = known.is(*state) && known.session == *session;
                let placed = known.branch == works.branch && known.hq == hq;
                if same && placed && known.on.is_none() && known.missed == 0 {
                    return Ok(Decision::nothing(id(employee)));
                }
            }
            let changed = PresenceChanged {
                employee: employee.clone(),
                branch: works.branch.clone(),
                state: (*state).into(),
                session: if *state == Wanted::Offline { String::new() } else { session.clone() },
                cause: PresenceCause::Asked.into(),
                hq,
            };
            let mut events = vec![(id(employee), Event::PresenceChanged(changed))];
            let was_on = known.filter(|known| known.ends_call((*state).into(), session));
            if let Some(contact) = was_on.and_then(|known| known.on.as_ref()) {
                events.extend(routing::left(world, employee, contact, context)?);
            }
            if *state != Wanted::Available {
                events.extend(routing::given_back(
                    world,
                    employee,
                    ReservationEnd::Withdrawn,
                    context,
                    snapshot,
                )?);
            }
            Ok(Decision { events, counters: Vec::new(), primary: id(employee) })
        }
        PresenceCommand::Lost { employee, session } => {
            let lost = find(world, employee).filter(|known| {
                known.session == *session
                    && !known.is(Wanted::Offline)
                    && is_lost(known, context.now, snapshot)
            });
            let Some(lost) = lost else { return Ok(Decision::nothing(id(employee))) };
            let mut events = vec![(id(employee), offline(lost))];
            events.extend(routing::given_back(world, employee, ReservationEnd::Lost, context, snapshot)?);
            Ok(Decision { events, counters: Vec::new(), primary: id(employee) })
        }
    }
}

/// Whether the desk has been silent for too long.
pub fn is_lost(presence: &PresenceState, now: DateTime<Utc>, snapshot: &Snapshot) -> bool {
    let policy = snapshot.policies.routing(Some(&presence.branch), now);
    presence.seen.is_some_and(|seen| seen + policy.value.session_length() <= now)
}

fn offline(lost: &PresenceState) -> Event {
    Event::PresenceChanged(PresenceChanged {
        employee: lost.employee.clone(),
        branch: lost.branch.clone(),
        state: Wanted::Offline.into(),
        session: String::new(),
        cause: PresenceCause::Lost.into(),
        hq: lost.hq,
    })
}

/// Who is signed on is found from now on where the roster says that they work.
pub(super) fn moved(world: &World<'_, State>, employee: &Employee) -> Option<(AggregateId, Event)> {
    let known = find(world, &employee.name).filter(|known| !known.is(Wanted::Offline))?;
    let hq = employee.is_hq();
    if known.branch == employee.branch && known.hq == hq {
        return None;
    }
    let changed = PresenceChanged {
        employee: known.employee.clone(),
        branch: employee.branch.clone(),
        state: known.wanted,
        session: known.session.clone(),
        cause: PresenceCause::Roster.into(),
        hq,
    };
    Some((id(&employee.name), Event::PresenceChanged(changed)))
}

/// A missed reservation is counted, and too many pause the employee (K2).
pub(super) fn missed(
    world: &World<'_, State>,
    employee: &str,
    contact: &str,
    at: DateTime<Utc>,
    snapshot: &Snapshot,
) -> Vec<(AggregateId, Event)> {
    let Some(known) = find(world, employee).filter(|known| !known.is(Wanted::Offline)) else {
        return Vec::new();
    };
    let missed = known.missed + 1;
    let counted = Event::ReservationCounted(ReservationCounted { contact: contact.to_owned(), missed });
    let mut events = vec![(id(employee), counted)];
    let policy = snapshot.policies.routing(Some(&known.branch), at);
    if i64::from(missed) >= i64::from(policy.value.missed_before_pause) && known.is(Wanted::Available) {
        let paused = Event::PresenceChanged(PresenceChanged {
            employee: known.employee.clone(),
            branch: known.branch.clone(),
            state: Wanted::Paused.into(),
            session: known.session.clone(),
            cause: PresenceCause::Missed.into(),
            hq: known.hq,
        });
        events.push((id(employee), paused));
    }
    events
}

/// Who answers a call is on it. What came otherwise is answered at once, which counts as an answer all the same (K2), unless they are on a call.
pub(super) fn answers(world: &World<'_, State>, claim: &Claim) -> Vec<(AggregateId, Event)> {
    let call = claim.channel == i32::from(Channel::Phone);
    let free = find(world, &claim.employee).is_some_and(|known| known.on.is_none());
    let engaged = engaged(world, &claim.employee, &claim.contact).filter(|_| call || free);
    let released = engaged.as_ref().filter(|_| !call).map(|(presence, _)| {
        let released = PresenceReleased { contact: claim.contact.0.clone() };
        (presence.clone(), Event::PresenceReleased(released))
    });
    engaged.into_iter().chain(released).collect()
}

/// Who is on the call from now on, if they are signed on.
pub(super) fn engaged(
    world: &World<'_, State>,
    employee: &str,
    contact: &AggregateId,
) -> Option<(AggregateId, Event)> {
    let known = find(world, employee).filter(|known| !known.is(Wanted::Offline))?;
    (known.on.as_ref() != Some(&contact.0)).then(|| {
        let engaged = PresenceEngaged { contact: contact.0.clone() };
        (id(employee), Event::PresenceEngaged(engaged))
    })
}

/// Who is on a call that is over, was never taken or is with another now, is free.
pub(super) fn released(
    world: &World<'_, State>,
    employee: &str,
    contact: &AggregateId,
) -> Option<(AggregateId, Event)> {
    find(world, employee).filter(|known| known.on.as_ref() == Some(&contact.0))?;
    let released = PresenceReleased { contact: contact.0.clone() };
    Some((id(employee), Event::PresenceReleased(released)))
}

/// A presence after one of its events.
pub(super) fn after(
    before: Option<PresenceState>,
    event: &Event,
    at: DateTime<Utc>,
) -> Option<PresenceState> {
    match (before, event) {
        (Some(known), Event::PresenceChanged(changed))
            if changed.cause == i32::from(PresenceCause::Roster) =>
        {
            Some(PresenceState { branch: changed.branch.clone(), hq: changed.hq, ..known })
        }
        (before, Event::PresenceChanged(changed)) => {
            let asked = changed.cause == i32::from(PresenceCause::Asked);
            let kept = before.as_ref().filter(|_| !asked);
            Some(PresenceState {
                employee: changed.employee.clone(),
                branch: changed.branch.clone(),
                hq: changed.hq,
                wanted: changed.state,
                since: at,
                session: changed.session.clone(),
                cause: changed.cause,
                missed: kept.map_or(0, |known| known.missed),
                on: before
                    .as_ref()
                    .filter(|known| !(asked && known.ends_call(changed.state, &changed.session)))
                    .and_then(|known| known.on.clone()),
                seen: if asked { Some(at) } else { before.and_then(|known| known.seen) },
            })
        }
        (Some(known), Event::PresenceEngaged(engaged)) => {
            Some(PresenceState { on: Some(engaged.contact.clone()), missed: 0, since: at, ..known })
        }
        (Some(known), Event::PresenceReleased(_)) => Some(PresenceState { on: None, since: at, ..known }),
        (Some(known), Event::ReservationCounted(counted)) => {
            Some(PresenceState { missed: counted.missed, ..known })
        }
        (known, _) => known,
    }
}
