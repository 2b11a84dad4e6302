//! A routing while a command is decided on it, and the search for who answers next among those whom the batch has locked.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::{
    events::v1::{
        CandidateRank, CandidateVerdict, ReservationMade, RoutingAfterHours, RoutingBegun, RoutingQueued,
        ownership_event::Event,
    },
    r#type::v1::Channel,
};
use shouwen_serving::timestamps::to_proto;

use super::{
    candidates::{self, Considered, Inquiry, Person, Standing},
    evolve,
    state::{Phase, RoutingState, id},
};
use crate::domain::{
    CaseState, Snapshot, State,
    presence::{self, PresenceState},
    rejection::Rejection,
};

/// The most candidates that are kept with a decision; those nearest to the choice.
const KEPT: usize = 24;

/// A routing and what has been decided about it.
pub(super) struct Draft {
    pub(super) routing: AggregateId,
    pub(super) state: RoutingState,
    events: Vec<Event>,
}

impl Draft {
    /// The routing of a contact as it stands. `RoutingNotFound` where there is none.
    pub(super) fn of(world: &World<'_, State>, contact: &AggregateId) -> Result<Self, Refusal<Rejection>> {
        let routing = id(contact);
        match world.state(&routing) {
            Some(State::Routing(state)) => {
                Ok(Self { routing, state: RoutingState::clone(state), events: Vec::new() })
            }
            _ => Err(Rejection::RoutingNotFound(routing.0).into()),
        }
    }

    /// A routing that begins.
    pub(super) fn begin(contact: &AggregateId, begun: RoutingBegun, at: DateTime<Utc>) -> Self {
        let begun = Event::RoutingBegun(begun);
        let state = evolve::after(None, &begun, at).unwrap_or_else(|| unreachable!("a beginning begins"));
        Self { routing: id(contact), state, events: vec![begun] }
    }

    pub(super) fn then(&mut self, event: Event, at: DateTime<Utc>) {
        if let Some(state) = evolve::after(Some(self.state.clone()), &event, at) {
            self.state = state;
        }
        self.events.push(event);
    }

    pub(super) fn decided(self) -> Decision<Event> {
        Decision::on(self.routing, self.events)
    }

    /// Reserves the first who can answer; else the contact waits or takes the after-hours path. Answers whether somebody who had looked free was taken.
    pub(super) fn seek(
        &mut self,
        world: &World<'_, State>,
        context: &DecideContext<'_>,
        snapshot: &Snapshot,
    ) -> bool {
        let (considered, working) = self.look(world, true, context, snapshot);
        if self.reserve(&considered, context, snapshot) {
            return false;
        }
        let taken = considered.iter().any(|considered| {
            let colleague = [CandidateRank::Colleague, CandidateRank::Hq].map(i32::from);
            let verdict = [CandidateVerdict::Busy, CandidateVerdict::Reserved].map(i32::from);
            colleague.contains(&considered.rank) && verdict.contains(&considered.verdict)
        });
        if working {
            let check = snapshot.policies.routing(Some(&self.state.branch), context.now).value.queue_check();
            self.wait(&considered, context.now + check, context, snapshot);
        } else {
            self.rest(&considered, context, snapshot);
        }
        taken
    }

    /// As [`seek`](Self::seek), but nobody is asked again, and a contact for which there is still nobody waits on without a word.
    pub(super) fn seek_if_found(
        &mut self,
        world: &World<'_, State>,
        context: &DecideContext<'_>,
        snapshot: &Snapshot,
    ) {
        let (considered, _) = self.look(world, false, context, snapshot);
        self.reserve(&considered, context, snapshot);
    }

    /// Everybody whom the batch has locked, in order. Where nobody else is left, who was asked a while ago may be asked `again`.
    fn look(
        &self,
        world: &World<'_, State>,
        again: bool,
        context: &DecideContext<'_>,
        snapshot: &Snapshot,
    ) -> (Vec<Considered>, bool) {
        let hours = snapshot.policies.hours(Some(&self.state.branch), context.now);
        let calendar = snapshot.policies.calendar(context.now);
        let working = calendar.is_working_time(context.now, &hours.value.working_hours).value;
        let case = self.state.case.as_ref().and_then(|case| match world.state(&AggregateId(case.clone())) {
            Some(State::Case(case)) => Some(&**case),
            _ => None,
        });
        let mut inquiry = inquiry(&self.state, case, working, snapshot);
        // Where it has just ceased to ring, presence may still say free.
        let left: Vec<String> = self
            .events
            .iter()
            .filter_map(|event| match event {
                Event::ReservationEnded(ended) => Some(ended.employee.clone()),
                _ => None,
            })
            .collect();
        inquiry.tried.extend(left.iter().cloned());
        let people: Vec<Person> = world
            .locked()
            .filter_map(|(_, state)| match state {
                State::Presence(presence) => Some(&**presence),
                _ => None,
            })
            .filter(|presence| world.covers(&presence::reserved_key(&presence.employee)))
            .filter_map(|presence| {
                let holder = world.key_holder(&presence::reserved_key(&presence.employee));
                // Who was reserved by this very contact has just been left.
                let reserved = holder.is_some_and(|holder| *holder != self.routing);
                person(presence, reserved, context.now, snapshot)
            })
            .collect();
        let mut considered = candidates::order(&inquiry, &people);
        if again && !considered.last().is_some_and(Considered::is_chosen) {
            inquiry.tried = tried_lately(&self.state, context.now, snapshot);
            inquiry.tried.extend(left);
            considered = candidates::order(&inquiry, &people);
        }
        (considered, working)
    }

