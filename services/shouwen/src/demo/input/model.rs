//! What the files say, in types: a line that got here has every value in its form and every reference known.

use chrono::{DateTime, Utc};
pub(in crate::demo) use shouwen_proto::{
    events::v1::CloseKind as Close,
    r#type::v1::{CallbackKind, Channel},
};
use shouwen_proto::{
    events::v1::{AttemptOutcome, CallOutcome, Direction, Party},
    r#type::v1::{MeasuresFound, Position, Satisfaction},
};

use super::{
    client_deed::ClientDeed,
    complaint::{ComplaintDeed, Filing},
};

/// Where something was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::demo) struct Place {
    pub(in crate::demo) file: &'static str,
    pub(in crate::demo) line: u64,
}

#[derive(Debug)]
pub(in crate::demo) struct Branch {
    pub(in crate::demo) id: String,
    pub(in crate::demo) display_name: String,
    pub(in crate::demo) complaints_phone: String,
}

#[derive(Debug)]
pub(in crate::demo) struct Employee {
    pub(in crate::demo) id: String,
    pub(in crate::demo) display_name: String,
    pub(in crate::demo) branch: String,
    pub(in crate::demo) roles: Vec<String>,
    pub(in crate::demo) position: Position,
    pub(in crate::demo) office_phone: String,
    pub(in crate::demo) external_id: String,
}

impl Employee {
    pub(in crate::demo) fn has(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    /// Whether clients are answered by people with such roles.
    pub(in crate::demo) fn serves_clients(&self) -> bool {
        ["staff", "lead", "hq"].iter().any(|role| self.has(role))
    }
}

#[derive(Debug)]
pub(in crate::demo) struct Line {
    pub(in crate::demo) id: String,
    pub(in crate::demo) branch: String,
    pub(in crate::demo) number: String,
    pub(in crate::demo) published: bool,
    pub(in crate::demo) employee: String,
}

#[derive(Debug)]
pub(in crate::demo) struct Account {
    pub(in crate::demo) id: String,
    pub(in crate::demo) display_name: String,
    pub(in crate::demo) branches: Vec<String>,
    pub(in crate::demo) act_for_employees: bool,
}

/// A contact with a client.
#[derive(Debug)]
pub(in crate::demo) struct Contact {
    pub(in crate::demo) place: Place,
    pub(in crate::demo) id: String,
    pub(in crate::demo) branch: String,
    pub(in crate::demo) time: DateTime<Utc>,
    pub(in crate::demo) channel: Channel,
    pub(in crate::demo) direction: Direction,
    pub(in crate::demo) line: String,
    /// As written; empty if withheld.
    pub(in crate::demo) phone: String,
    /// `None` for a missed call.
    pub(in crate::demo) answer: Option<Answer>,
    pub(in crate::demo) ended_at: DateTime<Utc>,
    /// The contact whose callback this one carries out.
    pub(in crate::demo) callback_of: String,
    /// When a paper record of it was entered (K20).
    pub(in crate::demo) entered_later_at: Option<DateTime<Utc>>,
}

/// What happened to a contact that somebody answered.
#[derive(Debug)]
pub(in crate::demo) struct Answer {
    pub(in crate::demo) by: String,
    pub(in crate::demo) at: DateTime<Utc>,
    pub(in crate::demo) topic: String,
    /// Who also picked up and must be refused (O1); empty for nobody.
    pub(in crate::demo) also_by: String,
    /// Who the client is, where it was established.
    pub(in crate::demo) client: Option<Identified>,
    /// The record sheet, where one was filled in.
    pub(in crate::demo) sheet: Option<Sheet>,
    pub(in crate::demo) promise: Option<Promise>,
    pub(in crate::demo) ended_by: Party,
    pub(in crate::demo) outcome: CallOutcome,
}

/// How it was established who a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::demo) enum LookUp {
    /// By the CRM's id.
    Id,
    /// By what the client said, which is looked up in the clients' files.
    Phone,
    CapitalAccount,
    IdentityNumber,
}

