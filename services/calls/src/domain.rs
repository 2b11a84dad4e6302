//! The contacts of clients with the firm as a pure domain: who answered, what was recorded, what was promised, how it ended (K1-K21).
//!
//! No I/O and no clock: times, ids and sealed texts come in from outside. Who is responsible for a case is ownership's to say; here only the case
//! is known to which a contact belongs.

pub mod answer;
pub mod call;
pub mod codec;
pub mod command;
pub mod ending;
mod evolve;
#[cfg(test)]
mod fixtures;
mod numbers;
pub mod promise;
pub mod record;
pub mod register;
pub mod rejection;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::value::{RawValue, to_raw_value};
use shouwen_engine::{
    AggregateId, Deadline, DecideContext, Decision, Domain, DueDeadline, Footprint, Key, Recorded, Refusal,
    World,
};
use shouwen_policy::{AdoptedPolicies, PolicyVersion, adopt};
use shouwen_proto::events::v1::calls_event::Event;
use sqlx::PgConnection;

pub use call::{Answer, CallState, Ending, Phase};
pub use command::Command;
pub use rejection::Rejection;

use crate::store;

/// The state of one aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// `calls/{call}`
    Call(Box<CallState>),
    /// `policies/{policy}`: a version adopted from ownership (P1); `None` where this release cannot read it.
    Policy(Option<Box<PolicyVersion>>),
}

impl State {
    /// The contact, if it is one.
    pub fn call(&self) -> Option<&CallState> {
        match self {
            Self::Call(call) => Some(call),
            Self::Policy(_) => None,
        }
    }

    /// The adopted version, if it is one that this release can read.
    pub fn policy(&self) -> Option<&PolicyVersion> {
        match self {
            Self::Policy(version) => version.as_deref(),
            Self::Call(_) => None,
        }
    }
}

/// The domain with the policies that it decides by.
#[derive(Debug)]
pub struct CallsDomain {
    policies: AdoptedPolicies,
}

impl CallsDomain {
    /// Over the policies that are stored.
    pub(crate) fn new(policies: AdoptedPolicies) -> Self {
        Self { policies }
    }

    /// The policies that this process knows.
    pub(crate) fn policies(&self) -> &AdoptedPolicies {
        &self.policies
    }
}

/// A contact of the locked world.
fn find<'a>(world: &World<'a, State>, id: &AggregateId) -> Result<&'a CallState, Rejection> {
    world.state(id).and_then(State::call).ok_or_else(|| Rejection::CallNotFound(id.0.clone()))
}

impl Domain for CallsDomain {
    const SERVICE: &'static str = "calls";
    const OBSERVED: &'static [&'static str] = &["policy_adopted"];
    type Command = Command;
    type State = State;
    type Event = Event;
    type Rejection = Rejection;

    async fn footprints(
        &self,
        _connection: &mut PgConnection,
        commands: &[&Command],
    ) -> sqlx::Result<Vec<Footprint>> {
        let alone = |command: &&Command| Footprint {
            aggregates: vec![command.aggregate()],
            makes: matches!(command, Command::Register(_)).then(|| command.aggregate()),
            ..Footprint::default()
        };
        Ok(commands.iter().map(alone).collect())
    }

    fn decide(
        &self,
        world: &World<'_, State>,
        command: &Command,
        context: &DecideContext<'_>,
    ) -> Result<Decision<Event>, Refusal<Rejection>> {
        let policies = self.policies.book();
        let id = command.aggregate();
        let events = match command {
            Command::AdoptPolicy(adopted) => {
                let known = world.state(&id).and_then(State::policy);
                let adopted = adopt(known, adopted, &policies).map_err(Rejection::from)?;
                Ok(adopted.map(Event::PolicyAdopted).into_iter().collect())
            }
            Command::Register(register) => {
                register::decide(world.state(&id).is_some(), register, context.now, &policies)
            }
            Command::Answer(answer) => {
                find(world, &id).and_then(|call| answer::answer(call, answer, context.now, &policies))
            }
            Command::Miss(miss) => find(world, &id).and_then(|call| answer::miss(call, miss)),
            Command::Record(record) => {
                find(world, &id).and_then(|call| record::fill_in(call, record, world.version(&id)))
            }
            Command::Confirm(confirm) => find(world, &id).and_then(|call| record::confirm(call, confirm)),
            Command::Promise(promise) => {
                find(world, &id).and_then(|call| promise::promise(call, promise, context.now, &policies))
            }
            Command::End(end) => find(world, &id).and_then(|call| ending::end(call, end)),
            Command::Void(void) => Ok(answer::void(world.state(&id).and_then(State::call), void)),
            Command::Unanswered(_) => Ok(answer::unanswered(world.state(&id).and_then(State::call))),
            Command::Nothing(_) => Ok(Vec::new()),
        }?;
        Ok(Decision::on(id, events))
    }

    fn evolve(&self, state: Option<State>, event: &Recorded<'_, Event>) -> State {
        evolve::evolve(state, event)
    }

    /// A contact waits for nobody: what is owed after it has its limits with callbacks and ownership.
    fn deadlines(&self, _state: &State) -> Vec<Deadline> {
        Vec::new()
    }

    fn keys(&self, _state: &State) -> BTreeSet<Key> {
        BTreeSet::new()
    }

    fn place(&self, _id: &AggregateId, state: &State) -> (String, String) {
        match state {
            State::Call(call) => {
                (call.answer().map(|answer| answer.case.clone()).unwrap_or_default(), call.branch.clone())
            }
            State::Policy(_) => (String::new(), String::new()),
        }
    }

    fn due(&self, deadline: &DueDeadline) -> Command {
        Command::Nothing(deadline.aggregate.clone())
    }

    fn encode(event: &Event) -> (&'static str, Vec<u8>) {
        codec::encode(event)
    }

    fn decode(payload: &[u8]) -> Result<Event, prost::DecodeError> {
        codec::decode(payload)
    }

    fn kept(state: &State) -> serde_json::Result<Box<RawValue>> {
        match state {
            State::Call(call) => to_raw_value(call),
            State::Policy(version) => to_raw_value(version),
        }
    }

    fn restored(id: &AggregateId, kept: &RawValue) -> serde_json::Result<State> {
        Ok(match id.collection() {
            "policies" => State::Policy(serde_json::from_str(kept.get())?),
            _ => State::Call(serde_json::from_str(kept.get())?),
        })
    }

    async fn refresh(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        self.policies.take_in(&store::policies(connection).await?);
        Ok(())
    }

    fn committed(&self, events: &[(AggregateId, Event)]) {
        self.policies.adopted(events.iter().filter_map(|(_, event)| match event {
            Event::PolicyAdopted(adopted) => Some(adopted),
            _ => None,
        }));
    }

    fn calendar_version(&self, now: DateTime<Utc>) -> Option<String> {
        Some(self.policies.book().calendar(now).version().to_owned())
    }

    fn calendar_days_left(&self, now: DateTime<Utc>) -> Option<i64> {
        Some(self.policies.book().calendar_days_left(now))
    }
}
