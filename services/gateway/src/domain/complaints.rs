//! What a complaint means for its case: the case does not end before its complaints (O8), is taken up again with them, and ends with the last of them as
//! that ended (C9, C10, C16). For a case with open complaints nothing else closes it.

use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::events::v1::{CloseKind, ComplaintEnd, ComplaintSettled, ownership_event::Event};

use super::{
    Snapshot, State,
    case::{self, Complaint, Phase},
    draft::Draft,
    merge, recusal,
    rejection::Rejection,
};

/// A complaint was filed. `named` is the case under which it is named, `case` the one that this leads to.
pub(super) fn opened(
    world: &World<'_, State>,
    named: &AggregateId,
    mut case: Draft<'_>,
    (complaint, about, unit): (&str, &[String], &str),
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    if matches!(case.phase, Phase::Void { .. }) || known(world, named, complaint)?.is_some() {
        return Ok(Decision::nothing(case.id));
    }
    recusal::open(&mut case, complaint, about, unit);
    if matches!(case.phase, Phase::Closed { .. }) {
        return merge::reopen(world, case, context, snapshot, "complaint");
    }
    Ok(case.decided())
}

/// A complaint is handled anew (C10), and so is its case: neither closed nor waiting for the client's word.
pub(super) fn reopened(
    world: &World<'_, State>,
    named: &AggregateId,
    mut case: Draft<'_>,
    (complaint, reason): (&str, &str),
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let Some(known) = known(world, named, complaint)?.filter(|_| !matches!(case.phase, Phase::Void { .. }))
    else {
        return Ok(Decision::nothing(case.id));
    };
    if !is_open(&case, complaint) {
        recusal::open(&mut case, complaint, &known.recused, &known.unit);
    }
    match case.phase {
        Phase::Closed { .. } => return merge::reopen(world, case, context, snapshot, reason),
        Phase::AwaitingSatisfaction => case.reopen(context, snapshot, reason),
        _ => {}
    }
    Ok(case.decided())
}

/// A complaint has ended; with the last one the case ends, or goes on, as that says, unless the client has said something else since.
pub(super) fn ended(
    mut case: Draft<'_>,
    complaint: &str,
    end: ComplaintEnd,
    reason: &str,
) -> Decision<Event> {
    if !is_open(&case, complaint) {
        return Decision::nothing(case.id);
    }
    case.then(Event::ComplaintSettled(ComplaintSettled { complaint: complaint.to_owned(), end: end.into() }));
    if case.has_open_complaint() {
        return case.decided();
    }
    let kind = match end {
        ComplaintEnd::Satisfied => Some(CloseKind::Satisfied),
        ComplaintEnd::Unreachable => Some(CloseKind::Unreachable),
        ComplaintEnd::Explained => Some(CloseKind::Explained),
        ComplaintEnd::Declined | ComplaintEnd::Answered | ComplaintEnd::Unspecified => None,
    };
    match (kind, end) {
        (Some(kind), _) if case.is_live() && !case.is_late(true) => case.close(kind, reason),
        (None, ComplaintEnd::Answered) if case.phase == Phase::Open => {
            // The answer stands in the complaint.
            case.resolve(None);
        }
        _ => {}
    }
    case.decided()
}

fn is_open(case: &Draft<'_>, complaint: &str) -> bool {
    case.open_complaints().any(|known| known.name == complaint)
}

/// The complaint as recorded on the case under which it is named or on one that this was merged into since.
fn known<'a>(
    world: &World<'a, State>,
    named: &AggregateId,
    complaint: &str,
) -> Result<Option<&'a Complaint>, Refusal<Rejection>> {
    let mut id = named.clone();
    loop {
        let state = case::find(world, &id)?;
        let found = state.complaints.iter().find(|known| known.name == complaint);
        match &state.phase {
            Phase::Merged { into } if found.is_none() => id = AggregateId(into.clone()),
            _ => return Ok(found),
        }
    }
}
