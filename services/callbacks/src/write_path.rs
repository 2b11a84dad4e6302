//! What the engine wants from this service: decisions from the domain, rows from the store.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use prost::Message as _;
use serde_json::value::{RawValue, to_raw_value};
use shouwen_engine::{
    AggregateId, Deadline, DecideContext, Decision, Domain, DueDeadline, Footprint, Key, Reading, Recorded,
    Refusal, World,
};
use shouwen_policy::{AdoptedPolicies, adopt};
use shouwen_proto::events::v1::{CallbacksEvent, callbacks_event::Event};
use sqlx::PgConnection;

use crate::{
    domain::{
        Command, Parent, Rejection, State, Tally, callback::verification_of, command::Cause, evolve,
        schedule, talks, transitions,
    },
    readings, store,
};

/// The domain of this service as the engine drives it.
#[derive(Debug)]
pub struct CallbacksDomain {
    policies: AdoptedPolicies,
}

impl CallbacksDomain {
    /// Over the policies that are stored.
    pub(crate) fn new(policies: AdoptedPolicies) -> Self {
        Self { policies }
    }

    /// The policies that this process knows.
    pub(crate) fn policies(&self) -> &AdoptedPolicies {
        &self.policies
    }

    fn footprint(command: &Command) -> Footprint {
        let mut footprint = Footprint::default();
        footprint.aggregates.extend(command.callback());
        if !command.talked_about().is_empty() {
            footprint.counters.push(talks::counter(command.talked_about()));
        }
        match command {
            Command::AdoptPolicy(adopted) => footprint.aggregates.push(AggregateId(adopted.policy.clone())),
            Command::CancelCase { case, owed, .. } => {
                footprint.aggregates.extend_from_slice(&owed.callbacks);
                footprint.counters.push(Tally::counter(case));
            }
            Command::Schedule(schedule) => {
                match &schedule.cause {
                    Cause::MissedCall(missed) => footprint.keys.extend(missed.keys(&schedule.branch)),
                    Cause::Verification(wanted) => {
                        footprint.keys.push(verification_of(&wanted.complaint.aggregate()));
                    }
                    Cause::Promise { .. } | Cause::AfterHours => {}
                }
                if let Parent::Case(case) = schedule.name.parent() {
                    footprint.counters.push(Tally::counter(case));
                }
            }
            Command::EndVerification { complaint, .. } => footprint.keys.push(verification_of(complaint)),
            _ => {}
        }
        footprint
    }
}

impl Domain for CallbacksDomain {
    const SERVICE: &'static str = "callbacks";
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
        Ok(commands.iter().map(|command| Self::footprint(command)).collect())
    }

    fn decide(
        &self,
        world: &World<'_, State>,
        command: &Command,
        context: &DecideContext<'_>,
    ) -> Result<Decision<Event>, Refusal<Rejection>> {
        let book = self.policies.book();
        match command {
            Command::AdoptPolicy(adopted) => {
                let id = AggregateId(adopted.policy.clone());
                let known = world.state(&id).and_then(State::policy);
                let adopted = adopt(known, adopted, &book).map_err(Rejection::from)?;
                Ok(Decision::on(id, adopted.map(Event::PolicyAdopted)))
            }
            Command::Schedule(wanted) => schedule::schedule(world, wanted, context, &book),
            Command::CancelCase { case, owed, reason } => {
                schedule::cancel_case(world, case, owed, reason, context, &book)
            }
            Command::EndVerification { complaint, reason } => {
                schedule::end_verification(world, complaint, reason, context, &book)
            }
            on_one => {
                let id = on_one.callback().ok_or(Rejection::Internal("a command without a callback"))?;
                let callback = world
                    .state(&id)
                    .and_then(State::callback)
                    .ok_or_else(|| Rejection::NotFound(id.0.clone()))?;
                let talks = talks::recorded(world, callback);
                let events = transitions::decide(callback, on_one, talks, context.now, context.at, &book)?;
                Ok(Decision { counters: talks::counted(&events), ..Decision::on(id, events) })
            }
        }
    }

    fn evolve(&self, state: Option<State>, event: &Recorded<'_, Event>) -> State {
        evolve::evolve(state, event)
    }

    fn deadlines(&self, state: &State) -> Vec<Deadline> {
        state.callback().map(crate::domain::Callback::deadlines).unwrap_or_default()
    }

    fn keys(&self, state: &State) -> BTreeSet<Key> {
        state.callback().map(crate::domain::Callback::keys).unwrap_or_default()
    }

    fn place(&self, _id: &AggregateId, state: &State) -> (String, String) {
        state
            .callback()
            .map(|callback| (callback.case().to_owned(), callback.branch.clone()))
            .unwrap_or_default()
    }

    fn due(&self, deadline: &DueDeadline) -> Command {
        Command::Due { callback: deadline.aggregate.clone() }
    }

    fn encode(event: &Event) -> (&'static str, Vec<u8>) {
        let name = match event {
            Event::PolicyAdopted(_) => "policy_adopted",
            Event::CallbackScheduled(_) => "callback_scheduled",
            Event::CallbackCoalesced(_) => "callback_coalesced",
            Event::CallbackLeased(_) => "callback_leased",
            Event::CallbackReleased(_) => "callback_released",
            Event::CallbackPostponed(_) => "callback_postponed",
            Event::AttemptRecorded(_) => "attempt_recorded",
            Event::CallbackExhausted(_) => "callback_exhausted",
            Event::CallbackCompleted(_) => "callback_completed",
            Event::CallbackCancelled(_) => "callback_cancelled",
            Event::CallbackLimitMissed(_) => "callback_limit_missed",
            Event::CallbackLimitMoved(_) => "callback_limit_moved",
            Event::CallbackEscalated(_) => "callback_escalated",
            Event::CallbackResultSuperseded(_) => "callback_result_superseded",
        };
        (name, CallbacksEvent { event: Some(event.clone()) }.encode_to_vec())
    }

    fn decode(payload: &[u8]) -> Result<Event, prost::DecodeError> {
        let unknown =
            || prost::DecodeError::new_unexpected_type_url("an event of this release", "an unknown event");
        CallbacksEvent::decode(payload)?.event.ok_or_else(unknown)
    }

    fn kept(state: &State) -> serde_json::Result<Box<RawValue>> {
        match state {
            State::Callback(callback) => to_raw_value(callback),
            State::Policy(version) => to_raw_value(version),
        }
    }

    fn restored(id: &AggregateId, kept: &RawValue) -> serde_json::Result<State> {
        Ok(match id.collection() {
            "policies" => State::Policy(serde_json::from_str(kept.get())?),
            _ => State::Callback(serde_json::from_str(kept.get())?),
        })
    }

    async fn readings(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<Reading>> {
        readings::read(connection).await
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

    fn recompute(&self, aggregate: &AggregateId) -> Option<Command> {
        Some(Command::Recompute { callback: aggregate.clone() })
    }
}
