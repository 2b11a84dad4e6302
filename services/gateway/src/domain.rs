//! The ownership domain: cases, contacts, absences, roster and policies. Pure: states, commands, and what they decide.
//!
//! `decide` routes a command to the module of its aggregate; each of those holds its state, its decisions and its evolution.

pub mod absence;
pub mod action;
mod assisting;
mod attendance;
pub mod case;
pub mod command;
mod complaints;
pub mod contact;
pub mod deadlines;
pub mod desk;
mod draft;
mod escalation;
pub mod evolve;
pub mod follow_up;
pub mod known;
pub mod merge;
pub mod message;
mod offers;
pub mod policies;
pub mod presence;
pub mod reassign;
mod recusal;
pub mod rejection;
pub mod roster;
pub mod routing;
pub mod staffing;
pub mod timeline;

use std::{collections::BTreeSet, sync::Arc};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use prost::Message as _;
use serde_json::value::{RawValue, to_raw_value};
use shouwen_engine::{
    AggregateId, Deadline, DecideContext, Decision, Domain, DueDeadline, Footprint, Key, Loaded, Reading,
    Recorded, Refusal, Saved, World,
};
use shouwen_policy::{PolicyBook, PolicyState};
use shouwen_proto::events::v1::{OwnershipEvent, PromiseSettled, ownership_event::Event};
use sqlx::PgConnection;

pub use absence::{AbsenceState, Absences};
pub use case::CaseState;
pub use command::Command;
pub use contact::ContactState;
pub use known::Known;
pub use presence::PresenceState;
pub use reassign::ReassignmentState;
pub use rejection::Rejection;
pub use roster::{LeftBehind, Roster, RosterState};
pub use routing::RoutingState;
pub use staffing::StaffingState;

use self::command::{ContactCommand, FollowUp};
use crate::{readings, store};

/// The state of one aggregate.
#[derive(Clone, Debug)]
pub enum State {
    Case(Box<CaseState>),
    Contact(Box<ContactState>),
    /// The entry, and what the employee would leave behind.
    Roster(RosterState, LeftBehind),
    Policy(Box<PolicyState>),
    Absence(Box<AbsenceState>),
    Reassignment(Box<ReassignmentState>),
    Presence(Box<PresenceState>),
    Routing(Box<RoutingState>),
    Staffing(StaffingState),
}

/// Rules that a simulation switches off to see its own check turn red. All on in the product; only a simulated clock's settings reach them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutants {
    /// Offers never expire (O4).
    pub offers_never_expire: bool,
    /// A second employee who answers a contact becomes a first responder too (O1).
    pub second_first_responder: bool,
}

/// What a decision reads beside the states.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub roster: Arc<Roster>,
    pub policies: PolicyBook,
    pub absences: Absences,
    pub mutants: Mutants,
}

impl Snapshot {
    /// With what further events make known.
    #[must_use]
    pub fn after(&self, events: &[Event]) -> Self {
        let mut known = self.clone();
        for event in events {
            if let Some(entry) = roster::entry_of(event) {
                known.roster = Arc::new(known.roster.with(entry));
            }
            if let Event::PolicyApproved(approved) = event {
                known.policies = known::with_policy(&known.policies, approved);
            }
            known.absences.learn(event);
        }
        known
    }

    /// Makes of a case as it is kept what it is to who asks at a moment who may act on it: a decision made then would find the same (O7, O9).
    pub fn stand(&self, name: &str, case: &mut CaseState, now: DateTime<Utc>) {
        attendance::Attendance::at(self, now).stand(name, case);
    }
}

/// The domain with what it knows of roster, policies and absences.
#[derive(Debug)]
pub struct OwnershipDomain {
    known: ArcSwap<Known>,
    pub mutants: Mutants,
}

impl OwnershipDomain {
    /// The domain under this roster and these policies; what the ledger says comes in with the first batch.
    pub fn new(roster: Roster, policies: PolicyBook, mutants: Mutants) -> Self {
        let absences = Absences::default();
        Self::knowing(Known { position: 0, roster: Arc::new(roster), policies, absences }, mutants)
    }

    /// The domain under roster and policies as read at a position.
    pub fn knowing(known: Known, mutants: Mutants) -> Self {
        Self { known: ArcSwap::from_pointee(known), mutants }
    }

    pub fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.known.load().roster)
    }

    pub fn policies(&self) -> PolicyBook {
        self.known.load().policies.clone()
    }

    pub fn absences(&self) -> Absences {
        self.known.load().absences.clone()
    }

    /// The position up to which roster, policies and absences are known.
    pub fn position(&self) -> i64 {
        self.known.load().position
    }

    /// Takes in the events of the ledger between the known position and `head`.
    pub fn learn(&self, events: &[(i64, Event)], head: i64) {
        if head > self.position() {
            self.known.rcu(|known| known.with(events, head));
        }
    }

    /// What decisions read beside the states, as known now.
    pub fn snapshot(&self) -> Snapshot {
        let known = self.known.load();
        Snapshot {
            roster: Arc::clone(&known.roster),
            policies: known.policies.clone(),
            absences: known.absences.clone(),
            mutants: self.mutants,
        }
    }
}

