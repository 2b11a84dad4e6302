//! K14, K21, O5, K2, K13: what becomes of a contact that waits or was given back, and when it ends without an answer.

use chrono::TimeDelta;
use shouwen_proto::access::v1::Role;
use shouwen_proto::{
    events::v1::{PresenceState as Wanted, ReservationEnd},
    ownership::v1::Employee,
    routing::v1::{RouteContactRequest, routing::State},
    r#type::v1::Channel,
};

use crate::{
    desk::{colleague, employee, id, reason},
    ground::{Ground, local, tuesday},
    routing::{hire, in_turn, mail},
    telephone::{call, outcome},
    touching::touch,
};

#[tokio::test]
async fn k13_who_answers_a_colleagues_phone_gives_back_what_rings_at_their_own_desk() {
    let (_ground, office) = Ground::at(tuesday()).await;
    in_turn(&office, &["zhang", "li", "wang"]).await;
    assert_eq!(outcome(&office.telephony().route(call("c-1")).await.unwrap()), employee("zhang"));
    assert_eq!(outcome(&office.telephony().route(call("c-2")).await.unwrap()), employee("li"));
    office.desk("zhang").claim("c-2").await.unwrap();
    office.engine.sweep_once().await.unwrap();
    let moved = office.telephony().routing("c-1").await.unwrap();
    assert_eq!(moved.past[0].end(), ReservationEnd::Withdrawn);
    assert_eq!(outcome(&moved), employee("li"), "free again, and longer than Wang");
}

#[tokio::test]
async fn k13_who_gave_a_call_back_for_another_one_or_a_pause_is_asked_again() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (telephony, zhang) = (office.telephony(), office.desk("zhang"));
    office.at_their_desks(&["zhang"]).await;
    assert_eq!(outcome(&telephony.route(call("c-1")).await.unwrap()), employee("zhang"));
    zhang.claim("c-2").await.unwrap();
    office.engine.sweep_once().await.unwrap();
    assert_eq!(outcome(&telephony.routing("c-1").await.unwrap()), "queued");
    zhang.is(Wanted::Available).await.unwrap();
    office.engine.sweep_once().await.unwrap();
    assert_eq!(office.rings_at("c-1").await, employee("zhang"));
    zhang.is(Wanted::Paused).await.unwrap();
    assert_eq!(outcome(&telephony.routing("c-1").await.unwrap()), "queued");
    zhang.is(Wanted::Available).await.unwrap();
    office.engine.sweep_once().await.unwrap();
    assert_eq!(office.rings_at("c-1").await, employee("zhang"));
}

#[tokio::test]
async fn k21_what_is_given_back_at_night_rings_at_who_else_is_on_duty() {
    let (_ground, office) = Ground::at(tuesday() + TimeDelta::hours(10)).await;
    let duty = |name| Employee { duty: true, ..colleague(name, "b1", &[Role::Staff]) };
    hire(&office, vec![duty("he"), duty("hu")]).await;
    in_turn(&office, &["he", "hu"]).await;
    assert_eq!(outcome(&office.telephony().route(call("c-1")).await.unwrap()), employee("he"));
    assert_eq!(outcome(&office.telephony().route(call("c-2")).await.unwrap()), employee("hu"));
    office.desk("he").claim("c-2").await.unwrap();
    office.engine.sweep_once().await.unwrap();
    assert_eq!(office.rings_at("c-1").await, employee("hu"));
}

#[tokio::test]
async fn k2_an_answer_that_its_backend_refuses_leaves_the_client_to_be_answered() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let telephony = office.telephony();
    in_turn(&office, &["zhang", "li"]).await;
    assert_eq!(outcome(&telephony.route(call("c-1")).await.unwrap()), employee("zhang"));
    assert_eq!(outcome(&telephony.route(call("c-2")).await.unwrap()), employee("li"));
    // Of a call that does not ring any more nobody is to be found.
    for (contact, refusal, then) in
        [("c-1", "CALL_NOT_FOUND", employee("zhang")), ("c-2", "ILLEGAL_TRANSITION", "answered".to_owned())]
    {
        let claim = touch(contact, "wang", "");
        office.ownership.claim(claim.clone()).await.unwrap();
        office
            .ownership
            .void_touch(&format!("contacts/{contact}"), &claim.request_id, refusal)
            .await
            .unwrap();
        office.engine.sweep_once().await.unwrap();
        assert_eq!(outcome(&telephony.routing(contact).await.unwrap()), then, "{refusal}");
    }
}

#[tokio::test]
async fn k2_a_branch_where_many_wait_does_not_hold_up_another() {
    let (ground, office) = Ground::at(tuesday()).await;
    office.telephony().route(mail("m-0")).await.unwrap();
    let many = "insert into routings (id, version, state)
                select 'routings/m-' || i, version, state from routings, generate_series(1, 200) i";
    ground.run(many).await;
    office.pass(TimeDelta::seconds(1)).await;
    let elsewhere = RouteContactRequest { branch: "branches/b2".to_owned(), ..call("c-1") };
    assert_eq!(outcome(&office.telephony().route(elsewhere).await.unwrap()), "queued");
    in_turn(&office, &["sun"]).await;
    assert_eq!(office.rings_at("c-1").await, employee("sun"));
    in_turn(&office, &["zhang"]).await;
    assert_eq!(office.rings_at("m-0").await, employee("zhang"), "in each branch who waits longest");
}

