//! What can be asked of a callback: by people, by events of other services, by deadlines.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use shouwen_engine::{AggregateId, Key};
use shouwen_proto::{events::v1::PolicyAdopted, r#type::v1::Private};

use super::{
    callback::{Met, Verification, missed_caller},
    name::CallbackName,
    talk::Talk,
    tally::Tally,
};

/// One command.
#[derive(Clone, Debug)]
pub enum Command {
    /// A policy version was approved in ownership (P1).
    AdoptPolicy(Box<PolicyAdopted>),
    /// An event of another service calls for a callback (B1).
    Schedule(Box<Schedule>),
    /// The case held no concern: what was owed under it is owed no more.
    CancelCase { case: String, owed: Owed, reason: String },
    /// The complaint `complaints/{complaint}` was settled otherwise: nobody calls about it any more.
    EndVerification { complaint: String, reason: String },
    /// Takes the callback for oneself (B8).
    Lease { callback: AggregateId, employee: String },
    /// Gives the lease back (B8).
    Release { callback: AggregateId, employee: String },
    /// An attempt that did not lead to the talk (B3, B6).
    RecordAttempt { callback: AggregateId, employee: String, tried: Tried },
    /// The talk took place (B4). `case` is the callback's; empty where there is none.
    Complete {
        callback: AggregateId,
        case: String,
        employee: String,
        talk: Talk,
        suggestions: Option<Private>,
        answers: Option<Private>,
    },
    /// The recorded result was wrong (C11). `case` is the callback's; empty where there is none.
    Supersede { callback: AggregateId, case: String, employee: String, talk: Talk, reason: String },
    /// A lead orders another round (B6).
    Postpone { callback: AggregateId, employee: String, not_before: DateTime<Utc>, reason: String },
    /// A lead gives the callback up (B6).
    Cancel { callback: AggregateId, employee: String, reason: String },
    /// A deadline has come: what is due by then happens.
    Due { callback: AggregateId },
    /// The calendar has changed (S3).
    Recompute { callback: AggregateId },
}

/// What was found owed under a case before anything was locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The open callbacks.
    pub callbacks: Vec<AggregateId>,
    /// Read together with them: while it stands, none has been added.
    pub tally: Tally,
}

/// What an attempt met, with what its record needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The client was not reached.
    Unreached(Met),
    /// The client was reached and named another time (B3).
    Inconvenient { agreed: DateTime<Utc>, client_asked: bool },
}

/// A callback to be made, as the causing event describes it.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub name: CallbackName,
    pub cause: Cause,
    /// `branches/{branch}`
    pub branch: String,
    pub client: String,
    /// Sealed under this callback.
    pub phone: Option<Private>,
    pub phone_masked: String,
    pub subject: Option<Private>,
}

/// What calls for it, with what only that kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// K6.
    Promise { agreed: DateTime<Utc>, client_asked: bool },
    /// K14.
    MissedCall(MissedCall),
    /// O5.
    AfterHours,
    /// C9.
    Verification(Verification),
}

/// A call that nobody answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedCall {
    /// `calls/{call}`
    pub call: String,
    /// Opaque: of the client, or of the number where nobody is known; empty where neither is.
    pub caller_key: Vec<u8>,
    /// Opaque: of the number; empty where it was withheld, and on calls that an earlier release registered.
    pub number_key: Vec<u8>,
}

impl MissedCall {
    /// The unique keys under which it may meet others of its caller within a branch.
    pub fn keys(&self, branch: &str) -> BTreeSet<Key> {
        let known = [&self.caller_key, &self.number_key].into_iter().filter(|key| !key.is_empty());
        known.map(|key| missed_caller(branch, &hex::encode(key))).collect()
    }
}

impl Command {
    /// The one callback that it is about; `None` where it is about none or several.
    pub fn callback(&self) -> Option<AggregateId> {
        match self {
            Self::Schedule(schedule) => Some(schedule.name.aggregate()),
            Self::Lease { callback, .. }
            | Self::Release { callback, .. }
            | Self::RecordAttempt { callback, .. }
            | Self::Complete { callback, .. }
            | Self::Supersede { callback, .. }
            | Self::Postpone { callback, .. }
            | Self::Cancel { callback, .. }
            | Self::Due { callback }
            | Self::Recompute { callback } => Some(callback.clone()),
            Self::AdoptPolicy(_) | Self::CancelCase { .. } | Self::EndVerification { .. } => None,
        }
    }

    /// The case about which a talk is recorded or corrected; empty where there is none.
    pub fn talked_about(&self) -> &str {
        match self {
            Self::Complete { case, .. } | Self::Supersede { case, .. } => case,
            _ => "",
        }
    }

    /// Who gives it; `None` where no person does.
    pub fn employee(&self) -> Option<&str> {
        match self {
            Self::Lease { employee, .. }
            | Self::Release { employee, .. }
            | Self::RecordAttempt { employee, .. }
            | Self::Complete { employee, .. }
            | Self::Supersede { employee, .. }
            | Self::Postpone { employee, .. }
            | Self::Cancel { employee, .. } => Some(employee),
            Self::AdoptPolicy(_)
            | Self::Schedule(_)
            | Self::CancelCase { .. }
            | Self::EndVerification { .. }
            | Self::Due { .. }
            | Self::Recompute { .. } => None,
        }
    }
}
