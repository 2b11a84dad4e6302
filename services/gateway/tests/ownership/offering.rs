//! O3, O4: a hand-over is an offer. Until the receiver accepts, the giver stays responsible; accepted, the work moves and the accountability stays.

use chrono::TimeDelta;
use shouwen_engine::{Actor, Submission};
use shouwen_gateway::domain::{
    Command,
    command::{FollowUp, Step},
};
use shouwen_proto::ownership::v1::case::State;
use tonic::Code;

use crate::{
    desk::{employee, is_chinese, reason},
    ground::{Ground, at, tuesday},
};

#[tokio::test]
async fn o3_an_accepted_offer_moves_the_work_and_not_the_accountability() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    let offered = zhang.offer(&name, "li").await.unwrap();
    let offer = offered.offer.unwrap();
    assert_eq!(
        (offer.from, offer.to, &*offer.reason),
        (employee("zhang"), employee("li"), "knows margin accounts")
    );
    assert_eq!(at(offer.expire_time), tuesday() + TimeDelta::minutes(30));
    assert_eq!((offered.handler, offered.epoch), (employee("zhang"), 1), "the giver stays responsible");
    assert_eq!(reason(li.resolve(&name).await), "NOT_RESPONSIBLE");

    let accepted = li.accept(&name, &offer.offer).await.unwrap();
    assert_eq!((accepted.handler, accepted.epoch, accepted.offer), (employee("li"), 2, None));
    let zhang_is = employee("zhang");
    assert_eq!((&accepted.first_responder, &accepted.accountable), (&zhang_is, &zhang_is));
    // The accountable person still may act on it.
    zhang.resolve(&name).await.unwrap();
    assert_eq!(reason(li.accept(&name, &offer.offer).await), "NO_SUCH_OFFER");
    assert_eq!(ground.number("select count(*) from deadline where step = 'offer'").await, 0);
    let clear = "select count(*) from ledger where encode(payload, 'escape') like '%a colleague will call%'";
    assert_eq!(ground.number(clear).await, 0, "what the client was told is sealed");
}

#[tokio::test]
async fn o3_a_second_hand_over_takes_the_case_from_the_first_receiver() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li, wang) = (office.desk("zhang"), office.desk("li"), office.desk("wang"));
    let name = zhang.open("call-1", "C-1").await;
    li.accept(&name, &zhang.offered(&name, "li").await).await.unwrap();
    wang.accept(&name, &li.offered(&name, "wang").await).await.unwrap();
    let refused = li.resolve(&name).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::PermissionDenied, "NOT_RESPONSIBLE"));
    assert_eq!(
        (&refused.metadata["handler"], &refused.metadata["accountable"]),
        (&employee("wang"), &employee("zhang"))
    );
    // The accountable person may take the work back by an offer like any other.
    zhang.accept(&name, &wang.offered(&name, "zhang").await).await.unwrap();
    assert_eq!(zhang.get(&name).await.unwrap().epoch, 4);
}

#[tokio::test]
async fn o4_declined_and_withdrawn_offers_leave_the_case_where_it_was() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    let declined = zhang.offered(&name, "li").await;
    assert_eq!(reason(zhang.offer(&name, "wang").await), "OFFER_PENDING");
    let case = li.decline(&name, &declined).await.unwrap();
    assert_eq!((case.handler, case.epoch, case.offer), (employee("zhang"), 1, None));
    let withdrawn = zhang.offered(&name, "li").await;
    assert_ne!(declined, withdrawn);
    let case = zhang.withdraw(&name, &withdrawn).await.unwrap();
    assert_eq!((case.handler, case.epoch, case.offer), (employee("zhang"), 1, None));
    for offer in [&declined, &withdrawn] {
        for refused in [
            li.accept(&name, offer).await,
            li.decline(&name, offer).await,
            zhang.withdraw(&name, offer).await,
        ] {
            let refused = refused.unwrap_err();
            assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "NO_SUCH_OFFER"));
            assert_eq!(&refused.metadata["offer"], offer);
        }
    }
    let events = ["case_opened", "offer_made", "offer_declined", "offer_made", "offer_withdrawn"];
    assert_eq!(ground.events(&name).await, events);
}

#[tokio::test]
async fn o4_only_the_receiver_answers_and_only_the_responsible_withdraw() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, wang) = (office.desk("zhang"), office.desk("wang"));
    let name = zhang.open("call-1", "C-1").await;
    let offer = zhang.offered(&name, "li").await;
    for refused in [
        wang.accept(&name, &offer).await,
        wang.decline(&name, &offer).await,
        zhang.accept(&name, &offer).await,
    ] {
        let refused = refused.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::PermissionDenied, "NOT_THE_RECEIVER"));
        assert_eq!(refused.metadata["receiver"], employee("li"));
    }
    for stranger in ["li", "wang", "sun", "zhao"] {
        assert_eq!(
            reason(office.desk(stranger).withdraw(&name, &offer).await),
            "NOT_RESPONSIBLE",
            "{stranger}"
        );
        assert_eq!(reason(office.desk(stranger).offer(&name, "wang").await), "NOT_RESPONSIBLE", "{stranger}");
    }
    assert_eq!(reason(office.desk("li").accept(&name, "another").await), "NO_SUCH_OFFER");
}

