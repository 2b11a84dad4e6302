//! What can be asked of a complaint: by people, by what the client said, by deadlines.

use chrono::{DateTime, Utc};
use shouwen_engine::AggregateId;
use shouwen_proto::{events::v1::PolicyAdopted, r#type::v1::Private};

use super::{
    name::ComplaintName,
    terms::{ApprovalLevel, Channel, End, Finding, Kind, Measures, ReplyKind, Severity},
};

/// One command.
#[derive(Clone, Debug)]
pub enum Command {
    /// A policy version was approved in ownership (P1).
    AdoptPolicy(Box<PolicyAdopted>),
    /// A record form was filled in (C1-C3).
    File(Box<Filing>),
    /// An employee does something about a complaint.
    Act(Box<Act>),
    /// The client was called back (C9).
    Verify(Box<Verify>),
    /// The attempts to verify a round are used up (B6).
    Exhausted { complaint: AggregateId, round: u32 },
    /// A deadline has come: what is due by then happens.
    Due { complaint: AggregateId },
    /// The calendar has changed (S3).
    Recompute { complaint: AggregateId },
}

/// A record form as it was filled in. Texts are sealed under its complaint.
#[derive(Clone, Debug)]
pub struct Filing {
    pub name: ComplaintName,
    pub kind: Kind,
    pub channel: Channel,
    pub category: String,
    /// `branches/{branch}`
    pub receiving_unit: String,
    pub client: String,
    pub client_name: Option<Private>,
    pub client_name_masked: String,
    pub phone: Option<Private>,
    pub phone_masked: String,
    pub subject: Option<Private>,
    pub place: Option<Private>,
    pub course: Option<Private>,
    pub first_proposal: Option<Private>,
    pub persons_involved: Option<Private>,
    /// `employees/{employee}` each.
    pub complained_about: Vec<String>,
    pub occurred: Option<DateTime<Utc>>,
    /// `None` means now.
    pub received: Option<DateTime<Utc>>,
    pub filed_by: String,
}

/// Something that an employee does about a complaint.
#[derive(Clone, Debug)]
pub struct Act {
    pub complaint: AggregateId,
    pub who: Who,
    /// The revision that was read, where the caller says so.
    pub revision: Option<i64>,
    pub action: Action,
}

/// Who does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// `employees/{employee}`
    pub employee: String,
    /// The highest level of approval that the employee's roles reach for the receiving unit (C6).
    pub authority: Option<ApprovalLevel>,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum Action {
    /// C2
    Accept {
        severity: Severity,
        complex: bool,
        /// The client is VIP or core (L12).
        vip: bool,
    },
    /// C16
    Decline { explanation: Option<Private> },
    /// C4; `time` `None` means now.
    Communicate {
        unit: String,
        person: Option<Private>,
        content: Option<Private>,
        time: Option<DateTime<Utc>>,
    },
    /// C5, C7
    Reply { kind: ReplyKind, text: Option<Private> },
    /// C6, C8
    Propose(Proposing),
    /// C6
    Approve,
    /// C6
    Return { remarks: Option<Private> },
    /// C9
    RecordMeasure { measure: i32, done: bool, note: Option<Private> },
    /// C9; the client's external id as the case knows it now.
    Complete { client: String },
    /// C10
    Reopen { reason: String },
    /// C10
    Close { end: End, reason: String },
    /// L10
    ShowRecord { purpose: String },
}

/// A proposal as it is made.
#[derive(Clone, Debug)]
pub struct Proposing {
    pub finding: Finding,
    pub beyond_authority: bool,
    pub malicious: bool,
    pub text: Option<Private>,
    /// Who carries each measure out, `employees/{employee}`, and its text.
    pub measures: Vec<(String, Option<Private>)>,
}

/// What the client said when called back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    pub complaint: AggregateId,
    pub round: u32,
    /// `branches/{branch}/callbacks/{callback}`
    pub callback: String,
    /// Solved, not dissatisfied, and the measures carried out.
    pub satisfied: bool,
    pub measures: Option<Measures>,
    pub employee: String,
    /// Why the former result of the same callback does not stand (C11); empty for a first one.
    pub supersedes_reason: String,
}

impl Command {
    /// The complaint that it is about.
    pub fn complaint(&self) -> Option<AggregateId> {
        match self {
            Self::AdoptPolicy(_) => None,
            Self::File(filing) => Some(filing.name.aggregate()),
            Self::Act(act) => Some(act.complaint.clone()),
            Self::Verify(verify) => Some(verify.complaint.clone()),
            Self::Exhausted { complaint, .. } | Self::Due { complaint } | Self::Recompute { complaint } => {
                Some(complaint.clone())
            }
        }
    }

    /// Whether it gives the complaint a number if it has none yet (C15).
    pub fn numbers(&self) -> bool {
        matches!(self, Self::Act(act) if matches!(act.action, Action::Accept { .. } | Action::Decline { .. }))
    }
}

impl Action {
    /// The RPC behind it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accept { .. } => "AcceptComplaint",
            Self::Decline { .. } => "DeclineComplaint",
            Self::Communicate { .. } => "RecordCommunication",
            Self::Reply { .. } => "RecordReply",
            Self::Propose(_) => "ProposeHandling",
            Self::Approve => "ApproveProposal",
            Self::Return { .. } => "ReturnProposal",
            Self::RecordMeasure { .. } => "RecordMeasure",
            Self::Complete { .. } => "CompleteHandling",
            Self::Reopen { .. } => "ReopenComplaint",
            Self::Close { .. } => "CloseComplaint",
            Self::ShowRecord { .. } => "ReviewComplaint",
        }
    }
}
