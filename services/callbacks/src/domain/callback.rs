//! The state of one callback, and what it holds while it is open: its deadlines, its place among the missed calls of one caller, and that it is the
//! one verification of its complaint.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::{Deadline, Key};
use shouwen_proto::r#type::v1::CallbackKind;
use shouwen_vault::Sealed;

use super::{
    escalation::{Escalation, Step, step_name},
    limits::Limits,
    name::{CallbackName, ComplaintName},
    talk::Results,
};

/// The deadline at which the limit for the attempt that is owed passes (B1).
pub const STEP_LIMIT: &str = "limit";
/// The deadline at which a lease is lost (B8).
pub const STEP_LEASE: &str = "lease";
/// The unique key under which an open callback stands for all missed calls of one caller: of a client, and of the number to dial (K14).
pub const KEY_MISSED_CALLER: &str = "missed_caller";
/// The unique key under which an open callback is the one verification of its complaint (C9).
pub const KEY_VERIFICATION: &str = "verification";

/// Why there is a callback (B1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// At the time agreed with the client (K6).
    Promised,
    /// A call nobody answered (K14).
    MissedCall,
    /// A contact outside working hours (O5).
    AfterHours,
    /// Whether a handled complaint is settled for the client (C9).
    Verification(Verification),
}

/// What is verified, and who may not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    pub complaint: ComplaintName,
    /// Which handling of the complaint, from 1.
    pub round: i32,
    /// `employees/{employee}` whom the complaint is about (B7, O12).
    pub recused: Vec<String>,
}

impl Kind {
    /// What is verified, if it is a verification.
    pub fn verification(&self) -> Option<&Verification> {
        match self {
            Self::Verification(verification) => Some(verification),
            Self::Promised | Self::MissedCall | Self::AfterHours => None,
        }
    }
}

impl From<&Kind> for CallbackKind {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::Promised => Self::Promised,
            Kind::MissedCall => Self::MissedCall,
            Kind::AfterHours => Self::AfterHours,
            Kind::Verification(_) => Self::Verification,
        }
    }
}

/// What an attempt met that did not lead to the talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Met {
    NoAnswer,
    Busy,
    SwitchedOff,
    WrongNumber,
    /// The client was reached and asked for another time (B3).
    Inconvenient,
    /// The client was reached, and the questions were answered.
    Reached,
}

/// An attempt to call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub employee: String,
    pub time: DateTime<Utc>,
    pub met: Met,
}

/// Where a callback stands. An open one always has a next step: its time, a lease that ends, or a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// For its time, or for somebody to lease it.
    Waiting,
    /// Taken by one employee (B8).
    Leased {
        employee: String,
        until: DateTime<Utc>,
    },
    /// The attempts are used up (B6).
    LeadDecides,
    Completed(Results),
    Cancelled {
        reason: String,
    },
}

/// A callback.
#[allow(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    pub name: CallbackName,
    pub kind: Kind,
    /// `branches/{branch}`
    pub branch: String,
    pub client: String,
    pub phone: Option<Sealed>,
    pub phone_masked: String,
    pub subject: Option<Sealed>,
    /// The next attempt is made at this time or later.
    pub not_before: DateTime<Utc>,
    /// The limit for the attempt that is owed, or was last: the first one (B1, B2), or one that is owed anew (B3, B6, K14). A number in the document:
    /// a generated column orders by it.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub due: DateTime<Utc>,
    /// When its clock began, so that the limit can be computed anew (S3).
    pub began: DateTime<Utc>,
    pub first_attempt: Option<DateTime<Utc>>,
    /// The limit was set anew, and no attempt was made since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renewed: bool,
    /// The limit passed without an attempt.
    pub missed: bool,
    /// Who was told of it (O10).
    #[serde(default)]
    pub escalation: Escalation,
    pub attempts: Vec<Attempt>,
    /// The attempts of the present round that count towards the policy's (B6).
    pub round: Vec<DateTime<Utc>>,
    /// The policy under which it began (P1).
    pub policy_version: String,
    /// Empty where no calendar is involved.
    pub calendar_version: String,
    pub provisional: bool,
    /// The client asked for the time `not_before`: until it has passed with the grace of a promise, the calling windows do not bind (B2).
    pub client_asked: bool,
    /// The opaque key of the client, or of the number while nobody is known, in hex; empty unless it stands for missed calls.
    pub caller_key: String,
    /// That of the number to dial; empty unless it stands for all missed calls from there, and on records of an earlier release.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub number_key: String,
    /// The missed calls it stands for (K14), `calls/{call}`.
    pub calls: Vec<String>,
    pub stage: Stage,
}

