//! K1: published lines are staffed during working hours. While somebody qualified of the line's branch is at the desk, free or on a call, it is; losing the last one
//! raises the alarm once, and it lasts until somebody is back or working hours end.
//!
//! A branch in which nobody has ever signed on does not work by presence, so its lines are not watched.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::{AggregateId, Decision, World};
use shouwen_proto::events::v1::{
    LineStaffed, LineUnstaffed, PresenceState as Wanted, ownership_event::Event,
};

use super::{Command, PresenceState, Snapshot, State, command::StaffingCommand, roster::Line};

/// Whether the alarm of a line is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffingState {
    pub branch: String,
    /// Since when nobody is there; `None` while all is well.
    pub unstaffed: Option<DateTime<Utc>>,
}

/// `staffing/{line}` of `lines/{line}`.
pub fn id(line: &str) -> AggregateId {
    AggregateId(format!("staffing/{}", line.trim_start_matches("lines/")))
}

pub fn decide(world: &World<'_, State>, command: &StaffingCommand) -> Decision<Event> {
    let id = id(&command.line);
    let alarmed = match world.state(&id) {
        Some(State::Staffing(known)) => known.unstaffed.is_some(),
        _ => false,
    };
    if alarmed == command.unstaffed {
        return Decision::nothing(id);
    }
    let (line, branch) = (command.line.clone(), command.branch.clone());
    let event = if command.unstaffed {
        Event::LineUnstaffed(LineUnstaffed { line, branch })
    } else {
        Event::LineStaffed(LineStaffed { line, branch })
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

/// Lines whose alarm has to be raised or is over. `presences` are those of the branches that work by presence, `alarmed` the lines whose alarm is on.
pub fn changes(
    presences: &[PresenceState],
    alarmed: &[String],
    now: DateTime<Utc>,
    snapshot: &Snapshot,
) -> Vec<Command> {
    let mut changes = Vec::new();
    for line in snapshot.roster.lines().filter(|line| line.published) {
        let unstaffed = is_unstaffed(line, presences, now, snapshot);
        if unstaffed != alarmed.iter().any(|alarmed| *alarmed == id(&line.name).0) {
            changes.push(Command::Staffing(StaffingCommand {
                line: line.name.clone(),
                branch: line.branch.clone(),
                unstaffed,
            }));
        }
    }
    changes
}

fn is_unstaffed(line: &Line, presences: &[PresenceState], now: DateTime<Utc>, snapshot: &Snapshot) -> bool {
    let mut branch = presences.iter().filter(|known| known.branch == line.branch).peekable();
    if branch.peek().is_none() {
        return false;
    }
    let hours = snapshot.policies.hours(Some(&line.branch), now);
    if !snapshot.policies.calendar(now).is_working_time(now, &hours.value.working_hours).value {
        return false;
    }
    let there = |known: &PresenceState| {
        let employee = snapshot.roster.employee(&known.employee);
        (known.is(Wanted::Available) || known.is(Wanted::Busy))
            && employee.is_some_and(|employee| {
                employee.active && line.skills.iter().all(|skill| employee.skills.contains(skill))
            })
    };
    !branch.any(there)
}

#[cfg(test)]
mod tests {
    use shouwen_policy::PolicyBook;

    use super::*;
    use crate::domain::{Mutants, Roster, RosterState, roster::Employee};

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

    fn presence(wanted: Wanted) -> PresenceState {
        PresenceState {
            employee: "employees/a".to_owned(),
            branch: "branches/b1".to_owned(),
            hq: false,
            wanted: wanted.into(),
            since: DateTime::UNIX_EPOCH,
            session: "s".to_owned(),
            cause: 0,
            missed: 0,
            on: None,
            seen: None,
        }
    }

    fn raised(line: Line, presences: &[PresenceState], now: &str) -> usize {
        let employee = Employee {
            name: "employees/a".to_owned(),
            display_name: "A".to_owned(),
            branch: "branches/b1".to_owned(),
            roles: vec![1],
            office_phone: String::new(),
            external_id: String::new(),
            active: true,
            bootstrap: false,
            position: 0,
            skills: vec!["funds".to_owned()],
            vip_seat: false,
            duty: false,
        };
        let roster = Roster::of([RosterState::Employee(employee), RosterState::Line(line)]);
        let snapshot = Snapshot {
            roster: roster.into(),
            policies: PolicyBook::standard(),
            absences: crate::domain::absence::Absences::default(),
            mutants: Mutants::default(),
        };
        changes(presences, &[], now.parse().unwrap(), &snapshot).len()
    }

    #[test]
    fn k1_a_published_line_is_staffed_while_somebody_qualified_is_there_in_working_hours() {
        let (working, lunch) = ("2025-09-09T02:00:00Z", "2025-09-09T04:00:00Z");
        for there in [Wanted::Available, Wanted::Busy] {
            assert_eq!(raised(line(&["funds"]), &[presence(there)], working), 0);
            assert_eq!(raised(line(&["margin"]), &[presence(there)], working), 1, "not qualified");
        }
        for away in [Wanted::Paused, Wanted::Offline] {
            assert_eq!(raised(line(&[]), &[presence(away)], working), 1);
            assert_eq!(raised(line(&[]), &[presence(away)], lunch), 0);
        }
        assert_eq!(raised(line(&[]), &[], working), 0, "nobody has ever signed on");
        assert_eq!(raised(Line { published: false, ..line(&[]) }, &[presence(Wanted::Offline)], working), 0);
    }
}
