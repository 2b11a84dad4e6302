//! Calling windows, attempts, leases and verifications (B1, B2, B6, B8, C9).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use shouwen_calendar::Windows;

use super::{intervals, whole};
use crate::document::{Field, PolicyDocument};
use crate::error::PolicyError;
use crate::kind::Kind;

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
    /// Clock hours after its handling within which a complaint is verified with the client (B1, C9).
    pub verification_hours: u32,
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

impl Default for CallbacksPolicy {
    fn default() -> Self {
        CallbacksPolicy {
            calling_windows: Windows::default(),
            attempts: 3,
            attempt_spacing_minutes: 120,
            attempt_days: 2,
            lease_minutes: 15,
            promise_grace_minutes: 15,
            verification_hours: 24,
        }
    }
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
        whole("verification_hours", 1, 720, "hours"),
    ];

    fn contradictions(&self) -> Vec<PolicyError> {
        if self.attempt_days <= self.attempts {
            return Vec::new();
        }
        vec![PolicyError::new(
            "attempt_days",
            format!("{} attempts cannot fall on {} different days", self.attempts, self.attempt_days),
            "raise attempts or lower attempt_days",
            format!(
                "{} 次联系无法分布在 {} 个不同的日子；请增加 attempts，或减少 attempt_days",
                self.attempts, self.attempt_days
            ),
        )]
    }
}