    fn reserve(
        &mut self,
        considered: &[Considered],
        context: &DecideContext<'_>,
        snapshot: &Snapshot,
    ) -> bool {
        let Some(chosen) = considered.last().filter(|last| last.is_chosen()) else { return false };
        let ringing = snapshot.policies.calls(Some(&self.state.branch), context.now);
        // It begins to ring now, however late an expiry was noticed.
        let made = ReservationMade {
            employee: chosen.employee.clone(),
            rank: chosen.rank,
            expire_time: Some(to_proto(context.now + ringing.value.answer_within())),
            considered: kept(considered),
            policy_version: ringing.version.to_string(),
            reserve_time: Some(to_proto(context.now)),
        };
        self.then(Event::ReservationMade(made), context.now);
        true
    }

    /// It waits, and is looked at again at `check` at the latest.
    pub(super) fn wait(
        &mut self,
        considered: &[Considered],
        check: DateTime<Utc>,
        context: &DecideContext<'_>,
        snapshot: &Snapshot,
    ) {
        let policy = snapshot.policies.routing(Some(&self.state.branch), context.now);
        let queued = RoutingQueued {
            considered: kept(considered),
            check_time: Some(to_proto(check)),
            policy_version: policy.version.to_string(),
        };
        self.then(Event::RoutingQueued(queued), context.now);
    }

    fn rest(&mut self, considered: &[Considered], context: &DecideContext<'_>, snapshot: &Snapshot) {
        let hours = snapshot.policies.hours(Some(&self.state.branch), context.now);
        let calendar = snapshot.policies.calendar(context.now);
        let next = calendar.next_working_time(context.now, &hours.value.working_hours);
        let due = calendar.end_of_next_working_day(context.now, &hours.value.working_hours);
        let after = RoutingAfterHours {
            next_working_time: Some(to_proto(next.value)),
            due_time: Some(to_proto(due.value)),
            considered: kept(considered),
            resumes: self.state.channel != i32::from(Channel::Phone),
            policy_version: hours.version.to_string(),
            calendar_version: calendar.version().to_owned(),
            provisional: due.provisional,
        };
        self.then(Event::RoutingAfterHours(after), context.now);
    }
}

/// What counts of a contact, by its routing and by the client's case as it is now.
pub(super) fn inquiry(
    routing: &RoutingState,
    case: Option<&CaseState>,
    working: bool,
    snapshot: &Snapshot,
) -> Inquiry {
    let case = case.filter(|case| case.is_live() && case.client == routing.client);
    let mut named = Vec::new();
    let mut recused = BTreeSet::new();
    if let Some(case) = case {
        named.push((CandidateRank::Handler, case.handler.clone()));
        named.extend(deputies(case).map(|deputy| (CandidateRank::Deputy, deputy.to_owned())));
        named.push((CandidateRank::Accountable, case.accountable.clone()));
        recused.extend(case.recused().into_iter().map(str::to_owned));
    }
    named.extend(routing.service_manager.clone().map(|manager| (CandidateRank::ServiceManager, manager)));
    let mut skills: BTreeSet<String> = routing.skills.iter().cloned().collect();
    skills
        .extend(snapshot.roster.line(&routing.line).into_iter().flat_map(|line| line.skills.iter().cloned()));
    if snapshot.roster.knows_skill(&routing.topic) {
        skills.insert(routing.topic.clone());
    }
    Inquiry {
        branch: routing.branch.clone(),
        skills,
        vip: routing.vip,
        same_concern: case.is_some_and(|case| case.topic == routing.topic),
        named,
        recused,
        tried: routing.tried(None),
        working,
    }
}

/// Who is not asked again yet, even where nobody else is left: a contact that waits is looked at again only after as long a time.
pub(super) fn tried_lately(
    routing: &RoutingState,
    now: DateTime<Utc>,
    snapshot: &Snapshot,
) -> BTreeSet<String> {
    let check = snapshot.policies.routing(Some(&routing.branch), now).value.queue_check();
    routing.tried(Some(now - check))
}

/// An employee by presence and roster; `None` where the roster does not know them.
pub(super) fn person(
    presence: &PresenceState,
    reserved: bool,
    now: DateTime<Utc>,
    snapshot: &Snapshot,
) -> Option<Person> {
    let employee = snapshot.roster.employee(&presence.employee)?;
    let standing = match presence.standing() {
        Standing::Free { .. } if reserved => Standing::Reserved,
        standing => standing,
    };
    Some(Person {
        employee: employee.name.clone(),
        branch: employee.branch.clone(),
        hq: employee.is_hq(),
        active: employee.active && employee.serves_clients(),
        skills: employee.skills.iter().cloned().collect(),
        vip_seat: employee.vip_seat,
        duty: employee.duty,
        absent: is_absent(snapshot, &employee.name, now),
        standing,
    })
}

/// Who stands in for whom on the case (O9).
fn deputies(case: &CaseState) -> impl Iterator<Item = &str> {
    case.deputies.iter().map(|deputy| &*deputy.employee)
}

/// Whether the employee is on leave or ill (O9).
fn is_absent(snapshot: &Snapshot, employee: &str, at: DateTime<Utc>) -> bool {
    snapshot.absences.is_absent(employee, at)
}

fn kept(considered: &[Considered]) -> Vec<shouwen_proto::events::v1::Considered> {
    let from = considered.len().saturating_sub(KEPT);
    considered[from..].iter().map(Into::into).collect()
}

impl RoutingState {
    /// Since when the client waits for an answer, for the order of the queue.
    pub fn is_queued(&self) -> bool {
        matches!(self.phase, Phase::Queued { .. })
    }
}
