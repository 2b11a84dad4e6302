//! What events make of a case's offers (O4) and of the messages that are passed on by them (K13): which one waits, and what has come back.

use chrono::{DateTime, Utc};
use shouwen_proto::events::v1::{OfferMade, ownership_event::Event};
use shouwen_serving::private;

use super::{
    case::{CaseState, Message, Offer, Returned, Unpassed},
    evolve::time,
};

/// Everything that ends a waiting offer, and everything that is done about a case whose last offer came to nothing, is said here and nowhere else.
pub(super) fn after(case: &mut CaseState, event: &Event, at: DateTime<Utc>) {
    let over = match event {
        Event::OfferAccepted(_)
        | Event::OfferDeclined(_)
        | Event::OfferExpired(_)
        | Event::OfferWithdrawn(_)
        | Event::CaseClosed(_)
        | Event::CaseVoided(_) => case.offer.take(),
        _ => None,
    };
    match event {
        Event::OfferDeclined(_) | Event::OfferExpired(_) => {
            case.returned = over.map(|offer| Returned { offer: offer.id, to: offer.from });
        }
        Event::OfferMade(_)
        | Event::CaseResolved(_)
        | Event::CaseClosed(_)
        | Event::CaseReassigned(_)
        | Event::AccountabilityMoved(_) => case.returned = None,
        _ => {}
    }
    match event {
        Event::OfferMade(offer) => made(case, offer, at),
        Event::MessageReturned(returned) => case.unpassed.push(Unpassed {
            case: returned.case.clone(),
            offer: returned.offer.clone(),
            to: returned.to.clone(),
        }),
        Event::CaseResolved(_) | Event::CaseClosed(_) => case.unpassed.clear(),
        _ => {}
    }
}

fn made(case: &mut CaseState, offer: &OfferMade, at: DateTime<Utc>) {
    case.offer = Some(Offer {
        id: offer.offer.clone(),
        from: offer.from.clone(),
        to: offer.to.clone(),
        reason: offer.reason.clone(),
        expires: time(offer.expire_time.as_ref(), at),
        message: offer.message.is_some(),
        moves_nothing: offer.moves_nothing,
    });
    let Some(message) = &offer.message else { return };
    // One that only goes on waiting here was not passed on anew.
    if message.take_time.is_none() {
        let mut unpassed = std::mem::take(&mut case.unpassed);
        unpassed.retain(|back| back.to != offer.from && !case.is_nobodys(&back.to));
        case.unpassed = unpassed;
    }
    case.message = Some(Message {
        offer: offer.offer.clone(),
        from: offer.from.clone(),
        to: offer.to.clone(),
        taken: time(message.take_time.as_ref(), at),
        caller: private::sealed(message.caller.as_ref()),
        callback_number: private::sealed(message.callback_number.as_ref()),
        matter: private::sealed(message.matter.as_ref()),
    });
}

#[cfg(test)]
mod tests {
    use shouwen_proto::events::v1::{
        AccountabilityMoved, AssistantAdded, CaseClosed, CaseOpened, CaseReassigned, CaseResolved,
        CaseVoided, ComplaintOpened, MessageReturned, OfferAccepted, OfferDeclined, OfferExpired,
        OfferMessage, OfferWithdrawn,
    };

    use super::*;
    use crate::domain::evolve;

    const AT: DateTime<Utc> = DateTime::<Utc>::MIN_UTC;

    fn offer(from: &str, message: Option<OfferMessage>) -> Event {
        let (offer, from) = ("1".to_owned(), from.to_owned());
        Event::OfferMade(OfferMade { offer, from, message, ..OfferMade::default() })
    }

    fn back(to: &str) -> Event {
        let (case, offer, to) = ("cases/b".to_owned(), "2".to_owned(), to.to_owned());
        Event::MessageReturned(MessageReturned { case, offer, to })
    }

    /// A case after these events.
    fn case(events: &[Event]) -> CaseState {
        let mut case = evolve::opened(&CaseOpened::default(), AT);
        for event in events {
            after(&mut case, event, AT);
        }
        case
    }

    #[test]
    fn o4_an_offer_waits_until_it_is_answered_or_the_case_has_ended() {
        let nothing = Event::AssistantAdded(AssistantAdded::default());
        assert!(case(&[offer("li", None), nothing]).offer.is_some());
        for (event, returned) in [
            (Event::OfferAccepted(OfferAccepted::default()), false),
            (Event::OfferWithdrawn(OfferWithdrawn::default()), false),
            (Event::CaseClosed(CaseClosed::default()), false),
            (Event::CaseVoided(CaseVoided::default()), false),
            (Event::OfferDeclined(OfferDeclined::default()), true),
            (Event::OfferExpired(OfferExpired::default()), true),
        ] {
            let case = case(&[offer("li", None), event.clone()]);
            assert!(case.offer.is_none(), "{event:?}");
            let back = case.returned.map(|back| (back.offer, back.to));
            assert_eq!(back, returned.then(|| ("1".to_owned(), "li".to_owned())), "{event:?}");
        }
    }

    #[test]
    fn o4_what_came_back_is_told_until_something_is_done_about_the_case() {
        let declined = || Event::OfferDeclined(OfferDeclined::default());
        for event in [
            offer("zhang", None),
            Event::CaseResolved(CaseResolved::default()),
            Event::CaseClosed(CaseClosed::default()),
            Event::CaseReassigned(CaseReassigned::default()),
            Event::AccountabilityMoved(AccountabilityMoved::default()),
        ] {
            let case = case(&[offer("li", None), declined(), event.clone()]);
            assert_eq!(case.returned, None, "{event:?}");
        }
    }

    #[test]
    fn k13_a_message_that_is_back_is_told_until_who_has_it_passes_one_on_or_the_client_is_answered() {
        let told = |events: &[Event]| {
            let mut all = vec![back("li")];
            all.extend_from_slice(events);
            case(&all).unpassed.len()
        };
        let taken_here = || Some(OfferMessage::default());
        let taken = Some(prost_types::Timestamp::default());
        let waits_on = || Some(OfferMessage { take_time: taken, ..OfferMessage::default() });
        assert_eq!(told(&[]), 1);
        assert_eq!(told(&[offer("li", None)]), 1, "no message");
        assert_eq!(told(&[offer("wang", taken_here())]), 1, "somebody else's");
        assert_eq!(told(&[offer("li", waits_on())]), 1, "of another case that was merged");
        assert_eq!(told(&[Event::CaseReassigned(CaseReassigned::default())]), 1, "it is theirs still");
        assert_eq!(told(&[offer("li", taken_here())]), 0);
        assert_eq!(told(&[Event::CaseResolved(CaseResolved::default())]), 0);
        assert_eq!(told(&[Event::CaseClosed(CaseClosed::default())]), 0);
        // What is nobody's by name is whoever's who passes one on.
        assert!(case(&[back(""), offer("wang", taken_here())]).unpassed.is_empty());
        // And so is what a complaint is about whose it is.
        let about = ComplaintOpened { recused: vec!["li".to_owned()], ..ComplaintOpened::default() };
        let mut complained = case(&[back("li")]);
        evolve::case_after(&mut complained, &Event::ComplaintOpened(about), AT);
        after(&mut complained, &offer("wang", taken_here()), AT);
        assert!(complained.unpassed.is_empty());
    }
}
