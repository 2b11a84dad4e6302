//! The state of one contact: what never changes about it, in which phase it is, its record sheet and what was promised during it.

use chrono::{DateTime, Utc, serde::ts_microseconds};
use serde::{Deserialize, Serialize};
use shouwen_proto::{
    events::v1::{CallOutcome, Direction, Party},
    r#type::v1::Channel,
};
use shouwen_vault::Sealed;

use super::{numbers, rejection::Rejection};

/// A call, a visit, an e-mail: the contact `calls/{call}`, which ownership knows as `contacts/{contact}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallState {
    /// `calls/{call}`
    pub name: String,
    /// `branches/{branch}`
    pub branch: String,
    /// `lines/{line}`; empty where no line of the firm was involved.
    pub line: String,
    #[serde(with = "numbers")]
    pub channel: Channel,
    #[serde(with = "numbers")]
    pub direction: Direction,
    /// When it happened.
    #[serde(with = "ts_microseconds")]
    pub occur_time: DateTime<Utc>,
    /// When it was entered; ringing is counted from here (K2).
    #[serde(with = "ts_microseconds")]
    pub registered_at: DateTime<Utc>,
    /// Entered from paper with its true time (K20).
    pub entered_later: bool,
    /// It happened outside the branch's working hours (O5).
    pub outside_working_hours: bool,
    /// `None` for a withheld number and for channels without one.
    pub caller: Option<Number>,
    /// Opaque, the same for all calls of this caller within the branch (K14); empty where neither client nor number is known.
    #[serde(with = "hexadecimal")]
    pub caller_key: Vec<u8>,
    /// Opaque, the same for all calls from this number within the branch (K14); empty for a withheld number, and on records of an earlier release.
    #[serde(default, with = "hexadecimal")]
    pub number_key: Vec<u8>,
    /// The client's external id; empty while unknown.
    pub client: String,
    pub external_id: String,
    /// The callback that this outbound contact carries out; empty for none.
    pub callback: String,
    /// The policy under which it began.
    pub policy_version: String,
    pub phase: Phase,
    /// The latest filling (K8, K9).
    pub record: Option<RecordSheet>,
    /// In the order in which they were made (K6).
    pub promises: Vec<Promise>,
}

/// A phone number as the state keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    pub sealed: Sealed,
    /// As lists show it, e.g. `138****5678` (L10).
    pub masked: String,
}

/// Where a contact stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Nobody has answered yet.
    Ringing,
    Answered {
        answer: Answer,
    },
    /// Nobody answered (K14).
    Missed {
        #[serde(with = "ts_microseconds")]
        at: DateTime<Utc>,
    },
    Ended {
        answer: Answer,
        ending: Ending,
    },
}

/// Who answered, and for which case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// `employees/{employee}`
    pub employee: String,
    /// `cases/{case}` as ownership named it then; a case merged later keeps its name here.
    pub case: String,
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    /// Later than the policy's rings (K2).
    pub late: bool,
    /// The request that answered: ownership takes its touch back by it.
    #[serde(default)]
    pub request_id: String,
}

/// How a contact ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    #[serde(with = "numbers")]
    pub by: Party,
    #[serde(with = "numbers")]
    pub outcome: CallOutcome,
    /// The employee ended a call that was the client's to end (K7).
    pub violation: bool,
}

/// The record sheet (K8, K9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSheet {
    /// Who filled it in.
    pub employee: String,
    pub client_name: Option<Sealed>,
    pub gender: String,
    pub phone: Option<Sealed>,
    pub summary: Option<Sealed>,
    pub handling: Option<Sealed>,
    pub inquiry_type: String,
    pub familiarity: Familiarity,
    pub assessment: Option<Sealed>,
    pub identity_checks: Vec<String>,
    /// Repeated back to the client and confirmed (K10).
    pub confirmed: bool,
}

/// How well the client knows each (K9): 1 to 5; 0 where it was not assessed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Familiarity {
    pub computer: i32,
    pub trading: i32,
    pub securities: i32,
}

/// A callback promised during the contact (K6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// `cases/{case}/callbacks/{callback}`
    pub callback: String,
    #[serde(with = "ts_microseconds")]
    pub agreed_time: DateTime<Utc>,
}

impl CallState {
    /// Who answered, if anybody did.
    pub fn answer(&self) -> Option<&Answer> {
        match &self.phase {
            Phase::Answered { answer } | Phase::Ended { answer, .. } => Some(answer),
            Phase::Ringing | Phase::Missed { .. } => None,
        }
    }

    /// How it ended, if it has.
    pub fn ending(&self) -> Option<&Ending> {
        match &self.phase {
            Phase::Ended { ending, .. } => Some(ending),
            Phase::Ringing | Phase::Answered { .. } | Phase::Missed { .. } => None,
        }
    }

    /// The phase as refusals name it.
    pub fn phase_name(&self) -> &'static str {
        match &self.phase {
            Phase::Ringing => "RINGING",
            Phase::Answered { .. } => "ANSWERED",
            Phase::Missed { .. } => "MISSED",
            Phase::Ended { .. } => "ENDED",
        }
    }

    /// The refusal of an RPC that this phase does not allow.
    pub(super) fn illegal(&self, action: &'static str) -> Rejection {
        Rejection::IllegalTransition {
            call: self.name.clone(),
            state: self.phase_name(),
            action,
            answered: self.answer().map(|answer| (answer.employee.clone(), answer.case.clone())),
        }
    }
}

impl RecordSheet {
    /// Every field of K8 is there and the client confirmed them (K10). Date, time and branch are the contact's own.
    pub fn is_complete(&self) -> bool {
        let texts = [&self.client_name, &self.phone, &self.summary, &self.handling];
        self.confirmed && !self.gender.is_empty() && texts.iter().all(|text| text.is_some())
    }
}

/// Opaque bytes as hexadecimal text.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
