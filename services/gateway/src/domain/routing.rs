//! The routing of a contact to a person: it rings at somebody's desk for three rings, goes to the next, waits, or takes the after-hours path, until
//! somebody answers or the client is gone (K2, K13, K21, O5, O6).
//!
//! Answering is not decided here: a claim of the contact settles its routing, whoever made it.

pub mod candidates;
mod evolve;
pub mod plan;
mod seek;
mod state;
mod transfer;

use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::{
    events::v1::{
        ClientLeft, ReservationEnd, ReservationEnded, RoutingAnswered, RoutingBegun, RoutingEnded,
        RoutingReason, ownership_event::Event,
    },
    r#type::v1::Channel,
};
use shouwen_serving::timestamps::to_proto;

use super::{
    Snapshot, State,
    command::{Claim, Route, RoutingCommand},
    contact::{self, Touch},
    presence,
    rejection::Rejection,
};

pub(super) use evolve::after;
pub use state::{Past, PastTransfer, Phase, RoutingState, Transfer, contact, deadlines, id};
pub use transfer::decide as decide_transfer;
pub(super) use transfer::{left, over};

use seek::Draft;

/// Why calls refuses the answer of a call that was missed or is over.
const NOT_RINGING: &str = "ILLEGAL_TRANSITION";

/// Why a backend refuses an answer in whose branch the employee may not answer.
const OUT_OF_REACH: &str = "BRANCH_OUT_OF_REACH";

/// Events after which somebody may be free for a contact that waits.
pub const STIRRING: &[&str] = &[
    "presence_changed",
    "presence_released",
    "reservation_ended",
    "routing_queued",
    "routing_answered",
    "routing_ended",
    "transfer_returned",
    "call_over",
];

pub fn decide(
    world: &World<'_, State>,
    command: &RoutingCommand,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    match command {
        RoutingCommand::Route(route) => route_contact(world, route, context, snapshot),
        RoutingCommand::Decline { contact, by } => {
            let mut draft = Draft::of(world, contact)?;
            if draft.turned_down(by, context.at) {
                return Ok(draft.decided());
            }
            match &draft.state.phase {
                Phase::Reserved { employee, .. } if employee == by => {}
                _ => return Err(Rejection::NoSuchReservation(id(contact).0).into()),
            }
            draft.end_reservation(ReservationEnd::Declined, context.now);
            draft.seek(world, context, snapshot);
            Ok(draft.decided())
        }
        RoutingCommand::Cancel { contact } => {
            let mut draft = Draft::of(world, contact)?;
            draft.abandoned(world, contact, context.now);
            Ok(draft.decided())
        }
        RoutingCommand::Missed { contact } => {
            let Ok(mut draft) = Draft::of(world, contact) else { return Ok(Decision::nothing(id(contact))) };
            // The after-hours path is itself what makes calls say so (O5).
            if !matches!(draft.state.phase, Phase::AfterHours { resumes: false, .. }) {
                draft.abandoned(world, contact, context.now);
            }
            Ok(draft.decided())
        }
        RoutingCommand::Callback { contact } => {
            let mut draft = Draft::of(world, contact)?;
            let phone = draft.state.channel == i32::from(Channel::Phone);
            match &draft.state.phase {
                Phase::Callback { .. } => {}
                phase if phase.is_live() && phone => {
                    let reason = RoutingReason::CallbackAsked.into();
                    draft.then(Event::RoutingEnded(RoutingEnded { reason }), context.now);
                }
                phase => {
                    let phase = if phone { phase.name() } else { "no telephone call" };
                    let routing = id(contact).0;
                    return Err(
                        Rejection::RoutingIllegal { routing, phase, action: "request a callback" }.into()
                    );
                }
            }
            Ok(draft.decided())
        }
        RoutingCommand::Due { contact } => due(world, contact, context, snapshot),
        RoutingCommand::Dispatch { contact } => {
            let Ok(mut draft) = Draft::of(world, contact) else { return Ok(Decision::nothing(id(contact))) };
            if !settled_by_claim(world, contact, &mut draft, context)
                && matches!(draft.state.phase, Phase::Queued { .. })
            {
                draft.seek_if_found(world, context, snapshot);
            }
            Ok(draft.decided())
        }
    }
}

