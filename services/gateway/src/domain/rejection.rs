//! Why a command is refused. A closed set; `api::failures` turns each into a status with its reason and remedy.

use shouwen_policy::PolicyRejection;

/// Who is responsible for a case, for those who are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Responsible {
    pub case: String,
    pub first_responder: String,
    pub accountable: String,
    pub handler: String,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum Rejection {
    #[error("CASE_NOT_FOUND {0}")]
    CaseNotFound(String),
    #[error("CONTACT_NOT_FOUND {0}")]
    ContactNotFound(String),
    /// Another employee answered the contact (O1).
    #[error("CONTACT_CLAIMED {contact}")]
    ContactClaimed { contact: String, employee: String, responsible: Responsible },
    #[error("CLIENT_ALREADY_IDENTIFIED {0}")]
    ClientAlreadyIdentified(String),
    #[error("NOT_RESPONSIBLE {}", .0.case)]
    NotResponsible(Responsible),
    #[error("CASE_MERGED {case}")]
    Merged { case: String, survivor: String },
    #[error("ILLEGAL_TRANSITION {case}: {action} while {phase}")]
    IllegalTransition { case: String, phase: &'static str, action: &'static str },
    #[error("ETAG_MISMATCH {0}")]
    EtagMismatch(String),
    #[error("OFFER_PENDING {0}")]
    OfferPending(String),
    #[error("NO_SUCH_OFFER {case} {offer}")]
    NoSuchOffer { case: String, offer: String },
    #[error("NOT_THE_RECEIVER {receiver}")]
    NotTheReceiver { receiver: String },
    #[error("RECEIVER_INVALID {employee} {problem}")]
    ReceiverInvalid { employee: String, problem: &'static str },
    #[error("OVERRIDE_RUNNING {0}")]
    OverrideRunning(String),
    /// The case does not end before its complaints.
    #[error("COMPLAINT_OPEN {case} {complaint}")]
    ComplaintOpen { case: String, complaint: String },
    /// An open complaint of the case is about who acts (O12).
    #[error("RECUSED {case} {complaint}")]
    Recused { case: String, complaint: String },
    #[error("NO_OVERRIDE {0}")]
    NoOverride(String),
    /// An entry of the roster: field and what is wrong with it.
    #[error("ROSTER_INVALID {field}: {problem}")]
    RosterInvalid { field: &'static str, problem: &'static str },
    /// The first administrator was made before.
    #[error("ROSTER_NOT_EMPTY")]
    RosterNotEmpty,
    #[error("POLICY_NOT_FOUND {0}")]
    PolicyNotFound(String),
    #[error("{}", .0.reason())]
    Policy(PolicyRejection),
}