/// The client of a contact.
#[derive(Debug)]
pub(in crate::demo) struct Identified {
    /// The client's id in the CRM.
    pub(in crate::demo) client: String,
    pub(in crate::demo) by: LookUp,
}

/// The record sheet (K8, K9).
#[derive(Debug)]
pub(in crate::demo) struct Sheet {
    pub(in crate::demo) client_name: String,
    pub(in crate::demo) gender: String,
    pub(in crate::demo) summary: String,
    pub(in crate::demo) handling: String,
    pub(in crate::demo) inquiry_type: String,
    /// 1 to 5, 0 where it was not assessed.
    pub(in crate::demo) computer: i32,
    pub(in crate::demo) trading: i32,
    pub(in crate::demo) securities: i32,
    pub(in crate::demo) assessment: String,
    pub(in crate::demo) identity_checks: Vec<String>,
    /// Repeated back to the client (K10).
    pub(in crate::demo) confirmed: bool,
}

/// A promised callback (K6).
#[derive(Debug)]
pub(in crate::demo) struct Promise {
    pub(in crate::demo) at: DateTime<Utc>,
    pub(in crate::demo) client_asked: bool,
}

/// Something that an employee did apart from a contact.
#[derive(Debug)]
pub(in crate::demo) struct Action {
    pub(in crate::demo) place: Place,
    /// The line as it was read.
    pub(in crate::demo) text: String,
    pub(in crate::demo) time: DateTime<Utc>,
    pub(in crate::demo) by: String,
    /// Its name in the file.
    pub(in crate::demo) name: String,
    pub(in crate::demo) deed: Deed,
    /// The reason with which it must be refused.
    pub(in crate::demo) expect: Option<String>,
}

/// What was done, and about what.
#[derive(Debug)]
pub(in crate::demo) enum Deed {
    /// About the case to which the contact belongs at that time.
    OnCase {
        contact: String,
        deed: CaseDeed,
    },
    /// About a callback; in a verification the complaint stands for the contact.
    OnCallback {
        callback: CallbackRef,
        deed: CallbackDeed,
    },
    /// Under the case to which the contact belongs at that time.
    File {
        contact: String,
        filing: Box<Filing>,
    },
    /// About the complaint that was filed under this name.
    OnComplaint {
        complaint: String,
        deed: ComplaintDeed,
    },
    OnClient {
        client: String,
        deed: ClientDeed,
    },
}

#[derive(Debug)]
pub(in crate::demo) enum CaseDeed {
    Offer { to: String, reason: String, explanation: String },
    Accept,
    Decline { reason: String },
    Withdraw,
    BeginOverride { reason: String },
    EndOverride,
    Resolve { answer: String },
    Confirm { satisfied: bool, reason: String },
    Close { kind: Close, reason: String },
    Reopen { reason: String },
}

#[derive(Debug)]
pub(in crate::demo) enum CallbackDeed {
    Lease,
    Attempt(Met),
    Complete(Opinion),
    Supersede { reason: String, result: Opinion },
    Postpone { not_before: DateTime<Utc>, reason: String },
    Cancel { reason: String },
}

/// A callback, named by the contact from which it arose, a verification by its complaint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::demo) struct CallbackRef {
    pub(in crate::demo) contact: String,
    pub(in crate::demo) kind: CallbackKind,
}

/// What an attempt met.
#[derive(Debug)]
pub(in crate::demo) enum Met {
    Unreached(AttemptOutcome),
    /// A time was agreed (B3).
    Inconvenient {
        agreed: DateTime<Utc>,
        client_asked: bool,
    },
}

/// The result of a talk (B4).
#[derive(Debug)]
pub(in crate::demo) struct Opinion {
    pub(in crate::demo) solved: bool,
    pub(in crate::demo) attitude: Satisfaction,
    pub(in crate::demo) overall: Satisfaction,
    /// 1 to 10, 0 for none.
    pub(in crate::demo) score: i32,
    pub(in crate::demo) suggestions: String,
    pub(in crate::demo) answers: String,
    pub(in crate::demo) charged: bool,
    /// What a verification found (C9); unspecified for other callbacks.
    pub(in crate::demo) measures: MeasuresFound,
}
