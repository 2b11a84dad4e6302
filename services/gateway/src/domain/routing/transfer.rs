//! The transfer of a running call (转接, K5): announced by whoever is on it, it rings at the target's desk as a reservation does. Accepted, the target is on
//! the call and assists in its case (O6); otherwise it returns to who transferred it, with the reason on record. Who is responsible for the case stays so.

use chrono::{DateTime, Utc};
use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::{
    events::v1::{
        CallOver, ReservationEnd, RoutingBegun, TransferAccepted, TransferAnnounced, TransferReturned,
        ownership_event::Event,
    },
    r#type::v1::Channel,
};
use shouwen_serving::timestamps::to_proto;

use super::{
    candidates::Standing,
    seek::Draft,
    settled_by_claim,
    state::{Phase, Transfer, contact as contact_of, id},
};
use crate::domain::{
    Snapshot, State,
    action::{at_work, unfit},
    case::CaseState,
    command::{TransferAction, TransferCommand},
    contact::{self, ContactState, Touch},
    draft, merge,
    presence::{self, PresenceState},
    rejection::Rejection,
};

/// Decides what becomes of a transfer.
pub fn decide(
    world: &World<'_, State>,
    command: &TransferCommand,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    match &command.action {
        TransferAction::Announce { to } => announce(world, command, to, context, snapshot),
        TransferAction::Accept => accept(world, command, context, snapshot),
        TransferAction::Withdraw => {
            let mut draft = Draft::of(world, &command.contact)?;
            if draft.rings(context.at).is_none_or(|transfer| transfer.from != command.by) {
                return Err(Rejection::NoSuchTransfer(id(&command.contact).0).into());
            }
            draft.returned(ReservationEnd::TakenBack, context.now);
            Ok(draft.decided())
        }
    }
}

fn announce(
    world: &World<'_, State>,
    command: &TransferCommand,
    to: &str,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let TransferCommand { contact, by, .. } = command;
    let known = claimed(world, contact)?;
    let case_name = merge::case_of(world, &known.case)?;
    let case = draft::Draft::of(world, &case_name, context, snapshot)?;
    let mut draft = match Draft::of(world, contact) {
        Ok(draft) => draft,
        // A call that nobody routed.
        Err(_) => Draft::begin(contact, begun(contact, known, &case_name, &case), context.now),
    };
    settled_by_claim(world, contact, &mut draft, context);
    let counted = draft.rung_out(world, context, snapshot);
    let on_call = draft.state.on_call.as_ref().unwrap_or(&known.employee);
    if on_call != by {
        let (routing, employee) = (id(contact).0, on_call.clone());
        return Err(Rejection::NotOnCall { routing, employee }.into());
    }
    running(world, contact, &draft, by)?;
    if let Some(pending) = &draft.state.transfer {
        let (routing, employee) = (id(contact).0, pending.to.clone());
        return Err(Rejection::TransferPending { routing, employee }.into());
    }
    let case_is = (&*case_name.0, &*case);
    target(world, (to, by), &draft.state.branch, case_is, context.now, snapshot)?;
    let ringing = snapshot.policies.calls(Some(&draft.state.branch), context.now);
    let announced = TransferAnnounced {
        from: by.clone(),
        to: to.to_owned(),
        case: case_name.0,
        announce_time: Some(to_proto(context.now)),
        expire_time: Some(to_proto(context.now + ringing.value.answer_within())),
        policy_version: ringing.version.to_string(),
    };
    draft.then(Event::TransferAnnounced(announced), context.now);
    let mut decision = draft.decided();
    decision.events.extend(counted);
    Ok(decision)
}

/// How the routing of a call begins that was answered without one.
fn begun(
    contact: &AggregateId,
    known: &ContactState,
    case_name: &AggregateId,
    case: &CaseState,
) -> RoutingBegun {
    RoutingBegun {
        contact: contact.0.clone(),
        branch: known.branch.clone(),
        channel: known.channel,
        client: case.client.clone().unwrap_or_default(),
        topic: case.topic.clone(),
        case: case_name.0.clone(),
        ..RoutingBegun::default()
    }
}

