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
use shouwen_proto::events::v1::{ComplaintsEvent, complaints_event::Event};
use sqlx::PgConnection;

use crate::{
    domain::{
        Command, Complaint, Mutants, Rejection, Setting, State, evolve, intake, numbers::Series, transitions,
    },
    readings, store,
};

/// The domain of this service as the engine drives it.
#[derive(Debug)]
pub struct ComplaintsDomain {
    policies: AdoptedPolicies,
    mutants: Mutants,
}

impl ComplaintsDomain {
    /// Over the policies that are stored.
    pub(crate) fn new(policies: AdoptedPolicies, mutants: Mutants) -> Self {
        Self { policies, mutants }
    }

    /// The policies that this process knows.
    pub(crate) fn policies(&self) -> &AdoptedPolicies {
        &self.policies
    }
}

impl Domain for ComplaintsDomain {
    const SERVICE: &'static str = "complaints";
    const OBSERVED: &'static [&'static str] = &["policy_adopted"];
    type Command = Command;
    type State = State;
    type Event = Event;
    type Rejection = Rejection;

    async fn footprints(
        &self,
        connection: &mut PgConnection,
        commands: &[&Command],
    ) -> sqlx::Result<Vec<Footprint>> {
        let mut footprints: Vec<Footprint> = commands.iter().map(|command| footprint(command)).collect();
        let numbering: Vec<String> = commands
            .iter()
            .filter(|command| command.numbers())
            .filter_map(|command| command.complaint())
            .map(|id| id.0)
            .collect();
        if numbering.is_empty() {
            return Ok(footprints);
        }
        // C15: without locks, so the month may have ended when the number is given. A unit never changes.
        let unnumbered = store::unnumbered(&mut *connection, &numbering).await?;
        let now = store::business_time(connection).await?;
        for (command, footprint) in commands.iter().zip(&mut footprints).filter(|(it, _)| it.numbers()) {
            let complaint = command.complaint();
            let unit = unnumbered.iter().find(|(id, _)| complaint.as_ref() == Some(id));
            for series in unit.into_iter().flat_map(|(_, unit)| Series::around(unit, now)) {
                footprint.counters.push(series.counter());
                footprint.keys.push(series.key());
            }
        }
        Ok(footprints)
    }

    fn decide(
        &self,
        world: &World<'_, State>,
        command: &Command,
        context: &DecideContext<'_>,
    ) -> Result<Decision<Event>, Refusal<Rejection>> {
        let book = self.policies.book();
        let setting =
            Setting { now: context.now, at: context.at, book: &book, mutants: self.mutants, number: None };
        let on_one = match command {
            Command::AdoptPolicy(adopted) => {
                let id = AggregateId(adopted.policy.clone());
                let known = world.state(&id).and_then(State::policy);
                let adopted = adopt(known, adopted, &book).map_err(Rejection::from)?;
                return Ok(Decision::on(id, adopted.map(Event::PolicyAdopted)));
            }
            Command::File(filing) => {
                let id = filing.name.aggregate();
                if world.state(&id).is_some() {
                    return Err(Rejection::Internal("an id was given twice").into());
                }
                return Ok(Decision::on(id, [intake::file(filing, &setting)?]));
            }
            on_one => on_one,
        };
        let id = on_one.complaint().ok_or(Rejection::Internal("a command without a complaint"))?;
        let complaint =
            world.state(&id).and_then(State::complaint).ok_or_else(|| Rejection::NotFound(id.0.clone()))?;
        let fresh = number(world, complaint, on_one, context.now)?;
        let setting = Setting { number: fresh.as_ref().map(|fresh| fresh.number.as_str()), ..setting };
        let events = transitions::decide(complaint, on_one, &setting)?;
        let counters = fresh.map(|fresh| fresh.counter).into_iter().collect();
        Ok(Decision { counters, ..Decision::on(id, events) })
    }

    fn evolve(&self, state: Option<State>, event: &Recorded<'_, Event>) -> State {
        evolve::evolve(state, event)
    }

    fn deadlines(&self, state: &State) -> Vec<Deadline> {
        state.complaint().map(Complaint::deadlines).unwrap_or_default()
    }

    fn keys(&self, _state: &State) -> BTreeSet<Key> {
        BTreeSet::new()
    }

    fn place(&self, _id: &AggregateId, state: &State) -> (String, String) {
        state
            .complaint()
            .map(|complaint| (complaint.name.case().to_owned(), complaint.receiving_unit.clone()))
            .unwrap_or_default()
    }

    fn due(&self, deadline: &DueDeadline) -> Command {
        Command::Due { complaint: deadline.aggregate.clone() }
    }

    fn encode(event: &Event) -> (&'static str, Vec<u8>) {
        let name = match event {
            Event::PolicyAdopted(_) => "policy_adopted",
            Event::ComplaintFiled(_) => "complaint_filed",
            Event::ComplaintAccepted(_) => "complaint_accepted",
            Event::ComplaintDeclined(_) => "complaint_declined",
            Event::CommunicationRecorded(_) => "communication_recorded",
            Event::ReplyRecorded(_) => "reply_recorded",
            Event::HandlingProposed(_) => "handling_proposed",
            Event::ProposalApproved(_) => "proposal_approved",
            Event::ProposalReturned(_) => "proposal_returned",
            Event::MeasureRecorded(_) => "measure_recorded",
            Event::HandlingCompleted(_) => "handling_completed",
            Event::VerificationRecorded(_) => "verification_recorded",
            Event::VerificationExhausted(_) => "verification_exhausted",
            Event::ComplaintReopened(_) => "complaint_reopened",
            Event::ComplaintClosed(_) => "complaint_closed",
            Event::ComplaintLimitMissed(_) => "complaint_limit_missed",
            Event::ComplaintLimitMoved(_) => "complaint_limit_moved",
            Event::ComplaintEscalated(_) => "complaint_escalated",
            Event::ComplaintRecordShown(_) => "complaint_record_shown",
        };
        (name, ComplaintsEvent { event: Some(event.clone()) }.encode_to_vec())
    }

    fn decode(payload: &[u8]) -> Result<Event, prost::DecodeError> {
        let unknown =
            || prost::DecodeError::new_unexpected_type_url("an event of this release", "an unknown event");
        ComplaintsEvent::decode(payload)?.event.ok_or_else(unknown)
    }

    fn kept(state: &State) -> serde_json::Result<Box<RawValue>> {
        match state {
            State::Complaint(complaint) => to_raw_value(complaint),
            State::Policy(version) => to_raw_value(version),
        }
    }

    fn restored(id: &AggregateId, kept: &RawValue) -> serde_json::Result<State> {
        Ok(match id.collection() {
            "policies" => State::Policy(serde_json::from_str(kept.get())?),
            _ => State::Complaint(serde_json::from_str(kept.get())?),
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
        Some(Command::Recompute { complaint: aggregate.clone() })
    }
}

fn footprint(command: &Command) -> Footprint {
    let mut footprint = Footprint::default();
    footprint.aggregates.extend(command.complaint());
    if let Command::File(_) = command {
        footprint.makes = command.complaint();
    }
    if let Command::AdoptPolicy(adopted) = command {
        footprint.aggregates.push(AggregateId(adopted.policy.clone()));
    }
    footprint
}

/// A number that was not given yet, and what its counter then says.
struct Fresh {
    number: String,
    counter: (String, i64),
}

/// The next number of the unit's month, where the command gives the complaint its first (C15).
fn number(
    world: &World<'_, State>,
    complaint: &Complaint,
    command: &Command,
    now: DateTime<Utc>,
) -> Result<Option<Fresh>, Refusal<Rejection>> {
    if !command.numbers() || complaint.number.is_some() {
        return Ok(None);
    }
    let series = Series::of(&complaint.receiving_unit, now);
    if !world.covers(&series.key()) {
        return Err(Refusal::Moved);
    }
    let serial = world.counter(&series.counter()) + 1;
    Ok(Some(Fresh { number: series.number(serial), counter: (series.counter(), serial) }))
}