#[tokio::test]
async fn o5_what_is_no_call_is_routed_when_working_hours_begin() {
    let (_ground, office) = Ground::at(local(2025, 9, 12, 20, 0)).await;
    let mail = RouteContactRequest { channel: Channel::Email.into(), ..call("m-1") };
    assert_eq!(outcome(&office.telephony().route(mail).await.unwrap()), "after_hours");
    office.until(local(2025, 9, 15, 8, 29)).await;
    assert_eq!(outcome(&office.telephony().routing("m-1").await.unwrap()), "after_hours");
    office.at_their_desks(&["zhang"]).await;
    office.until(local(2025, 9, 15, 8, 30)).await;
    assert_eq!(office.rings_at("m-1").await, "", "the desk was not heard of");
    office.at_their_desks(&["li"]).await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(office.rings_at("m-1").await, employee("li"));
}

#[tokio::test]
async fn k14_a_client_who_waits_may_hang_up_or_ask_to_be_called_back() {
    let (ground, office) = Ground::at(tuesday()).await;
    let telephony = office.telephony();
    for contact in ["c-1", "c-2"] {
        assert_eq!(outcome(&telephony.route(call(contact)).await.unwrap()), "queued");
    }
    assert_eq!(telephony.call_back("c-1").await.unwrap().state(), State::Callback);
    assert_eq!(telephony.call_back("c-1").await.unwrap().state(), State::Callback);
    assert_eq!(telephony.cancel("c-2").await.unwrap().state(), State::Abandoned);
    assert_eq!(reason(telephony.call_back("c-2").await), "ILLEGAL_TRANSITION");
    assert_eq!(telephony.cancel("c-1").await.unwrap().state(), State::Callback, "what was agreed stands");
    assert_eq!(reason(telephony.cancel("c-9").await), "ROUTING_NOT_FOUND");
    assert_eq!(reason(office.desk("sun").cancel("c-1").await), "BRANCH_OUT_OF_REACH");
    assert_eq!(ground.number("select count(*) from deadline").await, 0);
    let mail = RouteContactRequest { channel: Channel::Email.into(), request_id: id(), ..call("m-1") };
    telephony.route(mail).await.unwrap();
    assert_eq!(reason(telephony.call_back("m-1").await), "ILLEGAL_TRANSITION");
}

#[tokio::test]
async fn k14_a_call_that_is_reported_as_missed_rings_and_waits_no_more() {
    let (ground, office) = Ground::at(tuesday()).await;
    let telephony = office.telephony();
    office.at_their_desks(&["zhang"]).await;
    assert_eq!(outcome(&telephony.route(call("c-1")).await.unwrap()), employee("zhang"));
    for contact in ["c-2", "c-3"] {
        assert_eq!(outcome(&telephony.route(call(contact)).await.unwrap()), "queued");
    }
    telephony.call_back("c-3").await.unwrap();
    office.desk("li").claim("c-4").await.unwrap();
    telephony.route(call("c-4")).await.unwrap();
    // Of the last nobody has heard.
    for contact in ["c-1", "c-2", "c-3", "c-4", "c-5"] {
        office.calls().missed(office.here().await, contact);
    }
    office.followed().await;
    for (contact, stands) in
        [("c-1", "abandoned"), ("c-2", "abandoned"), ("c-3", "callback"), ("c-4", "answered")]
    {
        assert_eq!(outcome(&telephony.routing(contact).await.unwrap()), stands, "{contact}");
    }
    office.pass(TimeDelta::seconds(15)).await;
    let zhang = office.desk("zhang").presence_of("zhang").await.unwrap();
    assert_eq!((zhang.state(), zhang.missed), (Wanted::Available, 0));
    assert_eq!(ground.number("select count(*) from deadline where aggregate like 'routings/%'").await, 0);
    assert_eq!(ground.number("select count(*) from unique_key where kind = 'reserved_employee'").await, 0);
}

#[tokio::test]
async fn k21_a_call_on_the_after_hours_path_stays_there_when_it_is_told_of_as_missed() {
    let (_ground, office) = Ground::at(local(2025, 9, 12, 20, 0)).await;
    assert_eq!(outcome(&office.telephony().route(call("c-1")).await.unwrap()), "after_hours");
    office.calls().missed(office.here().await, "c-1");
    office.followed().await;
    assert_eq!(outcome(&office.telephony().routing("c-1").await.unwrap()), "after_hours");
}

#[tokio::test]
async fn k21_who_waits_when_working_hours_end_is_told_when_they_begin() {
    let (_ground, office) = Ground::at(local(2025, 9, 9, 16, 58)).await;
    assert_eq!(outcome(&office.telephony().route(call("c-1")).await.unwrap()), "queued");
    office.pass(TimeDelta::minutes(5)).await;
    assert_eq!(outcome(&office.telephony().routing("c-1").await.unwrap()), "after_hours");
}
