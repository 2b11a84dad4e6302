//! What a policy is about and for whom it holds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::PolicyError;

const BRANCHES: &str = "branches/";

/// What a policy is about; each kind has its own document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Working hours (S1).
    Hours,
    /// Offers, overrides and the answer clock of cases (O3, O4, O7, K15).
    Ownership,
    /// Ringing and missed calls (K2, K14).
    Calls,
    /// Calling windows, attempts and leases (B1, B2, B6, B8).
    Callbacks,
    /// Classes, coverage, marks and verification of clients (K11, L1, L2, L8, L12).
    Clients,
    /// Limits and approval of complaints (C5-C7, L12).
    Complaints,
    /// How missed limits escalate (O10).
    Escalation,
    /// Presence, reservations and the queue (K1, K2).
    Routing,
    /// Working and trading days (S1, S3); scope `firm` only.
    Calendar,
}

/// A kind that does not exist: reason `POLICY_KIND_UNKNOWN`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a kind of policy; the kinds are hours, ownership, calls, callbacks, clients, complaints, escalation, routing and calendar"
)]
pub struct UnknownKind(pub String);

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::Hours,
        Kind::Ownership,
        Kind::Calls,
        Kind::Callbacks,
        Kind::Clients,
        Kind::Complaints,
        Kind::Escalation,
        Kind::Routing,
        Kind::Calendar,
    ];

    /// The name in the contract and in version strings.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Hours => "hours",
            Kind::Ownership => "ownership",
            Kind::Calls => "calls",
            Kind::Callbacks => "callbacks",
            Kind::Clients => "clients",
            Kind::Complaints => "complaints",
            Kind::Escalation => "escalation",
            Kind::Routing => "routing",
            Kind::Calendar => "calendar",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Kind, UnknownKind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownKind(text.into()))
    }
}

/// For whom a version holds (P2): `firm` or `branches/{branch}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    Firm,
    /// The branch's id, without `branches/`: 1-40 of `a-z 0-9 -`.
    Branch(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Firm => f.write_str("firm"),
            Scope::Branch(branch) => write!(f, "{BRANCHES}{branch}"),
        }
    }
}

impl FromStr for Scope {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Scope, PolicyError> {
        if text == "firm" {
            return Ok(Scope::Firm);
        }
        match text.strip_prefix(BRANCHES) {
            Some(branch) if is_branch_id(branch) => Ok(Scope::Branch(branch.into())),
            _ => Err(PolicyError::new(
                "scope",
                format!("{text:?} is not a scope"),
                "use `firm` or `branches/{branch}`",
                format!("{text:?} 不是有效的范围；请填写 `firm` 或 `branches/{{branch}}`"),
            )),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Scope, PolicyError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> String {
        scope.to_string()
    }
}

/// The id of a branch given by its resource name or by its id alone.
pub(crate) fn branch_id(branch: &str) -> &str {
    branch.strip_prefix(BRANCHES).unwrap_or(branch)
}

fn is_branch_id(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
