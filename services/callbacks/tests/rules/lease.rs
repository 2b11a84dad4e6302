//! Leases under contention and in time: one employee at a time, a lost lease returns, each step once over any number of replicas.

use futures_util::future::join_all;
use shouwen_proto::{
    callbacks::v1::{ReleaseCallbackRequest, callback::State},
    events::v1::callbacks_event,
};
use shouwen_serving::timestamps;

use crate::service::{Bed, at, detail, handler, refused, request_id, request_of};
use shouwen_access::status::reason_of;

#[tokio::test]
async fn b8_of_32_employees_leasing_at_once_exactly_one_gets_it() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let another = bed.another().await;
    let answers = join_all((0..32).map(|number| {
        let mut client = if number % 2 == 0 { bed.client() } else { another.client.clone() };
        let request = shouwen_proto::callbacks::v1::LeaseCallbackRequest {
            name: name.clone(),
            request_id: request_id(),
        };
        let who = handler(&format!("e{number}"), "cases/1", 1);
        async move { client.lease_callback(request_of(&who, request)).await }
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    let winner = won.into_iter().next().unwrap().unwrap().into_inner().callback.unwrap().leased_by;
    for refusal in lost {
        let status = refusal.unwrap_err();
        assert_eq!(reason_of(&status).unwrap(), "LEASED_BY_ANOTHER");
        assert_eq!(detail(&status, "employee"), winner);
    }
    assert_eq!(bed.ledger().await.iter().filter(|name| *name == "callback_leased").count(), 1);
}

#[tokio::test]
async fn b8_a_lost_lease_returns_the_callback() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let (zhang, li) = (handler("zhang", "cases/1", 1), handler("li", "cases/1", 1));
    let leased = bed.lease(&zhang, &name).await.unwrap().callback.unwrap();
    assert_eq!(leased.lease_expire_time, Some(timestamps::to_proto(at("2026-05-06T15:15"))));
    assert_eq!(bed.next().await.0.r#type, "callback_leased");
    bed.advance("2026-05-06T15:15").await;
    assert_eq!(bed.next_types(3).await, ["callback_limit_missed", "callback_escalated", "callback_released"]);
    let waiting = bed.get(&li, &name).await.unwrap();
    assert_eq!((waiting.state(), waiting.missed, waiting.leased_by.as_str()), (State::Waiting, true, ""));
    assert_eq!(bed.lease(&li, &name).await.unwrap().callback.unwrap().leased_by, "employees/li");
}

#[tokio::test]
async fn b8_the_holder_renews_and_gives_back() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let (zhang, li) = (handler("zhang", "cases/1", 1), handler("li", "cases/1", 1));
    bed.lease(&zhang, &name).await.unwrap();
    bed.advance("2026-05-06T15:10").await;
    let renewed = bed.lease(&zhang, &name).await.unwrap().callback.unwrap();
    assert_eq!(renewed.lease_expire_time, Some(timestamps::to_proto(at("2026-05-06T15:25"))));
    let release = || ReleaseCallbackRequest { name: name.clone(), request_id: request_id() };
    assert_eq!(refused(bed.client().release_callback(request_of(&li, release())).await), "NOT_LEASED");
    let given = bed.client().release_callback(request_of(&zhang, release())).await.unwrap().into_inner();
    assert_eq!(given.state(), State::Waiting);
    assert_eq!(refused(bed.client().release_callback(request_of(&zhang, release())).await), "NOT_LEASED");
}

#[tokio::test]
async fn b8_two_replicas_sweeping_take_each_step_once() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let mut names = Vec::new();
    for number in 0..12 {
        names.push(bed.promise(&format!("cases/{number}"), &format!("c{number}"), "2026-05-06T15:00").await);
    }
    let another = bed.another().await;
    for (number, name) in names.iter().enumerate() {
        bed.lease(&handler("zhang", &format!("cases/{number}"), 1), name).await.unwrap();
    }
    let (here, there) = (&bed.first.service.engine, &another.service.engine);
    here.step_clock(at("2026-05-06T15:00"), at("2026-05-06T15:15"), true).await.unwrap();
    let (one, two) = tokio::join!(here.sweep_once(), there.sweep_once());
    one.unwrap();
    two.unwrap();
    let ledger = bed.ledger().await;
    for step in ["callback_limit_missed", "callback_released"] {
        assert_eq!(ledger.iter().filter(|name| *name == step).count(), 12, "{step}");
    }
    assert_eq!(
        here.status().await.unwrap().deadlines,
        12 * 3,
        "only the lead, HQ and the company leader are ahead"
    );
}

#[tokio::test]
async fn b1_a_limit_is_missed_once_however_long_nobody_calls() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    bed.advance("2026-05-07T15:00").await;
    let (row, event) = bed.next().await;
    let callbacks_event::Event::CallbackLimitMissed(missed) = event else { panic!("{event:?}") };
    assert_eq!(missed.due, Some(timestamps::to_proto(at("2026-05-06T15:15"))));
    assert_eq!((row.cause.as_str(), row.case_name.as_str()), ("deadline:limit", "cases/1"));
    assert!(bed.get(&handler("zhang", "cases/1", 1), &name).await.unwrap().missed);
    let ledger = bed.ledger().await;
    assert_eq!(ledger.iter().filter(|name| *name == "callback_limit_missed").count(), 1);
}
