//! Why a command has no effect. One closed set; the api maps it to the contract's reasons.

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_policy::InvalidBook;

use super::{coverage::Position, factor::Factor};

/// A refusal of this service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// `clients/{client}`
    #[error("there is no {0}")]
    NotFound(String),
    #[error("there is no import {0}")]
    ImportNotFound(String),
    #[error("{0} has changed")]
    EtagMismatch(String),
    /// The client belongs to a branch that the caller does not reach.
    #[error("{0} is out of reach")]
    BranchOutOfReach(String),
    /// L1: how many the policy allows.
    #[error("more than {0} capital accounts")]
    TooManyAccounts(u32),
    /// L9: which field changed without it.
    #[error("{0} changed without evidence")]
    EvidenceRequired(&'static str),
    /// L1: who has it.
    #[error("the identity number is that of {0}")]
    IdentityNumberTaken(String),
    /// L1: the index of the account in the file, and who has it.
    #[error("capital account {index} is that of {client}")]
    CapitalAccountTaken { index: usize, client: String },
    /// L8
    #[error("the service manager is not at work in the client's branch")]
    ManagerInvalid,
    /// L8: the position that is needed.
    #[error("the position is too low")]
    PositionTooLow(Position),
    /// K11
    #[error("the verification is locked until {0}")]
    VerificationLocked(DateTime<Utc>),
    #[error("no verification is running")]
    VerificationNotStarted,
    #[error("the factor was answered before")]
    FactorAnswered(Factor),
    #[error("the factor is not on file")]
    FactorNotOnFile(Factor),
    #[error("the client's identity is not verified")]
    IdentityNotVerified,
    /// L10: the employee has looked for as many clients as the policy allows.
    #[error("no more lookups before {until}")]
    LookupsUsedUp { until: DateTime<Utc>, wait: TimeDelta },
    /// The same import was begun again meanwhile.
    #[error("the import was begun again")]
    ImportSuperseded,
    #[error("unknown policy version: {0}")]
    PolicyUnknown(String),
    /// An approved policy that is not valid here.
    #[error(transparent)]
    PolicyInvalid(#[from] InvalidBook),
    /// A command that does not fit its aggregate: a fault of ours.
    #[error("internal: {0}")]
    Internal(&'static str),
}