#[tokio::test]
async fn o4_a_receiver_is_an_active_colleague_who_serves_clients_and_not_the_handler() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    for (to, problem) in [
        ("nobody", "is not in the roster"),
        ("gone", "is not active"),
        ("root", "serves no clients"),
        ("auditor", "serves no clients"),
        ("zhang", "is the handler already"),
    ] {
        let refused = zhang.offer(&name, to).await.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::InvalidArgument, "RECEIVER_INVALID"), "{to}");
        assert_eq!((&refused.metadata["employee"], &*refused.metadata["problem"]), (&employee(to), problem));
        assert_eq!(refused.fields, ["to"]);
        let told = zhang.clone().in_chinese().offer(&name, to).await.unwrap_err().text;
        assert!(is_chinese(&told), "{told}");
    }
    // A colleague of another branch or of headquarters may take it.
    for to in ["sun", "chen"] {
        let offer = zhang.offered(&name, to).await;
        zhang.withdraw(&name, &offer).await.unwrap();
    }
}

#[tokio::test]
async fn o4_an_offer_expires_exactly_at_its_time_and_once_whoever_sweeps() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let zhang = one.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    let offer = zhang.offered(&name, "li").await;
    one.until(tuesday() + TimeDelta::minutes(30) - TimeDelta::microseconds(1)).await;
    other.engine.sweep_once().await.unwrap();
    assert!(zhang.get(&name).await.unwrap().offer.is_some());

    one.unswept(tuesday() + TimeDelta::minutes(30)).await;
    let (first, second) = tokio::join!(one.engine.sweep_once(), other.engine.sweep_once());
    assert!(first.unwrap() + second.unwrap() >= 1);
    let case = zhang.get(&name).await.unwrap();
    assert_eq!((case.offer, case.handler, case.epoch), (None, employee("zhang"), 1));
    assert_eq!(ground.events(&name).await, ["case_opened", "offer_made", "offer_expired"]);
    assert_eq!(reason(one.desk("li").accept(&name, &offer).await), "NO_SUCH_OFFER");
    let cause = ground.texts("select cause from ledger where type = 'offer_expired'").await;
    assert_eq!(cause, ["deadline:offer"]);
}

#[tokio::test]
async fn o4_an_offer_whose_time_has_come_is_gone_before_any_sweep() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    let offer = zhang.offered(&name, "li").await;
    office.unswept(tuesday() + TimeDelta::minutes(30)).await;
    assert_eq!(reason(li.accept(&name, &offer).await), "NO_SUCH_OFFER");
    assert_eq!(reason(li.decline(&name, &offer).await), "NO_SUCH_OFFER");
    assert_eq!(reason(zhang.withdraw(&name, &offer).await), "NO_SUCH_OFFER");
    // Another offer takes its place, and the history says what became of the first.
    let second = zhang.offered(&name, "wang").await;
    assert_eq!(ground.events(&name).await, ["case_opened", "offer_made", "offer_expired", "offer_made"]);
    office.engine.sweep_once().await.unwrap();
    office.desk("wang").accept(&name, &second).await.unwrap();
    assert_eq!(ground.count("offer_expired").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o4_acceptance_racing_expiry_or_withdrawal_has_exactly_one_winner() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let (zhang, li) = (one.desk("zhang"), other.desk("li"));
    let mut offers = Vec::new();
    for number in 0..20 {
        let name = zhang.open(&format!("call-{number}"), &format!("C-{number}")).await;
        let offer = zhang.offered(&name, "li").await;
        let (accepted, withdrawn) = tokio::join!(li.accept(&name, &offer), zhang.withdraw(&name, &offer));
        assert_ne!(accepted.is_ok(), withdrawn.is_ok(), "{accepted:?} {withdrawn:?}");
        let lost = accepted.err().or(withdrawn.err()).unwrap();
        assert_eq!(lost.reason, "NO_SUCH_OFFER");
        let handler = zhang.get(&name).await.unwrap().handler;
        if handler == employee("zhang") {
            offers.push((name.clone(), zhang.offered(&name, "li").await));
        }
    }
    // Acceptance just before the time, expiry at it.
    for (name, offer) in &offers {
        let expired = Command::FollowUp(FollowUp::Due { case: name.clone().into(), step: Step::Offer });
        let sweep = Submission::new(expired, Actor::default());
        let (accepted, _) = tokio::join!(li.accept(name, offer), one.engine.submit(sweep));
        let events = ground.events(name).await;
        let ends =
            events.iter().filter(|event| ["offer_accepted", "offer_expired"].contains(&event.as_str()));
        assert_eq!(ends.count(), 1, "{events:?}");
        let expected = if accepted.is_ok() { "offer_accepted" } else { "offer_expired" };
        assert_eq!(events.last().unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o4_of_many_acceptances_and_declines_at_once_one_counts() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let name = one.desk("zhang").open("call-1", "C-1").await;
    let offer = one.desk("zhang").offered(&name, "li").await;
    let (a, b) = (one.desk("li"), other.desk("li"));
    let answers = tokio::join!(
        a.accept(&name, &offer),
        b.accept(&name, &offer),
        a.decline(&name, &offer),
        b.decline(&name, &offer)
    );
    let answers = [answers.0, answers.1, answers.2, answers.3];
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(ground.events(&name).await.len(), 3);
}

#[tokio::test]
async fn o4_an_offer_stands_while_satisfaction_is_awaited_and_ends_with_the_case() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    zhang.resolve(&name).await.unwrap();
    li.accept(&name, &zhang.offered(&name, "li").await).await.unwrap();
    let offer = li.offered(&name, "wang").await;
    let closed = li.confirm(&name, true).await.unwrap();
    assert_eq!((closed.state(), closed.offer), (State::Closed, None));
    assert_eq!(ground.events(&name).await[4..], ["offer_made", "offer_withdrawn", "case_closed"]);
    assert_eq!(reason(office.desk("wang").accept(&name, &offer).await), "NO_SUCH_OFFER");
    assert_eq!(reason(li.offer(&name, "wang").await), "ILLEGAL_TRANSITION");
}
