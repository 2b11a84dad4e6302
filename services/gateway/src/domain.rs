//! The ownership domain: cases, contacts, roster and policies. Pure: states, commands, and what they decide.
//!
//! `decide` routes a command to the module of its aggregate; each of those holds its state, its decisions and its evolution.

pub mod action;
pub mod case;
pub mod command;
mod complaints;
pub mod contact;
pub mod deadlines;
mod draft;
mod escalation;
pub mod evolve;
pub mod follow_up;
pub mod known;
pub mod merge;
pub mod policies;
mod recusal;
pub mod rejection;
pub mod roster;
pub mod timeline;

use std::{collections::BTreeSet, sync::Arc};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use prost::Message as _;
use shouwen_engine::{
    AggregateId, Deadline, DecideContext, Decision, Domain, DueDeadline, Footprint, Key, Loaded, Reading,
    Recorded, Refusal, Saved, World,
};
use shouwen_policy::{PolicyBook, PolicyState};
use shouwen_proto::events::v1::{OwnershipEvent, PromiseSettled, ownership_event::Event};
use sqlx::PgConnection;

pub use case::CaseState;
pub use command::Command;
pub use contact::ContactState;
pub use known::Known;
pub use rejection::Rejection;
pub use roster::{Roster, RosterState};

use crate::{readings, store};

/// The state of one aggregate.
#[derive(Clone, Debug)]
pub enum State {
    Case(Box<CaseState>),
    Contact(Box<ContactState>),
    Roster(RosterState),
    Policy(Box<PolicyState>),
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
    pub mutants: Mutants,
}

/// The domain with what it knows of roster and policies.
#[derive(Debug)]
pub struct OwnershipDomain {
    known: ArcSwap<Known>,
    pub mutants: Mutants,
}

impl OwnershipDomain {
    /// The domain under this roster and these policies; what the ledger says comes in with the first batch.
    pub fn new(roster: Roster, policies: PolicyBook, mutants: Mutants) -> Self {
        Self::knowing(Known { position: 0, roster: Arc::new(roster), policies }, mutants)
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

    /// The position up to which roster and policies are known.
    pub fn position(&self) -> i64 {
        self.known.load().position
    }

    /// Takes in the events of the ledger between the known position and `head`.
    pub fn learn(&self, events: &[(i64, Event)], head: i64) {
        if head > self.position() {
            self.known.rcu(|known| known.with(events, head));
        }
    }

    fn snapshot(&self) -> Snapshot {
        let known = self.known.load();
        Snapshot {
            roster: Arc::clone(&known.roster),
            policies: known.policies.clone(),
            mutants: self.mutants,
        }
    }
}

/// The collection of an aggregate's name decides where it is kept.
pub(crate) fn is_roster(id: &AggregateId) -> bool {
    matches!(id.collection(), "branches" | "employees" | "lines" | "serviceAccounts")
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
        for command in commands {
            named_cases.extend(command.case().map(|case| case.0.clone()));
            named_contacts.extend(command.contact().map(|contact| contact.0.clone()));
        }
        let reach = store::reach::read(connection, &named_cases, &named_contacts).await?;
        Ok(commands.iter().map(|command| command.footprint(&reach)).collect())
    }

    fn decide(
        &self,
        world: &World<'_, State>,
        command: &Command,
        context: &DecideContext<'_>,
    ) -> Result<Decision<Event>, Refusal<Rejection>> {
        let snapshot = self.snapshot();
        match command {
            Command::Roster(command) => roster::decide(world, command),
            Command::Policy(command) => policies::decide(world, command, context, &snapshot),
            Command::Contact(command) => contact::decide(world, command, context, &snapshot),
            Command::Case(command) => action::decide(world, command, context, &snapshot),
            Command::FollowUp(command) => follow_up::decide(world, command, context, &snapshot),
        }
    }

    fn evolve(&self, state: Option<State>, event: &Recorded<'_, Event>) -> State {
        evolve::evolve(state, event)
    }

    fn deadlines(&self, state: &State) -> Vec<Deadline> {
        match state {
            State::Case(case) => deadlines::of_case(case, self.mutants),
            State::Contact(_) | State::Roster(_) | State::Policy(_) => Vec::new(),
        }
    }

    fn keys(&self, state: &State) -> BTreeSet<Key> {
        match state {
            State::Case(case) => case.key().into_iter().collect(),
            State::Roster(entry) => entry.keys(),
            State::Contact(_) | State::Policy(_) => BTreeSet::new(),
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

    async fn load(
        &self,
        connection: &mut PgConnection,
        ids: &[AggregateId],
    ) -> sqlx::Result<Vec<Loaded<State>>> {
        store::load(connection, ids).await
    }

    async fn save(&self, connection: &mut PgConnection, rows: &[Saved<State>]) -> sqlx::Result<u64> {
        store::save(connection, rows).await
    }

    fn place(&self, id: &AggregateId, state: &State) -> (String, String) {
        match state {
            State::Case(case) => (id.0.clone(), case.branch.clone()),
            State::Contact(contact) => (contact.case.clone(), contact.branch.clone()),
            State::Roster(_) | State::Policy(_) => (String::new(), String::new()),
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

    async fn readings(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<Reading>> {
        readings::read(connection).await
    }

    fn calendar_version(&self, now: DateTime<Utc>) -> Option<String> {
        Some(self.policies().calendar(now).version().to_owned())
    }

    fn recompute(&self, aggregate: &AggregateId) -> Option<Command> {
        (aggregate.collection() == "cases")
            .then(|| Command::FollowUp(command::FollowUp::Recompute(aggregate.clone())))
    }
}
