//! K14: a client who hangs up while an answer is still owed to its backend waits for nobody, whether the backend refuses the answer before or after that.

use shouwen_gateway::ownership::Claim;

use crate::{
    desk::employee,
    ground::{Ground, Office, tuesday},
    routing::in_turn,
    telephone::{call, outcome},
    touching::touch,
};

const REFUSALS: [&str; 3] = ["CALL_NOT_FOUND", "BRANCH_OUT_OF_REACH", "ILLEGAL_TRANSITION"];

/// Who tells that the client is gone.
#[derive(Clone, Copy, Debug)]
enum Teller {
    Telephony,
    Calls,
}

const TELLERS: [Teller; 2] = [Teller::Telephony, Teller::Calls];

/// The contact rings at li's desk, and wang answers it; the backend has still to take that.
async fn answered(office: &Office, contact: &str) -> Claim {
    assert_eq!(outcome(&office.telephony().route(call(contact)).await.unwrap()), employee("li"));
    let claim = touch(contact, "wang", "");
    office.ownership.claim(claim.clone()).await.unwrap();
    claim
}

async fn hangs_up(office: &Office, contact: &str, teller: Teller) {
    match teller {
        Teller::Telephony => drop(office.telephony().cancel(contact).await.unwrap()),
        Teller::Calls => {
            office.calls().missed(office.here().await, contact);
            office.followed().await;
        }
    }
}

async fn refused(office: &Office, claim: &Claim, reason: &str) {
    let contact = format!("contacts/{}", claim.contact_id);
    office.ownership.void_touch(&contact, &claim.request_id, reason).await.unwrap();
}

/// How it stands with the contact once somebody was looked for.
async fn stands(office: &Office, contact: &str) -> String {
    office.engine.sweep_once().await.unwrap();
    outcome(&office.telephony().routing(contact).await.unwrap())
}

#[tokio::test]
async fn k14_who_hung_up_before_the_answer_was_refused_rings_nowhere_again() {
    let (ground, office) = Ground::at(tuesday()).await;
    in_turn(&office, &["li"]).await;
    for (number, refusal) in REFUSALS.into_iter().enumerate() {
        for teller in TELLERS {
            let contact = format!("c-{number}-{teller:?}");
            let claim = answered(&office, &contact).await;
            hangs_up(&office, &contact, teller).await;
            assert_eq!(stands(&office, &contact).await, "answered", "the backend may still take it");
            refused(&office, &claim, refusal).await;
            assert_eq!(stands(&office, &contact).await, "abandoned", "{refusal} {teller:?}");
            let events =
                ["routing_begun", "reservation_made", "routing_answered", "client_left", "routing_ended"];
            assert_eq!(ground.events(&format!("routings/{contact}")).await, events);
        }
    }
}

#[tokio::test]
async fn k14_who_hangs_up_after_the_answer_was_refused_rings_nowhere_either() {
    let (ground, office) = Ground::at(tuesday()).await;
    in_turn(&office, &["li"]).await;
    for teller in TELLERS {
        let contact = format!("c-{teller:?}");
        let claim = answered(&office, &contact).await;
        refused(&office, &claim, "CALL_NOT_FOUND").await;
        assert_eq!(stands(&office, &contact).await, employee("li"));
        hangs_up(&office, &contact, teller).await;
        assert_eq!(stands(&office, &contact).await, "abandoned", "{teller:?}");
    }
    assert_eq!(ground.count("client_left").await, 0);
}

#[tokio::test]
async fn k14_a_client_who_is_told_of_as_gone_again_and_again_is_gone_once() {
    let (ground, office) = Ground::at(tuesday()).await;
    in_turn(&office, &["li"]).await;
    let claim = answered(&office, "c-1").await;
    for teller in [Teller::Telephony, Teller::Calls, Teller::Telephony] {
        hangs_up(&office, "c-1", teller).await;
    }
    for _ in 0..2 {
        refused(&office, &claim, "CALL_NOT_FOUND").await;
    }
    for teller in TELLERS {
        hangs_up(&office, "c-1", teller).await;
    }
    assert_eq!(stands(&office, "c-1").await, "abandoned");
    assert_eq!((ground.count("client_left").await, ground.count("routing_ended").await), (1, 1));
}

#[tokio::test]
async fn k14_an_answer_that_its_backend_takes_stands_though_the_client_has_hung_up() {
    let (ground, office) = Ground::at(tuesday()).await;
    in_turn(&office, &["li"]).await;
    let claim = touch("c-1", "zhang", "");
    office.telephony().route(call("c-1")).await.unwrap();
    let case = office.ownership.claim(claim.clone()).await.unwrap().case;
    hangs_up(&office, "c-1", Teller::Telephony).await;
    office.calls().answered(office.here().await, "c-1", &case);
    office.followed().await;
    refused(&office, &claim, "CALL_NOT_FOUND").await;
    assert_eq!(stands(&office, "c-1").await, "answered");
    // Nothing is owed any more: that the call is over is not of interest here.
    hangs_up(&office, "c-1", Teller::Telephony).await;
    assert_eq!(ground.count("client_left").await, 1);
}

#[tokio::test]
async fn k14_who_answers_again_what_was_abandoned_leaves_it_so() {
    let (ground, office) = Ground::at(tuesday()).await;
    in_turn(&office, &["li"]).await;
    let first = answered(&office, "c-1").await;
    hangs_up(&office, "c-1", Teller::Telephony).await;
    refused(&office, &first, "CALL_NOT_FOUND").await;
    let second = touch("c-1", "wang", "");
    office.ownership.claim(second.clone()).await.unwrap();
    hangs_up(&office, "c-1", Teller::Calls).await;
    refused(&office, &second, "CALL_NOT_FOUND").await;
    assert_eq!(stands(&office, "c-1").await, "abandoned");
    assert_eq!((ground.count("client_left").await, ground.count("routing_ended").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k14_hanging_up_and_the_refusal_of_the_answer_at_once_leave_nothing_ringing() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    in_turn(&one, &["li"]).await;
    for round in 0..16 {
        let contact = format!("c-{round}");
        let claim = answered(&one, &contact).await;
        let (teller, refusal) = (TELLERS[round % 2], REFUSALS[round % 3]);
        tokio::join!(hangs_up(&one, &contact, teller), refused(&other, &claim, refusal));
        if stands(&one, &contact).await == "answered" {
            // The call rang no more when it was refused, and nobody was told of it before.
            assert_eq!(refusal, "ILLEGAL_TRANSITION");
        } else {
            assert_eq!(stands(&one, &contact).await, "abandoned", "{refusal} {teller:?}");
            let events = ground.events(&format!("routings/{contact}")).await;
            assert_eq!(events.last().map(String::as_str), Some("routing_ended"));
            assert_eq!(events.iter().filter(|event| *event == "routing_ended").count(), 1);
        }
        assert_eq!(one.rings_at(&contact).await, "");
        let keys = "select count(*) from unique_key where kind = 'reserved_employee'";
        assert_eq!(ground.number(keys).await, 0);
    }
}
