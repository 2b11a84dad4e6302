//! When a missed limit goes one level higher (O10); the ladder itself is in [`crate::escalation`].

use serde::{Deserialize, Serialize};

use super::{falling, whole};
use crate::document::{Field, PolicyDocument};
use crate::error::PolicyError;
use crate::kind::Kind;

/// Kind `escalation`: when a missed limit goes one level higher (O10). Handler and accountable person are told at the limit itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EscalationPolicy {
    /// Clock minutes after the limit at which the lead is told.
    pub lead_minutes: u32,
    /// Clock minutes after the limit at which HQ is told.
    pub hq_minutes: u32,
    /// Clock minutes after the limit at which the company leader is told.
    pub company_leader_minutes: u32,
}

impl Default for EscalationPolicy {
    fn default() -> Self {
        EscalationPolicy { lead_minutes: 60, hq_minutes: 480, company_leader_minutes: 1_440 }
    }
}

impl PolicyDocument for EscalationPolicy {
    const KIND: Kind = Kind::Escalation;
    const FIELDS: &'static [Field] = &[
        whole("lead_minutes", 1, 100_000, "minutes"),
        whole("hq_minutes", 1, 100_000, "minutes"),
        whole("company_leader_minutes", 1, 100_000, "minutes"),
    ];

    fn contradictions(&self) -> Vec<PolicyError> {
        falling(&[
            ("company_leader_minutes", self.company_leader_minutes),
            ("hq_minutes", self.hq_minutes),
            ("lead_minutes", self.lead_minutes),
        ])
    }
}
