//! O2: the first responder answers, or finds who can and sees to it that the client gets the answer. Sending the client away is not an outcome the
//! system offers: no contact with a concern, and no step on its case, ends without an answer, the client's word or a lead's reason.

use chrono::TimeDelta;
use shouwen_proto::{
    events::v1::{CallOutcome, CloseKind},
    ownership::v1::{CloseCaseRequest, ResolveCaseRequest, case::State},
    routing::v1::DeskItemKind as Kind,
};
use tonic::Code;

use crate::{
    desk::{employee, id},
    ground::{Ground, at, local, tuesday},
    telephone::{call, outcome},
    watching::waiting,
};

#[tokio::test]
async fn o2_no_outcome_of_a_call_ends_a_concern_but_a_clear_answer() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let outcomes: Vec<CallOutcome> =
        (0..64).filter_map(|number| CallOutcome::try_from(number).ok()).collect();
    assert!(outcomes.len() > 10, "every outcome that the contract knows: {outcomes:?}");
    for outcome in outcomes {
        let contact = outcome.as_str_name().to_ascii_lowercase();
        let case = zhang.open(&contact, &contact).await;
        office.calls().ended(office.here().await, &contact, "zhang", outcome);
        office.followed().await;
        let after = zhang.get(&case).await.unwrap();
        let expected = if outcome == CallOutcome::AnsweredClear { State::Closed } else { State::Open };
        assert_eq!(after.state(), expected, "{contact}");
        if expected == State::Open {
            assert!(
                after.clocks.iter().all(|clock| clock.met_time.is_none()),
                "{contact}: the answer is owed"
            );
        }
    }
}

#[tokio::test]
async fn o2_who_owes_the_answer_cannot_close_the_case_without_one() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, lead) = (office.desk("zhang"), office.desk("zhao"));
    let case = zhang.open("c-1", "C-1").await;
    let empty = ResolveCaseRequest {
        name: case.clone(),
        answer: " ".to_owned(),
        etag: String::new(),
        request_id: id(),
    };
    let refused =
        zhang.cases(empty, async |mut it, request| it.resolve_case(request).await).await.unwrap_err();
    assert_eq!(refused.fields, ["answer"]);
    // Not by a lead either, but for the two reasons of O8 and C10, and never in silence.
    for (kind, reason, field) in [
        (CloseKind::Unspecified, "no time", "kind"),
        (CloseKind::Satisfied, "surely", "kind"),
        (CloseKind::Unreachable, "", "reason"),
        (CloseKind::Explained, " ", "reason"),
    ] {
        let request = CloseCaseRequest {
            name: case.clone(),
            kind: kind.into(),
            reason: reason.to_owned(),
            etag: String::new(),
            request_id: id(),
        };
        let refused =
            lead.cases(request, async |mut it, request| it.close_case(request).await).await.unwrap_err();
        assert_eq!((refused.code, &*refused.fields), (Code::InvalidArgument, &[field.to_owned()][..]));
    }
    // The firm's own word ends nothing: the client is asked (O8), and who is not content is answered anew.
    zhang.resolve(&case).await.unwrap();
    assert_eq!(zhang.get(&case).await.unwrap().state(), State::AwaitingSatisfaction);
    assert_eq!(zhang.confirm(&case, false).await.unwrap().state(), State::Open);
}

#[tokio::test]
async fn o2_who_finds_a_colleague_that_can_answer_goes_on_seeing_to_it() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let case = zhang.open("c-1", "C-1").await;
    let due = at(zhang.get(&case).await.unwrap().clocks[0].due_time);
    li.accept(&case, &zhang.offered(&case, "li").await).await.unwrap();
    let handed = zhang.get(&case).await.unwrap();
    assert_eq!(
        (handed.accountable, at(handed.clocks[0].due_time)),
        (employee("zhang"), due),
        "the same limit"
    );
    // The colleague forgets: the first responder is told, and may answer.
    office.until(due).await;
    for who in ["zhang", "li"] {
        let told = waiting(&office, who).await;
        assert!(told.contains(&(Kind::Escalation, case.clone())), "{who}: {told:?}");
    }
    zhang.resolve(&case).await.unwrap();
    assert_eq!(zhang.confirm(&case, true).await.unwrap().state(), State::Closed);
}

#[tokio::test]
async fn o2_a_colleague_who_does_not_take_it_leaves_the_client_with_the_first_responder() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    office.at_their_desks(&["zhang", "li"]).await;
    let case = zhang.open("c-1", "C-1").await;
    // Of the work (O4) as of the call (K5).
    li.decline(&case, &zhang.offered(&case, "li").await).await.unwrap();
    zhang.transfer("c-1", "li").await.unwrap();
    li.decline_ringing("c-1").await.unwrap();
    let left = zhang.get(&case).await.unwrap();
    assert_eq!(
        (left.state(), left.handler, left.accountable),
        (State::Open, employee("zhang"), employee("zhang"))
    );
    assert_eq!(office.telephony().presence_of("zhang").await.unwrap().contact, "contacts/c-1");
    assert!(left.clocks[0].met_time.is_none());
}

#[tokio::test]
async fn o2_a_contact_for_which_nobody_is_there_waits_or_is_promised_and_is_not_sent_away() {
    let (_ground, office) = Ground::at(tuesday()).await;
    assert_eq!(outcome(&office.telephony().route(call("c-1")).await.unwrap()), "queued");
    // Whoever comes is given what waits.
    office.pass(TimeDelta::minutes(3)).await;
    office.at_their_desks(&["li"]).await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(office.rings_at("c-1").await, employee("li"));
    let (_ground, night) = Ground::at(local(2025, 9, 12, 20, 0)).await;
    let told = night.telephony().route(call("c-1")).await.unwrap().after_hours.unwrap();
    assert_eq!(at(told.due_time), local(2025, 9, 15, 17, 0), "the client hears from the firm by then (O5)");
}
