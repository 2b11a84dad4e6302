//! Policies of a complaint: what is in force when limits begin (P1).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shouwen_calendar::Calendar;
use shouwen_policy::{ComplaintsPolicy, Effective, HoursPolicy, PolicyBook};

use super::{Mutants, complaint::Complaint, limits::Rules, rejection::Rejection, transitions::Setting};

/// What limits are computed with.
pub(super) struct InForce {
    complaints: Arc<Effective<ComplaintsPolicy>>,
    hours: Arc<Effective<HoursPolicy>>,
    calendar: Arc<Calendar>,
    mutants: Mutants,
}

impl InForce {
    /// For a matter that begins now.
    pub(super) fn beginning(receiving_unit: &str, setting: &Setting<'_>) -> Self {
        let (unit, at) = (Some(receiving_unit), setting.at);
        Self {
            complaints: setting.book.complaints(unit, at),
            hours: setting.book.hours(unit, at),
            calendar: setting.book.calendar(at),
            mutants: setting.mutants,
        }
    }

    /// For limits of a complaint that are counted from `began`, by the calendar as it is at `calendar_at`: it keeps the policy under which it is
    /// handled (P1).
    pub(super) fn of(
        complaint: &Complaint,
        began: DateTime<Utc>,
        calendar_at: DateTime<Utc>,
        setting: &Setting<'_>,
    ) -> Result<Self, Rejection> {
        Ok(Self {
            complaints: policy(complaint, setting.book)?,
            hours: setting.book.hours(Some(&complaint.receiving_unit), began),
            calendar: setting.book.calendar(calendar_at),
            mutants: setting.mutants,
        })
    }

    pub(super) fn rules(&self) -> Rules<'_> {
        Rules {
            policy: &self.complaints.value,
            hours: &self.hours.value.working_hours,
            calendar: &self.calendar,
            mutants: self.mutants,
        }
    }

    pub(super) fn policy_version(&self) -> String {
        self.complaints.version.to_string()
    }

    pub(super) fn calendar_version(&self) -> String {
        self.calendar.version().to_owned()
    }
}

/// The policy under which a complaint is handled.
pub(super) fn policy(
    complaint: &Complaint,
    book: &PolicyBook,
) -> Result<Arc<Effective<ComplaintsPolicy>>, Rejection> {
    book.resolve_complaints(&complaint.policy_version)
        .map_err(|unknown| Rejection::PolicyUnknown(unknown.to_string()))
}
