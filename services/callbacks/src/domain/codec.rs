//! Domain values from and to the messages of the contract that events are made of. Total: what this release does not know reads as absent.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_policy::Level;
use shouwen_proto::{
    events::v1::AttemptOutcome,
    r#type::v1::{EscalationLevel, MeasuresFound, Satisfaction as SatisfactionMessage},
};
use shouwen_serving::timestamps;

use super::{
    callback::Met,
    talk::{Measures, Satisfaction},
};

/// As the contract writes it.
pub fn timestamp(time: DateTime<Utc>) -> Option<Timestamp> {
    Some(timestamps::to_proto(time))
}

/// As the contract has it; `None` where it is absent or out of range.
pub fn time(timestamp: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    timestamp.and_then(timestamps::from_proto)
}

/// What an attempt met.
pub fn met(outcome: AttemptOutcome) -> Option<Met> {
    Some(match outcome {
        AttemptOutcome::Unspecified => return None,
        AttemptOutcome::NoAnswer => Met::NoAnswer,
        AttemptOutcome::Busy => Met::Busy,
        AttemptOutcome::SwitchedOff => Met::SwitchedOff,
        AttemptOutcome::WrongNumber => Met::WrongNumber,
        AttemptOutcome::Inconvenient => Met::Inconvenient,
        AttemptOutcome::Reached => Met::Reached,
    })
}

/// What an attempt met, for the contract.
pub fn outcome(met: Met) -> AttemptOutcome {
    match met {
        Met::NoAnswer => AttemptOutcome::NoAnswer,
        Met::Busy => AttemptOutcome::Busy,
        Met::SwitchedOff => AttemptOutcome::SwitchedOff,
        Met::WrongNumber => AttemptOutcome::WrongNumber,
        Met::Inconvenient => AttemptOutcome::Inconvenient,
        Met::Reached => AttemptOutcome::Reached,
    }
}

/// How satisfied; `None` where unspecified.
pub fn satisfaction(message: SatisfactionMessage) -> Option<Satisfaction> {
    Some(match message {
        SatisfactionMessage::Unspecified => return None,
        SatisfactionMessage::Satisfied => Satisfaction::Satisfied,
        SatisfactionMessage::Neutral => Satisfaction::Neutral,
        SatisfactionMessage::Dissatisfied => Satisfaction::Dissatisfied,
    })
}

/// How satisfied, for the contract.
pub fn satisfaction_message(satisfaction: Option<Satisfaction>) -> SatisfactionMessage {
    match satisfaction {
        None => SatisfactionMessage::Unspecified,
        Some(Satisfaction::Satisfied) => SatisfactionMessage::Satisfied,
        Some(Satisfaction::Neutral) => SatisfactionMessage::Neutral,
        Some(Satisfaction::Dissatisfied) => SatisfactionMessage::Dissatisfied,
    }
}

/// What became of the measures; `None` where unspecified.
pub fn measures(message: MeasuresFound) -> Option<Measures> {
    Some(match message {
        MeasuresFound::Unspecified => return None,
        MeasuresFound::CarriedOut => Measures::CarriedOut,
        MeasuresFound::NotCarriedOut => Measures::NotCarriedOut,
        MeasuresFound::WithoutEffect => Measures::WithoutEffect,
    })
}

/// What became of the measures, for the contract.
pub fn measures_message(measures: Option<Measures>) -> MeasuresFound {
    match measures {
        None => MeasuresFound::Unspecified,
        Some(Measures::CarriedOut) => MeasuresFound::CarriedOut,
        Some(Measures::NotCarriedOut) => MeasuresFound::NotCarriedOut,
        Some(Measures::WithoutEffect) => MeasuresFound::WithoutEffect,
    }
}

/// A level of escalation; `None` where unspecified.
pub fn level(message: EscalationLevel) -> Option<Level> {
    Some(match message {
        EscalationLevel::Unspecified => return None,
        EscalationLevel::Responsible => Level::Responsible,
        EscalationLevel::Lead => Level::Lead,
        EscalationLevel::Hq => Level::Hq,
        EscalationLevel::CompanyLeader => Level::CompanyLeader,
    })
}

/// A level of escalation, for the contract.
pub fn level_message(level: Option<Level>) -> EscalationLevel {
    match level {
        None => EscalationLevel::Unspecified,
        Some(Level::Responsible) => EscalationLevel::Responsible,
        Some(Level::Lead) => EscalationLevel::Lead,
        Some(Level::Hq) => EscalationLevel::Hq,
        Some(Level::CompanyLeader) => EscalationLevel::CompanyLeader,
    }
}
