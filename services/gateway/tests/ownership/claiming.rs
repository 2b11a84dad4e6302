//! O1: exactly one employee is the first responder of a contact, for good, under any number of simultaneous claims.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use shouwen_proto::ownership::v1::{ClaimRequest, case::State};
use tonic::Code;

use crate::{
    desk::{claim, employee, reason},
    ground::{Ground, tuesday},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o1_of_64_employees_at_once_exactly_one_wins_and_all_others_learn_who() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let names: Vec<String> = (0..64).map(|number| format!("e{number}")).collect();
    let answers = join_all(names.iter().enumerate().map(|(number, name)| {
        let desk = if number % 2 == 0 { one.desk(name) } else { other.desk(name) };
        async move { (name, desk.claim("call-1").await) }
    }))
    .await;

    let winners: Vec<_> =
        answers.iter().filter_map(|(name, answer)| Some((*name, answer.as_ref().ok()?))).collect();
    let [(winner, response)] = winners[..] else { panic!("{} winners", winners.len()) };
    let case = response.case.as_ref().unwrap();
    assert!(response.first_responder);
    let who = employee(winner);
    assert_eq!((&case.first_responder, &case.accountable, &case.handler), (&who, &who, &who));
    assert_eq!((case.state(), case.epoch, case.clocks.len()), (State::Open, 1, 1));

    for refused in answers.iter().filter_map(|(_, answer)| answer.as_ref().err()) {
        assert_eq!((refused.code, &*refused.reason), (Code::AlreadyExists, "CONTACT_CLAIMED"));
        for (key, value) in
            [("contact", "contacts/call-1"), ("employee", &who), ("case", &case.name), ("handler", &who)]
        {
            assert_eq!(refused.metadata[key], value, "{key}");
        }
        assert!(refused.text.contains(&who), "{}", refused.text);
    }
    assert_eq!(ground.events("contacts/call-1").await, ["contact_claimed"]);
    assert_eq!(ground.count("case_opened").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o1_a_thousand_contacts_claimed_by_three_each_have_one_first_responder_each() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let claims = (0..1000).flat_map(|contact| ["zhang", "li", "wang"].map(|name| (contact, name)));
    let answers = join_all(claims.map(|(contact, name)| {
        let desk = if (contact + name.len()) % 2 == 0 { one.desk(name) } else { other.desk(name) };
        async move { (contact, desk.claim(&format!("call-{contact}")).await) }
    }))
    .await;
    let mut won = BTreeSet::new();
    for (contact, answer) in &answers {
        match answer {
            Ok(_) => assert!(won.insert(contact), "call-{contact} has two first responders"),
            Err(refused) => assert_eq!(refused.reason, "CONTACT_CLAIMED"),
        }
    }
    assert_eq!(won.len(), 1000);
    assert_eq!(ground.count("case_opened").await, 1000);
    let agree = "select count(*) from contacts c join cases s on s.id = c.case_name
                 where s.state ->> 'first_responder' = c.state ->> 'employee' and s.state ->> 'contact' = c.id";
    assert_eq!(ground.number(agree).await, 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o1_of_many_who_answer_one_client_at_once_one_opens_the_case_and_the_others_assist() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let answers = join_all((0..24).map(|number| {
        let desk = if number % 2 == 0 { &one } else { &other }.desk(&format!("e{number}"));
        async move { desk.claim_of(&format!("call-{number}"), "C-1").await.unwrap() }
    }))
    .await;
    let names: BTreeSet<String> =
        answers.iter().map(|answer| answer.case.as_ref().unwrap().name.clone()).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(answers.iter().filter(|answer| answer.first_responder).count(), 1);
    let case = one.desk("zhao").get(names.first().unwrap()).await.unwrap();
    assert_eq!((case.assistants.len(), case.epoch), (23, 1));
    assert!(!case.assistants.contains(&case.first_responder));
    assert_eq!(ground.number("select count(*) from unique_key where kind = 'open_case'").await, 1);
}

#[tokio::test]
async fn o1_who_won_may_claim_again_and_changes_nothing() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let case = zhang.claim("call-1").await.unwrap().case.unwrap();
    let offer = zhang.offered(&case.name, "li").await;
    office.desk("li").accept(&case.name, &offer).await.unwrap();
    let again = zhang.claim("call-1").await.unwrap();
    assert!(again.first_responder, "handing the work on does not change who was first");
    let again = again.case.unwrap();
    assert_eq!((again.name, again.handler), (case.name, employee("li")));
    assert_eq!(ground.events("contacts/call-1").await, ["contact_claimed"]);
    assert_eq!(reason(office.desk("li").claim("call-1").await), "CONTACT_CLAIMED");
}

#[tokio::test]
async fn o1_a_repeated_request_returns_the_former_result_also_after_the_case_has_moved_on() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let request = claim("call-1", "");
    let first = zhang.claim_as(request.clone()).await.unwrap();
    let case = first.case.clone().unwrap().name;
    zhang.resolve(&case).await.unwrap();
    assert_eq!(zhang.claim_as(request.clone()).await.unwrap(), first);
    assert_eq!(ground.count("contact_claimed").await, 1);

    let another = ClaimRequest { contact: "contacts/call-2".to_owned(), ..request.clone() };
    let refused = zhang.claim_as(another).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
    // An id belongs to who used it: a colleague's call with the same one is a call of its own.
    assert_eq!(reason(office.desk("li").claim_as(request).await), "CONTACT_CLAIMED");
}

