//! A message for a colleague whose phone was answered (代接留言, K13): an offer of the case with the message in it. Until the colleague accepts, who
//! answered stays responsible. Who only assists in the case passes messages on to those who are responsible, and moves nothing by it (O6).

use shouwen_engine::{AggregateId, DecideContext, Refusal};
use shouwen_proto::events::v1::{
    MessageReturned, MessageShown, OfferMade, OfferMessage, ownership_event::Event,
};
use shouwen_serving::{private, timestamps::to_proto};
use shouwen_vault::Sealed;

use super::{
    Snapshot,
    action::{fit, live},
    case::{CaseState, Returned},
    draft::Draft,
    rejection::Rejection,
};

/// The reason of such an offer.
pub const REASON: &str = "message";

pub(super) fn pass(
    case: &mut Draft<'_>,
    by: &str,
    (offer, to): (&str, &str),
    message: &OfferMessage,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<(), Refusal<Rejection>> {
    let assisting = case.assists(by);
    let responsible = case.may_decide(by);
    let informs = assisting && case.may_decide(to);
    if !(responsible || informs) {
        return Err(Rejection::NotResponsible(case.responsible()).into());
    }
    live(case, "pass a message on")?;
    if to == by {
        return Err(
            Rejection::ReceiverInvalid { employee: to.to_owned(), problem: "took the message" }.into()
        );
    }
    fit(snapshot, case, to, context.now)?;
    if case.offer.is_some() {
        return Err(Rejection::OfferPending(case.id.0.clone()).into());
    }
    let policy = snapshot.policies.ownership(Some(&case.branch), context.now);
    case.then(Event::OfferMade(OfferMade {
        offer: offer.to_owned(),
        from: by.to_owned(),
        to: to.to_owned(),
        reason: REASON.to_owned(),
        explanation: None,
        expire_time: Some(to_proto(context.at + policy.value.offer_expiry())),
        message: Some(message.clone()),
        moves_nothing: !responsible || case.handler == to,
    }));
    Ok(())
}

/// The message that nobody has taken yet, as it goes on in another case: whoever takes it there is told, and moves nothing.
pub(super) fn waiting(case: &CaseState) -> Option<OfferMade> {
    let offer = case.offer.as_ref().filter(|offer| offer.message)?;
    let message = case.message.as_ref()?;
    let sealed = |field: &Option<Sealed>| field.clone().map(private::message);
    Some(OfferMade {
        offer: offer.id.clone(),
        from: offer.from.clone(),
        to: offer.to.clone(),
        reason: offer.reason.clone(),
        explanation: None,
        expire_time: Some(to_proto(offer.expires)),
        message: Some(OfferMessage {
            caller: sealed(&message.caller),
            callback_number: sealed(&message.callback_number),
            matter: sealed(&message.matter),
            take_time: Some(to_proto(message.taken)),
        }),
        moves_nothing: true,
    })
}

/// The messages that are back with who is to pass them on: those of cases that were merged into this one, and its own if that came to nothing.
pub(super) fn back(id: &AggregateId, case: &CaseState) -> Vec<MessageReturned> {
    let merged = case.unpassed.iter().map(|back| (&back.case, &back.offer, &back.to));
    let own = own_back(case).map(|back| (&id.0, &back.offer, &back.to));
    merged
        .chain(own)
        .map(|(case, offer, to)| MessageReturned { case: case.clone(), offer: offer.clone(), to: to.clone() })
        .collect()
}

/// The case's own message, if that came to nothing and nothing was done about the case since.
pub(super) fn own_back(case: &CaseState) -> Option<&Returned> {
    let message = case.message.as_ref()?;
    case.returned.as_ref().filter(|back| back.offer == message.offer)
}

/// For its receiver, who took it, and who is responsible now, for the survivor where the case was merged, unless a complaint is about them (O12).
pub(super) fn read(case: &Draft<'_>, responsible: &Draft<'_>, by: &str) -> Result<Event, Refusal<Rejection>> {
    let Some(message) = &case.message else {
        return Err(Rejection::MessageNotFound(case.id.0.clone()).into());
    };
    if message.to != by && message.from != by && !responsible.may_decide(by) {
        return Err(Rejection::NotResponsible(responsible.responsible()).into());
    }
    if let Some(complaint) = responsible.complaint_about(by) {
        let complaint = complaint.name.clone();
        return Err(Rejection::Recused { case: case.id.0.clone(), complaint }.into());
    }
    let shown = MessageShown { offer: message.offer.clone(), employee: by.to_owned() };
    Ok(Event::MessageShown(shown))
}
