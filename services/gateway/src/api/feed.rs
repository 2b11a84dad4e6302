//! Ownership's events as its feed shows them.

use shouwen_proto::{
    events::v1::{OwnershipEvent, event::Body, ownership_event::Event},
    r#type::v1::Private,
};
use shouwen_serving::FeedEvents;

use crate::domain::OwnershipDomain;

impl FeedEvents for OwnershipDomain {
    fn body(event: Event) -> Body {
        Body::Ownership(OwnershipEvent { event: Some(event) })
    }

    fn privates(event: &mut Event) -> Vec<&mut Option<Private>> {
        match event {
            Event::ContactClaimed(claimed) => vec![&mut claimed.touch_request],
            Event::OfferMade(offer) => {
                let message = offer.message.as_mut();
                let texts = message.map(|it| [&mut it.caller, &mut it.callback_number, &mut it.matter]);
                std::iter::once(&mut offer.explanation).chain(texts.into_iter().flatten()).collect()
            }
            Event::CaseResolved(resolved) => vec![&mut resolved.answer],
            _ => Vec::new(),
        }
    }
}
