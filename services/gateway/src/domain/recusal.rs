//! Whom a complaint is about takes no part in its case (被投诉人回避, O12): they answer for it no longer, handle it no longer, override it no longer, and
//! neither give nor receive it.
//!
//! Where the firm has nobody else (no lead of the branch, nobody at HQ, no company leader who is active and not complained about), the person stays: a case
//! without anybody responsible would be worse (O9), and the complaint itself is refused to them all the same, by the complaints service.

use shouwen_proto::events::v1::{
    AccountabilityMoved, ComplaintOpened, OfferWithdrawn, ownership_event::Event,
};

use super::draft::Draft;

/// The complaint hangs under the case from now on, and whom it is about step back.
pub(super) fn open(case: &mut Draft<'_>, complaint: &str, about: &[String], unit: &str) {
    case.then(Event::ComplaintOpened(ComplaintOpened {
        complaint: complaint.to_owned(),
        recused: about.to_vec(),
        receiving_unit: unit.to_owned(),
    }));
    if let Some(offer) =
        case.offer.as_ref().filter(|offer| case.is_recused(&offer.from) || case.is_recused(&offer.to))
    {
        let withdrawn = OfferWithdrawn { offer: offer.id.clone() };
        case.then(Event::OfferWithdrawn(withdrawn));
    }
    if case.overriding.as_ref().is_some_and(|running| case.is_recused(&running.employee)) {
        case.end_override("recused");
    }
    if let Some((accountable, handler)) = successors(case) {
        let moved = AccountabilityMoved {
            from: case.accountable.clone(),
            accountable,
            handler,
            reason: "recused".to_owned(),
            complaint: complaint.to_owned(),
            epoch: case.epoch + 1,
        };
        case.then(Event::AccountabilityMoved(moved));
    }
}

/// Who answers for the case and who handles it after a complaint; `None` where nothing changes. The accountability moves only from somebody who is
/// complained about (O1); the work of a handler who is goes to who answers for the case.
fn successors(case: &Draft<'_>) -> Option<(String, String)> {
    let accountable =
        if case.is_recused(&case.accountable) { case.successor()? } else { case.accountable.clone() };
    let handler = if case.is_recused(&case.handler) { &accountable } else { &case.handler }.clone();
    (accountable != case.accountable || handler != case.handler).then_some((accountable, handler))
}