impl Callback {
    /// Whether somebody still has to do something.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Waiting | Stage::Leased { .. } | Stage::LeadDecides)
    }

    /// Whether an employee has it leased at a time (B8).
    pub fn is_leased_to(&self, employee: &str, now: DateTime<Utc>) -> bool {
        matches!(&self.stage, Stage::Leased { employee: holder, until } if holder == employee && now < *until)
    }

    /// Whether the limit was set behind the last attempt, and so is not met yet.
    pub fn is_untried(&self) -> bool {
        self.first_attempt.is_none() || self.renewed
    }

    /// Whether the limit still runs: open, no attempt since it was set, not missed.
    pub fn limit_runs(&self) -> bool {
        self.is_open() && self.is_untried() && !self.missed
    }

    /// What of the escalation of a missed limit still lies ahead: an attempt, another limit or the end stops it (O10).
    pub fn steps_ahead(&self) -> &[Step] {
        if self.is_open() && self.is_untried() { &self.escalation.ahead } else { &[] }
    }

    /// What is set anew is a limit like the first one, whatever became of that: until the next attempt it runs, is missed and goes up.
    pub fn renew(&mut self, limits: Limits) {
        let Limits { not_before, due, provisional, calendar_version } = limits;
        (self.not_before, self.due) = (not_before, due);
        (self.provisional, self.calendar_version) = (provisional, calendar_version);
        (self.renewed, self.missed) = (true, false);
        self.escalation = Escalation::default();
    }

    /// The case concerned: that under which it is named, or the complaint's; empty where nobody knows the concern yet.
    pub fn case(&self) -> &str {
        self.kind.verification().map_or_else(|| self.name.case(), |verified| verified.complaint.case())
    }

    /// For which aggregate a number of its own or of one of its calls is sealed: each was sealed for the callback that its call would have had (K14).
    pub fn sealed_for(&self, sealed: &Sealed) -> String {
        let mut of_calls = self.calls.iter().map(|call| call.replacen("calls/", "callbacks/", 1));
        of_calls.find(|aggregate| *aggregate == sealed.aggregate).unwrap_or_else(|| self.name.aggregate().0)
    }

    /// The complaint that it verifies and the round, as events name them; empty and 0 for all other kinds.
    pub fn complaint(&self) -> (String, i32) {
        let verification = self.kind.verification();
        verification.map(|verified| (verified.complaint.to_string(), verified.round)).unwrap_or_default()
    }

    /// The stage as the contract calls it.
    pub fn stage_name(&self) -> &'static str {
        match self.stage {
            Stage::Waiting => "WAITING",
            Stage::Leased { .. } => "LEASED",
            Stage::LeadDecides => "LEAD_DECIDES",
            Stage::Completed(_) => "COMPLETED",
            Stage::Cancelled { .. } => "CANCELLED",
        }
    }

    /// The deadlines that the state holds.
    pub fn deadlines(&self) -> Vec<Deadline> {
        let mut deadlines = Vec::new();
        if self.limit_runs() {
            deadlines.push(Deadline {
                step: STEP_LIMIT,
                due: self.due,
                policy: self.policy_version.clone(),
                calendar: self.calendar_version.clone(),
                provisional: self.provisional,
            });
        }
        deadlines.extend(self.steps_ahead().iter().map(|step| Deadline {
            step: step_name(step.level),
            due: step.due,
            policy: self.escalation.policy.clone(),
            calendar: String::new(),
            provisional: false,
        }));
        if let Stage::Leased { until, .. } = &self.stage {
            deadlines.push(Deadline {
                step: STEP_LEASE,
                due: *until,
                policy: self.policy_version.clone(),
                calendar: String::new(),
                provisional: false,
            });
        }
        deadlines
    }

    /// The unique keys that the state holds.
    pub fn keys(&self) -> BTreeSet<Key> {
        if !self.is_open() {
            return BTreeSet::new();
        }
        match &self.kind {
            Kind::MissedCall => {
                let known = [&self.caller_key, &self.number_key].into_iter().filter(|key| !key.is_empty());
                known.map(|key| missed_caller(&self.branch, key)).collect()
            }
            Kind::Verification(verified) => {
                BTreeSet::from([verification_of(&verified.complaint.aggregate())])
            }
            Kind::Promised | Kind::AfterHours => BTreeSet::new(),
        }
    }
}

/// The key of the missed calls of a client or a number within a branch (K14), by the opaque key of either.
pub fn missed_caller(branch: &str, key_hex: &str) -> Key {
    Key { kind: KEY_MISSED_CALLER, key: format!("{branch}|{key_hex}") }
}

/// The key of the open verification of a complaint, `complaints/{complaint}` (C9).
pub fn verification_of(complaint: &str) -> Key {
    Key { kind: KEY_VERIFICATION, key: complaint.to_owned() }
}
