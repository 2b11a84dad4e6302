//! Many contacts at once, over two services on one schema: nobody is reserved twice, nobody stays free while somebody waits.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use shouwen_proto::{access::v1::Role, ownership::v1::roster_entry::Entry};
use tokio::task::JoinSet;

use crate::{
    desk::{IntoEntry as _, colleague, employee},
    ground::{Ground, tuesday},
    telephone::{call, outcome},
};

const PEOPLE: usize = 10;
const CONTACTS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k2_sixty_four_contacts_over_two_services_reserve_nobody_twice() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let names: Vec<String> = (0..PEOPLE).map(|number| format!("p{number}")).collect();
    let hired = names.iter().map(|name| Entry::Employee(colleague(name, "b1", &[Role::Staff])).into_entry());
    one.admin().import(hired.collect()).await.unwrap();
    for name in &names {
        one.at_their_desks(&[name]).await;
    }
    other.learned().await;
    let mut calls = JoinSet::new();
    for number in 0..CONTACTS {
        let telephony = [&one, &other][number % 2].telephony();
        calls.spawn(async move { telephony.route(call(&format!("c-{number}"))).await.unwrap() });
    }
    let routed = calls.join_all().await;
    // What was queued while somebody was still free rings at the next look.
    one.engine.sweep_once().await.unwrap();
    assert_eq!(routed.len(), CONTACTS);
    let mut reserved = BTreeSet::new();
    let mut queued = 0;
    for number in 0..CONTACTS {
        let routing = one.telephony().routing(&format!("c-{number}")).await.unwrap();
        match outcome(&routing).as_str() {
            "queued" => queued += 1,
            who => assert!(reserved.insert(who.to_owned()), "{who} is reserved twice"),
        }
    }
    assert_eq!(reserved, names.iter().map(|name| employee(name)).collect::<BTreeSet<_>>());
    assert_eq!(queued, CONTACTS - PEOPLE);
    let keys = "select count(*) from unique_key where kind = 'reserved_employee'";
    assert_eq!(ground.number(keys).await, i64::try_from(PEOPLE).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k2_an_answer_and_an_expiry_at_once_leave_one_of_them() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    for number in 0..8 {
        one.at_their_desks(&["zhang"]).await;
        let contact = format!("c-{number}");
        let routed = one.telephony().route(call(&contact)).await.unwrap();
        let expires = crate::ground::at(routed.reservation.unwrap().expire_time);
        one.unswept(expires).await;
        let desk = other.desk("zhang");
        let (answered, swept) = tokio::join!(desk.claim(&contact), one.engine.sweep_once());
        answered.unwrap();
        swept.unwrap();
        // Whatever came first, who answered has it, and nothing rings.
        let routing = one.telephony().routing(&contact).await.unwrap();
        assert_eq!((outcome(&routing).as_str(), routing.employee.as_str()), ("answered", "employees/zhang"));
        assert_eq!(ground.number("select count(*) from deadline where step = 'reservation'").await, 0);
    }
}

#[tokio::test]
async fn k2_a_service_that_dies_while_it_rings_leaves_the_next_step_to_the_others() {
    let (ground, one) = Ground::at(tuesday()).await;
    one.at_their_desks(&["zhang"]).await;
    one.pass(TimeDelta::seconds(1)).await;
    one.at_their_desks(&["li"]).await;
    assert_eq!(outcome(&one.telephony().route(call("c-1")).await.unwrap()), employee("zhang"));
    drop(one);
    let other = ground.another().await;
    other.pass(TimeDelta::seconds(15)).await;
    assert_eq!(other.rings_at("c-1").await, employee("li"));
    other.desk("li").claim("c-1").await.unwrap();
    assert_eq!(outcome(&other.telephony().routing("c-1").await.unwrap()), "answered");
}