/// The contact, answered by somebody.
fn claimed<'a>(
    world: &World<'a, State>,
    contact: &AggregateId,
) -> Result<&'a ContactState, Refusal<Rejection>> {
    contact::find(world, contact)
        .filter(|known| !matches!(known.touch, Touch::Voided { .. }))
        .ok_or_else(|| Rejection::ContactNotFound(contact.0.clone()).into())
}

/// Only a telephone call that goes on can be transferred.
fn running(
    world: &World<'_, State>,
    contact: &AggregateId,
    draft: &Draft,
    by: &str,
) -> Result<(), Refusal<Rejection>> {
    let on_it = |known: &PresenceState| known.on.as_ref() == Some(&contact.0);
    let phase = if draft.state.channel != i32::from(Channel::Phone) {
        "no telephone call"
    } else if !matches!(draft.state.phase, Phase::Answered { .. }) {
        draft.state.phase.name()
    } else if !presence::find(world, by).is_some_and(on_it) {
        "over"
    } else {
        return Ok(());
    };
    Err(Rejection::RoutingIllegal { routing: id(contact).0, phase, action: "transfer the call" }.into())
}

/// A named target need not be qualified, but free, at work, near enough, and not complained about (O9, O12).
fn target(
    world: &World<'_, State>,
    (to, by): (&str, &str),
    branch: &str,
    (case_name, case): (&str, &CaseState),
    now: DateTime<Utc>,
    snapshot: &Snapshot,
) -> Result<(), Refusal<Rejection>> {
    // HQ helps out in every branch, and passes on to every branch.
    let is_hq = |employee| snapshot.roster.employee(employee).is_some_and(|known| known.is_hq());
    let here = snapshot.roster.employee(to).is_some_and(|known| known.branch == branch);
    let near = here || is_hq(to) || is_hq(by);
    let problem = match unfit(snapshot, to) {
        Some(problem) => Some(problem),
        None if to == by => Some("is on the call already"),
        None if !near => Some("works neither in this branch nor at HQ"),
        None if case.is_recused(to) => Some("is complained about in this case (O12)"),
        None => None,
    };
    if let Some(problem) = problem {
        return Err(Rejection::ReceiverInvalid { employee: to.to_owned(), problem }.into());
    }
    at_work(snapshot, to, case_name, now)?;
    let key = presence::reserved_key(to);
    if !world.covers(&key) {
        return Err(Refusal::Moved);
    }
    let presence = match presence::find(world, to).map_or(Standing::Offline, PresenceState::standing) {
        Standing::Free { .. } if world.key_holder(&key).is_none() => return Ok(()),
        Standing::Free { .. } | Standing::Reserved => "RESERVED",
        Standing::Busy => "BUSY",
        Standing::Paused => "PAUSED",
        Standing::Offline => "OFFLINE",
    };
    Err(Rejection::TargetNotFree { employee: to.to_owned(), presence }.into())
}

fn accept(
    world: &World<'_, State>,
    command: &TransferCommand,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let TransferCommand { contact, by, .. } = command;
    let mut draft = Draft::of(world, contact)?;
    let Some(Transfer { from, .. }) = draft.rings(context.at).filter(|transfer| transfer.to == *by).cloned()
    else {
        return Err(Rejection::NoSuchReservation(id(contact).0).into());
    };
    if [&from, by].into_iter().any(|employee| !world.holds(&presence::id(employee))) {
        return Err(Refusal::Moved);
    }
    let known = claimed(world, contact)?;
    let mut case = draft::Draft::of(world, &merge::case_of(world, &known.case)?, context, snapshot)?;
    if let Some(complaint) = case.complaint_about(by) {
        let complaint = complaint.name.clone();
        return Err(Rejection::Recused { case: case.id.0.clone(), complaint }.into());
    }
    if case.is_live() {
        case.helped_by(by, &contact.0);
    }
    let accepted = TransferAccepted { from: from.clone(), to: by.clone() };
    draft.then(Event::TransferAccepted(accepted), context.now);
    let mut decision = draft.decided();
    decision.events.extend(case.events());
    decision.events.extend(presence::released(world, &from, contact));
    decision.events.extend(presence::engaged(world, by, contact));
    Ok(decision)
}

