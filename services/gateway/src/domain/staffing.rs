//! K1: published lines are staffed during working hours. While somebody qualified of the line's branch is at the desk, free or on a call, it is; losing the last one
//! raises the alarm once, and it lasts until somebody is back, working hours end, or the line is not published in that branch any more.
//!
//! A branch in which nobody has ever signed on does not work by presence, so its lines are not watched.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::{AggregateId, Decision, World};
use shouwen_proto::events::v1::{
    LineStaffed, LineUnstaffed, PresenceState as Wanted, ownership_event::Event,
};

use super::{
    Command, Snapshot, State,
    command::StaffingCommand,
    roster::{Employee, Line},
};

/// Whether the alarm of a line is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffingState {
    pub branch: String,
    /// Since when nobody is there; `None` while all is well.
    pub unstaffed: Option<DateTime<Utc>>,
}

/// Somebody of a branch, as far as it counts here.
#[derive(Clone, Debug)]
pub struct Present {
    pub employee: String,
    /// What the employee said: a number of `shouwen.events.v1.PresenceState`.
    pub wanted: i32,
}

/// Who of each branch is signed on, and one who is not; a branch that does not work by presence is missing.
pub type Presences = BTreeMap<String, Vec<Present>>;

/// `staffing/{line}` of `lines/{line}`.
pub fn id(line: &str) -> AggregateId {
    AggregateId(format!("staffing/{}", line.trim_start_matches("lines/")))
}

pub fn decide(world: &World<'_, State>, command: &StaffingCommand) -> Decision<Event> {
    let id = id(&command.line);
    // The branch for which the alarm is on.
    let alarmed = match world.state(&id) {
        Some(State::Staffing(known)) if known.unstaffed.is_some() => Some(known.branch.as_str()),
        _ => None,
    };
    let (line, branch) = (command.line.clone(), command.branch.clone());
    let event = match alarmed {
        None if command.unstaffed => Event::LineUnstaffed(LineUnstaffed { line, branch }),
        // Only the alarm that was seen ends: it may be on for another branch by now.
        Some(alarmed) if !command.unstaffed && alarmed == branch => {
            Event::LineStaffed(LineStaffed { line, branch })
        }
        _ => return Decision::nothing(id),
    };
    Decision::on(id, [event])
}

/// The state after one of its events.
pub(super) fn after(event: &Event, at: DateTime<Utc>) -> Option<StaffingState> {
    match event {
        Event::LineUnstaffed(lost) => {
            Some(StaffingState { branch: lost.branch.clone(), unstaffed: Some(at) })
        }
        Event::LineStaffed(back) => Some(StaffingState { branch: back.branch.clone(), unstaffed: None }),
        _ => None,
    }
}

/// Alarms that are over or have to be raised. `alarmed` are the alarms that are on, by line.
///
/// The alarm of a line that is in another branch now only ends; the next look raises it for the leads there.
pub fn changes(
    presences: &Presences,
    alarmed: &BTreeMap<String, StaffingState>,
    now: DateTime<Utc>,
    snapshot: &Snapshot,
) -> Vec<Command> {
    let unstaffed = |line: &Line| line.published && is_unstaffed(line, presences, now, snapshot);
    let lasts = |line: &str, alarm: &StaffingState| {
        snapshot.roster.line(line).is_some_and(|line| line.branch == alarm.branch && unstaffed(line))
    };
    let over = alarmed.iter().filter(|(line, alarm)| !lasts(line, alarm));
    let missing = snapshot.roster.lines().filter(|line| !alarmed.contains_key(&line.name) && unstaffed(line));
    over.map(|(line, alarm)| change(line, &alarm.branch, false))
        .chain(missing.map(|line| change(&line.name, &line.branch, true)))
        .collect()
}

fn change(line: &str, branch: &str, unstaffed: bool) -> Command {
    Command::Staffing(StaffingCommand { line: line.to_owned(), branch: branch.to_owned(), unstaffed })
}

fn is_unstaffed(line: &Line, presences: &Presences, now: DateTime<Utc>, snapshot: &Snapshot) -> bool {
    let Some(branch) = presences.get(&line.branch) else { return false };
    let hours = snapshot.policies.hours(Some(&line.branch), now);
    if !snapshot.policies.calendar(now).is_working_time(now, &hours.value.working_hours).value {
        return false;
    }
    let there = |known: &Present| {
        let employee = snapshot.roster.employee(&known.employee);
        [Wanted::Available, Wanted::Busy].map(i32::from).contains(&known.wanted)
            && employee.is_some_and(|employee| may_answer(employee, line, now, snapshot))
    };
    !branch.iter().any(there)
}

/// Whether routing gives contacts of the line to the employee as a colleague of its branch.
fn may_answer(employee: &Employee, line: &Line, now: DateTime<Utc>, snapshot: &Snapshot) -> bool {
    employee.branch == line.branch
        && employee.active
        && employee.serves_clients()
        && !snapshot.absences.is_absent(&employee.name, now)
        && line.skills.iter().all(|skill| employee.skills.contains(skill))
}

#[cfg(test)]
mod tests {
    use shouwen_policy::PolicyBook;
    use shouwen_proto::{access::v1::Role, events::v1::AbsencePlanned};

    use super::*;
    use crate::domain::{Absences, Mutants, Roster, RosterState};

    const WORKING: &str = "2025-09-09T02:00:00Z";
    const LUNCH: &str = "2025-09-09T04:00:00Z";

    fn line(skills: &[&str]) -> Line {
        Line {
            name: "lines/1".to_owned(),
            branch: "branches/b1".to_owned(),
            number: "021-1".to_owned(),
            published: true,
            employee: String::new(),
            skills: skills.iter().map(|skill| (*skill).to_owned()).collect(),
        }
    }

