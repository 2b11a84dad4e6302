//! The state of one callback, and what it holds while it is open: its deadlines and its place among the missed calls of one caller.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::{Deadline, Key};
use shouwen_proto::r#type::v1::CallbackKind;
use shouwen_vault::Sealed;

use super::name::CallbackName;

/// The deadline at which the limit for the first attempt passes (B1).
pub const STEP_LIMIT: &str = "limit";
/// The deadline at which a lease is lost (B8).
pub const STEP_LEASE: &str = "lease";
/// The unique key under which an open callback stands for all missed calls of one caller (K14).
pub const KEY_MISSED_CALLER: &str = "missed_caller";

/// Why there is a callback (B1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// At the time agreed with the client (K6).
    Promised,
    /// A call nobody answered (K14).
    MissedCall,
    /// A contact outside working hours (O5).
    AfterHours,
    /// Whether a handled complaint is settled for the client (C9).
    Verification,
}

impl From<Kind> for CallbackKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Promised => Self::Promised,
            Kind::MissedCall => Self::MissedCall,
            Kind::AfterHours => Self::AfterHours,
            Kind::Verification => Self::Verification,
        }
    }
}

impl From<CallbackKind> for Kind {
    /// Nothing schedules an unspecified kind; a promise is what depends on no calendar.
    fn from(kind: CallbackKind) -> Self {
        match kind {
            CallbackKind::MissedCall => Self::MissedCall,
            CallbackKind::AfterHours => Self::AfterHours,
            CallbackKind::Verification => Self::Verification,
            CallbackKind::Promised | CallbackKind::Unspecified => Self::Promised,
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

/// How satisfied the client is (B4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Satisfaction {
    Satisfied,
    Neutral,
    Dissatisfied,
}

/// What came of the talk (B4). The client's words stay on the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    pub solved: bool,
    /// `None` on records of an earlier release that did not know the value.
    pub attitude: Option<Satisfaction>,
    pub overall: Option<Satisfaction>,
    /// 1 to 10; 0 where the client gave none.
    pub score: i32,
    pub charged: bool,
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
    Completed(Talk),
    Cancelled {
        reason: String,
    },
}

/// A callback.
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
    /// The limit for the first attempt (B1, B2). A number in the document: a generated column orders by it.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub due: DateTime<Utc>,
    /// When its clock began, so that the limit can be computed anew (S3).
    pub began: DateTime<Utc>,
    pub first_attempt: Option<DateTime<Utc>>,
    /// The limit passed without an attempt.
    pub missed: bool,
    pub attempts: Vec<Attempt>,
    /// The attempts of the present round that count towards the policy's (B6).
    pub round: Vec<DateTime<Utc>>,
    /// The policy under which it began (P1).
    pub policy_version: String,
    /// Empty where no calendar is involved.
    pub calendar_version: String,
    pub provisional: bool,
    /// The client asked for this time: the calling windows do not bind (B2).
    pub client_asked: bool,
    /// Hex; empty unless it stands for missed calls.
    pub caller_key: String,
    /// The missed calls it stands for (K14), `calls/{call}`.
    pub calls: Vec<String>,
    pub stage: Stage,
}

impl Callback {
    /// Whether somebody still has to do something.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Waiting | Stage::Leased { .. } | Stage::LeadDecides)
    }

    /// Whether the limit still runs: open, no attempt, not missed.
    pub fn limit_runs(&self) -> bool {
        self.is_open() && self.first_attempt.is_none() && !self.missed
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
        let holds = self.kind == Kind::MissedCall && self.is_open() && !self.caller_key.is_empty();
        holds.then(|| missed_caller(&self.branch, &self.caller_key)).into_iter().collect()
    }
}

/// The key of one caller's missed calls within a branch (K14).
pub fn missed_caller(branch: &str, caller_key_hex: &str) -> Key {
    Key { kind: KEY_MISSED_CALLER, key: format!("{branch}|{caller_key_hex}") }
}
