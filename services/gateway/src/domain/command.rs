//! The commands of the domain, and what each may touch.

mod absence;
mod follow_up;
mod footprint;
mod routing;

use shouwen_engine::AggregateId;
use shouwen_policy::Propose;
use shouwen_proto::{
    events::v1::{CloseKind, OfferMessage},
    r#type::v1::Private,
};

use super::roster::RosterCommand;

pub use absence::{AbsenceAction, AbsenceCommand, AbsenceStep, Arranger, CHUNK, Enter, REASSIGNED, Reassign};
pub use follow_up::{FollowUp, Step};
pub use footprint::{CaseReach, Reach, Sought};
pub use routing::{PresenceCommand, Route, RoutingCommand, StaffingCommand, TransferAction, TransferCommand};

/// A command. Employees are named `employees/{employee}`.
#[derive(Clone, Debug)]
pub enum Command {
    Roster(RosterCommand),
    Policy(PolicyCommand),
    Contact(ContactCommand),
    Case(CaseCommand),
    FollowUp(FollowUp),
    Absence(AbsenceCommand),
    Reassign(Reassign),
    Presence(PresenceCommand),
    Routing(RoutingCommand),
    Transfer(TransferCommand),
    Staffing(StaffingCommand),
}

impl Command {
    /// The case that the command names.
    pub fn case(&self) -> Option<&AggregateId> {
        match self {
            Self::Case(command) => Some(&command.case),
            Self::FollowUp(
                FollowUp::Due { case, .. }
                | FollowUp::Attend(case)
                | FollowUp::Recompute(case)
                | FollowUp::Promised { case, .. }
                | FollowUp::PromiseMoved { case, .. }
                | FollowUp::CallbackCompleted { case, .. }
                | FollowUp::PromiseOver { case, .. }
                | FollowUp::ComplaintOpened { case, .. }
                | FollowUp::ComplaintReopened { case, .. }
                | FollowUp::ComplaintEnded { case, .. },
            ) => Some(case),
            _ => None,
        }
    }

    /// The contact that the command names.
    pub fn contact(&self) -> Option<&AggregateId> {
        match self {
            Self::Contact(
                ContactCommand::Claim(Claim { contact, .. })
                | ContactCommand::Identify { contact, .. }
                | ContactCommand::CompleteTouch { contact, .. }
                | ContactCommand::VoidTouch { contact, .. },
            )
            | Self::FollowUp(FollowUp::CallEnded { contact, .. })
            | Self::Transfer(TransferCommand { contact, .. }) => Some(contact),
            _ => None,
        }
    }

    /// The employee whose presence changes with the contact.
    pub fn answers(&self) -> Option<&str> {
        match self {
            Self::Contact(ContactCommand::Claim(claim)) => Some(&claim.employee),
            _ => None,
        }
    }
}

/// Proposals of policies (P1-P3).
#[derive(Clone, Debug)]
pub enum PolicyCommand {
    Propose { propose: Propose, proposer: String, branches: Option<Vec<String>> },
    Approve { policy: AggregateId, approver: String, branches: Option<Vec<String>>, etag: Option<i64> },
    Reject { policy: AggregateId, by: String, branches: Option<Vec<String>>, reason: String },
}

/// What happens to a contact.
#[derive(Clone, Debug)]
pub enum ContactCommand {
    /// An employee answers it (O1).
    Claim(Claim),
    /// Somebody learns who the client is.
    Identify { contact: AggregateId, client: String, topic: Option<String>, by: String },
    /// The backend took the first touch.
    CompleteTouch { contact: AggregateId, employee: String, case: String },
    /// The backend refused the call with this request id for good.
    VoidTouch { contact: AggregateId, request_id: String, reason: String },
}

/// The claim of a contact.
#[derive(Clone, Debug)]
pub struct Claim {
    pub contact: AggregateId,
    /// The id that a new case gets.
    pub case: AggregateId,
    pub employee: String,
    pub branch: String,
    pub topic: String,
    /// A number of `shouwen.type.v1.Channel`.
    pub channel: i32,
    pub client: Option<String>,
    /// The call that is owed to a backend.
    pub touch: Option<OwedTouch>,
}

/// A first touch that a backend still has to take.
#[derive(Clone, Debug)]
pub struct OwedTouch {
    pub method: String,
    pub request: Option<Private>,
    pub request_id: String,
}

/// What somebody does about a case. `by` is the employee who acts.
#[derive(Clone, Debug)]
pub struct CaseCommand {
    pub case: AggregateId,
    pub by: String,
    pub etag: Option<i64>,
    pub action: Action,
}

#[derive(Clone, Debug)]
pub enum Action {
    Offer {
        offer: String,
        to: String,
        reason: String,
        explanation: Option<Private>,
    },
    /// A message for a colleague, whose phone was answered (K13).
    Pass {
        offer: String,
        to: String,
        message: OfferMessage,
    },
    /// The message is shown to who acts.
    ReadMessage,
    Accept {
        offer: String,
    },
    Decline {
        offer: String,
        reason: String,
    },
    Withdraw {
        offer: String,
    },
    BeginOverride {
        reason: String,
    },
    EndOverride,
    Resolve {
        answer: Option<Private>,
    },
    Confirm {
        satisfied: bool,
        reason: String,
    },
    Close {
        kind: CloseKind,
        reason: String,
    },
    Reopen {
        reason: String,
    },
}
