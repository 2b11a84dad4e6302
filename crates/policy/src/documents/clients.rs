//! Classes, coverage, marks, the verification of identity and lookups (L1-L3, L8, L10, L12, K11).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{falling, whole, yuan};
use crate::document::{Field, PolicyDocument};
use crate::error::PolicyError;
use crate::kind::Kind;

/// Kind `clients`: classes, coverage, marks, the verification of identity and lookups. Amounts are whole yuan, turnover is in hundredths.
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
    /// Factors that must match before anything is disclosed (K11). Not all four: who holds nothing but what they bought last has three.
    pub verification_factors: u32,
    /// Wrong answers that lock the verification (K11).
    pub verification_failures: u32,
    /// Clock minutes for which it is locked (K11).
    pub verification_lock_minutes: u32,
    /// Clock minutes for which a verification holds (K11).
    pub verification_minutes: u32,
    /// Lookups of clients by a number that an employee may make in a period (L10).
    pub lookups: u32,
    /// Clock minutes of that period (L10).
    pub lookup_minutes: u32,
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

    /// The period in which an employee's lookups are counted (L10).
    pub fn lookup_period(&self) -> TimeDelta {
        TimeDelta::minutes(self.lookup_minutes.into())
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
            lookups: 120,
            lookup_minutes: 60,
        }
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
        whole("verification_factors", 1, 3, "factors"),
        whole("verification_failures", 1, 20, "failures"),
        whole("verification_lock_minutes", 1, 10_080, "minutes"),
        whole("verification_minutes", 1, 240, "minutes"),
        whole("lookups", 1, 10_000, "lookups"),
        whole("lookup_minutes", 1, 1_440, "minutes"),
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