    fn presence(wanted: Wanted) -> Presences {
        let present = Present { employee: "employees/a".to_owned(), wanted: wanted.into() };
        BTreeMap::from([("branches/b1".to_owned(), vec![present])])
    }

    fn employee() -> Employee {
        Employee {
            name: "employees/a".to_owned(),
            display_name: "A".to_owned(),
            branch: "branches/b1".to_owned(),
            roles: vec![Role::Staff.into()],
            office_phone: String::new(),
            external_id: String::new(),
            active: true,
            bootstrap: false,
            position: 0,
            skills: vec!["funds".to_owned()],
            vip_seat: false,
            duty: false,
        }
    }

    fn snapshot(entries: impl IntoIterator<Item = RosterState>) -> Snapshot {
        Snapshot {
            roster: Roster::of(entries).into(),
            policies: PolicyBook::standard(),
            absences: Absences::default(),
            mutants: Mutants::default(),
        }
    }

    /// The alarm of the line, for a branch.
    fn alarm(branch: &str) -> BTreeMap<String, StaffingState> {
        let state = StaffingState { branch: branch.to_owned(), unstaffed: Some(DateTime::UNIX_EPOCH) };
        BTreeMap::from([("lines/1".to_owned(), state)])
    }

    /// For which branches an alarm is raised, or ends.
    fn changed(
        presences: &Presences,
        alarmed: &BTreeMap<String, StaffingState>,
        now: &str,
        snapshot: &Snapshot,
    ) -> Vec<(String, bool)> {
        let changes = changes(presences, alarmed, now.parse().unwrap(), snapshot).into_iter();
        changes
            .map(|change| match change {
                Command::Staffing(change) => (change.branch, change.unstaffed),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn raised(line: Line, presences: &Presences, now: &str) -> usize {
        let snapshot = snapshot([RosterState::Employee(employee()), RosterState::Line(line)]);
        changed(presences, &BTreeMap::new(), now, &snapshot).len()
    }

    #[test]
    fn k1_a_published_line_is_staffed_while_somebody_qualified_is_there_in_working_hours() {
        for there in [Wanted::Available, Wanted::Busy] {
            assert_eq!(raised(line(&["funds"]), &presence(there), WORKING), 0);
            assert_eq!(raised(line(&["margin"]), &presence(there), WORKING), 1, "not qualified");
        }
        for away in [Wanted::Paused, Wanted::Offline] {
            assert_eq!(raised(line(&[]), &presence(away), WORKING), 1);
            assert_eq!(raised(line(&[]), &presence(away), LUNCH), 0);
        }
        let nobody = BTreeMap::from([("branches/b1".to_owned(), Vec::new())]);
        assert_eq!(raised(line(&[]), &nobody, WORKING), 1);
        assert_eq!(raised(line(&[]), &BTreeMap::new(), WORKING), 0, "nobody has ever signed on");
        let elsewhere = BTreeMap::from([("branches/b2".to_owned(), Vec::new())]);
        assert_eq!(raised(line(&[]), &elsewhere, WORKING), 0, "nobody of this branch");
        assert_eq!(raised(Line { published: false, ..line(&[]) }, &nobody, WORKING), 0);
    }

    #[test]
    fn k1_who_gets_no_contacts_of_the_branch_staffs_no_line_of_it() {
        let there = presence(Wanted::Available);
        let by = |employee| snapshot([RosterState::Employee(employee), RosterState::Line(line(&[]))]);
        let raised = |snapshot: &Snapshot| changed(&there, &BTreeMap::new(), WORKING, snapshot).len();
        assert_eq!(raised(&by(employee())), 0);
        assert_eq!(raised(&by(Employee { active: false, ..employee() })), 1);
        assert_eq!(raised(&by(Employee { roles: vec![Role::Auditor.into()], ..employee() })), 1);
        assert_eq!(raised(&by(Employee { branch: "branches/b2".to_owned(), ..employee() })), 1);
        let mut absent = by(employee());
        absent.absences.learn(&Event::AbsencePlanned(AbsencePlanned {
            absence: "absences/1".to_owned(),
            employee: "employees/a".to_owned(),
            ..AbsencePlanned::default()
        }));
        assert_eq!(raised(&absent), 1);
    }

    #[test]
    fn k1_an_alarm_ends_with_its_cause_its_line_and_the_line_in_its_branch() {
        let (away, b1) = (presence(Wanted::Offline), || "branches/b1".to_owned());
        let with = |line| snapshot([RosterState::Employee(employee()), RosterState::Line(line)]);
        let unstaffed = with(line(&[]));
        assert_eq!(changed(&away, &BTreeMap::new(), WORKING, &unstaffed), [(b1(), true)]);
        assert_eq!(changed(&away, &alarm("branches/b1"), WORKING, &unstaffed), [], "once");
        assert_eq!(changed(&away, &alarm("branches/b1"), LUNCH, &unstaffed), [(b1(), false)]);
        let back = presence(Wanted::Available);
        assert_eq!(changed(&back, &alarm("branches/b1"), WORKING, &unstaffed), [(b1(), false)]);
        let unpublished = with(Line { published: false, ..line(&[]) });
        for gone in [unpublished, snapshot([])] {
            assert_eq!(changed(&away, &alarm("branches/b1"), WORKING, &gone), [(b1(), false)]);
            assert_eq!(changed(&BTreeMap::new(), &alarm("branches/b1"), WORKING, &gone), [(b1(), false)]);
        }
        // It came from b2, and is unstaffed here too: there the alarm ends first.
        let b2 = "branches/b2".to_owned();
        assert_eq!(changed(&away, &alarm("branches/b2"), WORKING, &unstaffed), [(b2, false)]);
    }
}
