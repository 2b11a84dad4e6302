//! Limits and levels of approval of complaints (C3, C5-C7, L12).

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::whole;
use crate::document::{Field, PolicyDocument};
use crate::error::PolicyError;
use crate::kind::Kind;

/// Kind `complaints`: limits and approval. The `vip` limits are those of VIP and core clients (L12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ComplaintsPolicy {
    /// Working days within which a filed complaint is accepted or declined, the day of filing counted (C3).
    pub acceptance_working_days: NonZeroU32,
    /// Working days until the first reply, the day of acceptance not counted (C5).
    pub first_reply_working_days: NonZeroU32,
    /// Clock hours until the definite answer to a simple complaint (C5).
    pub definite_answer_simple_hours: u32,
    /// Clock hours until the definite answer to a complex complaint (C5).
    pub definite_answer_complex_hours: u32,
    /// Working days until the proposal, the day of acceptance counted (C6).
    pub proposal_working_days: NonZeroU32,
    /// Working days until the client has the outcome, the day of acceptance counted (C7).
    pub outcome_working_days: NonZeroU32,
    /// Working days until it is settled, the day of acceptance not counted (C5).
    pub settlement_working_days: NonZeroU32,
    pub vip_first_reply_working_days: NonZeroU32,
    pub vip_definite_answer_simple_hours: u32,
    pub vip_definite_answer_complex_hours: u32,
    pub vip_proposal_working_days: NonZeroU32,
    pub vip_outcome_working_days: NonZeroU32,
    pub vip_settlement_working_days: NonZeroU32,
    /// Levels that approve the handling of a minor complaint: 1 the branch head, 2 HQ too, 3 the company leader too (C6).
    pub minor_approval_levels: u32,
    pub serious_approval_levels: u32,
    pub grave_approval_levels: u32,
}

/// The limits of one complaint (C5-C7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComplaintLimits {
    pub first_reply_working_days: NonZeroU32,
    pub definite_answer_hours: u32,
    pub proposal_working_days: NonZeroU32,
    pub outcome_working_days: NonZeroU32,
    pub settlement_working_days: NonZeroU32,
}

impl ComplaintsPolicy {
    /// The limits of a complaint: by its category and the client's marks (C5, L12).
    pub fn limits(&self, vip: bool, complex: bool) -> ComplaintLimits {
        let pick = |simple, difficult| if complex { difficult } else { simple };
        if vip {
            ComplaintLimits {
                first_reply_working_days: self.vip_first_reply_working_days,
                definite_answer_hours: pick(
                    self.vip_definite_answer_simple_hours,
                    self.vip_definite_answer_complex_hours,
                ),
                proposal_working_days: self.vip_proposal_working_days,
                outcome_working_days: self.vip_outcome_working_days,
                settlement_working_days: self.vip_settlement_working_days,
            }
        } else {
            ComplaintLimits {
                first_reply_working_days: self.first_reply_working_days,
                definite_answer_hours: pick(
                    self.definite_answer_simple_hours,
                    self.definite_answer_complex_hours,
                ),
                proposal_working_days: self.proposal_working_days,
                outcome_working_days: self.outcome_working_days,
                settlement_working_days: self.settlement_working_days,
            }
        }
    }
}

impl Default for ComplaintsPolicy {
    fn default() -> Self {
        let days = |days: u32| NonZeroU32::MIN.saturating_add(days - 1);
        ComplaintsPolicy {
            acceptance_working_days: days(1),
            first_reply_working_days: days(1),
            definite_answer_simple_hours: 2,
            definite_answer_complex_hours: 24,
            proposal_working_days: days(3),
            outcome_working_days: days(4),
            settlement_working_days: days(5),
            vip_first_reply_working_days: days(1),
            vip_definite_answer_simple_hours: 1,
            vip_definite_answer_complex_hours: 12,
            vip_proposal_working_days: days(2),
            vip_outcome_working_days: days(3),
            vip_settlement_working_days: days(4),
            minor_approval_levels: 1,
            serious_approval_levels: 2,
            grave_approval_levels: 3,
        }
    }
}

impl PolicyDocument for ComplaintsPolicy {
    const KIND: Kind = Kind::Complaints;
    const FIELDS: &'static [Field] = &[
        whole("acceptance_working_days", 1, 60, "working days"),
        whole("first_reply_working_days", 1, 60, "working days"),
        whole("definite_answer_simple_hours", 1, 720, "hours"),
        whole("definite_answer_complex_hours", 1, 720, "hours"),
        whole("proposal_working_days", 1, 60, "working days"),
        whole("outcome_working_days", 1, 60, "working days"),
        whole("settlement_working_days", 1, 60, "working days"),
        whole("vip_first_reply_working_days", 1, 60, "working days"),
        whole("vip_definite_answer_simple_hours", 1, 720, "hours"),
        whole("vip_definite_answer_complex_hours", 1, 720, "hours"),
        whole("vip_proposal_working_days", 1, 60, "working days"),
        whole("vip_outcome_working_days", 1, 60, "working days"),
        whole("vip_settlement_working_days", 1, 60, "working days"),
        whole("minor_approval_levels", 1, 3, "levels"),
        whole("serious_approval_levels", 1, 3, "levels"),
        whole("grave_approval_levels", 1, 3, "levels"),
    ];

    fn contradictions(&self) -> Vec<PolicyError> {
        let levels = [
            ("grave_approval_levels", self.grave_approval_levels),
            ("serious_approval_levels", self.serious_approval_levels),
            ("minor_approval_levels", self.minor_approval_levels),
        ];
        levels
            .windows(2)
            .filter(|pair| pair[0].1 < pair[1].1)
            .map(|pair| {
                PolicyError::new(
                    pair[0].0,
                    format!("{} levels are fewer than the {} of {}", pair[0].1, pair[1].1, pair[1].0),
                    format!("raise it, or lower {}", pair[1].0),
                    format!("{} 级少于 {} 的 {} 级；请调高，或调低后者", pair[0].1, pair[1].0, pair[1].1),
                )
            })
            .collect()
    }
}
