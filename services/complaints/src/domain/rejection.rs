//! Why a command has no effect: the closed set of this service.

use shouwen_policy::InvalidBook;

use super::terms::{ApprovalLevel, ReplyKind};

/// A refusal. Texts are for the log and for parked events; callers are told by `api::failures`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no complaint {0}")]
    NotFound(String),
    /// O12.
    #[error("the complaint {0} is about the caller")]
    Recused(String),
    #[error("{0} has changed since it was read")]
    Changed(String),
    #[error("{action} is not possible while {name} is {state}")]
    IllegalTransition { name: String, state: &'static str, action: &'static str },
    /// The field names a time that has not come.
    #[error("{0} lies in the future")]
    InFuture(&'static str),
    /// C8.
    #[error("an upheld complaint needs measures")]
    MeasuresRequired,
    #[error("what is no complaint needs no proposal")]
    NoProposalNeeded,
    /// P3.
    #[error("a second person has to do this")]
    SecondPersonRequired,
    /// C6.
    #[error("the level {} is beyond the caller", .0.as_str())]
    LevelTooHigh(ApprovalLevel),
    /// C6, C7.
    #[error("{0} is not approved")]
    NotApproved(String),
    #[error("the proposal has no measure {0}")]
    MeasureUnknown(i32),
    /// C5, C7.
    #[error("the client was not told the {} yet", .0.as_str())]
    ReplyMissing(ReplyKind),
    /// C9: numbers of the measures.
    #[error("measures {0:?} are open")]
    MeasuresOpen(Vec<usize>),
    /// O8, B6: the callback by which the client is still to be tried.
    #[error("the attempts of {0} are not used up")]
    AttemptsOpen(String),
    /// A verification of a round that has not begun.
    #[error("{name} has not reached round {round}")]
    RoundUnknown { name: String, round: u32 },
    /// The policy under which the complaint is handled is not known here (yet).
    #[error("{0}")]
    PolicyUnknown(String),
    /// A policy that ownership approved is not valid here (P1).
    #[error(transparent)]
    PolicyInvalid(#[from] InvalidBook),
    /// A fault of ours.
    #[error("internal: {0}")]
    Internal(&'static str),
}