#[tokio::test]
async fn o1_a_refused_claim_is_not_remembered() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let li = office.desk("li");
    office.desk("zhang").claim("call-1").await.unwrap();
    let request = claim("call-1", "");
    assert_eq!(reason(li.claim_as(request.clone()).await), "CONTACT_CLAIMED");
    let elsewhere = ClaimRequest { contact: "contacts/call-2".to_owned(), ..request };
    assert!(li.claim_as(elsewhere).await.unwrap().first_responder);
}

#[tokio::test]
async fn o6_a_later_contact_about_an_open_case_joins_it_and_who_answers_assists() {
    let (ground, office) = Ground::at(tuesday()).await;
    let case = office.desk("zhang").open("call-1", "C-1").await;
    let joined = office.desk("li").claim_of("call-2", "C-1").await.unwrap();
    assert!(!joined.first_responder);
    let joined = joined.case.unwrap();
    assert_eq!((&joined.name, joined.epoch), (&case, 1));
    assert_eq!((joined.handler, joined.assistants), (employee("zhang"), vec![employee("li")]));
    // Again, and by who is responsible anyway: no second entry, but each contact shows on the case.
    office.desk("li").claim_of("call-3", "C-1").await.unwrap();
    let own = office.desk("zhang").claim_of("call-4", "C-1").await.unwrap();
    assert!(own.first_responder);
    assert_eq!(own.case.unwrap().assistants, [employee("li")]);
    let events = ["case_opened", "assistant_added", "contact_joined", "contact_joined"];
    assert_eq!(ground.events(&case).await, events);
}

#[tokio::test]
async fn o1_another_topic_or_a_closed_case_makes_a_case_of_its_own() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let first = office.desk("zhang").open("call-1", "C-1").await;
    let fees = ClaimRequest { topic: "fees".to_owned(), ..claim("call-2", "C-1") };
    let second = office.desk("li").claim_as(fees).await.unwrap();
    assert!(second.first_responder);
    assert_ne!(second.case.unwrap().name, first);
    office.desk("zhang").confirm(&first, true).await.unwrap();
    let third = office.desk("wang").claim_of("call-3", "C-1").await.unwrap();
    assert!(third.first_responder);
    assert_ne!(third.case.unwrap().name, first);
}
