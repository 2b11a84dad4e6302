//! What can be wrong with a document, a version string or a step in a proposal's life.

use chrono::{DateTime, Utc};
use thiserror::Error;

/// One fault in a policy document (P1). It names the place and what to do about it, so that whoever wrote the document
/// can mend it without reading code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {problem}; {remedy}")]
pub struct PolicyError {
    /// Path in the document, positions counted from 0: `attempts`, `calling_windows[1]`.
    pub field: String,
    /// What is wrong, with the value.
    pub problem: String,
    /// What to do.
    pub remedy: String,
    /// What is wrong and what to do, in Chinese.
    pub chinese: String,
}

impl PolicyError {
    pub(crate) fn new(
        field: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
        chinese: impl Into<String>,
    ) -> PolicyError {
        PolicyError {
            field: field.into(),
            problem: problem.into(),
            remedy: remedy.into(),
            chinese: chinese.into(),
        }
    }
}

/// A version string that is malformed, of another kind than asked for, or names a version that this book does not hold
/// (yet).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("policy version {version:?} {problem}")]
pub struct UnknownVersion {
    pub version: String,
    pub problem: String,
}

/// Why a step in a proposal's life is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyRejection {
    /// P1: the document, alone or together with what it is laid over or under, is not valid. Never empty.
    #[error("the policy document is not valid: {}", list(.0))]
    Invalid(Vec<PolicyError>),
    /// P2, P3: the moment from which it should hold has passed.
    #[error("the policy should hold from {effective_from}, which has passed; propose it with a later time")]
    EffectiveTimePast { effective_from: DateTime<Utc> },
    /// P3.
    #[error("{proposer} proposed this policy; somebody else at HQ has to approve it")]
    ProposerCannotApprove { proposer: String },
    /// It was decided before; `status` is what it is now: `approved` or `rejected`.
    #[error("the policy is {status} already; propose a new version")]
    IllegalTransition { policy: String, status: &'static str, action: &'static str },
    /// P2: the firm's standard, and any approval, is HQ's.
    #[error("only HQ proposes the firm's standard and decides on proposals")]
    HeadquartersOnly,
    /// P2: a branch adjusts the policy for itself only.
    #[error("{branch} is not within your reach; its own lead or HQ proposes for it")]
    BranchOutOfReach { branch: String },
}

impl PolicyRejection {
    /// The machine-readable reason of the contract.
    pub fn reason(&self) -> &'static str {
        match self {
            PolicyRejection::Invalid(_) => "POLICY_INVALID",
            PolicyRejection::EffectiveTimePast { .. } => "EFFECTIVE_TIME_PAST",
            PolicyRejection::ProposerCannotApprove { .. } => "PROPOSER_CANNOT_APPROVE",
            PolicyRejection::IllegalTransition { .. } => "ILLEGAL_TRANSITION",
            PolicyRejection::HeadquartersOnly => "ROLE_REQUIRED",
            PolicyRejection::BranchOutOfReach { .. } => "BRANCH_OUT_OF_REACH",
        }
    }
}

/// All faults in one line.
pub(crate) fn list(errors: &[PolicyError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}
