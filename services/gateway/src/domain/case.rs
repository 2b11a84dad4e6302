//! A case (事项): one concern of one client from first question to satisfaction (O1-O8).
//!
//! The first responder never changes. Work moves by offers that are accepted; overrides are temporary and stay visible; closed is not the end, a
//! dissatisfied client reopens.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_calendar::AcceptanceDay;
use shouwen_engine::{AggregateId, DecideContext, Decision, Key, Refusal, World};
use shouwen_proto::events::v1::{
    CaseClosed, CaseReopened, CaseResolved, CloseKind, OfferAccepted, OfferDeclined, OfferMade,
    OfferWithdrawn, OverrideBegun, OverrideEnded, ownership_event::Event,
};
use shouwen_serving::timestamps::to_proto;

use super::{
    Snapshot, State,
    command::{Action, CaseCommand},
    merge,
    rejection::{Rejection, Responsible},
};

/// The state of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseState {
    pub branch: String,
    pub topic: String,
    /// A number of `shouwen.type.v1.Channel`.
    pub channel: i32,
    /// The client's external id.
    pub client: Option<String>,
    /// The contact that opened it.
    pub contact: String,
    /// First responder (首问责任人): a fact of history.
    pub first_responder: String,
    /// Accountable person (责任人).
    pub accountable: String,
    /// Handler (承办人).
    pub handler: String,
    /// Rises at every change of who may act.
    pub epoch: i64,
    pub phase: Phase,
    pub offer: Option<Offer>,
    #[serde(rename = "override")]
    pub overriding: Option<Override>,
    /// The original clock first, the running one last (O8).
    pub clocks: Vec<Clock>,
    pub assistants: Vec<String>,
    pub promises: Vec<Promise>,
    pub opened_at: DateTime<Utc>,
    /// Versions of the policies under which it began: ownership, then hours.
    pub policy: String,
    pub reopenings: i32,
}

/// Where a case is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Phase {
    Open,
    /// The answer was given; the client's word is awaited.
    AwaitingSatisfaction,
    Closed {
        at: DateTime<Utc>,
        kind: i32,
        reason: String,
    },
    /// A redirect to the survivor.
    Merged {
        into: String,
    },
    /// The contact held no concern.
    Void {
        reason: String,
    },
}

/// An offer of the work (O4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub id: String,
    pub from: String,
    pub to: String,
    pub reason: String,
    pub expires: DateTime<Utc>,
}

/// An override by a lead or HQ (O7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub employee: String,
    pub reason: String,
    pub begun: DateTime<Utc>,
    pub expires: DateTime<Utc>,
}

/// A limit for the answer (K15).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    pub started: DateTime<Utc>,
    pub due: DateTime<Utc>,
    pub met: Option<DateTime<Utc>>,
    pub missed: bool,
    pub provisional: bool,
    pub calendar: String,
}

/// What was promised to the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// Full name of the callback.
    pub callback: String,
    pub kind: i32,
    pub due: DateTime<Utc>,
    pub settled: bool,
}

/// The key of which only one open case can exist: client and topic.
pub fn open_key(client: Option<&str>, topic: &str) -> Option<Key> {
    client.map(|client| Key { kind: "open_case", key: format!("{client}|{topic}") })
}

impl CaseState {
    /// Open or waiting for the client's word.
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::AwaitingSatisfaction)
    }

    /// The key that the case holds.
    pub fn key(&self) -> Option<Key> {
        if self.is_live() { open_key(self.client.as_deref(), &self.topic) } else { None }
    }

    /// Whether the employee may decide on the case (O7).
    pub fn may_decide(&self, employee: &str) -> bool {
        self.handler == employee
            || self.accountable == employee
            || self.overriding.as_ref().is_some_and(|running| running.employee == employee)
    }

    pub fn responsible(&self, case: &AggregateId) -> Responsible {
        Responsible {
            case: case.0.clone(),
            first_responder: self.first_responder.clone(),
            accountable: self.accountable.clone(),
            handler: self.handler.clone(),
        }
    }

    /// The clock that still runs.
    pub fn running_clock(&self) -> Option<&Clock> {
        self.clocks.last().filter(|clock| self.phase == Phase::Open && clock.met.is_none())
    }

    fn phase_name(&self) -> &'static str {
        match self.phase {
            Phase::Open => "open",
            Phase::AwaitingSatisfaction => "awaiting satisfaction",
            Phase::Closed { .. } => "closed",
            Phase::Merged { .. } => "merged",
            Phase::Void { .. } => "void",
        }
    }

    /// The refusal of an action that does not fit the phase.
    pub(super) fn illegal(&self, case: &AggregateId, action: &'static str) -> Rejection {
        match &self.phase {
            Phase::Merged { into } => Rejection::Merged { case: case.0.clone(), survivor: into.clone() },
            _ => Rejection::IllegalTransition { case: case.0.clone(), phase: self.phase_name(), action },
        }
    }
}

