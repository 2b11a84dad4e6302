//! Why a command is refused. A closed set; `api::failures` turns each into a status with its reason and remedy.

use chrono::{DateTime, Utc};
use shouwen_policy::InvalidBook;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("CALL_EXISTS {0}")]
    CallExists(String),
    #[error("CALL_NOT_FOUND {0}")]
    CallNotFound(String),
    /// The branch whose contact it is lies outside the caller's reach.
    #[error("BRANCH_OUT_OF_REACH {0}")]
    BranchOutOfReach(String),
    /// Ownership was asked about another case than the contact's.
    #[error("CASE_MISMATCH {0}")]
    CaseMismatch(String),
    /// With employee and case of who answered, if anybody did.
    #[error("ILLEGAL_TRANSITION {call}: {action} while {state}")]
    IllegalTransition {
        call: String,
        state: &'static str,
        action: &'static str,
        answered: Option<(String, String)>,
    },
    #[error("occur_time lies in the future")]
    OccurTimeFuture,
    /// The channel named is not the one that was registered.
    #[error("channel differs from the registered one of {0}")]
    ChannelDiffers(String),
    /// Only inbound calls ring and can be missed (K14).
    #[error("NOT_AN_INBOUND_CALL {0}")]
    NotAnInboundCall(String),
    #[error("ETAG_MISMATCH {0}")]
    EtagMismatch(String),
    /// There is nothing to confirm (K10).
    #[error("RECORD_MISSING {0}")]
    RecordMissing(String),
    #[error("AGREED_TIME_PAST")]
    AgreedTimePast,
    /// B2
    #[error("OUTSIDE_CALLING_WINDOWS")]
    OutsideCallingWindows { next_open: DateTime<Utc> },
    /// Neither a number was given nor is the caller's known.
    #[error("PHONE_REQUIRED")]
    PhoneRequired,
    /// The outcome says that a callback was promised, and none was.
    #[error("PROMISE_MISSING {0}")]
    PromiseMissing(String),
    /// A policy that ownership approved is not valid here (P1).
    #[error(transparent)]
    PolicyInvalid(#[from] InvalidBook),
}
