//! The state of one complaint.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_vault::Sealed;

use super::{
    limits::Limit,
    name::ComplaintName,
    terms::{ApprovalLevel, Channel, End, Finding, Kind, Measures, ReplyKind, Severity},
};

/// A record form (处理单) and what became of it. Texts are sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    pub name: ComplaintName,
    pub kind: Kind,
    pub channel: Channel,
    /// The firm's code of what it is about.
    pub category: String,
    /// `branches/{branch}`: HQ or the branch that received it (C2).
    pub receiving_unit: String,
    /// The client's external id; empty while unknown.
    pub client: String,
    pub record: Record,
    /// Employees whom it is about (O12), `employees/{employee}`.
    pub complained_about: Vec<String>,
    pub filed_by: String,
    pub filed: DateTime<Utc>,
    /// When it reached the firm: earlier than `filed` for what came on paper (K20).
    pub received: DateTime<Utc>,
    /// C15; given once for good.
    pub number: Option<String>,
    pub acceptance: Option<Acceptance>,
    /// What the client was told when it was declined (C16).
    pub decline_explanation: Option<Sealed>,
    pub stage: Stage,
    /// From 1; rises with each reopening.
    pub round: u32,
    /// Of all rounds, oldest first.
    pub limits: Vec<Limit>,
    pub communications: Vec<Communication>,
    pub replies: Vec<Reply>,
    /// Remarks with which proposals were returned, oldest first.
    pub remarks: Vec<Sealed>,
    /// Never edited (C11).
    pub verifications: Vec<Verification>,
    /// Whether the client can be taken for unreachable in the present round (O8). `None` in what a release wrote that took no note of attempts: a lead is
    /// believed then.
    #[serde(default)]
    pub attempts: Option<Attempts>,
    pub handled: Option<DateTime<Utc>>,
    pub closed: Option<DateTime<Utc>>,
    /// The policy `complaints` under which it is handled: of its acceptance, before that of its filing (P1).
    pub policy_version: String,
    /// The calendar from which its limits were computed (S3).
    pub calendar_version: String,
    /// Rises with whatever people and clients did; not with a limit that passes or a record that is shown.
    pub revision: i64,
}

/// The record as it was taken down (C3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub client_name: Option<Sealed>,
    pub client_name_masked: String,
    pub phone: Option<Sealed>,
    pub phone_masked: String,
    pub subject: Option<Sealed>,
    pub place: Option<Sealed>,
    pub course: Option<Sealed>,
    pub first_proposal: Option<Sealed>,
    /// Others who were involved, in words.
    pub persons_involved: Option<Sealed>,
    /// When it happened, if the client could say.
    pub occurred: Option<DateTime<Utc>>,
}

/// How it was taken up (C2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    pub severity: Severity,
    pub complex: bool,
    /// Its limits are those of VIP and core clients (L12).
    pub vip: bool,
    pub by: String,
    pub time: DateTime<Utc>,
}

/// Where a complaint is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Waits for the complaint officer.
    Filed,
    /// A proposal is owed; what is no complaint needs none (C6).
    Handling,
    /// The proposal waits for approval.
    Proposed {
        proposal: Box<Proposal>,
    },
    /// Outcome and measures are owed.
    Approved {
        proposal: Box<Proposal>,
    },
    /// The client is called back (C9).
    Handled {
        proposal: Option<Box<Proposal>>,
    },
    Closed {
        proposal: Option<Box<Proposal>>,
        end: End,
    },
    /// C16
    Declined,
}

/// A proposal for the handling (C6, C8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    pub finding: Finding,
    /// Partly or wholly our fault, but the remedy needs more than we may decide.
    pub beyond_authority: bool,
    pub malicious: bool,
    pub text: Option<Sealed>,
    /// Numbered from 1 in this order.
    pub measures: Vec<Measure>,
    pub proposer: String,
    /// Who approves, lowest first.
    pub levels: Vec<ApprovalLevel>,
    /// Of the lowest levels, in order.
    pub approvals: Vec<Approval>,
}

/// A corrective measure (整改措施).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// `employees/{employee}`
    pub responsible: String,
    pub text: Option<Sealed>,
    /// The last word on it; `None` while there is none.
    pub done: Option<bool>,
}

/// One level's approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub level: ApprovalLevel,
    pub approver: String,
    pub time: DateTime<Utc>,
}

