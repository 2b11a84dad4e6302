//! O1: a first touch that a backend still owes an answer stays on the winner's desk, is completed by the backend's event, or voided for good.

use bytes::Bytes;
use chrono::TimeDelta;
use shouwen_gateway::ownership::Claim;
use shouwen_proto::{ownership::v1::case::State, r#type::v1::Channel};

use crate::{
    desk::{employee, id, reason},
    ground::{Ground, tuesday},
};

const METHOD: &str = "/shouwen.calls.v1.CallService/AnswerCall";

pub(crate) fn touch(contact: &str, name: &str, client: &str) -> Claim {
    Claim {
        contact_id: contact.to_owned(),
        employee: employee(name),
        branch: "branches/b1".to_owned(),
        topic: String::new(),
        client: client.to_owned(),
        channel: Channel::Phone.into(),
        method: METHOD.to_owned(),
        request: Bytes::from_static(b"\x00the client said so\xff"),
        request_id: id(),
        principal: "serviceAccounts/crm".to_owned(),
        fingerprint: vec![1],
    }
}

#[tokio::test]
async fn o1_a_touch_is_pending_after_a_while_until_the_backend_has_taken_it() {
    let (ground, office) = Ground::at(tuesday()).await;
    let claim = touch("call-1", "zhang", "");
    let view = office.ownership.claim(claim.clone()).await.unwrap();
    assert_eq!((&*view.handler, view.open, &view.named), ("employees/zhang", true, &view.case));
    assert!(
        office.ownership.pending_touches(10).await.unwrap().is_empty(),
        "it is still in the hands of who made it"
    );

    office.pass(TimeDelta::seconds(15)).await;
    let pending = office.ownership.pending_touches(10).await.unwrap();
    let [pending] = &pending[..] else { panic!("{pending:?}") };
    assert_eq!((&*pending.contact, &*pending.employee), ("contacts/call-1", "employees/zhang"));
    assert_eq!((&pending.request, &pending.request_id), (&claim.request, &claim.request_id));
    assert_eq!((&*pending.method, &*pending.principal), (METHOD, "serviceAccounts/crm"));
    let sealed = "select count(*) from contacts where state::text like '%client said%'";
    assert_eq!(ground.number(sealed).await, 0, "what the client said waits sealed");

    office.calls().answered(office.here().await, "call-1", &view.case);
    office.followed().await;
    assert!(office.ownership.pending_touches(10).await.unwrap().is_empty());
    // Answered again, or voided too late: nothing is owed any more.
    office.calls().answered(office.here().await, "call-1", &view.case);
    office.followed().await;
    office.ownership.void_touch("contacts/call-1", &claim.request_id, "CALL_ENDED").await.unwrap();
    assert_eq!(ground.events("contacts/call-1").await, ["contact_claimed", "touch_completed"]);
    assert_eq!(office.desk("zhang").get(&view.case).await.unwrap().state(), State::Open);
}

#[tokio::test]
async fn o1_the_oldest_touches_come_first_whatever_is_claimed_meanwhile() {
    let (_ground, office) = Ground::at(tuesday()).await;
    for contact in ["z", "y"] {
        office.ownership.claim(touch(contact, "zhang", "")).await.unwrap();
        office.pass(TimeDelta::seconds(20)).await;
    }
    for contact in ["a", "b", "c"] {
        office.ownership.claim(touch(contact, "zhang", "")).await.unwrap();
    }
    let pending = office.ownership.pending_touches(2).await.unwrap();
    let contacts: Vec<&str> = pending.iter().map(|touch| &*touch.contact).collect();
    assert_eq!(contacts, ["contacts/z", "contacts/y"]);
}

#[tokio::test]
async fn o1_a_touch_refused_for_good_voids_its_case_and_the_contact_can_be_claimed_anew() {
    let (ground, office) = Ground::at(tuesday()).await;
    for (contact, client) in [("call-1", ""), ("call-2", "C-1")] {
        let claim = touch(contact, "zhang", client);
        let view = office.ownership.claim(claim.clone()).await.unwrap();
        let name = format!("contacts/{contact}");
        // Under another request id nothing is owed: the winner's second call says nothing about the first.
        office.ownership.void_touch(&name, &id(), "CALL_ENDED").await.unwrap();
        assert!(office.ownership.find(&name).await.unwrap().unwrap().open);
        assert_eq!(reason(office.desk("li").claim(contact).await), "CONTACT_CLAIMED");

        office.ownership.void_touch(&name, &claim.request_id, "CALL_ENDED").await.unwrap();
        office.ownership.void_touch(&name, &claim.request_id, "CALL_ENDED").await.unwrap();
        let void = office.desk("zhang").get(&view.case).await.unwrap();
        assert_eq!((void.state(), &*void.close_reason, void.epoch), (State::Void, "CALL_ENDED", 2));
        let repeated = office.ownership.claim(claim).await.unwrap_err();
        assert_eq!(repeated.reason(), "TOUCH_VOIDED", "word of it may still be on its way");
        let anew = office.desk("li").claim_of(contact, client).await.unwrap();
        assert!(anew.first_responder);
        assert_ne!(anew.case.unwrap().name, view.case);
        assert_eq!(ground.events(&name).await, ["contact_claimed", "touch_voided", "contact_claimed"]);
    }
    office.pass(TimeDelta::minutes(1)).await;
    assert!(office.ownership.pending_touches(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn o1_a_voided_touch_leaves_a_case_that_others_have_joined() {
    let (ground, office) = Ground::at(tuesday()).await;
    for (client, who) in [("C-1", "li"), ("C-2", "zhang")] {
        let claim = touch(&format!("first-{client}"), "zhang", client);
        let view = office.ownership.claim(claim.clone()).await.unwrap();
        office.desk(who).claim_of(&format!("second-{client}"), client).await.unwrap();
        office
            .ownership
            .void_touch(&format!("contacts/first-{client}"), &claim.request_id, "X")
            .await
            .unwrap();
        assert_eq!(
            office.desk("zhang").get(&view.case).await.unwrap().state(),
            State::Open,
            "joined by {who}"
        );
    }
    // Nor does the touch of a contact that only joined void anything.
    let case = office.desk("wang").open("call-1", "C-3").await;
    let joined = touch("call-2", "li", "C-3");
    assert_eq!(office.ownership.claim(joined.clone()).await.unwrap().case, case);
    office.ownership.void_touch("contacts/call-2", &joined.request_id, "X").await.unwrap();
    let left = office.desk("wang").get(&case).await.unwrap();
    assert_eq!(
        (left.state(), left.epoch),
        (State::Open, 2),
        "what is still under way finds its reading outdated"
    );
    assert_eq!(ground.events(&case).await.last().map(String::as_str), Some("contact_left"));
}

#[tokio::test]
async fn o1_an_answer_of_a_voided_touch_completes_no_other() {
    let (ground, office) = Ground::at(tuesday()).await;
    let void = touch("call-1", "zhang", "");
    let first = office.ownership.claim(void.clone()).await.unwrap().case;
    office.ownership.void_touch("contacts/call-1", &void.request_id, "CALL_NOT_FOUND").await.unwrap();
    let second = office.ownership.claim(touch("call-1", "li", "")).await.unwrap().case;
    assert_ne!(first, second);
    // Zhang's call was under way all the time.
    office.calls().answered(office.here().await, "call-1", &first);
    office.followed().await;
    office.pass(TimeDelta::seconds(15)).await;
    let pending = office.ownership.pending_touches(10).await.unwrap();
    let owed: Vec<&str> = pending.iter().map(|touch| &*touch.employee).collect();
    assert_eq!(owed, ["employees/li"]);
    assert_eq!(
        ground.events("contacts/call-1").await,
        ["contact_claimed", "touch_voided", "contact_claimed"]
    );
}

#[tokio::test]
async fn o1_voiding_a_provisional_case_ends_what_was_pending_on_it() {
    let (ground, office) = Ground::at(tuesday()).await;
    let claim = touch("call-1", "zhang", "");
    let case = office.ownership.claim(claim.clone()).await.unwrap().case;
    office.desk("zhang").offer(&case, "li").await.unwrap();
    office.desk("zhao").begin_override(&case).await.unwrap();
    office.ownership.void_touch("contacts/call-1", &claim.request_id, "CALL_ENDED").await.unwrap();
    let events =
        ["case_opened", "offer_made", "override_begun", "offer_withdrawn", "override_ended", "case_voided"];
    assert_eq!(ground.events(&case).await, events);
    let view = office.ownership.find(&case).await.unwrap().unwrap();
    assert_eq!((view.open, view.overriding, view.epoch), (false, None, 4));
    assert_eq!(ground.number("select count(*) from deadline").await, 0);
}

#[tokio::test]
async fn o1_a_claimed_touch_repeated_answers_whose_the_case_is_by_now() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let claim = touch("call-1", "zhang", "");
    let first = office.ownership.claim(claim.clone()).await.unwrap();
    let offer = office.desk("zhang").offered(&first.case, "li").await;
    office.desk("li").accept(&first.case, &offer).await.unwrap();
    let repeated = office.ownership.claim(claim.clone()).await.unwrap();
    assert_eq!((&repeated.case, &*repeated.handler, repeated.epoch), (&first.case, "employees/li", 2));
    let reused = Claim { fingerprint: vec![2], ..claim };
    assert_eq!(office.ownership.claim(reused).await.unwrap_err().reason(), "REQUEST_ID_REUSED");
    let late = office.ownership.claim(touch("call-1", "wang", "")).await.unwrap_err();
    assert_eq!((late.reason(), late.metadata("employee")), ("CONTACT_CLAIMED", Some("employees/zhang")));
}

#[tokio::test]
async fn o6_whose_answer_was_refused_for_good_assists_no_longer() {
    let (ground, office) = Ground::at(tuesday()).await;
    let li = office.desk("li");
    let case = office.desk("zhang").open("call-1", "C-1").await;
    let refused = touch("call-2", "li", "C-1");
    let joined = office.ownership.claim(refused.clone()).await.unwrap();
    assert_eq!((&joined.case, joined.assistants), (&case, vec![employee("li")]));
    office.ownership.void_touch("contacts/call-2", &refused.request_id, "CALL_ENDED").await.unwrap();
    let view = office.ownership.find(&case).await.unwrap().unwrap();
    assert_eq!((view.assistants, view.epoch), (Vec::new(), 2));
    assert_eq!(office.desk("zhang").get(&case).await.unwrap().assistants, [""; 0]);
    assert_eq!(reason(li.identify("call-1", "C-1").await), "NOT_RESPONSIBLE");
    // Who answers it then does.
    office.desk("wang").claim_of("call-2", "C-1").await.unwrap();
    let view = office.ownership.find("calls/call-2").await.unwrap().unwrap();
    assert_eq!(view.assistants, [employee("wang")]);
    let events = ["case_opened", "assistant_added", "contact_left", "assistant_added"];
    assert_eq!(ground.events(&case).await, events);
}

#[tokio::test]
async fn o6_who_answered_another_contact_too_goes_on_assisting_by_it() {
    let (_ground, office) = Ground::at(tuesday()).await;
    for (client, order) in [("C-1", ["a", "b"]), ("C-2", ["b", "a"])] {
        let case = office.desk("zhang").open(&format!("{client}-first"), client).await;
        // The second one joins who assists already.
        let touches = ["a", "b"].map(|number| touch(&format!("{client}-{number}"), "li", client));
        for claim in &touches {
            office.ownership.claim(claim.clone()).await.unwrap();
        }
        for (number, assistants) in order.into_iter().zip([vec![employee("li")], Vec::new()]) {
            let claim = touches.iter().find(|claim| claim.contact_id.ends_with(number)).unwrap();
            let contact = format!("contacts/{}", claim.contact_id);
            office.ownership.void_touch(&contact, &claim.request_id, "CALL_ENDED").await.unwrap();
            let view = office.ownership.find(&case).await.unwrap().unwrap();
            assert_eq!(view.assistants, assistants, "{client} {number}");
        }
    }
}

#[tokio::test]
async fn o6_what_came_to_nothing_is_no_help_of_who_could_decide_then_either() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhao = office.desk("zhao");
    let case = office.desk("zhang").open("call-1", "C-1").await;
    zhao.begin_override(&case).await.unwrap();
    let touches = ["call-2", "call-3"].map(|contact| touch(contact, "zhao", "C-1"));
    for claim in &touches {
        office.ownership.claim(claim.clone()).await.unwrap();
    }
    office.ownership.void_touch("contacts/call-2", &touches[0].request_id, "X").await.unwrap();
    zhao.end_override(&case).await.unwrap();
    let view = office.ownership.find(&case).await.unwrap().unwrap();
    assert_eq!(view.assistants, [employee("zhao")], "by the other one");
    office.ownership.void_touch("contacts/call-3", &touches[1].request_id, "X").await.unwrap();
    assert_eq!(office.ownership.find(&case).await.unwrap().unwrap().assistants, [""; 0]);
}

#[tokio::test]
async fn o6_what_came_to_nothing_in_a_case_that_was_merged_is_no_help_in_the_survivor() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    // Who answered it is identified into the client's case before the backend refuses.
    let survivor = zhang.open("call-1", "C-1").await;
    let first = touch("call-2", "li", "");
    office.ownership.claim(first.clone()).await.unwrap();
    let known = li.identify("call-2", "C-1").await.unwrap();
    assert_eq!((&known.name, known.assistants), (&survivor, vec![employee("li")]));
    office.ownership.void_touch("contacts/call-2", &first.request_id, "CALL_ENDED").await.unwrap();
    let view = office.ownership.find(&survivor).await.unwrap().unwrap();
    assert_eq!((view.assistants, view.epoch), (Vec::new(), 2));
    // And who joined a case that is merged afterwards, but nobody else of it.
    zhang.confirm(&survivor, true).await.unwrap();
    let newer = li.open("call-3", "C-1").await;
    let second = touch("call-4", "wang", "C-1");
    office.ownership.claim(second.clone()).await.unwrap();
    let reopened = zhang.reopen(&survivor).await.unwrap();
    assert_eq!(reopened.assistants, ["li", "wang"].map(employee));
    office.ownership.void_touch("contacts/call-4", &second.request_id, "CALL_ENDED").await.unwrap();
    let view = office.ownership.find(&newer).await.unwrap().unwrap();
    assert_eq!((view.case, view.assistants), (survivor, vec![employee("li")]));
}
