//! What employees do about a case: offers of the work (O3, O4), overrides (O7), the answer and the client's word (O8).

use chrono::{DateTime, Utc};
use shouwen_engine::{DecideContext, Decision, Refusal, World};
use shouwen_proto::events::v1::{
    CloseKind, OfferAccepted, OfferDeclined, OfferMade, OfferWithdrawn, OverrideBegun, ownership_event::Event,
};
use shouwen_serving::timestamps::to_proto;

use super::{
    Snapshot, State,
    case::Phase,
    command::{Action, CaseCommand},
    draft::Draft,
    merge, message,
    rejection::{AttendanceRejection, Rejection},
};

/// Decides an action. A merged case only tells where to go on; what was passed on under its name can still be read there.
pub fn decide(
    world: &World<'_, State>,
    command: &CaseCommand,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let mut case = Draft::of(world, &command.case, context, snapshot)?;
    if matches!(case.phase, Phase::Merged { .. }) {
        let survivor = merge::survivor(world, &case.id)?;
        if !matches!(command.action, Action::ReadMessage) {
            return Err(Rejection::Merged { case: case.id.0, survivor: survivor.0 }.into());
        }
        let survivor = Draft::of(world, &survivor, context, snapshot)?;
        let shown = message::read(&case, &survivor, &command.by)?;
        case.then(shown);
        return Ok(case.decided());
    }
    if command.etag.is_some_and(|etag| etag != case.version) {
        return Err(Rejection::EtagMismatch(case.id.0).into());
    }
    let by = command.by.as_str();
    match &command.action {
        Action::Offer { offer, to, reason, explanation } => {
            responsible(&case, by)?;
            live(&case, "offer the work")?;
            receiver(snapshot, &case, to, context.now)?;
            if case.offer.is_some() {
                return Err(Rejection::OfferPending(case.id.0).into());
            }
            let policy = snapshot.policies.ownership(Some(&case.branch), context.now);
            case.then(Event::OfferMade(OfferMade {
                offer: offer.clone(),
                from: by.to_owned(),
                to: to.clone(),
                reason: reason.clone(),
                explanation: explanation.clone(),
                expire_time: Some(to_proto(context.at + policy.value.offer_expiry())),
                message: None,
                moves_nothing: false,
            }));
        }
        Action::Pass { offer, to, message } => {
            message::pass(&mut case, by, (offer, to), message, context, snapshot)?;
        }
        Action::ReadMessage => {
            let shown = message::read(&case, &case, by)?;
            case.then(shown);
        }
        Action::Accept { offer } => {
            pending(&case, offer, Some(by))?;
            if snapshot.roster.employee(by).is_some()
                && let Some(problem) = unfit(snapshot, by)
            {
                return Err(Rejection::ReceiverInvalid { employee: by.to_owned(), problem }.into());
            }
            let moves = case.offer.as_ref().is_none_or(|pending| !pending.moves_nothing);
            let (handler, epoch) =
                if moves { (by.to_owned(), case.epoch + 1) } else { (case.handler.clone(), case.epoch) };
            case.then(Event::OfferAccepted(OfferAccepted { offer: offer.clone(), handler, epoch }));
        }
        Action::Decline { offer, reason } => {
            pending(&case, offer, Some(by))?;
            case.then(Event::OfferDeclined(OfferDeclined { offer: offer.clone(), reason: reason.clone() }));
        }
        Action::Withdraw { offer } => {
            responsible(&case, by)?;
            pending(&case, offer, None)?;
            case.then(Event::OfferWithdrawn(OfferWithdrawn { offer: offer.clone() }));
        }
        Action::BeginOverride { reason } => begin_override(&mut case, by, reason, context, snapshot)?,
        Action::EndOverride => {
            if case.overriding.as_ref().is_none_or(|running| running.employee != by) {
                return Err(Rejection::NoOverride(case.id.0).into());
            }
            case.end_override("");
        }
        Action::Resolve { answer } => {
            responsible(&case, by)?;
            if case.phase != Phase::Open {
                return Err(case.illegal("resolve"));
            }
            case.resolve(answer.clone());
        }
        Action::Confirm { satisfied: true, reason } => {
            responsible(&case, by)?;
            live(&case, "confirm satisfaction")?;
            no_complaint(&case)?;
            case.close(CloseKind::Satisfied, reason);
        }
        Action::Confirm { satisfied: false, reason } => {
            responsible(&case, by)?;
            if case.phase != Phase::AwaitingSatisfaction {
                return Err(case.illegal("record dissatisfaction"));
            }
            case.reopen(context, snapshot, reason);
        }
        Action::Close { kind, reason } => {
            live(&case, "close")?;
            no_complaint(&case)?;
            case.close(*kind, reason);
        }
        Action::Reopen { reason } => match case.phase {
            Phase::AwaitingSatisfaction => case.reopen(context, snapshot, reason),
            Phase::Closed { .. } => return merge::reopen(world, case, context, snapshot, reason),
            _ => return Err(case.illegal("reopen")),
        },
    }
    Ok(case.decided())
}

