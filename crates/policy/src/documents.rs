//! The documents of each kind, with the built-in standard as their defaults and a bound for every number.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use shouwen_calendar::{Windows, WorkingHours};

use crate::document::{Field, PolicyDocument, Shape};
use crate::error::PolicyError;
use crate::kind::Kind;

/// Kind `hours`: when the firm works (S1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoursPolicy {
    /// On working days, Shanghai time.
    pub working_hours: WorkingHours,
}

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
}

/// Kind `calls`: ringing and missed calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallsPolicy {
    /// How long one ring takes, in seconds (K2).
    pub ring_seconds: u32,
    /// Rings within which a call is answered in time (K2).
    pub rings: u32,
    /// Working minutes within which a call that nobody answered is called back (K14).
    pub missed_callback_working_minutes: u32,
}

/// Kind `callbacks`: calling windows, attempts and leases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbacksPolicy {
    /// When a client may be called, on any calendar day, Shanghai time (B2).
    pub calling_windows: Windows,
    /// Unsuccessful attempts after which a lead decides (B6).
    pub attempts: u32,
    /// Clock minutes between two attempts (B6).
    pub attempt_spacing_minutes: u32,
    /// Different days over which the attempts are spread (B6).
    pub attempt_days: u32,
    /// Clock minutes for which a callback is leased to one employee (B8).
    pub lease_minutes: u32,
    /// Clock minutes after the agreed time at which a promised callback is missed (B1).
    pub promise_grace_minutes: u32,
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

impl CallsPolicy {
    /// How long a call may ring and still be answered in time (K2).
    pub fn answer_within(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.ring_seconds) * i64::from(self.rings))
    }
}

impl CallbacksPolicy {
    /// The least distance between two attempts (B6).
    pub fn attempt_spacing(&self) -> TimeDelta {
        TimeDelta::minutes(self.attempt_spacing_minutes.into())
    }

    /// How long a lease lasts (B8).
    pub fn lease_length(&self) -> TimeDelta {
        TimeDelta::minutes(self.lease_minutes.into())
    }

    /// How long after the agreed time a promised callback still counts as kept (B1).
    pub fn promise_grace(&self) -> TimeDelta {
        TimeDelta::minutes(self.promise_grace_minutes.into())
    }
}

impl Default for OwnershipPolicy {
    fn default() -> Self {
        OwnershipPolicy {
            offer_minutes: 30,
            override_minutes: 480,
            answer_working_days: NonZeroU32::MIN.saturating_add(1),
        }
    }
}

impl Default for CallsPolicy {
    fn default() -> Self {
        CallsPolicy { ring_seconds: 5, rings: 3, missed_callback_working_minutes: 30 }
    }
}

impl Default for CallbacksPolicy {
    fn default() -> Self {
        CallbacksPolicy {
            calling_windows: Windows::default(),
            attempts: 3,
            attempt_spacing_minutes: 120,
            attempt_days: 2,
            lease_minutes: 15,
            promise_grace_minutes: 15,
        }
    }
}

impl PolicyDocument for HoursPolicy {
    const KIND: Kind = Kind::Hours;
    const FIELDS: &'static [Field] = &[intervals("working_hours")];
}

impl PolicyDocument for OwnershipPolicy {
    const KIND: Kind = Kind::Ownership;
    const FIELDS: &'static [Field] = &[
        whole("offer_minutes", 1, 10_080, "minutes"),
        whole("override_minutes", 1, 10_080, "minutes"),
        whole("answer_working_days", 1, 60, "working days"),
    ];
}

impl PolicyDocument for CallsPolicy {
    const KIND: Kind = Kind::Calls;
    const FIELDS: &'static [Field] = &[
        whole("ring_seconds", 1, 60, "seconds"),
        whole("rings", 1, 20, "rings"),
        whole("missed_callback_working_minutes", 1, 2_400, "working minutes"),
    ];
}

impl PolicyDocument for CallbacksPolicy {
    const KIND: Kind = Kind::Callbacks;
    const FIELDS: &'static [Field] = &[
        intervals("calling_windows"),
        whole("attempts", 1, 20, "attempts"),
        whole("attempt_spacing_minutes", 1, 2_880, "minutes"),
        whole("attempt_days", 1, 20, "days"),
        whole("lease_minutes", 1, 240, "minutes"),
        whole("promise_grace_minutes", 0, 1_440, "minutes"),
    ];

    fn contradictions(&self) -> Vec<PolicyError> {
        if self.attempt_days <= self.attempts {
            return Vec::new();
        }
        vec![PolicyError::new(
            "attempt_days",
            format!("{} attempts cannot fall on {} different days", self.attempts, self.attempt_days),
            "raise attempts or lower attempt_days",
        )]
    }
}

const fn whole(name: &'static str, min: u32, max: u32, unit: &'static str) -> Field {
    Field { name, shape: Shape::Whole { min, max, unit } }
}

const fn intervals(name: &'static str) -> Field {
    Field { name, shape: Shape::Intervals }
}
