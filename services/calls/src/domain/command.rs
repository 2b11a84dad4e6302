//! What can be asked of a contact: by people and telephony, by ownership's events. Personal data is sealed before a command is made.

use chrono::{DateTime, Utc};
use shouwen_access::{Reach, context::caller::CaseInView};
use shouwen_engine::AggregateId;
use shouwen_proto::{
    events::v1::{CallOutcome, Direction, Party, PolicyAdopted},
    r#type::v1::Channel,
};

use super::call::{Familiarity, Number};
use shouwen_vault::Sealed;

/// One command.
#[derive(Clone, Debug)]
pub enum Command {
    /// A policy version was approved in ownership (P1).
    AdoptPolicy(Box<PolicyAdopted>),
    /// A contact rings, comes in or is entered from paper (K20).
    Register(Box<Register>),
    /// An employee whose claim ownership accepted answers it (O1).
    Answer(AnswerContact),
    /// Nobody answered (K14).
    Miss(Miss),
    /// The record sheet is filled in (K8, K9).
    Record(Box<FillIn>),
    /// The record was repeated back and confirmed (K10).
    Confirm(Confirm),
    /// A time for calling back was agreed (K6).
    Promise(Box<MakePromise>),
    /// The contact ends (K7).
    End(End),
    /// Ownership voided the first touch.
    Void(Void),
    /// Ownership found nobody who answers (K14).
    Unanswered(AggregateId),
    /// A deadline that no contact holds.
    Nothing(AggregateId),
}

#[derive(Clone, Debug)]
pub struct Register {
    /// `calls/{call}`
    pub call: AggregateId,
    pub branch: String,
    pub line: String,
    pub channel: Channel,
    pub direction: Direction,
    pub caller: Option<Number>,
    /// Empty without client and number.
    pub caller_key: Vec<u8>,
    /// Empty without number.
    pub number_key: Vec<u8>,
    pub client: String,
    /// The true time of what is entered later; `None` means now.
    pub occur_time: Option<DateTime<Utc>>,
    pub external_id: String,
    pub callback: String,
    /// How far whoever registers it reaches.
    pub reach: Reach,
}

#[derive(Clone, Debug)]
pub struct AnswerContact {
    pub call: AggregateId,
    pub by: Acting,
    pub channel: Channel,
    /// Empty where the client is not known.
    pub client: String,
    pub reach: Reach,
    pub request_id: String,
}

#[derive(Clone, Debug)]
pub struct Miss {
    pub call: AggregateId,
    pub reach: Reach,
}

#[derive(Clone, Debug)]
pub struct FillIn {
    pub call: AggregateId,
    pub by: Acting,
    /// The version that whoever fills it in has seen.
    pub etag: Option<i64>,
    pub client_name: Sealed,
    pub gender: String,
    pub phone: Sealed,
    pub summary: Sealed,
    pub handling: Sealed,
    pub inquiry_type: String,
    pub familiarity: Familiarity,
    pub assessment: Option<Sealed>,
    pub identity_checks: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Confirm {
    pub call: AggregateId,
    pub by: Acting,
}

#[derive(Clone, Debug)]
pub struct MakePromise {
    pub call: AggregateId,
    pub by: Acting,
    /// Last part of the callback's name.
    pub callback_id: String,
    pub agreed_time: DateTime<Utc>,
    pub client_asked: bool,
    /// `None` means the caller's number.
    pub phone: Option<Number>,
    pub subject: Option<Sealed>,
}

#[derive(Clone, Debug)]
pub struct End {
    pub call: AggregateId,
    pub by: Acting,
    pub ended_by: Party,
    pub outcome: CallOutcome,
    /// Whoever ends it only assists on the case (O6).
    pub assisting: bool,
}

#[derive(Clone, Debug)]
pub struct Void {
    pub call: AggregateId,
    /// The request of the voided touch.
    pub request_id: String,
    pub reason: String,
}

/// The employee who acts, and the case on which ownership was asked.
#[derive(Clone, Debug)]
pub struct Acting {
    /// `employees/{employee}`
    pub employee: String,
    pub case: Option<CaseInView>,
    /// Responsible for it, and it was open before this contact (O6).
    pub responsible: bool,
}

impl Command {
    /// The one aggregate that it is about.
    pub fn aggregate(&self) -> AggregateId {
        match self {
            Self::AdoptPolicy(adopted) => AggregateId(adopted.policy.clone()),
            Self::Register(register) => register.call.clone(),
            Self::Answer(answer) => answer.call.clone(),
            Self::Miss(miss) => miss.call.clone(),
            Self::Record(record) => record.call.clone(),
            Self::Confirm(confirm) => confirm.call.clone(),
            Self::Promise(promise) => promise.call.clone(),
            Self::End(end) => end.call.clone(),
            Self::Void(void) => void.call.clone(),
            Self::Unanswered(aggregate) | Self::Nothing(aggregate) => aggregate.clone(),
        }
    }
}
