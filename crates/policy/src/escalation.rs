//! The ladder that a missed limit climbs (O10): handler and accountable person, the lead, HQ, the company leader, each with its own delay, each once.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::documents::EscalationPolicy;

/// How high a missed limit has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Handler and accountable person, at the limit itself.
    Responsible,
    /// Lead of the branch (营业部主管).
    Lead,
    /// The brokerage headquarters (经纪业务总部).
    Hq,
    /// Company leader in charge (公司分管领导).
    CompanyLeader,
}

/// One step of the ladder: who is told, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    pub level: Level,
    pub due: DateTime<Utc>,
}

impl EscalationPolicy {
    /// The step after `reached` for a limit that passed at `limit`; `None` at the top.
    pub fn next(&self, limit: DateTime<Utc>, reached: Option<Level>) -> Option<Rung> {
        let (level, minutes) = match reached {
            None => (Level::Responsible, 0),
            Some(Level::Responsible) => (Level::Lead, self.lead_minutes),
            Some(Level::Lead) => (Level::Hq, self.hq_minutes),
            Some(Level::Hq) => (Level::CompanyLeader, self.company_leader_minutes),
            Some(Level::CompanyLeader) => return None,
        };
        let due = limit.checked_add_signed(TimeDelta::minutes(minutes.into())).unwrap_or(limit);
        Some(Rung { level, due })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o10_a_missed_limit_climbs_every_level_once_with_its_own_delay() {
        let limit = DateTime::from_timestamp(1_758_000_000, 0).unwrap();
        let policy = EscalationPolicy { lead_minutes: 10, hq_minutes: 20, company_leader_minutes: 40 };
        let mut reached = None;
        let mut steps = Vec::new();
        while let Some(rung) = policy.next(limit, reached) {
            steps.push((rung.level, (rung.due - limit).num_minutes()));
            reached = Some(rung.level);
        }
        let expected =
            [(Level::Responsible, 0), (Level::Lead, 10), (Level::Hq, 20), (Level::CompanyLeader, 40)];
        assert_eq!(steps, expected);
    }
}
