//! An absence (离岗): leave or illness of an employee from one moment to another, and who deputises meanwhile (O9). A pause or a busy line is none.
//!
//! `known` is what every decision knows of all of them, `decide` what happens to one. What it means for a case is `attendance`.

mod decide;
mod known;
pub(super) mod rules;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::Deadline;
use shouwen_proto::events::v1::{AbsencePlanned, CaseDeputy, ownership_event::Event};
use shouwen_serving::{private, timestamps::from_proto};
use shouwen_vault::Sealed;

pub use decide::decide;
pub use known::{Absences, Standing};

/// The state of an absence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AbsenceState {
    pub employee: String,
    /// The employee's branch when it was entered.
    pub branch: String,
    /// A number of `shouwen.events.v1.AbsenceKind`.
    pub kind: i32,
    pub window: Window,
    pub reason: Option<Sealed>,
    pub naming: Naming,
    /// Which naming of deputies holds, from 1.
    pub revision: i64,
    pub phase: AbsencePhase,
    /// Since when open cases may stand otherwise than this says; `None` where all stand as it says.
    pub applying: Option<DateTime<Utc>>,
}

/// From when to when, the end excluded; without one while nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub start: DateTime<Utc>,
    pub end: Option<DateTime<Utc>>,
}

/// Who deputises in which case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Naming {
    /// In every case that is not selected.
    pub all: Option<String>,
    /// By case.
    pub selected: BTreeMap<String, String>,
}

/// Where an absence is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AbsencePhase {
    Planned,
    Running,
    Ended { at: DateTime<Utc> },
    Cancelled { at: DateTime<Utc> },
}

pub(super) const BEGIN: &str = "begin";
pub(super) const END: &str = "end";
pub(super) const APPLY: &str = "apply";

impl Window {
    pub fn covers(&self, moment: DateTime<Utc>) -> bool {
        self.start <= moment && self.end.is_none_or(|end| moment < end)
    }

    pub fn meets(&self, other: &Self) -> bool {
        other.end.is_none_or(|end| self.start < end) && self.end.is_none_or(|end| other.start < end)
    }
}

impl Naming {
    pub(super) fn of(deputy: &str, selected: &[CaseDeputy]) -> Self {
        Self {
            all: Some(deputy.to_owned()).filter(|deputy| !deputy.is_empty()),
            selected: selected.iter().map(|it| (it.case.clone(), it.deputy.clone())).collect(),
        }
    }

    pub(super) fn events(&self) -> (String, Vec<CaseDeputy>) {
        let selected = self.selected.iter();
        let selected =
            selected.map(|(case, deputy)| CaseDeputy { case: case.clone(), deputy: deputy.clone() });
        (self.all.clone().unwrap_or_default(), selected.collect())
    }

    /// Who was named for a case.
    pub fn deputy(&self, case: &str) -> Option<&str> {
        self.selected.get(case).or(self.all.as_ref()).map(String::as_str)
    }

    /// Everybody who was named.
    pub fn everybody(&self) -> impl Iterator<Item = &str> {
        self.all.iter().chain(self.selected.values()).map(String::as_str)
    }
}

impl AbsenceState {
    pub fn phase_name(&self) -> &'static str {
        match self.phase {
            AbsencePhase::Planned => "planned",
            AbsencePhase::Running => "running",
            AbsencePhase::Ended { .. } => "ended",
            AbsencePhase::Cancelled { .. } => "cancelled",
        }
    }

    /// It begins and ends at its times; what it means is carried to the cases until all stand as it says.
    pub fn deadlines(&self) -> Vec<Deadline> {
        let due = |step, due| Deadline {
            step,
            due,
            policy: String::new(),
            calendar: String::new(),
            provisional: false,
        };
        let own = match self.phase {
            AbsencePhase::Planned => Some(due(BEGIN, self.window.start)),
            AbsencePhase::Running => self.window.end.map(|end| due(END, end)),
            AbsencePhase::Ended { .. } | AbsencePhase::Cancelled { .. } => None,
        };
        own.into_iter().chain(self.applying.map(|since| due(APPLY, since))).collect()
    }
}

/// The absence that an event enters.
pub(super) fn planned(event: &AbsencePlanned, at: DateTime<Utc>) -> AbsenceState {
    AbsenceState {
        employee: event.employee.clone(),
        branch: event.branch.clone(),
        kind: event.kind,
        window: window(event, at),
        reason: private::sealed(event.reason.as_ref()),
        naming: Naming::of(&event.deputy, &event.selected),
        revision: 1,
        phase: AbsencePhase::Planned,
        applying: None,
    }
}

fn window(event: &AbsencePlanned, at: DateTime<Utc>) -> Window {
    Window {
        start: event.start.as_ref().and_then(from_proto).unwrap_or(at),
        end: event.end.as_ref().and_then(from_proto),
    }
}

/// An absence after one of its events.
pub(super) fn after(absence: &mut AbsenceState, event: &Event, at: DateTime<Utc>) {
    match event {
        Event::AbsenceBegun(_) => {
            absence.phase = AbsencePhase::Running;
            absence.applying = Some(at);
        }
        Event::AbsenceEnded(_) => {
            absence.phase = AbsencePhase::Ended { at };
            absence.applying = Some(at);
        }
        Event::AbsenceCancelled(_) => absence.phase = AbsencePhase::Cancelled { at },
        Event::AbsenceDeputyChanged(changed) => {
            absence.naming = Naming::of(&changed.deputy, &changed.selected);
            absence.revision += 1;
            if absence.phase == AbsencePhase::Running {
                absence.applying = Some(at);
            }
        }
        Event::AbsenceApplied(_) => absence.applying = None,
        _ => {}
    }
}
