//! How a missed limit goes up (O10): who was told, and who is told next while nobody makes an attempt.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_policy::{EscalationPolicy, Level};

/// A level, and when it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub level: Level,
    pub due: DateTime<Utc>,
}

/// Where the escalation of a missed limit stands. Empty while no limit is missed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// The version of the policy that held for the branch when the limit passed.
    pub policy: String,
    /// The highest level that was told.
    pub reached: Option<Level>,
    /// What lies ahead, lowest level first.
    pub ahead: Vec<Step>,
}

impl Escalation {
    /// A level was told: it and those below it lie behind.
    pub fn tell(&mut self, level: Level) {
        self.reached = self.reached.max(Some(level));
        self.ahead.retain(|step| step.level > level);
    }
}

/// The whole ladder of a limit that passed at `limit`, lowest level first.
pub fn ladder(limit: DateTime<Utc>, policy: &EscalationPolicy) -> Vec<Step> {
    let rung = |reached| policy.next(limit, reached).map(|rung| Step { level: rung.level, due: rung.due });
    std::iter::successors(rung(None), |step| rung(Some(step.level))).collect()
}

/// The name of a level's deadline.
pub fn step_name(level: Level) -> &'static str {
    match level {
        Level::Responsible => "escalation_responsible",
        Level::Lead => "escalation_lead",
        Level::Hq => "escalation_hq",
        Level::CompanyLeader => "escalation_company_leader",
    }
}
