//! Until when: the limits of a complaint (C5-C7), from the policy of the unit that received it, the calendar and working hours (S2); and the deadlines
//! that a state holds.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_calendar::{AcceptanceDay, Calendar, WorkingHours, within_hours};
use shouwen_engine::Deadline;
use shouwen_policy::{ComplaintsPolicy, Level};
use shouwen_proto::events::v1::LimitSet;

use super::{
    Mutants, codec,
    complaint::Complaint,
    terms::{Kind, LimitKind},
};

/// One limit of one round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub kind: LimitKind,
    pub round: u32,
    /// From when it is counted.
    pub began: DateTime<Utc>,
    pub due: DateTime<Utc>,
    /// Beyond the imported calendar (S3).
    pub provisional: bool,
    pub met: Option<DateTime<Utc>>,
    /// Nobody owes it any more: the round ended without it.
    pub given_up: bool,
    /// It passed before it was met.
    pub missed: bool,
    /// How high a missed one has gone (O10).
    pub reached: Option<Level>,
    /// Who is still to be told, and when, lowest level first.
    pub steps: Vec<Step>,
    /// The policy `escalation` that says so; empty unless missed.
    pub escalation_policy: String,
}

/// One step of the ladder that a missed limit climbs (O10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub level: Level,
    pub due: DateTime<Utc>,
}

/// What limits are computed with, as it holds when they begin.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub policy: &'a ComplaintsPolicy,
    pub hours: &'a WorkingHours,
    pub calendar: &'a Calendar,
    pub mutants: Mutants,
}

/// What decides a complaint's limits beside the policy (C5, L12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub kind: Kind,
    pub complex: bool,
    pub vip: bool,
}

/// The limit to accept or decline (C3); the day of filing counts as the first.
pub fn acceptance(began: DateTime<Utc>, rules: Rules<'_>) -> LimitSet {
    let never = Terms { kind: Kind::Complaint, complex: false, vip: false };
    limit(LimitKind::Acceptance, began, never, rules)
}

/// The limits that begin with acceptance or reopening. What is no complaint has no proposal and no outcome.
pub fn handling(began: DateTime<Utc>, terms: Terms, rules: Rules<'_>) -> Vec<LimitSet> {
    let kinds: &[LimitKind] = match terms.kind {
        Kind::Complaint => &[
            LimitKind::FirstReply,
            LimitKind::DefiniteAnswer,
            LimitKind::Proposal,
            LimitKind::Outcome,
            LimitKind::Settlement,
        ],
        Kind::Opinion | Kind::Suggestion | Kind::Inquiry => {
            &[LimitKind::FirstReply, LimitKind::DefiniteAnswer, LimitKind::Settlement]
        }
    };
    kinds.iter().map(|kind| limit(*kind, began, terms, rules)).collect()
}

/// One limit, counted from a time.
pub fn limit(kind: LimitKind, began: DateTime<Utc>, terms: Terms, rules: Rules<'_>) -> LimitSet {
    let numbers = rules.policy.limits(terms.vip, terms.complex);
    // C6, C7
    let first = if rules.mutants.day_of_acceptance_not_counted {
        AcceptanceDay::NotCounted
    } else {
        AcceptanceDay::CountsAsFirst
    };
    let days = |days, day| {
        let due = rules.calendar.within_working_days(began, days, day, rules.hours);
        (due.value, due.provisional)
    };
    let (due, provisional) = match kind {
        LimitKind::Acceptance => days(rules.policy.acceptance_working_days, AcceptanceDay::CountsAsFirst),
        LimitKind::FirstReply => days(numbers.first_reply_working_days, AcceptanceDay::NotCounted),
        LimitKind::DefiniteAnswer => (within_hours(began, numbers.definite_answer_hours), false),
        LimitKind::Proposal => days(numbers.proposal_working_days, first),
        LimitKind::Outcome => days(numbers.outcome_working_days, first),
        LimitKind::Settlement => days(numbers.settlement_working_days, AcceptanceDay::NotCounted),
    };
    LimitSet { limit: kind.number(), due: codec::timestamp(due), provisional, began: codec::timestamp(began) }
}

impl Limit {
    /// A limit that an event sets at `time`; `None` where this release does not know it.
    pub fn set(set: &LimitSet, round: u32, time: DateTime<Utc>) -> Option<Self> {
        Some(Self {
            kind: LimitKind::of(set.limit)?,
            round,
            began: codec::time(set.began.as_ref()).unwrap_or(time),
            due: codec::time(set.due.as_ref())?,
            provisional: set.provisional,
            met: None,
            given_up: false,
            missed: false,
            reached: None,
            steps: Vec::new(),
            escalation_policy: String::new(),
        })
    }

    /// Whether it is still owed.
    pub fn is_owed(&self) -> bool {
        self.met.is_none() && !self.given_up
    }

    /// Whether it is owed and has not passed.
    pub fn runs(&self) -> bool {
        self.is_owed() && !self.missed
    }
}

impl Complaint {
    /// The deadlines that the state holds: of each limit that is owed the limit itself, or the next step of the ladder.
    pub fn deadlines(&self) -> Vec<Deadline> {
        let owed = self.limits.iter().filter(|limit| limit.is_owed());
        owed.filter_map(|limit| if limit.missed { Self::next_step(limit) } else { Some(self.passing(limit)) })
            .collect()
    }

    fn passing(&self, limit: &Limit) -> Deadline {
        Deadline {
            step: limit.kind.step(),
            due: limit.due,
            policy: self.policy_version.clone(),
            calendar: if limit.kind.is_by_calendar() { self.calendar_version.clone() } else { String::new() },
            provisional: limit.provisional,
        }
    }

    fn next_step(limit: &Limit) -> Option<Deadline> {
        let step = limit.steps.first()?;
        Some(Deadline {
            step: limit.kind.escalation_step(),
            due: step.due,
            policy: limit.escalation_policy.clone(),
            calendar: String::new(),
            provisional: false,
        })
    }

    /// What decides its limits.
    pub fn terms(&self) -> Terms {
        let acceptance = self.acceptance.as_ref();
        Terms {
            kind: self.kind,
            complex: acceptance.is_some_and(|acceptance| acceptance.complex),
            vip: acceptance.is_some_and(|acceptance| acceptance.vip),
        }
    }
}
