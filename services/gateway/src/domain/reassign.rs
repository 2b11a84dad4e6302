//! Handing over what somebody leaves behind (O9): open cases move from one employee to others without being asked for, in one act that stands on the
//! ledger as such.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::events::v1::{
    CaseMove, CaseReassigned, CasesReassigned, OfferWithdrawn, ownership_event::Event,
};

use super::{
    Snapshot, State,
    absence::rules::{is_theirs, may_arrange},
    action,
    command::{REASSIGNED, Reassign},
    draft::Draft,
    rejection::{AttendanceRejection, Rejection},
};

/// A reassignment as it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReassignmentState {
    pub from: String,
    pub reason: String,
    /// Each case with its new person.
    pub moves: Vec<(String, String)>,
    pub by: String,
    pub at: DateTime<Utc>,
}

/// The reassignment that an event tells of.
pub(super) fn done(event: &CasesReassigned, at: DateTime<Utc>) -> ReassignmentState {
    ReassignmentState {
        from: event.from.clone(),
        reason: event.reason.clone(),
        moves: event.moves.iter().map(|it| (it.case.clone(), it.to.clone())).collect(),
        by: event.by.clone(),
        at,
    }
}

pub fn decide(
    world: &World<'_, State>,
    command: &Reassign,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let from = snapshot
        .roster
        .employee(&command.from)
        .ok_or_else(|| AttendanceRejection::EmployeeNotFound(command.from.clone()))?;
    if !command.by.leads {
        return Err(AttendanceRejection::NotTheirLead(from.name.clone()).into());
    }
    may_arrange(&command.by, &from.name, &from.branch)?;
    for to in &command.to {
        let same = (*to == from.name).then_some("is the one who gives the cases away");
        if let Some(problem) = same.or_else(|| action::unfit(snapshot, to)) {
            return Err(Rejection::ReceiverInvalid { employee: to.clone(), problem }.into());
        }
        action::at_work(snapshot, to, "", context.now)?;
    }
    let named: Vec<&AggregateId> =
        world.named().iter().filter(|named| named.collection() == "cases").collect();
    if named.len() > REASSIGNED {
        return Err(AttendanceRejection::CasesTooMany { limit: REASSIGNED }.into());
    }
    let (mut moves, mut decided, mut turn) = (Vec::new(), Vec::new(), 0);
    for id in named {
        let case = match Draft::of(world, id, context, snapshot) {
            Ok(case) if is_theirs(&case, &from.name) => case,
            // Not theirs any more: of those that were found the others go on.
            Ok(_) | Err(_) if command.cases.is_empty() => continue,
            Ok(_) => {
                let (case, employee) = (id.0.clone(), from.name.clone());
                return Err(AttendanceRejection::CaseNotTheirs { case, employee }.into());
            }
            Err(refusal) => return Err(refusal),
        };
        let mut receivers = (0..command.to.len()).map(|step| &command.to[(turn + step) % command.to.len()]);
        let to = receivers
            .find(|to| !case.is_recused(to))
            .ok_or_else(|| AttendanceRejection::ReceiversRecused { case: id.0.clone() })?;
        turn += 1;
        moves.push(CaseMove { case: id.0.clone(), to: to.clone() });
        decided.extend(moved(case, command, to).events());
    }
    let whole = Event::CasesReassigned(CasesReassigned {
        reassignment: command.reassignment.0.clone(),
        from: from.name.clone(),
        reason: command.reason.clone(),
        moves,
        by: command.by.employee.clone(),
    });
    decided.insert(0, (command.reassignment.clone(), whole));
    Ok(Decision { events: decided, counters: Vec::new(), primary: command.reassignment.clone() })
}

fn moved<'a>(mut case: Draft<'a>, command: &Reassign, to: &str) -> Draft<'a> {
    if let Some(offer) = &case.offer {
        let withdrawn = OfferWithdrawn { offer: offer.id.clone() };
        case.then(Event::OfferWithdrawn(withdrawn));
    }
    let person = |now: &str| if now == command.from { to.to_owned() } else { now.to_owned() };
    let reassigned = CaseReassigned {
        from: command.from.clone(),
        accountable: person(&case.accountable),
        handler: person(&case.handler),
        reason: command.reason.clone(),
        reassignment: command.reassignment.0.clone(),
        epoch: case.epoch + 1,
    };
    case.then(Event::CaseReassigned(reassigned));
    case
}