/// A clock that starts at `at`: the answer is due within the policy's working days, the day of acceptance not counted (K15, S2).
pub fn clock(snapshot: &Snapshot, policy: &str, at: DateTime<Utc>) -> Clock {
    let (ownership, hours) = policy.split_once(' ').unwrap_or((policy, ""));
    let ownership = snapshot
        .policies
        .resolve_ownership(ownership)
        .unwrap_or_else(|_| snapshot.policies.ownership(None, at));
    let hours = snapshot.policies.resolve_hours(hours).unwrap_or_else(|_| snapshot.policies.hours(None, at));
    let calendar = snapshot.policies.calendar(at);
    let due = calendar.within_working_days(
        at,
        ownership.value.answer_working_days,
        AcceptanceDay::NotCounted,
        &hours.value.working_hours,
    );
    Clock {
        started: at,
        due: due.value,
        met: None,
        missed: false,
        provisional: due.provisional,
        calendar: calendar.version().to_owned(),
    }
}

/// The versions of the policies that a case opened now keeps.
pub fn policy_versions(snapshot: &Snapshot, branch: &str, at: DateTime<Utc>) -> String {
    let policies = &snapshot.policies;
    format!("{} {}", policies.ownership(Some(branch), at).version, policies.hours(Some(branch), at).version)
}

/// The event that takes a case up again, with a new clock beside the original one (O8).
pub(super) fn reopened(state: &CaseState, snapshot: &Snapshot, at: DateTime<Utc>, reason: &str) -> Event {
    let clock = clock(snapshot, &state.policy, at);
    Event::CaseReopened(CaseReopened {
        reason: reason.to_owned(),
        answer_due: Some(to_proto(clock.due)),
        provisional: clock.provisional,
        calendar_version: clock.calendar,
    })
}

/// The events that close a case: a pending offer is withdrawn, a running override ends with it.
pub(super) fn closing(state: &CaseState, kind: CloseKind, reason: &str) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(offer) = &state.offer {
        events.push(Event::OfferWithdrawn(OfferWithdrawn { offer: offer.id.clone() }));
    }
    if let Some(running) = &state.overriding {
        events.push(Event::OverrideEnded(OverrideEnded {
            employee: running.employee.clone(),
            epoch: state.epoch + 1,
            expired: false,
        }));
    }
    events.push(Event::CaseClosed(CaseClosed { kind: kind.into(), reason: reason.to_owned() }));
    events
}

/// The case of the world, or the refusal that it is unknown.
pub(super) fn find<'a>(
    world: &World<'a, State>,
    id: &AggregateId,
) -> Result<&'a CaseState, Refusal<Rejection>> {
    match world.state(id) {
        Some(State::Case(case)) => Ok(case),
        _ => Err(Rejection::CaseNotFound(id.0.clone()).into()),
    }
}

