//! Who is at work (O9): for a responsible person who is absent somebody deputises, and who has left the firm answers for nothing.
//!
//! It is a function of the case, the roster and the absences at one moment. Every decision about a case ends with it, so that nothing that makes
//! somebody responsible can forget it.

use chrono::{DateTime, Utc};
use shouwen_proto::access::v1::Role;

use super::{
    Snapshot,
    absence::{Absences, Standing},
    case::{CaseState, Deputy, Phase},
    roster::Roster,
};

/// The roster and the absences as they stand at a moment.
#[derive(Clone, Debug)]
pub(super) struct Attendance {
    roster: std::sync::Arc<Roster>,
    absences: Absences,
    now: DateTime<Utc>,
}

impl Attendance {
    pub(super) fn at(snapshot: &Snapshot, now: DateTime<Utc>) -> Self {
        Self { roster: snapshot.roster.clone(), absences: snapshot.absences.clone(), now }
    }

    /// Whether the roster says that the employee has left, or does nothing any more for which somebody can answer.
    pub(super) fn has_left(&self, employee: &str) -> bool {
        self.roster.employee(employee).is_some_and(|known| !known.active || !known.answers_for_cases())
    }

    /// Whether the roster lets the employee override in cases of a branch (O7).
    pub(super) fn may_override(&self, employee: &str, branch: &str) -> bool {
        self.roster.may_override(employee, branch)
    }

    /// Makes of a case as it is kept what it is to who asks at this moment who may act on it, whether an event has said so yet or not. What is closed has no
    /// deputies and keeps its people; while something is promised there, it is reached as if it were open, by whom it is asked for.
    pub(super) fn stand(&self, name: &str, case: &mut CaseState) {
        let running = case.overriding.take().filter(|running| running.expires > self.now);
        case.overriding = running.filter(|running| self.may_override(&running.employee, &case.branch));
        case.deputies.retain(|deputy| deputy.until.is_none_or(|until| until > self.now));
        if matches!(case.phase, Phase::Closed { .. }) && case.owes_promise() {
            (case.accountable, case.handler) = self.succession(case);
            case.deputies = self.deputies(name, case);
        }
    }

    fn is_at_work(&self, employee: &str) -> bool {
        !self.has_left(employee) && !self.absences.is_absent(employee, self.now)
    }

    /// Who acts in place of the absent people of a case.
    pub(super) fn deputies(&self, name: &str, case: &CaseState) -> Vec<Deputy> {
        let mut deputies: Vec<Deputy> = Vec::new();
        for person in [&case.handler, &case.accountable] {
            if deputies.iter().any(|deputy| deputy.of == *person) {
                continue;
            }
            let Some(absence) = self.absences.covering(person, self.now) else { continue };
            let Some(employee) = self.deputy(absence, name, case) else { continue };
            deputies.push(Deputy {
                employee,
                of: person.clone(),
                absence: absence.name.clone(),
                until: absence.window.end,
                revision: absence.revision,
            });
        }
        deputies
    }

    /// Who was named, unless complained about in the case (O12); else who does it already, else a lead.
    fn deputy(&self, absence: &Standing, name: &str, case: &CaseState) -> Option<String> {
        let can = |employee: &str| {
            employee != absence.employee && self.is_at_work(employee) && !case.is_recused(employee)
        };
        if let Some(named) = absence.naming.deputy(name).filter(|named| can(named)) {
            return Some(named.to_owned());
        }
        let acting = case.deputies.iter().find(|deputy| deputy.absence == absence.name);
        let acting = acting.filter(|acting| acting.revision == absence.revision && can(&acting.employee));
        match acting {
            Some(acting) => Some(acting.employee.clone()),
            None => self.ladder(case, |employee| can(employee)),
        }
    }

    /// Who answers for a case and who handles it, a lead in place of who has left: the first responder stays a fact of history (O1).
    pub(super) fn succession(&self, case: &CaseState) -> (String, String) {
        let accountable = Some(case.accountable.clone()).filter(|person| !self.has_left(person));
        let accountable = accountable.or_else(|| self.successor(case));
        let accountable = accountable.unwrap_or_else(|| case.accountable.clone());
        let handler = if self.has_left(&case.handler) { &accountable } else { &case.handler }.clone();
        (accountable, handler)
    }

    /// Who answers for a case in place of somebody who cannot any more: who is at work, if there is such a person.
    pub(super) fn successor(&self, case: &CaseState) -> Option<String> {
        let fits = |employee: &str| !case.is_recused(employee);
        self.ladder(case, |employee| fits(employee) && self.is_at_work(employee))
            .or_else(|| self.ladder(case, fits))
    }

    /// The first by name of the branch's leads, else of HQ, else of the company leaders.
    fn ladder(&self, case: &CaseState, fits: impl Fn(&str) -> bool) -> Option<String> {
        let first = |role: Role, branch: Option<&str>| {
            self.roster
                .employees()
                .filter(|employee| employee.active && employee.role_set().contains(role))
                .filter(|employee| branch.is_none_or(|branch| employee.branch == branch))
                .map(|employee| &*employee.name)
                .filter(|name| fits(name))
                .min()
                .map(str::to_owned)
        };
        first(Role::Lead, Some(&case.branch))
            .or_else(|| first(Role::Hq, None))
            .or_else(|| first(Role::CompanyLeader, None))
    }
}