/// What a contact's answer, or its taking back, means for who is on the line.
fn on_the_line(
    world: &World<'_, State>,
    command: &ContactCommand,
    mut decision: Decision<Event>,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    if decision.events.is_empty() {
        return Ok(decision);
    }
    match command {
        ContactCommand::Claim(claim) => {
            decision.events.extend(routing::answered(world, claim, context));
            decision.events.extend(routing::left_ringing(world, claim, context));
            decision.events.extend(presence::answers(world, claim));
        }
        ContactCommand::VoidTouch { contact, reason, .. } => {
            decision.events.extend(routing::over(world, contact, context)?);
            decision.events.extend(routing::unanswered(world, contact, reason, context, snapshot));
        }
        ContactCommand::Identify { .. } | ContactCommand::CompleteTouch { .. } => {}
    }
    Ok(decision)
}

impl Domain for OwnershipDomain {
    const SERVICE: &'static str = "ownership";
    const OBSERVED: &'static [&'static str] = known::OBSERVED;
    type Command = Command;
    type State = State;
    type Event = Event;
    type Rejection = Rejection;

    async fn footprints(
        &self,
        connection: &mut PgConnection,
        commands: &[&Command],
    ) -> sqlx::Result<Vec<Footprint>> {
        let mut named_cases: BTreeSet<String> = BTreeSet::new();
        let mut named_contacts: BTreeSet<String> = BTreeSet::new();
        let mut sought = Vec::new();
        let mut answering: BTreeSet<String> = BTreeSet::new();
        for command in commands {
            sought.extend(command.sought());
            named_cases.extend(command.case().map(|case| case.0.clone()));
            named_contacts.extend(command.contact().map(|contact| contact.0.clone()));
            answering.extend(command.answers().map(str::to_owned));
        }
        let mut reach = store::reach::read(connection, &named_cases, &named_contacts, &answering).await?;
        for sought in sought {
            let found = store::open::find(connection, &sought).await?;
            reach.found.insert(sought, found);
        }
        let mut footprints: Vec<Footprint> =
            commands.iter().map(|command| command.footprint(&reach)).collect();
        if commands.iter().any(|command| matches!(command, Command::Presence(_) | Command::Routing(_))) {
            store::routing::plan(connection, &self.snapshot(), commands, &mut footprints).await?;
        }
        Ok(footprints)
    }

    fn decide(
        &self,
        world: &World<'_, State>,
        command: &Command,
        context: &DecideContext<'_>,
    ) -> Result<Decision<Event>, Refusal<Rejection>> {
        self.decide_after(world, command, context, &[])
    }

    fn decide_after(
        &self,
        world: &World<'_, State>,
        command: &Command,
        context: &DecideContext<'_>,
        earlier: &[Event],
    ) -> Result<Decision<Event>, Refusal<Rejection>> {
        let known = self.snapshot();
        // Who leaves or is absent by an earlier command of the batch is so for this one.
        let snapshot = if earlier.is_empty() { known } else { known.after(earlier) };
        match command {
            Command::Roster(command) => roster::decide(world, command, &snapshot),
            Command::Absence(command) => absence::decide(world, command, context, &snapshot),
            Command::Reassign(command) => reassign::decide(world, command, context, &snapshot),
            Command::Policy(command) => policies::decide(world, command, context, &snapshot),
            Command::Contact(command) => {
                let decision = contact::decide(world, command, context, &snapshot)?;
                on_the_line(world, command, decision, context, &snapshot)
            }
            Command::Case(command) => action::decide(world, command, context, &snapshot),
            Command::FollowUp(command) => {
                let mut decision = follow_up::decide(world, command, context, &snapshot)?;
                if let FollowUp::CallEnded { contact, .. } = command {
                    decision.events.extend(routing::over(world, contact, context)?);
                }
                Ok(decision)
            }
            Command::Presence(command) => presence::decide(world, command, context, &snapshot),
            Command::Routing(command) => routing::decide(world, command, context, &snapshot),
            Command::Transfer(command) => routing::decide_transfer(world, command, context, &snapshot),
            Command::Staffing(command) => Ok(staffing::decide(world, command)),
        }
    }

    fn evolve(&self, state: Option<State>, event: &Recorded<'_, Event>) -> State {
        evolve::evolve(state, event)
    }

    fn deadlines(&self, state: &State) -> Vec<Deadline> {
        match state {
            State::Case(case) => deadlines::of_case(case, self.mutants),
            State::Absence(absence) => absence.deadlines(),
            State::Routing(routing) => routing::deadlines(routing),
            State::Contact(_)
            | State::Roster(..)
            | State::Policy(_)
            | State::Reassignment(_)
            | State::Presence(_)
            | State::Staffing(_) => Vec::new(),
        }
    }

    fn keys(&self, state: &State) -> BTreeSet<Key> {
        match state {
            State::Case(case) => case.key().into_iter().collect(),
            State::Roster(entry, _) => entry.keys(),
            State::Routing(routing) => routing.key().into_iter().collect(),
            State::Contact(_)
            | State::Policy(_)
            | State::Absence(_)
            | State::Reassignment(_)
            | State::Presence(_)
            | State::Staffing(_) => BTreeSet::new(),
        }
    }

    fn due(&self, deadline: &DueDeadline) -> Command {
        deadlines::command(deadline)
    }

    fn encode(event: &Event) -> (&'static str, Vec<u8>) {
        (evolve::name(event), OwnershipEvent { event: Some(event.clone()) }.encode_to_vec())
    }

    fn decode(payload: &[u8]) -> Result<Event, prost::DecodeError> {
        // A kind of event that only a newer release knows reads as one that changes nothing: no promise has an empty name.
        let nothing = Event::PromiseSettled(PromiseSettled::default());
        Ok(OwnershipEvent::decode(payload)?.event.unwrap_or(nothing))
    }

    fn kept(state: &State) -> serde_json::Result<Box<RawValue>> {
        match state {
            State::Case(case) => to_raw_value(case),
            State::Contact(contact) => to_raw_value(contact),
            State::Roster(entry, _) => to_raw_value(entry),
            State::Policy(policy) => to_raw_value(policy),
            State::Absence(absence) => to_raw_value(absence),
            State::Reassignment(reassignment) => to_raw_value(reassignment),
            State::Presence(presence) => to_raw_value(presence),
            State::Routing(routing) => to_raw_value(routing),
            State::Staffing(staffing) => to_raw_value(staffing),
        }
    }

    fn restored(id: &AggregateId, kept: &RawValue) -> serde_json::Result<State> {
        let kept = kept.get();
        Ok(match id.collection() {
            "cases" => State::Case(serde_json::from_str(kept)?),
            "contacts" => State::Contact(serde_json::from_str(kept)?),
            "policies" => State::Policy(serde_json::from_str(kept)?),
            "absences" => State::Absence(serde_json::from_str(kept)?),
            "reassignments" => State::Reassignment(serde_json::from_str(kept)?),
            "presences" => State::Presence(serde_json::from_str(kept)?),
            "routings" => State::Routing(serde_json::from_str(kept)?),
            "staffing" => State::Staffing(serde_json::from_str(kept)?),
            _ => State::Roster(serde_json::from_str(kept)?, LeftBehind::default()),
        })
    }

    async fn complete(
        &self,
        connection: &mut PgConnection,
        loaded: &mut [Loaded<State>],
    ) -> sqlx::Result<()> {
        store::complete(connection, loaded).await
    }

    async fn attach(&self, connection: &mut PgConnection, rows: &[Saved<State>]) -> sqlx::Result<()> {
        store::attach(connection, rows).await
    }

    fn place(&self, id: &AggregateId, state: &State) -> (String, String) {
        match state {
            State::Case(case) => (id.0.clone(), case.branch.clone()),
            State::Contact(contact) => (contact.case.clone(), contact.branch.clone()),
            State::Absence(absence) => (String::new(), absence.branch.clone()),
            State::Routing(routing) => (routing.case.clone().unwrap_or_default(), routing.branch.clone()),
            State::Presence(presence) => (String::new(), presence.branch.clone()),
            State::Staffing(staffing) => (String::new(), staffing.branch.clone()),
            State::Roster(..) | State::Policy(_) | State::Reassignment(_) => (String::new(), String::new()),
        }
    }

    async fn refresh(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if self.position() == 0 {
            let known = store::known::load(connection).await?;
            self.known.rcu(
                |older| if older.position < known.position { known.clone() } else { Known::clone(older) },
            );
            return Ok(());
        }
        let (events, head) = store::known::after(connection, self.position()).await?;
        self.learn(&events, head);
        Ok(())
    }

    const STIRRING: &'static [&'static str] = routing::STIRRING;

    async fn pending(&self, connection: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<Command>> {
        // Before the roster was read nobody may do anything by it.
        let is_known = self.position() > 0;
        let snapshot = self.snapshot();
        let mut commands = store::routing::pending(connection, &snapshot, now).await?;
        if !is_known {
            return Ok(commands);
        }
        let cases = store::open::unentitled(connection, &snapshot.roster).await?;
        let attend = |case| Command::FollowUp(FollowUp::Attend(AggregateId(case)));
        commands.extend(cases.into_iter().map(attend));
        Ok(commands)
    }

    async fn readings(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<Reading>> {
        let mut readings = readings::read(connection).await?;
        readings.extend(store::routing::readings(connection).await?);
        Ok(readings)
    }

    fn calendar_version(&self, now: DateTime<Utc>) -> Option<String> {
        Some(self.policies().calendar(now).version().to_owned())
    }

    fn calendar_days_left(&self, now: DateTime<Utc>) -> Option<i64> {
        Some(self.policies().calendar_days_left(now))
    }

    fn recompute(&self, aggregate: &AggregateId) -> Option<Command> {
        (aggregate.collection() == "cases").then(|| Command::FollowUp(FollowUp::Recompute(aggregate.clone())))
    }
}
