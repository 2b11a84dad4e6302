//! Why a command is refused. A closed set; `api::failures` turns each into a status with its reason and remedy.

use shouwen_engine::Refusal;
use shouwen_policy::PolicyRejection;

/// Who is responsible for a case, for those who are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Responsible {
    pub case: String,
    pub first_responder: String,
    pub accountable: String,
    pub handler: String,
    /// Who acts in place of the absent ones (O9).
    pub deputies: Vec<String>,
}

/// How many of several names a refusal lists.
pub const LISTED: usize = 20;

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
    /// The employee is signed on at another desk.
    #[error("SESSION_ELSEWHERE {0}")]
    SessionElsewhere(String),
    /// No message was passed on with the case (K13).
    #[error("MESSAGE_NOT_FOUND {0}")]
    MessageNotFound(String),
    #[error("ROUTING_NOT_FOUND {0}")]
    RoutingNotFound(String),
    /// It does not ring at this employee's desk.
    #[error("NO_SUCH_RESERVATION {0}")]
    NoSuchReservation(String),
    #[error("ILLEGAL_TRANSITION {routing}: {action} while {phase}")]
    RoutingIllegal { routing: String, phase: &'static str, action: &'static str },
    /// Another employee is on the call (K5).
    #[error("NOT_ON_CALL {routing}")]
    NotOnCall { routing: String, employee: String },
    /// The call rings at a colleague's desk already.
    #[error("TRANSFER_PENDING {routing}")]
    TransferPending { routing: String, employee: String },
    #[error("NO_SUCH_TRANSFER {0}")]
    NoSuchTransfer(String),
    /// The target cannot be given a call now.
    #[error("TARGET_NOT_FREE {employee} {presence}")]
    TargetNotFree { employee: String, presence: &'static str },
    /// Who looked free is taken by now.
    #[error("CANDIDATES_TAKEN")]
    CandidatesTaken,
    #[error("POLICY_NOT_FOUND {0}")]
    PolicyNotFound(String),
    #[error("{}", .0.reason())]
    Policy(PolicyRejection),
    #[error("{0}")]
    Attendance(AttendanceRejection),
}

/// What O9 refuses: absences without a deputy, and cases without a responsible person at work.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AttendanceRejection {
    /// Who is to receive the work is absent (O9).
    #[error("RECEIVER_ABSENT {employee}")]
    ReceiverAbsent { employee: String, deputy: String },
    #[error("EMPLOYEE_NOT_FOUND {0}")]
    EmployeeNotFound(String),
    #[error("ABSENCE_NOT_FOUND {0}")]
    AbsenceNotFound(String),
    /// Only the employee, a lead of their branch or HQ arranges it.
    #[error("NOT_THEIR_LEAD {0}")]
    NotTheirLead(String),
    #[error("ILLEGAL_TRANSITION {absence}: {action} while {phase}")]
    AbsencePhase { absence: String, phase: &'static str, action: &'static str },
    #[error("ABSENCE_WINDOW_INVALID {field} {problem}")]
    AbsenceWindow { field: &'static str, problem: &'static str },
    /// The employee is absent then already.
    #[error("ABSENCE_OVERLAP {absence}")]
    AbsenceOverlap { absence: String },
    /// The employee deputises for others in that time.
    #[error("DEPUTISES {employee}")]
    Deputises { employee: String, absences: Vec<String> },
    #[error("DEPUTY_INVALID {employee} {problem}")]
    DeputyInvalid { employee: String, problem: &'static str },
    /// Deputies have no deputies.
    #[error("DEPUTY_ABSENT {employee} {absence}")]
    DeputyAbsent { employee: String, absence: String },
    /// A complaint of the case is about the deputy (O12).
    #[error("DEPUTY_RECUSED {employee} {case}")]
    DeputyRecused { case: String, employee: String },
    #[error("CASE_NOT_THEIRS {case} {employee}")]
    CaseNotTheirs { case: String, employee: String },
    /// Open cases without a deputy: how many, and the first of them.
    #[error("CASES_UNCOVERED {count}")]
    CasesUncovered { count: usize, cases: Vec<String> },
    #[error("CASES_TOO_MANY {limit}")]
    CasesTooMany { limit: usize },
    /// A complaint of the case is about everybody who would receive it (O12).
    #[error("RECEIVERS_RECUSED {case}")]
    ReceiversRecused { case: String },
    /// Who leaves has open cases: how many, and the first of them.
    #[error("OPEN_CASES {employee} {count}")]
    OpenCases { employee: String, count: usize, cases: Vec<String> },
    /// Who leaves deputises for somebody.
    #[error("STILL_DEPUTY {employee}")]
    StillDeputy { employee: String, absences: Vec<String> },
}

impl From<AttendanceRejection> for Refusal<Rejection> {
    fn from(rejection: AttendanceRejection) -> Self {
        Self::Rejected(Rejection::Attendance(rejection))
    }
}
