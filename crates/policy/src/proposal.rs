//! From a proposal to a version: proposed by one person, approved or rejected by another at HQ (P1-P3). Pure decisions
//! that return the events of the contract; the service of the policies adds storage and numbering.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_proto::events::v1::{PolicyApproved, PolicyProposed, PolicyRejected};

use crate::book::PolicyBook;
use crate::calendar::calendar_data;
use crate::document::{Document, PolicyDocument, check_fields};
use crate::documents::{
    CallbacksPolicy, CallsPolicy, ClientsPolicy, ComplaintsPolicy, EscalationPolicy, HoursPolicy,
    OwnershipPolicy, RoutingPolicy,
};
use crate::error::{PolicyError, PolicyRejection};
use crate::events::{self, timestamp};
use crate::kind::{Kind, Scope};
use crate::protobuf::document_to_struct;
use crate::version::PolicyVersion;

/// What somebody wants to hold from a moment on.
#[derive(Debug, Clone, PartialEq)]
pub struct Propose {
    /// The name of the new policy, `policies/{policy}`.
    pub policy: String,
    pub kind: Kind,
    pub scope: Scope,
    /// Only the fields that it sets.
    pub document: Document,
    pub effective_from: DateTime<Utc>,
}

/// Who acts: the employee, also where a service account acts on the employee's behalf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person<'a> {
    /// `employees/{employee}`
    pub name: &'a str,
    pub reach: Reach<'a>,
}

/// For whom a person may propose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach<'a> {
    /// For the firm and every branch; approves and rejects.
    Headquarters,
    /// For these branches, `branches/{branch}`.
    Branches(&'a [String]),
}

/// A policy from its proposal on: the state of the aggregate `policies/{policy}`, also as it is stored.
///
/// Kind, scope and document stand as the event gave them, so that an event of a newer release can always be taken in:
/// what cannot be read here cannot be approved here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyState {
    /// `policies/{policy}`
    pub policy: String,
    pub kind: String,
    pub scope: String,
    pub revision: i64,
    /// Empty where the proposal's could not be read.
    pub document: Document,
    /// 1970 where the proposal named none.
    pub effective_from: DateTime<Utc>,
    pub proposer: String,
    #[serde(flatten)]
    pub status: PolicyStatus,
}

/// Where a proposal stands. Stored beside the other fields: `"status": "approved", "approver": …`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum PolicyStatus {
    Proposed,
    Approved { approver: String, approved_at: DateTime<Utc> },
    Rejected { rejected_by: String, reason: String, rejected_at: DateTime<Utc> },
}

/// The engine's counter that numbers the proposals of a kind and scope.
pub fn revision_counter(kind: Kind, scope: &Scope) -> String {
    format!("policies/{kind}@{scope}")
}

/// Checks a version whole before anyone can approve it (P1): its own fields, and every effective policy that it would
/// become part of, for the firm and for each branch with versions of its own, from its effective time on. For a branch
/// the document lies over the firm's.
pub fn validate_proposal(candidate: &PolicyVersion, book: &PolicyBook) -> Result<(), Vec<PolicyError>> {
    if candidate.document.is_empty() {
        let remedy = "set at least one field; to return to the former values, set them";
        let chinese = "内容为空；请至少设定一项，要恢复原值就填写原值";
        return Err(vec![PolicyError::new("document", "it is empty", remedy, chinese)]);
    }
    let of_itself = match candidate.kind {
        Kind::Hours => check::<HoursPolicy>(&candidate.document),
        Kind::Ownership => check::<OwnershipPolicy>(&candidate.document),
        Kind::Calls => check::<CallsPolicy>(&candidate.document),
        Kind::Callbacks => check::<CallbacksPolicy>(&candidate.document),
        Kind::Clients => check::<ClientsPolicy>(&candidate.document),
        Kind::Complaints => check::<ComplaintsPolicy>(&candidate.document),
        Kind::Escalation => check::<EscalationPolicy>(&candidate.document),
        Kind::Routing => check::<RoutingPolicy>(&candidate.document),
        Kind::Calendar => calendar_data(&candidate.document).err().unwrap_or_default(),
    };
    if !of_itself.is_empty() {
        return Err(of_itself);
    }
    book.with(candidate.clone()).map(|_| ()).map_err(|invalid| {
        let combined = |mut error: PolicyError| {
            error.problem = format!("{} (as {})", error.problem, invalid.combination);
            error.chinese = format!("{}（合并后：{}）", error.chinese, invalid.combination);
            error
        };
        invalid.errors.into_iter().map(combined).collect()
    })
}

/// Proposes a version. `revision` is the next number of its [`revision_counter`].
pub fn propose(
    command: &Propose,
    revision: i64,
    now: DateTime<Utc>,
    proposer: Person<'_>,
    book: &PolicyBook,
) -> Result<PolicyProposed, PolicyRejection> {
    within_reach(&command.scope, proposer.reach)?;
    not_past(command.effective_from, now)?;
    let candidate = PolicyVersion {
        policy: command.policy.clone(),
        kind: command.kind,
        scope: command.scope.clone(),
        revision,
        document: command.document.clone(),
        effective_from: command.effective_from,
    };
    validate_proposal(&candidate, book).map_err(PolicyRejection::Invalid)?;
    let fields = document_to_struct(&command.document).map_err(invalid)?;
    Ok(PolicyProposed {
        policy: candidate.policy,
        kind: candidate.kind.to_string(),
        scope: candidate.scope.to_string(),
        revision,
        document: Some(fields),
        effective_time: Some(timestamp(command.effective_from)),
        proposer: proposer.name.into(),
    })
}

