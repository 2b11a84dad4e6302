//! What happens to an absence: entered, begun, ended, cancelled, its deputies changed; and what of that is carried to the cases.
//!
//! Cases are found by a read without locks before the batch, a bounded number at once. What becomes somebody's between that read and the locks knows the
//! absence already, or is found by the next round: rounds go on until one has found fewer than it could.

use chrono::{DateTime, Utc};
use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::events::v1::{
    AbsenceApplied, AbsenceBegun, AbsenceCancelled, AbsenceDeputyChanged, AbsenceEnded, AbsencePlanned,
    ownership_event::Event,
};
use shouwen_serving::timestamps::to_proto;

use super::{AbsencePhase, AbsenceState, rules};
use crate::domain::{
    Snapshot, State,
    command::{AbsenceAction, AbsenceCommand, AbsenceStep, CHUNK, Enter},
    draft::Draft,
    rejection::{AttendanceRejection, Rejection},
};

/// Decides what happens to an absence.
pub fn decide(
    world: &World<'_, State>,
    command: &AbsenceCommand,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let id = &command.absence;
    match &command.action {
        AbsenceAction::Enter(enter) => entered(world, id, enter, context, snapshot),
        AbsenceAction::End { by, etag } => {
            let absence = guarded(world, id, *etag)?;
            rules::may_arrange(by, &absence.employee, &absence.branch)?;
            let mut events = match phase_at(absence, context.now) {
                (AbsencePhase::Running, begun) => begun.then(|| begin(id)).into_iter().collect::<Vec<_>>(),
                _ => return Err(illegal(absence, id, "end")),
            };
            events.push(Event::AbsenceEnded(AbsenceEnded { absence: id.0.clone(), early: true }));
            carried(world, id, events, context, snapshot)
        }
        AbsenceAction::Cancel { by, etag } => {
            let absence = guarded(world, id, *etag)?;
            rules::may_arrange(by, &absence.employee, &absence.branch)?;
            if phase_at(absence, context.now).0 != AbsencePhase::Planned {
                return Err(illegal(absence, id, "cancel"));
            }
            let cancelled = Event::AbsenceCancelled(AbsenceCancelled { absence: id.0.clone() });
            Ok(Decision::on(id.clone(), [cancelled]))
        }
        AbsenceAction::Change { by, etag, naming } => {
            let absence = guarded(world, id, *etag)?;
            rules::may_arrange(by, &absence.employee, &absence.branch)?;
            let mut events = match phase_at(absence, context.now) {
                (AbsencePhase::Planned | AbsencePhase::Running, begun) => {
                    begun.then(|| begin(id)).into_iter().collect::<Vec<_>>()
                }
                _ => return Err(illegal(absence, id, "change the deputy")),
            };
            rules::naming(world, (&absence.employee, absence.window), naming, snapshot)?;
            let (deputy, selected) = naming.events();
            let absence = id.0.clone();
            events.push(Event::AbsenceDeputyChanged(AbsenceDeputyChanged { absence, deputy, selected }));
            carried(world, id, events, context, snapshot)
        }
        AbsenceAction::Due(step) => due(world, id, *step, context, snapshot),
    }
}

fn entered(
    world: &World<'_, State>,
    id: &AggregateId,
    enter: &Enter,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let employee = snapshot
        .roster
        .employee(&enter.employee)
        .filter(|employee| employee.active)
        .ok_or_else(|| AttendanceRejection::EmployeeNotFound(enter.employee.clone()))?;
    rules::may_arrange(&enter.by, &employee.name, &employee.branch)?;
    let window = rules::window(enter, &employee.branch, context.now, snapshot)?;
    rules::apart(&employee.name, window, snapshot)?;
    rules::naming(world, (&employee.name, window), &enter.naming, snapshot)?;
    let (deputy, selected) = enter.naming.events();
    let mut events = vec![Event::AbsencePlanned(AbsencePlanned {
        absence: id.0.clone(),
        employee: employee.name.clone(),
        branch: employee.branch.clone(),
        kind: enter.kind,
        start: Some(to_proto(window.start)),
        end: window.end.map(to_proto),
        reason: enter.reason.clone(),
        deputy,
        selected,
    })];
    if window.start <= context.now {
        events.push(begin(id));
    }
    carried(world, id, events, context, snapshot)
}

/// A step whose time has come.
fn due(
    world: &World<'_, State>,
    id: &AggregateId,
    step: AbsenceStep,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let absence = find(world, id)?;
    let events = match (step, &absence.phase) {
        (AbsenceStep::Begin, AbsencePhase::Planned) => vec![begin(id)],
        (AbsenceStep::End, AbsencePhase::Running) => {
            vec![Event::AbsenceEnded(AbsenceEnded { absence: id.0.clone(), early: false })]
        }
        // Fewer than it could: none is left. What has become theirs since the read began knew of the absence.
        (AbsenceStep::Apply, _) if cases(world).count() < CHUNK && absence.applying.is_some() => {
            vec![Event::AbsenceApplied(AbsenceApplied { absence: id.0.clone() })]
        }
        (AbsenceStep::Apply, _) => Vec::new(),
        _ => return Ok(Decision::nothing(id.clone())),
    };
    carried(world, id, events, context, snapshot)
}

/// The events of an absence, and what they make of the cases that the command's read found.
fn carried(
    world: &World<'_, State>,
    id: &AggregateId,
    events: Vec<Event>,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let snapshot = snapshot.after(&events);
    let mut decided: Vec<_> = events.into_iter().map(|event| (id.clone(), event)).collect();
    for case in cases(world).filter(|case| world.state(case).is_some()) {
        decided.extend(Draft::of(world, case, context, &snapshot)?.attended());
    }
    Ok(Decision { events: decided, counters: Vec::new(), primary: id.clone() })
}

/// The cases that the command's footprint named.
fn cases<'a>(world: &World<'a, State>) -> impl Iterator<Item = &'a AggregateId> {
    world.named().iter().filter(|named| named.collection() == "cases")
}

fn begin(id: &AggregateId) -> Event {
    Event::AbsenceBegun(AbsenceBegun { absence: id.0.clone() })
}

/// The phase at a moment, whether a sweep has come by or not; and whether its begin is still to be said.
fn phase_at(absence: &AbsenceState, now: DateTime<Utc>) -> (AbsencePhase, bool) {
    let over = absence.window.end.is_some_and(|end| end <= now);
    match &absence.phase {
        AbsencePhase::Planned | AbsencePhase::Running if over => (AbsencePhase::Ended { at: now }, false),
        AbsencePhase::Planned if absence.window.start <= now => (AbsencePhase::Running, true),
        phase => (phase.clone(), false),
    }
}

fn illegal(absence: &AbsenceState, id: &AggregateId, action: &'static str) -> Refusal<Rejection> {
    AttendanceRejection::AbsencePhase { absence: id.0.clone(), phase: absence.phase_name(), action }.into()
}

fn find<'a>(world: &World<'a, State>, id: &AggregateId) -> Result<&'a AbsenceState, Refusal<Rejection>> {
    match world.state(id) {
        Some(State::Absence(absence)) => Ok(absence),
        _ => Err(AttendanceRejection::AbsenceNotFound(id.0.clone()).into()),
    }
}

fn guarded<'a>(
    world: &World<'a, State>,
    id: &AggregateId,
    etag: Option<i64>,
) -> Result<&'a AbsenceState, Refusal<Rejection>> {
    let absence = find(world, id)?;
    if etag.is_some_and(|etag| etag != world.version(id)) {
        return Err(Rejection::EtagMismatch(id.0.clone()).into());
    }
    Ok(absence)
}