fn route_contact(
    world: &World<'_, State>,
    route: &Route,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let routing = id(&route.contact);
    if world.state(&routing).is_some() {
        return Ok(Decision::nothing(routing));
    }
    let mut draft = Draft::begin(&route.contact, begun(route), context.now);
    if !settled_by_claim(world, &route.contact, &mut draft, context) {
        let taken = draft.seek(world, context, snapshot);
        if taken && !route.settle {
            return Err(Rejection::CandidatesTaken.into());
        }
    }
    Ok(draft.decided())
}

/// How a routing begins.
fn begun(route: &Route) -> RoutingBegun {
    RoutingBegun {
        contact: route.contact.0.clone(),
        branch: route.branch.clone(),
        line: route.line.clone(),
        channel: route.channel,
        client: route.client.clone().unwrap_or_default(),
        topic: route.topic.clone(),
        skills: route.skills.clone(),
        vip: route.vip,
        case: route.case.as_ref().map(|case| case.0.clone()).unwrap_or_default(),
        service_manager: route.service_manager.clone().unwrap_or_default(),
    }
}

/// The time of a reservation, of a wait or of the night is over.
fn due(
    world: &World<'_, State>,
    contact: &AggregateId,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let mut draft = Draft::of(world, contact)?;
    if settled_by_claim(world, contact, &mut draft, context) {
        return Ok(draft.decided());
    }
    if draft.state.transfer.is_some() {
        let counted = draft.rung_out(world, context, snapshot);
        let mut decision = draft.decided();
        decision.events.extend(counted);
        return Ok(decision);
    }
    let mut counted = Vec::new();
    if let Phase::Reserved { employee, .. } = &draft.state.phase {
        counted = presence::missed(world, employee, &contact.0, context.at, snapshot);
        draft.end_reservation(ReservationEnd::Missed, context.at);
    }
    draft.seek(world, context, snapshot);
    let mut decision = draft.decided();
    decision.events.extend(counted);
    Ok(decision)
}

/// Somebody answered the contact while the routing was not looked at.
fn settled_by_claim(
    world: &World<'_, State>,
    contact: &AggregateId,
    draft: &mut Draft,
    context: &DecideContext<'_>,
) -> bool {
    let claimed = contact::find(world, contact).filter(|known| !matches!(known.touch, Touch::Voided { .. }));
    let Some(claimed) = claimed.filter(|_| draft.state.phase.is_live()) else { return false };
    draft.answered(&claimed.employee, context.now);
    true
}

