//! Why a command has no effect: the closed set of this service.

use chrono::{DateTime, Utc};
use shouwen_policy::InvalidBook;

/// A refusal. Texts are for the log and for parked events; callers are told by `api::failures`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no callback {0}")]
    NotFound(String),
    /// B8.
    #[error("leased by {employee} until {until}")]
    LeasedByAnother { employee: String, until: DateTime<Utc> },
    /// B6, or the agreed time.
    #[error("not before {0}")]
    TooEarly(DateTime<Utc>),
    /// B2.
    #[error("outside the calling windows; the next opens at {0}")]
    OutsideWindows(DateTime<Utc>),
    /// B6.
    #[error("the attempts are used up; a lead decides")]
    LeadDecides,
    /// B8.
    #[error("the callback is not leased by the caller")]
    NotLeased,
    /// B3.
    #[error("the agreed time has passed")]
    AgreedTimePast,
    /// B2, B3.
    #[error("the agreed time lies outside the calling windows; the next opens at {0}")]
    AgreedOutsideWindows(DateTime<Utc>),
    #[error("the new round would begin in the past")]
    NotBeforePast,
    /// B7, O12: the complaint is about the caller.
    #[error("{0} is about the caller")]
    Recused(String),
    /// C9.
    #[error("a verification needs what became of the measures")]
    MeasuresRequired,
    /// C9.
    #[error("only a verification says what became of measures")]
    MeasuresUnasked,
    /// C11.
    #[error("{name} is {state}: there is no result to supersede")]
    NotCompleted { name: String, state: &'static str },
    /// C9: the complaint that waits for it.
    #[error("a verification ends with the complaint {0}, which waits for it")]
    VerificationNotCancellable(String),
    /// C11: who recorded the result that stands.
    #[error("{0} recorded the result that stands; somebody else supersedes it")]
    SecondPersonRequired(String),
    #[error("{action} is not possible while {name} is {state}")]
    IllegalTransition { name: String, state: &'static str, action: &'static str },
    /// The policy under which the callback began is not known here (yet).
    #[error("{0}")]
    PolicyUnknown(String),
    /// A policy that ownership approved is not valid here (P1).
    #[error(transparent)]
    PolicyInvalid(#[from] InvalidBook),
    /// A time that does not fit any calendar, or a key that does not belong to the batch: a fault of ours.
    #[error("internal: {0}")]
    Internal(&'static str),
}
