//! The ownership domain: cases, contacts, roster and policies. Pure: states, commands, and what they decide.
//!
//! `decide` routes a command to the module of its aggregate; each of those holds its state, its decisions and its evolution.

pub mod case;
pub mod command;
pub mod contact;
pub mod deadlines;
pub mod evolve;
pub mod follow_up;
pub mod merge;
pub mod policies;
pub mod rejection;
pub mod roster;

use std::{collections::BTreeSet, sync::Arc};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use prost::Message as _;
use shouwen_engine::{
    AggregateId, Deadline, DecideContext, Decision, Domain, DueDeadline, Footprint, Key, Loaded, Recorded,
    Refusal, Saved, World,
};
use shouwen_policy::{PolicyBook, PolicyState};
use shouwen_proto::events::v1::{OwnershipEvent, ownership_event::Event};
use sqlx::PgConnection;

pub use case::CaseState;
pub use command::Command;
pub use contact::ContactState;
pub use rejection::Rejection;
pub use roster::{Roster, RosterState};

use crate::store;

/// The state of one aggregate.
#[derive(Clone, Debug)]
pub enum State {
    Case(Box<CaseState>),
    Contact(Box<ContactState>),
    Roster(RosterState),
    Policy(Box<PolicyState>),
}

/// What a decision reads beside the states: a snapshot of roster and policies.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub roster: Arc<Roster>,
    pub policies: PolicyBook,
}

/// Rules that a simulation switches off to see its own check turn red. All on in the product; only a simulated clock's settings reach them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutants {
    /// Offers never expire (O4).
    pub offers_never_expire: bool,
    /// A second employee who answers a contact becomes a first responder too (O1).
    pub second_first_responder: bool,
}

/// The domain with its snapshots.
#[derive(Debug)]
pub struct OwnershipDomain {
    roster: ArcSwap<Roster>,
    policies: ArcSwap<PolicyBook>,
    pub mutants: Mutants,
}

impl OwnershipDomain {
    pub fn new(roster: Roster, policies: PolicyBook, mutants: Mutants) -> Self {
        Self { roster: ArcSwap::from_pointee(roster), policies: ArcSwap::from_pointee(policies), mutants }
    }

    pub fn roster(&self) -> Arc<Roster> {
        self.roster.load_full()
    }

    pub fn policies(&self) -> PolicyBook {
        PolicyBook::clone(&self.policies.load())
    }

    /// Takes an event of the ledger into the snapshots; taking one in again changes nothing.
    pub fn learn(&self, event: &Event) {
        if let Some(entry) = roster::entry_of(event) {
            self.roster.rcu(|roster| roster.with(entry.clone()));
        }
        if let Event::PolicyApproved(approved) = event {
            self.policies.rcu(|book| {
                let known = PolicyBook::clone(book);
                match shouwen_policy::PolicyVersion::try_from(approved).map(|version| known.with(version)) {
                    Ok(Ok(newer)) => newer,
                    // Approved by a newer release: this one keeps what it understands.
                    Ok(Err(_)) | Err(_) => known,
                }
            });
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot { roster: self.roster.load_full(), policies: self.policies() }
    }
}

/// The collection of an aggregate's name decides where it is kept.
pub(crate) fn is_roster(id: &AggregateId) -> bool {
    matches!(id.collection(), "branches" | "employees" | "lines" | "serviceAccounts")
}

impl Domain for OwnershipDomain {
    const SERVICE: &'static str = "ownership";
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
            Command::Contact(command) => contact::decide(world, command, context, &snapshot, self.mutants),
            Command::Case(command) => case::decide(world, command, context, &snapshot),
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
        // A kind of event that only a newer release knows reads as the one that changes nothing.
        let nothing = Event::TouchCompleted(shouwen_proto::events::v1::TouchCompleted {});
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

    fn committed(&self, events: &[(AggregateId, Event)]) {
        for (_, event) in events {
            self.learn(event);
        }
    }

    fn calendar_version(&self, now: DateTime<Utc>) -> Option<String> {
        Some(self.policies.load().calendar(now).version().to_owned())
    }

    fn recompute(&self, aggregate: &AggregateId) -> Option<Command> {
        (aggregate.collection() == "cases")
            .then(|| Command::FollowUp(command::FollowUp::Recompute(aggregate.clone())))
    }
}
