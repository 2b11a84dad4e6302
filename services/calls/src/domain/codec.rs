//! Events on the ledger: their names and bytes.

use prost::Message as _;
use shouwen_proto::events::v1::{CallsEvent, PolicyAdopted, calls_event::Event};

pub(super) fn encode(event: &Event) -> (&'static str, Vec<u8>) {
    (name(event), CallsEvent { event: Some(event.clone()) }.encode_to_vec())
}

pub(super) fn decode(payload: &[u8]) -> Result<Event, prost::DecodeError> {
    // A kind of event that only a newer release knows reads as one that changes no contact.
    Ok(CallsEvent::decode(payload)?.event.unwrap_or_else(|| Event::PolicyAdopted(PolicyAdopted::default())))
}

/// The name of an event on the ledger: its field in the oneof.
pub fn name(event: &Event) -> &'static str {
    match event {
        Event::PolicyAdopted(_) => "policy_adopted",
        Event::CallRegistered(_) => "call_registered",
        Event::CallAnswered(_) => "call_answered",
        Event::CallMissed(_) => "call_missed",
        Event::CallRecorded(_) => "call_recorded",
        Event::RecordConfirmed(_) => "record_confirmed",
        Event::CallbackPromised(_) => "callback_promised",
        Event::CallEnded(_) => "call_ended",
        Event::CallVoided(_) => "call_voided",
    }
}
