//! K5 with several at once, over two services on one schema: one of what excludes each other counts, nobody is reserved twice, and nobody stays engaged.

use shouwen_proto::{
    events::v1::{CallOutcome, PresenceState as Wanted},
    routing::v1::Routing,
};
use tokio::task::JoinSet;

use crate::{
    desk::{Answer, employee},
    ground::{Ground, Office, at, tuesday},
    telephone::{call, outcome},
    touching::touch,
};

const ROUNDS: usize = 8;

/// Zhang is on a call, Li and Wang are free, and something is transferred or not.
async fn at_work(office: &Office) {
    office.at_their_desks(&["zhang", "li", "wang"]).await;
}

fn word(answer: &Answer<Routing>) -> &str {
    answer.as_ref().map_or_else(|refused| &*refused.reason, |_| "OK")
}

/// What rings, and whose key is held.
async fn reserved(ground: &Ground) -> (Vec<String>, Vec<String>) {
    let rings = "select reserved from routings where reserved is not null order by 1";
    let keys = "select key from unique_key where kind = 'reserved_employee' order by 1";
    (ground.texts(rings).await, ground.texts(keys).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k5_acceptance_racing_expiry_has_one_winner() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    for round in 0..ROUNDS {
        let contact = format!("c-{round}");
        at_work(&one).await;
        for who in ["zhang", "li", "wang"] {
            one.desk(who).beat("desk-1").await.unwrap();
        }
        one.desk("zhang").claim(&contact).await.unwrap();
        let announced = one.desk("zhang").transfer(&contact, "li").await.unwrap();
        let expires = at(announced.transfer.unwrap().expire_time);
        let swept = async {
            one.unswept(expires).await;
            tokio::join!(one.engine.sweep_once(), other.engine.sweep_once())
        };
        let li = other.desk("li");
        let (accepted, swept) = tokio::join!(li.take(&contact), swept);
        assert!(swept.0.is_ok() && swept.1.is_ok());
        let ends: Vec<String> = ground.events(&format!("routings/{contact}")).await;
        let ends: Vec<&str> =
            ends.iter().map(String::as_str).filter(|event| event.starts_with("transfer_")).collect();
        let (expected, on_call, free) = match word(&accepted) {
            "OK" => ("transfer_accepted", "li", "zhang"),
            "NO_SUCH_RESERVATION" => ("transfer_returned", "zhang", "li"),
            refused => panic!("{refused}"),
        };
        assert_eq!(ends, ["transfer_announced", expected]);
        assert_eq!(one.desk("li").presence_of(on_call).await.unwrap().state(), Wanted::Busy);
        assert_eq!(one.desk("li").presence_of(free).await.unwrap().state(), Wanted::Available);
        assert_eq!(reserved(&ground).await, (vec![], vec![]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k5_of_two_transfers_of_one_call_one_counts() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    at_work(&one).await;
    for round in 0..ROUNDS {
        let contact = format!("c-{round}");
        one.at_their_desks(&["zhang"]).await;
        one.desk("zhang").claim(&contact).await.unwrap();
        let (here, there) = (one.desk("zhang"), other.desk("zhang"));
        let answers = tokio::join!(here.transfer(&contact, "li"), there.transfer(&contact, "wang"));
        let mut words = [word(&answers.0), word(&answers.1)];
        words.sort_unstable();
        assert_eq!(words, ["OK", "TRANSFER_PENDING"]);
        let (rings, keys) = reserved(&ground).await;
        assert_eq!((rings.len(), &rings), (1, &keys));
        one.desk("zhang").withdraw_transfer(&contact).await.unwrap();
    }
    assert_eq!(reserved(&ground).await, (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k5_of_many_calls_transferred_to_one_colleague_at_once_one_rings() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let callers = ["zhang", "wang", "zhao", "qian", "chen", "lin"];
    one.at_their_desks(&callers).await;
    one.at_their_desks(&["li"]).await;
    for caller in callers {
        one.desk(caller).claim(&format!("c-{caller}")).await.unwrap();
    }
    let mut transfers = JoinSet::new();
    for (number, caller) in callers.into_iter().enumerate() {
        let desk = [&one, &other][number % 2].desk(caller);
        transfers.spawn(async move { word(&desk.transfer(&format!("c-{caller}"), "li").await).to_owned() });
    }
    let mut words = transfers.join_all().await;
    words.sort_unstable();
    assert_eq!(words[0], "OK");
    assert!(words[1..].iter().all(|word| word == "TARGET_NOT_FREE"), "{words:?}");
    assert_eq!(reserved(&ground).await, (vec![employee("li")], vec![employee("li")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k5_a_target_whom_another_contact_wants_at_the_same_time_gets_one_of_them() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    for round in 0..ROUNDS {
        let (transferred, routed) = (format!("t-{round}"), format!("r-{round}"));
        one.at_their_desks(&["zhang", "li"]).await;
        one.desk("zhang").claim(&transferred).await.unwrap();
        let (zhang, telephony) = (one.desk("zhang"), other.telephony());
        let (transfer, route) =
            tokio::join!(zhang.transfer(&transferred, "li"), telephony.route(call(&routed)));
        let route = outcome(&route.unwrap());
        match word(&transfer) {
            "OK" => assert_eq!(route, "queued"),
            "TARGET_NOT_FREE" => assert_eq!(route, employee("li")),
            refused => panic!("{refused}"),
        }
        assert_eq!(reserved(&ground).await, (vec![employee("li")], vec![employee("li")]));
        one.telephony().cancel(&routed).await.unwrap();
        if transfer.is_ok() {
            one.desk("zhang").withdraw_transfer(&transferred).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k5_of_acceptance_refusal_and_withdrawal_at_once_one_counts() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    for round in 0..ROUNDS {
        let contact = format!("c-{round}");
        at_work(&one).await;
        one.desk("zhang").claim(&contact).await.unwrap();
        one.desk("zhang").transfer(&contact, "li").await.unwrap();
        let (zhang, here, there) = (one.desk("zhang"), one.desk("li"), other.desk("li"));
        let answers = tokio::join!(
            zhang.withdraw_transfer(&contact),
            here.take(&contact),
            there.take(&contact),
            there.decline_ringing(&contact)
        );
        let words = [word(&answers.0), word(&answers.1), word(&answers.2), word(&answers.3)];
        assert_eq!(words.iter().filter(|word| **word == "OK").count(), 1, "{words:?}");
        assert_eq!(reserved(&ground).await, (vec![], vec![]));
    }
    let ends = ground.count("transfer_accepted").await + ground.count("transfer_returned").await;
    assert_eq!(ends, i64::try_from(ROUNDS).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k5_announcement_or_acceptance_racing_the_end_of_the_call_leaves_everybody_free() {
    let (ground, one) = Ground::at(tuesday()).await;
    at_work(&one).await;
    for round in 0..ROUNDS {
        let contact = format!("c-{round}");
        one.desk("zhang").claim(&contact).await.unwrap();
        let (zhang, li) = (one.desk("zhang"), one.desk("li"));
        let here = one.here().await;
        let hang_up = async { one.calls().ended(here, &contact, "zhang", CallOutcome::AnswerOwed) };
        if round % 2 == 0 {
            let (announced, ()) = tokio::join!(zhang.transfer(&contact, "li"), hang_up);
            assert!(["OK", "ILLEGAL_TRANSITION"].contains(&word(&announced)), "{announced:?}");
        } else {
            zhang.transfer(&contact, "li").await.unwrap();
            let (accepted, ()) = tokio::join!(li.take(&contact), hang_up);
            assert!(["OK", "NO_SUCH_RESERVATION"].contains(&word(&accepted)), "{accepted:?}");
        }
        one.followed().await;
        for who in ["zhang", "li"] {
            let presence = one.telephony().presence_of(who).await.unwrap();
            assert_eq!((presence.state(), &*presence.contact), (Wanted::Available, ""), "{who}");
        }
        assert_eq!(reserved(&ground).await, (vec![], vec![]));
        assert_eq!(ground.number("select count(*) from deadline where step = 'transfer'").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k5_a_transfer_racing_a_touch_that_is_void_leaves_everybody_free() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    at_work(&one).await;
    for round in 0..ROUNDS {
        let contact = format!("c-{round}");
        let owed = touch(&contact, "zhang", "");
        one.ownership.claim(owed.clone()).await.unwrap();
        let (zhang, li) = (one.desk("zhang"), one.desk("li"));
        let name = format!("contacts/{contact}");
        let void = other.ownership.void_touch(&name, &owed.request_id, "CALL_ENDED");
        if round % 2 == 0 {
            let (announced, voided) = tokio::join!(zhang.transfer(&contact, "li"), void);
            voided.unwrap();
            assert!(["OK", "CONTACT_NOT_FOUND"].contains(&word(&announced)), "{announced:?}");
        } else {
            zhang.transfer(&contact, "li").await.unwrap();
            let (accepted, voided) = tokio::join!(li.take(&contact), void);
            voided.unwrap();
            assert!(["OK", "NO_SUCH_RESERVATION"].contains(&word(&accepted)), "{accepted:?}");
        }
        for who in ["zhang", "li"] {
            let presence = one.telephony().presence_of(who).await.unwrap();
            assert_eq!((presence.state(), &*presence.contact), (Wanted::Available, ""), "{who}");
        }
        assert_eq!(reserved(&ground).await, (vec![], vec![]));
    }
}

#[tokio::test]
async fn k5_a_service_that_dies_while_it_rings_leaves_the_return_to_the_others() {
    let (ground, one) = Ground::at(tuesday()).await;
    at_work(&one).await;
    one.desk("zhang").claim("c-1").await.unwrap();
    let announced = one.desk("zhang").transfer("c-1", "li").await.unwrap();
    drop(one);
    let (other, third) = (ground.another().await, ground.another().await);
    other.unswept(at(announced.transfer.unwrap().expire_time)).await;
    let (first, second) = tokio::join!(other.engine.sweep_once(), third.engine.sweep_once());
    assert!(first.unwrap() + second.unwrap() >= 1);
    assert_eq!(ground.count("transfer_returned").await, 1);
    assert_eq!(ground.count("reservation_counted").await, 1);
}
