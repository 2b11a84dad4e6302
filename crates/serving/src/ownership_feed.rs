//! What every follower of ownership's feed has in common: the event inside the envelope, and the epochs that fence.

use shouwen_proto::events::v1::{Event, event::Body, ownership_event::Event as OwnershipEvent};

/// The event of ownership that an envelope of its feed holds.
pub fn happened(event: &Event) -> Option<&OwnershipEvent> {
    match &event.body {
        Some(Body::Ownership(body)) => body.event.as_ref(),
        _ => None,
    }
}

/// The case and its epoch after an event that changed who may act: older epochs are refused from now on.
pub fn fence(event: &Event) -> Option<(String, i64)> {
    let epoch = match happened(event)? {
        OwnershipEvent::CaseMerged(event) => event.epoch,
        OwnershipEvent::OfferAccepted(event) => event.epoch,
        OwnershipEvent::OverrideBegun(event) => event.epoch,
        OwnershipEvent::OverrideEnded(event) => event.epoch,
        OwnershipEvent::CaseVoided(event) => event.epoch,
        OwnershipEvent::AccountabilityMoved(event) => event.epoch,
        OwnershipEvent::DeputyAppointed(event) => event.epoch,
        OwnershipEvent::DeputyEnded(event) => event.epoch,
        OwnershipEvent::CaseReassigned(event) => event.epoch,
        OwnershipEvent::ContactLeft(event) => event.epoch,
        _ => return None,
    };
    Some((event.aggregate.clone(), epoch))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_reflect::{DescriptorPool, DynamicMessage, Value};
    use shouwen_proto::{DESCRIPTORS, events::v1::OwnershipEvent as Content};

    use super::*;

    /// By the contract: whatever event says an epoch raises the fence, but the opening, which begins it.
    #[test]
    fn o7_every_event_that_says_an_epoch_fences() {
        let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
        let envelope = pool.get_message_by_name("shouwen.events.v1.OwnershipEvent").unwrap();
        let mut fencing = Vec::new();
        for field in envelope.fields() {
            let kind = field.kind();
            let message = kind.as_message().unwrap();
            let Some(epoch) = message.get_field_by_name("epoch") else { continue };
            let mut event = DynamicMessage::new(message.clone());
            event.set_field(&epoch, Value::I64(7));
            let mut body = DynamicMessage::new(envelope.clone());
            body.set_field(&field, Value::Message(event));
            let body = Content::decode(body.encode_to_vec().as_slice()).unwrap();
            let event = Event {
                aggregate: "cases/a".to_owned(),
                body: Some(Body::Ownership(body)),
                ..Event::default()
            };
            assert_eq!(
                fence(&event).is_some(),
                field.name() != "case_opened",
                "{} says an epoch",
                field.name()
            );
            fencing.extend(fence(&event));
        }
        assert!(fencing.len() >= 6 && fencing.iter().all(|known| *known == ("cases/a".to_owned(), 7)));
    }
}
