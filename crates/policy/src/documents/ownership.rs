//! Hand-overs, overrides, absences and the answer clock of cases (O4, O7, O9, K15).

use std::num::NonZeroU32;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::whole;
use crate::document::{Field, PolicyDocument};
use crate::kind::Kind;

/// Kind `ownership`: hand-overs, overrides and the answer clock of cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnershipPolicy {
    /// Clock minutes after which an offer that nobody accepted expires (O4).
    pub offer_minutes: u32,
    /// Clock minutes for which an override lasts at most (O7).
    pub override_minutes: u32,
    /// Working days within which a case is answered, the day of acceptance not counted (K15).
    pub answer_working_days: NonZeroU32,
    /// How many days ahead an absence may begin and end (O9).
    pub absence_ahead_days: u32,
}

impl OwnershipPolicy {
    /// How long an offer stands (O4).
    pub fn offer_expiry(&self) -> TimeDelta {
        TimeDelta::minutes(self.offer_minutes.into())
    }

    /// How long an override lasts at most (O7).
    pub fn override_length(&self) -> TimeDelta {
        TimeDelta::minutes(self.override_minutes.into())
    }
}

impl Default for OwnershipPolicy {
    fn default() -> Self {
        OwnershipPolicy {
            offer_minutes: 30,
            override_minutes: 480,
            answer_working_days: NonZeroU32::MIN.saturating_add(1),
            absence_ahead_days: 731,
        }
    }
}

impl PolicyDocument for OwnershipPolicy {
    const KIND: Kind = Kind::Ownership;
    const FIELDS: &'static [Field] = &[
        whole("offer_minutes", 1, 10_080, "minutes"),
        whole("override_minutes", 1, 10_080, "minutes"),
        whole("answer_working_days", 1, 60, "working days"),
        whole("absence_ahead_days", 1, 3_653, "days"),
    ];
}