/// A contact with another department or unit (C4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Communication {
    pub unit: String,
    pub person: Option<Sealed>,
    pub content: Option<Sealed>,
    pub time: DateTime<Utc>,
    pub employee: String,
}

/// What the client was told (C5, C7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub kind: ReplyKind,
    pub text: Option<Sealed>,
    pub employee: String,
    pub time: DateTime<Utc>,
    pub round: u32,
}

/// What the client said when called back (C9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    pub round: u32,
    /// `branches/{branch}/callbacks/{callback}`
    pub callback: String,
    pub satisfied: bool,
    /// `None` where nothing was said of measures.
    pub measures: Option<Measures>,
    pub employee: String,
    pub time: DateTime<Utc>,
    /// Does not stand any more: the next one of the same callback does (C11).
    pub superseded: bool,
}

/// The attempts to reach the client for the verification of a round (B6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempts {
    /// Some are left, or it has not come to them yet.
    Open,
    /// A lead decides.
    UsedUp,
}

impl Complaint {
    /// Whether somebody still has to do something.
    pub fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Closed { .. } | Stage::Declined)
    }

    /// Whether a proposal and a verification belong to its handling; an opinion, a suggestion or an inquiry is only answered.
    pub fn needs_proposal(&self) -> bool {
        self.kind == Kind::Complaint
    }

    /// The proposal of the present round, if there is one.
    pub fn proposal(&self) -> Option<&Proposal> {
        match &self.stage {
            Stage::Proposed { proposal } | Stage::Approved { proposal } => Some(proposal),
            Stage::Handled { proposal } | Stage::Closed { proposal, .. } => proposal.as_deref(),
            Stage::Filed | Stage::Handling | Stage::Declined => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn proposal_mut(&mut self) -> Option<&mut Proposal> {
        match &mut self.stage {
            Stage::Proposed { proposal } | Stage::Approved { proposal } => Some(proposal),
            Stage::Handled { proposal } | Stage::Closed { proposal, .. } => proposal.as_deref_mut(),
            Stage::Filed | Stage::Handling | Stage::Declined => None,
        }
    }

    /// Whether the complaint is about this employee (O12).
    pub fn is_about(&self, employee: &str) -> bool {
        self.complained_about.iter().any(|known| known == employee)
    }

    /// The furthest that the client was told in the present round.
    pub fn told(&self) -> Option<ReplyKind> {
        self.replies.iter().filter(|reply| reply.round == self.round).map(|reply| reply.kind).max()
    }

    /// Whether the present round began because a verification sent the complaint back (C10), even if that result was superseded since (C11).
    pub fn was_sent_back(&self) -> bool {
        self.verifications
            .iter()
            .any(|verification| verification.round + 1 == self.round && !verification.satisfied)
    }

    /// The callback by which the present round is verified (C9): named for complaint and round, below the unit that received the complaint (B7).
    pub fn verification(&self) -> String {
        format!("{}/callbacks/{}-{}", self.receiving_unit, self.name.id(), self.round)
    }

    /// The stage as the contract calls it.
    pub fn stage_name(&self) -> &'static str {
        match self.stage {
            Stage::Filed => "FILED",
            Stage::Handling => "HANDLING",
            Stage::Proposed { .. } => "PROPOSED",
            Stage::Approved { .. } => "APPROVED",
            Stage::Handled { .. } => "HANDLED",
            Stage::Closed { .. } => "CLOSED",
            Stage::Declined => "DECLINED",
        }
    }
}

impl Proposal {
    /// The levels that have not approved yet, lowest first.
    pub fn open_levels(&self) -> &[ApprovalLevel] {
        self.levels.get(self.approvals.len()..).unwrap_or_default()
    }

    /// Whether this employee approved a level of it.
    pub fn was_approved_by(&self, employee: &str) -> bool {
        self.approvals.iter().any(|approval| approval.approver == employee)
    }

    /// Whether a measure was recorded as not carried out, and not as carried out since.
    pub fn has_failed(&self) -> bool {
        self.measures.iter().any(|measure| measure.done == Some(false))
    }

    /// Numbers of the measures that were not carried out (yet).
    pub fn open_measures(&self) -> Vec<usize> {
        let open = self.measures.iter().enumerate().filter(|(_, measure)| measure.done != Some(true));
        open.map(|(index, _)| index + 1).collect()
    }
}
