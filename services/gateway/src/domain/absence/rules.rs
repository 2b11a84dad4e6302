//! What an absence must be: whose it is to arrange, when it may lie, and who may deputise.

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_engine::{AggregateId, World};

use super::{Naming, Window};
use crate::domain::{
    Snapshot, State,
    case::CaseState,
    command::{Arranger, Enter},
    rejection::{AttendanceRejection, LISTED},
};

/// The employee for themself; a lead of their branch, or HQ, for others.
pub(in crate::domain) fn may_arrange(
    by: &Arranger,
    employee: &str,
    branch: &str,
) -> Result<(), AttendanceRejection> {
    let leads = by.leads
        && by.branches.as_ref().is_none_or(|branches| branches.iter().any(|reached| reached == branch));
    if by.employee == employee || leads {
        Ok(())
    } else {
        Err(AttendanceRejection::NotTheirLead(employee.to_owned()))
    }
}

/// It ends after it begins and after now, and lies within what the policy lets plan ahead.
pub(super) fn window(
    enter: &Enter,
    branch: &str,
    now: DateTime<Utc>,
    snapshot: &Snapshot,
) -> Result<Window, AttendanceRejection> {
    let invalid = |field, problem| Err(AttendanceRejection::AbsenceWindow { field, problem });
    let window = Window { start: enter.start.unwrap_or(now), end: enter.end };
    let policy = snapshot.policies.ownership(Some(branch), now);
    let horizon = now + TimeDelta::days(policy.value.absence_ahead_days.into());
    match window.end {
        _ if window.start > horizon => invalid("start_time", "lies too far ahead"),
        Some(end) if end <= window.start => invalid("end_time", "must lie after the begin"),
        Some(end) if end <= now => invalid("end_time", "has passed already"),
        Some(end) if end > horizon => invalid("end_time", "lies too far ahead"),
        None if window.start > now => invalid("end_time", "is needed for an absence that is planned"),
        _ => Ok(window),
    }
}

/// Nobody is absent twice at once, and nobody is absent while they deputise.
pub(super) fn apart(employee: &str, window: Window, snapshot: &Snapshot) -> Result<(), AttendanceRejection> {
    if let Some(other) = snapshot.absences.by(employee).find(|other| other.window.meets(&window)) {
        return Err(AttendanceRejection::AbsenceOverlap { absence: other.name.clone() });
    }
    let deputised = snapshot.absences.deputised_by(employee).filter(|other| other.window.meets(&window));
    let absences: Vec<String> = deputised.map(|other| other.name.clone()).collect();
    if absences.is_empty() {
        return Ok(());
    }
    Err(AttendanceRejection::Deputises { employee: employee.to_owned(), absences })
}

/// Whoever is named can deputise, and every open case of the employee has somebody.
pub(super) fn naming(
    world: &World<'_, State>,
    (employee, window): (&str, Window),
    naming: &Naming,
    snapshot: &Snapshot,
) -> Result<(), AttendanceRejection> {
    for deputy in naming.everybody() {
        let problem = match snapshot.roster.employee(deputy) {
            None => Some("is not in the roster"),
            Some(known) if !known.active => Some("is not active"),
            Some(known) if !known.serves_clients() => Some("serves no clients"),
            Some(_) if deputy == employee => Some("is the absent person"),
            Some(_) => None,
        };
        if let Some(problem) = problem {
            return Err(AttendanceRejection::DeputyInvalid { employee: deputy.to_owned(), problem });
        }
        if let Some(other) = snapshot.absences.by(deputy).find(|other| other.window.meets(&window)) {
            let (employee, absence) = (deputy.to_owned(), other.name.clone());
            return Err(AttendanceRejection::DeputyAbsent { employee, absence });
        }
    }
    for (case, deputy) in &naming.selected {
        let theirs = of(world, &AggregateId(case.clone())).filter(|state| is_theirs(state, employee));
        match theirs {
            None => {
                let (case, employee) = (case.clone(), employee.to_owned());
                return Err(AttendanceRejection::CaseNotTheirs { case, employee });
            }
            Some(state) if state.is_recused(deputy) => {
                let (case, employee) = (case.clone(), deputy.clone());
                return Err(AttendanceRejection::DeputyRecused { case, employee });
            }
            Some(_) => {}
        }
    }
    if naming.all.is_some() {
        return Ok(());
    }
    let uncovered = world.named().iter().filter(|named| !naming.selected.contains_key(&named.0));
    let mut uncovered: Vec<String> = uncovered
        .filter(|named| of(world, named).is_some_and(|state| is_theirs(state, employee)))
        .map(|named| named.0.clone())
        .collect();
    if uncovered.is_empty() {
        return Ok(());
    }
    let count = uncovered.len();
    uncovered.truncate(LISTED);
    Err(AttendanceRejection::CasesUncovered { count, cases: uncovered })
}

/// An open case that the employee handles or is accountable for.
pub(in crate::domain) fn is_theirs(case: &CaseState, employee: &str) -> bool {
    case.is_live() && (case.handler == employee || case.accountable == employee)
}

fn of<'a>(world: &World<'a, State>, id: &AggregateId) -> Option<&'a CaseState> {
    match world.state(id) {
        Some(State::Case(case)) => Some(case),
        _ => None,
    }
}