/// A call that is over leaves whoever is on it free, and whoever it rings for.
pub(in crate::domain) fn over(
    world: &World<'_, State>,
    contact: &AggregateId,
    context: &DecideContext<'_>,
) -> Result<Vec<(AggregateId, Event)>, Refusal<Rejection>> {
    let Some(known) = contact::find(world, contact) else { return Ok(Vec::new()) };
    let mut events = Vec::new();
    let mut employee = known.employee.clone();
    if let Ok(mut draft) = Draft::of(world, contact) {
        if let Some(on_call) = &draft.state.on_call {
            if !world.holds(&presence::id(on_call)) {
                return Err(Refusal::Moved);
            }
            employee.clone_from(on_call);
        }
        draft.over(&employee, context.now);
        events.extend(draft.decided().events);
    }
    let released = presence::released(world, &employee, contact);
    // Who is on it may have announced its transfer since the footprint was read.
    if released.is_some() && !world.holds(&id(contact)) {
        return Err(Refusal::Moved);
    }
    events.extend(released);
    Ok(events)
}

/// Who is available again, or leaves, is on no call any more, so what they were about to transfer does not ring any more.
pub(in crate::domain) fn left(
    world: &World<'_, State>,
    employee: &str,
    contact: &str,
    context: &DecideContext<'_>,
) -> Result<Vec<(AggregateId, Event)>, Refusal<Rejection>> {
    let contact = AggregateId(contact.to_owned());
    if !world.holds(&id(&contact)) {
        return Err(Refusal::Moved);
    }
    let Ok(mut draft) = Draft::of(world, &contact) else { return Ok(Vec::new()) };
    if draft.state.on_call.as_deref().is_none_or(|on_call| on_call == employee) {
        draft.over(employee, context.now);
    }
    Ok(draft.decided().events)
}

impl Draft {
    /// The transfer that rings at a moment; its time is over at its very instant.
    fn rings(&self, at: DateTime<Utc>) -> Option<&Transfer> {
        self.state.transfer.as_ref().filter(|transfer| at < transfer.expires)
    }

    /// The call is with who transferred it again.
    pub(super) fn returned(&mut self, end: ReservationEnd, at: DateTime<Utc>) {
        if let Some(Transfer { from, to, .. }) = self.state.transfer.clone() {
            let returned = TransferReturned { from, to, end: end.into(), end_time: Some(to_proto(at)) };
            self.then(Event::TransferReturned(returned), at);
        }
    }

    /// Declined by its target, while it rings there.
    pub(super) fn turned_down(&mut self, by: &str, at: DateTime<Utc>) -> bool {
        let rings = self.rings(at).is_some_and(|transfer| transfer.to == by);
        if rings {
            self.returned(ReservationEnd::Declined, at);
        }
        rings
    }

    /// A transfer whose time has come returns, and is counted for who missed it (K2).
    pub(super) fn rung_out(
        &mut self,
        world: &World<'_, State>,
        context: &DecideContext<'_>,
        snapshot: &Snapshot,
    ) -> Vec<(AggregateId, Event)> {
        let over = self.state.transfer.clone().filter(|transfer| transfer.expires <= context.at);
        let Some(Transfer { to, expires, .. }) = over else { return Vec::new() };
        self.returned(ReservationEnd::Missed, expires);
        presence::missed(world, &to, &contact_of(&self.routing).0, context.at, snapshot)
    }

    /// The call is over; nothing is said where it was never to be transferred.
    fn over(&mut self, employee: &str, at: DateTime<Utc>) {
        if self.state.is_transferred() {
            self.then(Event::CallOver(CallOver { employee: employee.to_owned() }), at);
        }
    }
}