/// Decides what an employee does about a case.
pub fn decide(
    world: &World<'_, State>,
    command: &CaseCommand,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let id = &command.case;
    let state = find(world, id)?;
    let by = command.by.as_str();
    if command.etag.is_some_and(|etag| etag != world.version(id)) {
        return Err(Rejection::EtagMismatch(id.0.clone()).into());
    }
    let responsible = || -> Result<(), Refusal<Rejection>> {
        if state.may_decide(by) {
            Ok(())
        } else {
            Err(Rejection::NotResponsible(state.responsible(id)).into())
        }
    };
    let live = |action| -> Result<(), Refusal<Rejection>> {
        if state.is_live() { Ok(()) } else { Err(state.illegal(id, action).into()) }
    };
    let one = |event| Ok(Decision::on(id.clone(), [event]));
    match &command.action {
        Action::Offer { offer, to, reason, explanation } => {
            live("offer the work")?;
            responsible()?;
            receiver(snapshot, state, to)?;
            if state.offer.is_some() {
                return Err(Rejection::OfferPending(id.0.clone()).into());
            }
            let policy = snapshot.policies.ownership(Some(&state.branch), context.now);
            one(Event::OfferMade(OfferMade {
                offer: offer.clone(),
                from: by.to_owned(),
                to: to.clone(),
                reason: reason.clone(),
                explanation: explanation.clone(),
                expire_time: Some(to_proto(context.at + policy.value.offer_expiry())),
            }))
        }
        Action::Accept { offer } => {
            pending(state, id, offer, Some(by))?;
            live("accept the offer")?;
            one(Event::OfferAccepted(OfferAccepted {
                offer: offer.clone(),
                handler: by.to_owned(),
                epoch: state.epoch + 1,
            }))
        }
        Action::Decline { offer, reason } => {
            pending(state, id, offer, Some(by))?;
            one(Event::OfferDeclined(OfferDeclined { offer: offer.clone(), reason: reason.clone() }))
        }
        Action::Withdraw { offer } => {
            responsible()?;
            pending(state, id, offer, None)?;
            one(Event::OfferWithdrawn(OfferWithdrawn { offer: offer.clone() }))
        }
        Action::BeginOverride { reason } => {
            live("override")?;
            match &state.overriding {
                Some(running) if running.employee == by => Ok(Decision::nothing(id.clone())),
                Some(running) => Err(Rejection::OverrideRunning(running.employee.clone()).into()),
                None => {
                    let policy = snapshot.policies.ownership(Some(&state.branch), context.now);
                    one(Event::OverrideBegun(OverrideBegun {
                        employee: by.to_owned(),
                        reason: reason.clone(),
                        epoch: state.epoch + 1,
                        expire_time: Some(to_proto(context.at + policy.value.override_length())),
                    }))
                }
            }
        }
        Action::EndOverride => match &state.overriding {
            Some(running) if running.employee == by => one(Event::OverrideEnded(OverrideEnded {
                employee: by.to_owned(),
                epoch: state.epoch + 1,
                expired: false,
            })),
            _ => Err(Rejection::NoOverride(id.0.clone()).into()),
        },
        Action::Resolve { answer } => {
            responsible()?;
            if state.phase != Phase::Open {
                return Err(state.illegal(id, "resolve").into());
            }
            one(Event::CaseResolved(CaseResolved { answer: answer.clone() }))
        }
        Action::Confirm { satisfied: true, reason } => {
            responsible()?;
            live("confirm satisfaction")?;
            Ok(Decision::on(id.clone(), closing(state, CloseKind::Satisfied, reason)))
        }
        Action::Confirm { satisfied: false, reason } => {
            responsible()?;
            if state.phase != Phase::AwaitingSatisfaction {
                return Err(state.illegal(id, "record dissatisfaction").into());
            }
            one(reopened(state, snapshot, context.at, reason))
        }
        Action::Close { kind, reason } => {
            live("close")?;
            Ok(Decision::on(id.clone(), closing(state, *kind, reason)))
        }
        Action::Reopen { reason } => {
            if !matches!(state.phase, Phase::Closed { .. }) {
                return Err(state.illegal(id, "reopen").into());
            }
            merge::reopen(world, id, state, context, snapshot, reason)
        }
    }
}

/// A receiver must be an active colleague, and another than who works on the case now.
fn receiver(snapshot: &Snapshot, state: &CaseState, to: &str) -> Result<(), Refusal<Rejection>> {
    let problem = match snapshot.roster.employee(to) {
        None => Some("is not in the roster"),
        Some(employee) if !employee.active => Some("is not active"),
        Some(employee) if !employee.serves_clients() => Some("serves no clients"),
        Some(_) if state.handler == to => Some("is the handler already"),
        Some(_) => None,
    };
    match problem {
        Some(problem) => Err(Rejection::ReceiverInvalid { employee: to.to_owned(), problem }.into()),
        None => Ok(()),
    }
}

/// The pending offer must be the one that is meant, and for its receiver.
fn pending(
    state: &CaseState,
    id: &AggregateId,
    offer: &str,
    to: Option<&str>,
) -> Result<(), Refusal<Rejection>> {
    match &state.offer {
        Some(pending) if pending.id == offer => match to {
            Some(by) if pending.to != by => {
                Err(Rejection::NotTheReceiver { receiver: pending.to.clone() }.into())
            }
            _ => Ok(()),
        },
        _ => Err(Rejection::NoSuchOffer { case: id.0.clone(), offer: offer.to_owned() }.into()),
    }
}