/// O7, O9: handler, accountable person, a deputy of theirs, or who overrides.
fn responsible(case: &Draft<'_>, by: &str) -> Result<(), Refusal<Rejection>> {
    if case.may_decide(by) { Ok(()) } else { Err(Rejection::NotResponsible(case.responsible()).into()) }
}

pub(super) fn live(case: &Draft<'_>, action: &'static str) -> Result<(), Refusal<Rejection>> {
    if case.is_live() { Ok(()) } else { Err(case.illegal(action)) }
}

/// A case does not end before its complaints (O8).
fn no_complaint(case: &Draft<'_>) -> Result<(), Refusal<Rejection>> {
    match case.open_complaints().next() {
        None => Ok(()),
        Some(open) => {
            Err(Rejection::ComplaintOpen { case: case.id.0.clone(), complaint: open.name.clone() }.into())
        }
    }
}

fn begin_override(
    case: &mut Draft<'_>,
    by: &str,
    reason: &str,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<(), Refusal<Rejection>> {
    live(case, "override")?;
    if !snapshot.roster.may_override(by, &case.branch) {
        return Err(Rejection::NotResponsible(case.responsible()).into());
    }
    if let Some(complaint) = case.complaint_about(by) {
        let complaint = complaint.name.clone();
        return Err(Rejection::Recused { case: case.id.0.clone(), complaint }.into());
    }
    if let Some(running) = &case.overriding {
        if running.employee == by {
            return Ok(());
        }
        return Err(Rejection::OverrideRunning(running.employee.clone()).into());
    }
    let policy = snapshot.policies.ownership(Some(&case.branch), context.now);
    let epoch = case.epoch + 1;
    case.then(Event::OverrideBegun(OverrideBegun {
        employee: by.to_owned(),
        reason: reason.to_owned(),
        epoch,
        expire_time: Some(to_proto(context.at + policy.value.override_length())),
    }));
    Ok(())
}

/// A receiver must be a colleague at work, and another than who works on the case now.
pub(super) fn receiver(
    snapshot: &Snapshot,
    case: &Draft<'_>,
    to: &str,
    now: DateTime<Utc>,
) -> Result<(), Refusal<Rejection>> {
    if case.handler == to && unfit(snapshot, to).is_none() {
        return Err(Rejection::ReceiverInvalid {
            employee: to.to_owned(),
            problem: "is the handler already",
        }
        .into());
    }
    fit(snapshot, case, to, now)
}

/// Who can be told of the case, and work on it.
pub(super) fn fit(
    snapshot: &Snapshot,
    case: &Draft<'_>,
    to: &str,
    now: DateTime<Utc>,
) -> Result<(), Refusal<Rejection>> {
    let problem = match unfit(snapshot, to) {
        None if case.is_recused(to) => "is complained about in this case (O12)",
        None => return Ok(at_work(snapshot, to, &case.id.0, now)?),
        Some(problem) => problem,
    };
    Err(Rejection::ReceiverInvalid { employee: to.to_owned(), problem }.into())
}

/// Why somebody cannot work on any case.
pub(super) fn unfit(snapshot: &Snapshot, employee: &str) -> Option<&'static str> {
    match snapshot.roster.employee(employee) {
        None => Some("is not in the roster"),
        Some(known) if !known.active => Some("is not active"),
        Some(known) if !known.serves_clients() => Some("serves no clients"),
        Some(_) => None,
    }
}

/// Nobody receives work while absent (O9).
pub(super) fn at_work(
    snapshot: &Snapshot,
    employee: &str,
    case: &str,
    now: DateTime<Utc>,
) -> Result<(), AttendanceRejection> {
    if !snapshot.absences.is_absent(employee, now) {
        return Ok(());
    }
    let deputy = snapshot.absences.deputy_of(employee, case, now).unwrap_or_default().to_owned();
    Err(AttendanceRejection::ReceiverAbsent { employee: employee.to_owned(), deputy })
}

/// The pending offer must be the one that is meant, and for its receiver.
fn pending(case: &Draft<'_>, offer: &str, to: Option<&str>) -> Result<(), Refusal<Rejection>> {
    let gone = || Rejection::NoSuchOffer { case: case.id.0.clone(), offer: offer.to_owned() };
    let pending = case.offer.as_ref().filter(|pending| pending.id == offer).ok_or_else(gone)?;
    match to {
        Some(by) if pending.to != by => {
            Err(Rejection::NotTheReceiver { receiver: pending.to.clone() }.into())
        }
        _ => Ok(()),
    }
}
