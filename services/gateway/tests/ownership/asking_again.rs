//! K2, K21: whoever missed or declined a contact is asked again once nobody else is left and the contact has waited, and not before.

use chrono::TimeDelta;
use shouwen_proto::{routing::v1::RouteContactRequest, r#type::v1::Channel};

use crate::{
    desk::employee,
    ground::{Ground, Office, local, tuesday},
    telephone::{call, call_of, outcome},
    touching::touch,
};

/// Time passes at desks that are heard of.
async fn attended(office: &Office, employees: &[&str], seconds: i64) {
    let end = office.here().await + TimeDelta::seconds(seconds);
    loop {
        for employee in employees {
            office.desk(employee).beat("desk-1").await.unwrap();
        }
        let next = office.here().await + TimeDelta::seconds(30);
        office.until(next.min(end)).await;
        if next >= end {
            return;
        }
    }
}

async fn stands(office: &Office, contact: &str) -> String {
    outcome(&office.telephony().routing(contact).await.unwrap())
}

/// Zhang and then Li have missed the call, which waits from now on.
async fn missed_by_both(office: &Office, contact: &str) {
    office.at_their_desks(&["zhang"]).await;
    office.pass(TimeDelta::seconds(1)).await;
    office.at_their_desks(&["li"]).await;
    assert_eq!(outcome(&office.telephony().route(call(contact)).await.unwrap()), employee("zhang"));
    office.pass(TimeDelta::seconds(15)).await;
    assert_eq!(office.rings_at(contact).await, employee("li"));
    office.pass(TimeDelta::seconds(15)).await;
    assert_eq!(stands(office, contact).await, "queued");
}

#[tokio::test]
async fn k2_who_missed_or_declined_a_contact_is_asked_again_at_each_check_of_the_queue() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let both = ["zhang", "li"];
    missed_by_both(&office, "c-1").await;
    for _check in 0..2 {
        attended(&office, &both, 299).await;
        assert_eq!(stands(&office, "c-1").await, "queued", "while both are free");
        attended(&office, &both, 1).await;
        assert_eq!(office.rings_at("c-1").await, employee("zhang"));
        // It goes on at once, and never straight back.
        let declined = office.desk("zhang").decline_ringing("c-1").await.unwrap();
        assert_eq!(outcome(&declined), employee("li"));
        let declined = office.desk("li").decline_ringing("c-1").await.unwrap();
        assert_eq!(outcome(&declined), "queued");
        office.engine.sweep_once().await.unwrap();
        assert_eq!(stands(&office, "c-1").await, "queued");
    }
}

#[tokio::test]
async fn k2_nobody_is_asked_again_while_somebody_else_is_left() {
    let (_ground, office) = Ground::at(tuesday()).await;
    missed_by_both(&office, "c-1").await;
    attended(&office, &["zhang", "li"], 299).await;
    office.at_their_desks(&["wang"]).await;
    attended(&office, &["zhang", "li", "wang"], 1).await;
    assert_eq!(office.rings_at("c-1").await, employee("wang"), "though the others are idle for longer");
    let declined = office.desk("wang").decline_ringing("c-1").await.unwrap();
    assert_eq!(outcome(&declined), employee("zhang"), "asked longer ago than a check");
}

#[tokio::test]
async fn k21_who_missed_a_contact_in_the_evening_is_asked_again_in_the_morning() {
    let (_ground, office) = Ground::at(local(2025, 9, 12, 16, 59)).await;
    office.pass(TimeDelta::seconds(50)).await;
    office.at_their_desks(&["zhang"]).await;
    let mail = RouteContactRequest { channel: Channel::Email.into(), ..call("m-1") };
    assert_eq!(outcome(&office.telephony().route(mail).await.unwrap()), employee("zhang"));
    office.pass(TimeDelta::seconds(15)).await;
    assert_eq!(stands(&office, "m-1").await, "after_hours");
    office.until(local(2025, 9, 15, 8, 29) + TimeDelta::seconds(30)).await;
    office.at_their_desks(&["zhang"]).await;
    office.until(local(2025, 9, 15, 8, 30)).await;
    assert_eq!(office.rings_at("m-1").await, employee("zhang"));
}

#[tokio::test]
async fn k2_whose_desk_was_lost_was_not_asked() {
    let (_ground, office) = Ground::at(tuesday()).await;
    office.at_their_desks(&["zhang"]).await;
    office.pass(TimeDelta::seconds(40)).await;
    assert_eq!(outcome(&office.telephony().route(call("c-1")).await.unwrap()), employee("zhang"));
    office.pass(TimeDelta::seconds(5)).await;
    assert_eq!(stands(&office, "c-1").await, "queued");
    office.at_their_desks(&["zhang"]).await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(office.rings_at("c-1").await, employee("zhang"));
}

#[tokio::test]
async fn o6_who_may_not_answer_in_the_branch_is_not_asked_again_at_all() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let case = office.desk("zhang").open("call-1", "C-1").await;
    let offer = office.desk("zhang").offered(&case, "sun").await;
    office.desk("sun").accept(&case, &offer).await.unwrap();
    office.at_their_desks(&["sun"]).await;
    assert_eq!(outcome(&office.telephony().route(call_of("c-1", "C-1")).await.unwrap()), employee("sun"));
    let claim = touch("c-1", "sun", "C-1");
    office.ownership.claim(claim.clone()).await.unwrap();
    office.ownership.void_touch("contacts/c-1", &claim.request_id, "BRANCH_OUT_OF_REACH").await.unwrap();
    attended(&office, &["sun"], 301).await;
    assert_eq!(stands(&office, "c-1").await, "queued");
    // Somebody else is.
    office.at_their_desks(&["zhang"]).await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(office.rings_at("c-1").await, employee("zhang"));
}