/// What rings at the desk of somebody who is not there any more goes to the next.
pub(super) fn given_back(
    world: &World<'_, State>,
    employee: &str,
    end: ReservationEnd,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Vec<(AggregateId, Event)>, Refusal<Rejection>> {
    let Some(routing) = world.key_holder(&presence::reserved_key(employee)) else { return Ok(Vec::new()) };
    let mut draft = Draft::of(world, &state::contact(routing))?;
    match &draft.state.phase {
        Phase::Reserved { employee: reserved, .. } if reserved == employee => {}
        _ if draft.state.transfer.as_ref().is_some_and(|transfer| transfer.to == employee) => {
            draft.returned(end, context.now);
            return Ok(draft.decided().events);
        }
        _ => return Ok(Vec::new()),
    }
    draft.end_reservation(end, context.now);
    draft.seek(world, context, snapshot);
    Ok(draft.decided().events)
}

/// A claim settles the contact's routing (K13).
pub(super) fn answered(
    world: &World<'_, State>,
    claim: &Claim,
    context: &DecideContext<'_>,
) -> Vec<(AggregateId, Event)> {
    let Ok(mut draft) = Draft::of(world, &claim.contact) else { return Vec::new() };
    if draft.state.phase.is_live() {
        draft.answered(&claim.employee, context.now);
    }
    draft.decided().events
}

/// Who answers another call gives back what rings at their desk.
pub(super) fn left_ringing(
    world: &World<'_, State>,
    claim: &Claim,
    context: &DecideContext<'_>,
) -> Vec<(AggregateId, Event)> {
    if claim.channel != i32::from(Channel::Phone) {
        return Vec::new();
    }
    let reserved = Some(presence::reserved_key(&claim.employee));
    let ringing = world.locked().find(|(routing, state)| {
        **routing != id(&claim.contact) && matches!(state, State::Routing(state) if state.key() == reserved)
    });
    let Some(mut draft) = ringing.and_then(|(routing, _)| Draft::of(world, &state::contact(routing)).ok())
    else {
        return Vec::new();
    };
    if draft.state.transfer.is_some() {
        draft.returned(ReservationEnd::Withdrawn, context.now);
    } else {
        // It waits to be looked at now: a claim has locked nobody whom it could go to.
        draft.end_reservation(ReservationEnd::Withdrawn, context.now);
    }
    draft.decided().events
}

/// An answer that its backend refused leaves the client waiting, to be looked at now, unless the call does not ring any more. Who was gone by then waits
/// for nobody.
pub(super) fn unanswered(
    world: &World<'_, State>,
    contact: &AggregateId,
    reason: &str,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Vec<(AggregateId, Event)> {
    let (Some(touched), Ok(mut draft)) = (contact::find(world, contact), Draft::of(world, contact)) else {
        return Vec::new();
    };
    let Phase::Answered { employee, gone, .. } = &draft.state.phase else { return Vec::new() };
    let gone = *gone;
    if *employee != touched.employee || draft.state.is_transferred() {
        return Vec::new();
    }
    if gone {
        draft.client_gone(context.now);
    } else if reason != NOT_RINGING {
        if reason == OUT_OF_REACH {
            draft.end_reservation(ReservationEnd::Refused, context.now);
        }
        draft.wait(&[], context.now, context, snapshot);
    }
    draft.decided().events
}

/// Whether the employee's answer is still owed to a backend.
fn is_owed(world: &World<'_, State>, contact: &AggregateId, employee: &str) -> bool {
    contact::find(world, contact)
        .is_some_and(|known| known.employee == employee && matches!(known.touch, Touch::Pending { .. }))
}

impl Draft {
    /// Somebody answers.
    fn answered(&mut self, employee: &str, at: chrono::DateTime<chrono::Utc>) {
        let for_colleague =
            matches!(&self.state.phase, Phase::Reserved { employee: reserved, .. } if reserved != employee);
        let answered = RoutingAnswered { employee: employee.to_owned(), for_colleague };
        self.then(Event::RoutingAnswered(answered), at);
    }

    /// The client is gone, unless somebody answered or it ended otherwise. What was answered, but may still come to nothing, remembers it.
    fn abandoned(
        &mut self,
        world: &World<'_, State>,
        contact: &AggregateId,
        at: chrono::DateTime<chrono::Utc>,
    ) {
        match &self.state.phase {
            phase if phase.is_live() => self.client_gone(at),
            Phase::Answered { employee, gone: false, .. } if is_owed(world, contact, employee) => {
                self.then(Event::ClientLeft(ClientLeft {}), at);
            }
            _ => {}
        }
    }

    fn client_gone(&mut self, at: chrono::DateTime<chrono::Utc>) {
        let reason = RoutingReason::ClientGone.into();
        self.then(Event::RoutingEnded(RoutingEnded { reason }), at);
    }

    fn end_reservation(&mut self, end: ReservationEnd, at: chrono::DateTime<chrono::Utc>) {
        if let Phase::Reserved { employee, .. } | Phase::Answered { employee, .. } = &self.state.phase {
            let ended = ReservationEnded {
                employee: employee.clone(),
                end: end.into(),
                end_time: Some(to_proto(at)),
            };
            self.then(Event::ReservationEnded(ended), at);
        }
    }
}
