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
    /// How many days ahead an absence may begin and end (O9).
    pub absence_ahead_days: u32,
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
    /// Clock hours after its handling within which a complaint is verified with the client (B1, C9).
    pub verification_hours: u32,
}

/// Kind `clients`: classes, coverage, marks and the verification of identity. Amounts are whole yuan, turnover is in hundredths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientsPolicy {
    /// Capital accounts that a client may have (L1).
    pub capital_accounts: u32,
    /// From these assets on a client is A+ or B+ (L2).
    pub class_a_plus_assets: u32,
    /// From these assets on: A or B.
    pub class_a_assets: u32,
    /// From these assets on: C or D.
    pub class_c_assets: u32,
    /// From these assets on: C- or D-.
    pub class_c_minus_assets: u32,
    /// From these assets on: E or F; below: G.
    pub class_e_assets: u32,
    /// Turnover from which the first class of each pair holds (L2, L3).
    pub turnover_threshold_percent: u32,
    /// From these assets on the branch head serves the client (L8).
    pub branch_head_assets: u32,
    /// From these assets on: a manager.
    pub manager_assets: u32,
    /// From these assets on: a team leader; below: anyone of the branch.
    pub team_leader_assets: u32,
    /// From these assets on a client is VIP (L12).
    pub vip_assets: u32,
    /// From these assets and the turnover below on a client is core (L12).
    pub core_assets: u32,
    /// The activity that makes a core client (L12).
    pub core_turnover_percent: u32,
    /// Factors that must match before anything is disclosed (K11).
    pub verification_factors: u32,
    /// Wrong answers that lock the verification (K11).
    pub verification_failures: u32,
    /// Clock minutes for which it is locked (K11).
    pub verification_lock_minutes: u32,
    /// Clock minutes for which a verification holds (K11).
    pub verification_minutes: u32,
}

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

/// Kind `routing`: presence, reservations and the queue. How long a reservation rings is that of kind `calls` (K2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoutingPolicy {
    /// Clock seconds after which a desk that is not heard of is lost.
    pub session_seconds: u32,
    /// Reservations missed one after the other that pause an employee (K2).
    pub missed_before_pause: u32,
    /// Clock minutes after which a waiting contact is looked at again.
    pub queue_minutes: u32,
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

impl RoutingPolicy {
    /// How long a desk may be silent.
    pub fn session_length(&self) -> TimeDelta {
        TimeDelta::seconds(self.session_seconds.into())
    }

    /// How long a contact waits before it is looked at again.
    pub fn queue_check(&self) -> TimeDelta {
        TimeDelta::minutes(self.queue_minutes.into())
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

impl ClientsPolicy {
    /// How long a verification holds (K11).
    pub fn verification_length(&self) -> TimeDelta {
        TimeDelta::minutes(self.verification_minutes.into())
    }

    /// How long the verification is locked after too many wrong answers (K11).
    pub fn verification_lock(&self) -> TimeDelta {
        TimeDelta::minutes(self.verification_lock_minutes.into())
    }
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
            verification_hours: 24,
        }
    }
}

impl Default for ClientsPolicy {
    fn default() -> Self {
        ClientsPolicy {
            capital_accounts: 5,
            class_a_plus_assets: 5_000_000,
            class_a_assets: 1_000_000,
            class_c_assets: 500_000,
            class_c_minus_assets: 100_000,
            class_e_assets: 10_000,
            turnover_threshold_percent: 300,
            branch_head_assets: 1_000_000,
            manager_assets: 500_000,
            team_leader_assets: 100_000,
            vip_assets: 1_000_000,
            core_assets: 500_000,
            core_turnover_percent: 300,
            verification_factors: 2,
            verification_failures: 3,
            verification_lock_minutes: 30,
            verification_minutes: 15,
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

impl Default for EscalationPolicy {
    fn default() -> Self {
        EscalationPolicy { lead_minutes: 60, hq_minutes: 480, company_leader_minutes: 1_440 }
    }
}

impl Default for RoutingPolicy {
    fn default() -> Self {
        RoutingPolicy { session_seconds: 45, missed_before_pause: 2, queue_minutes: 5 }
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
        whole("absence_ahead_days", 1, 3_653, "days"),
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
        )]
    }
}

impl PolicyDocument for ClientsPolicy {
    const KIND: Kind = Kind::Clients;
    const FIELDS: &'static [Field] = &[
        whole("capital_accounts", 1, 20, "accounts"),
        yuan("class_a_plus_assets"),
        yuan("class_a_assets"),
        yuan("class_c_assets"),
        yuan("class_c_minus_assets"),
        yuan("class_e_assets"),
        whole("turnover_threshold_percent", 1, 100_000, "hundredths"),
        yuan("branch_head_assets"),
        yuan("manager_assets"),
        yuan("team_leader_assets"),
        yuan("vip_assets"),
        yuan("core_assets"),
        whole("core_turnover_percent", 0, 100_000, "hundredths"),
        whole("verification_factors", 1, 4, "factors"),
        whole("verification_failures", 1, 20, "failures"),
        whole("verification_lock_minutes", 1, 10_080, "minutes"),
        whole("verification_minutes", 1, 240, "minutes"),
    ];

    fn contradictions(&self) -> Vec<PolicyError> {
        let classes = [
            ("class_a_plus_assets", self.class_a_plus_assets),
            ("class_a_assets", self.class_a_assets),
            ("class_c_assets", self.class_c_assets),
            ("class_c_minus_assets", self.class_c_minus_assets),
            ("class_e_assets", self.class_e_assets),
        ];
        let coverage = [
            ("branch_head_assets", self.branch_head_assets),
            ("manager_assets", self.manager_assets),
            ("team_leader_assets", self.team_leader_assets),
        ];
        [falling(&classes), falling(&coverage)].concat()
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
                )
            })
            .collect()
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

impl PolicyDocument for RoutingPolicy {
    const KIND: Kind = Kind::Routing;
    const FIELDS: &'static [Field] = &[
        whole("session_seconds", 5, 3_600, "seconds"),
        whole("missed_before_pause", 1, 100, "reservations"),
        whole("queue_minutes", 1, 240, "minutes"),
    ];
}

/// Each must be greater than the one after it.
fn falling(values: &[(&'static str, u32)]) -> Vec<PolicyError> {
    values
        .windows(2)
        .filter(|pair| pair[0].1 <= pair[1].1)
        .map(|pair| {
            PolicyError::new(
                pair[0].0,
                format!("{} is not above the {} of {}", pair[0].1, pair[1].1, pair[1].0),
                format!("raise it, or lower {}", pair[1].0),
            )
        })
        .collect()
}

const fn yuan(name: &'static str) -> Field {
    whole(name, 1, u32::MAX, "yuan")
}

const fn whole(name: &'static str, min: u32, max: u32, unit: &'static str) -> Field {
    Field { name, shape: Shape::Whole { min, max, unit } }
}

const fn intervals(name: &'static str) -> Field {
    Field { name, shape: Shape::Intervals }
}