/// Approves a proposal: somebody at HQ (P2) who did not propose it (P3), not after the moment from which it should hold.
/// It is checked once more, because others may have been approved since it was proposed (P1).
pub fn approve(
    state: &PolicyState,
    now: DateTime<Utc>,
    approver: Person<'_>,
    book: &PolicyBook,
) -> Result<PolicyApproved, PolicyRejection> {
    at_headquarters(approver)?;
    undecided(state, "approve the policy")?;
    if state.proposer == approver.name {
        return Err(PolicyRejection::ProposerCannotApprove { proposer: state.proposer.clone() });
    }
    not_past(state.effective_from, now)?;
    let candidate = state.candidate().map_err(invalid)?;
    validate_proposal(&candidate, book).map_err(PolicyRejection::Invalid)?;
    Ok(PolicyApproved {
        policy: state.policy.clone(),
        kind: state.kind.clone(),
        scope: state.scope.clone(),
        revision: state.revision,
        document: Some(document_to_struct(&state.document).map_err(invalid)?),
        effective_time: Some(timestamp(state.effective_from)),
        proposer: state.proposer.clone(),
        approver: approver.name.into(),
    })
}

/// Rejects a proposal, whoever at HQ does it and however late: that also clears away what was never decided in time.
pub fn reject(
    state: &PolicyState,
    reason: &str,
    rejecter: Person<'_>,
) -> Result<PolicyRejected, PolicyRejection> {
    at_headquarters(rejecter)?;
    undecided(state, "reject the policy")?;
    Ok(PolicyRejected { policy: state.policy.clone(), reason: reason.into() })
}

impl From<&PolicyProposed> for PolicyState {
    fn from(event: &PolicyProposed) -> PolicyState {
        PolicyState {
            policy: event.policy.clone(),
            kind: event.kind.clone(),
            scope: event.scope.clone(),
            revision: event.revision,
            document: events::document(event.document.as_ref()).unwrap_or_default(),
            effective_from: events::moment(event.effective_time).unwrap_or(DateTime::UNIX_EPOCH),
            proposer: event.proposer.clone(),
            status: PolicyStatus::Proposed,
        }
    }
}

impl PolicyState {
    /// After its approval, recorded at `at`.
    #[must_use]
    pub fn approved(self, event: &PolicyApproved, at: DateTime<Utc>) -> PolicyState {
        let status = PolicyStatus::Approved { approver: event.approver.clone(), approved_at: at };
        PolicyState { status, ..self }
    }

    /// After its rejection by `by`, recorded at `at`.
    #[must_use]
    pub fn rejected(self, event: &PolicyRejected, by: &str, at: DateTime<Utc>) -> PolicyState {
        let reason = event.reason.clone();
        PolicyState {
            status: PolicyStatus::Rejected { rejected_by: by.into(), reason, rejected_at: at },
            ..self
        }
    }

    /// The version that it has become, once approved.
    pub fn version(&self) -> Result<Option<PolicyVersion>, PolicyError> {
        match self.status {
            PolicyStatus::Approved { .. } => self.candidate().map(Some),
            PolicyStatus::Proposed | PolicyStatus::Rejected { .. } => Ok(None),
        }
    }

    fn candidate(&self) -> Result<PolicyVersion, PolicyError> {
        Ok(PolicyVersion {
            policy: self.policy.clone(),
            kind: self.kind.parse().map_err(events::unknown_kind)?,
            scope: self.scope.parse()?,
            revision: self.revision,
            document: self.document.clone(),
            effective_from: self.effective_from,
        })
    }
}

impl PolicyStatus {
    /// The name in storage: `proposed`, `approved` or `rejected`.
    pub fn as_str(&self) -> &'static str {
        match self {
            PolicyStatus::Proposed => "proposed",
            PolicyStatus::Approved { .. } => "approved",
            PolicyStatus::Rejected { .. } => "rejected",
        }
    }
}

fn check<T: PolicyDocument>(document: &Document) -> Vec<PolicyError> {
    check_fields(T::KIND, T::FIELDS, document)
}

// P2
fn within_reach(scope: &Scope, reach: Reach<'_>) -> Result<(), PolicyRejection> {
    match (reach, scope) {
        (Reach::Headquarters, _) => Ok(()),
        (Reach::Branches(_), Scope::Firm) => Err(PolicyRejection::HeadquartersOnly),
        (Reach::Branches(own), Scope::Branch(_)) => {
            let branch = scope.to_string();
            if own.contains(&branch) { Ok(()) } else { Err(PolicyRejection::BranchOutOfReach { branch }) }
        }
    }
}

// P2
fn at_headquarters(person: Person<'_>) -> Result<(), PolicyRejection> {
    match person.reach {
        Reach::Headquarters => Ok(()),
        Reach::Branches(_) => Err(PolicyRejection::HeadquartersOnly),
    }
}

fn undecided(state: &PolicyState, action: &'static str) -> Result<(), PolicyRejection> {
    match &state.status {
        PolicyStatus::Proposed => Ok(()),
        decided => Err(PolicyRejection::IllegalTransition {
            policy: state.policy.clone(),
            status: decided.as_str(),
            action,
        }),
    }
}

/// A version that holds from this very moment is not past yet.
fn not_past(effective_from: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), PolicyRejection> {
    if effective_from < now { Err(PolicyRejection::EffectiveTimePast { effective_from }) } else { Ok(()) }
}

fn invalid(error: PolicyError) -> PolicyRejection {
    PolicyRejection::Invalid(vec![error])
}
