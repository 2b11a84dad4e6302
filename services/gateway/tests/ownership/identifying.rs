//! O1, O6: while the client is unknown, the contact identified first makes the first responder; what is identified later is merged into it.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use shouwen_proto::{
    events::v1::CallOutcome,
    ownership::v1::{IdentifyClientRequest, case::State},
};
use tonic::Code;

use crate::{
    desk::{employee, id, reason},
    ground::{Ground, tuesday},
};

#[tokio::test]
async fn o1_the_contact_identified_first_makes_the_first_responder() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let earlier = zhang.claim("call-1").await.unwrap().case.unwrap().name;
    let later = li.claim("call-2").await.unwrap().case.unwrap().name;
    let known = li.identify("call-2", "C-1").await.unwrap();
    assert_eq!((known.name, known.client, known.epoch), (later.clone(), "C-1".to_owned(), 1));

    let offer = zhang.offered(&earlier, "wang").await;
    office.desk("zhao").begin_override(&earlier).await.unwrap();
    let survivor = zhang.identify("call-1", "C-1").await.unwrap();
    assert_eq!((&survivor.name, &survivor.first_responder), (&later, &employee("li")));
    assert_eq!((survivor.assistants, survivor.epoch), (vec![employee("zhang")], 1));

    // The other one is a redirect: nothing is pending there any more, and its epoch has risen with each change of who may act.
    let merged = zhang.get(&earlier).await.unwrap();
    assert_eq!((merged.state(), &merged.merged_into, merged.epoch), (State::Merged, &later, 4));
    assert_eq!((merged.offer, merged.r#override), (None, None));
    assert_eq!(merged.first_responder, employee("zhang"), "a fact of history");
    let events =
        ["case_opened", "offer_made", "override_begun", "offer_withdrawn", "override_ended", "case_merged"];
    assert_eq!(ground.events(&earlier).await, events);
    assert_eq!(reason(office.desk("wang").accept(&earlier, &offer).await), "CASE_MERGED");

    // Under the old name and by the contact the survivor is found.
    for name in [&*earlier, "contacts/call-1", "calls/call-1", &format!("{earlier}/callbacks/7")] {
        let found = office.ownership.find(name).await.unwrap().unwrap();
        assert_eq!((&found.case, &*found.handler, found.open), (&later, "employees/li", true), "{name}");
        assert_eq!(found.named, earlier, "what hangs under it keeps its name: {name}");
    }
    assert!(office.ownership.find("cases/unknown").await.unwrap().is_none());
    assert!(office.ownership.find("branches/b1").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o1_of_contacts_identified_at_once_as_one_client_exactly_one_open_case_remains() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    for round in 0..5 {
        let client = format!("C-{round}");
        let names: Vec<String> = (0..8).map(|number| format!("e{number}")).collect();
        for name in &names {
            one.desk(name).claim(&format!("call-{round}-{name}")).await.unwrap();
        }
        let survivors = join_all(names.iter().enumerate().map(|(number, name)| {
            let desk = if number % 2 == 0 { &one } else { &other }.desk(name);
            let client = &client;
            async move { desk.identify(&format!("call-{round}-{name}"), client).await.unwrap().name }
        }))
        .await;
        let survivors: BTreeSet<String> = survivors.into_iter().collect();
        assert_eq!(survivors.len(), 1, "{survivors:?}");
        let of_client = |phase: &str| {
            format!("select count(*) from cases where client = '{client}' and phase = '{phase}'")
        };
        assert_eq!(ground.number(&of_client("open")).await, 1);
        let survivor = survivors.first().unwrap();
        let merged = format!("select count(*) from cases where merged_into = '{survivor}'");
        assert_eq!(ground.number(&merged).await, 7);
        for name in &names {
            let found = one.ownership.find(&format!("calls/call-{round}-{name}")).await.unwrap().unwrap();
            assert_eq!(&found.case, survivor);
        }
        let survivor = one.desk("zhao").get(survivor).await.unwrap();
        assert_eq!(survivor.assistants.len(), 7);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o1_an_identification_racing_a_claim_of_the_known_client_leaves_one_open_case() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    for round in 0..20 {
        let (client, first, second) = (format!("C-{round}"), format!("a-{round}"), format!("b-{round}"));
        one.desk("zhang").claim(&first).await.unwrap();
        let (zhang, li) = (one.desk("zhang"), other.desk("li"));
        let (identified, claimed) =
            tokio::join!(zhang.identify(&first, &client), li.claim_of(&second, &client));
        let (identified, claimed) = (identified.unwrap(), claimed.unwrap());
        assert_eq!(identified.name, claimed.case.unwrap().name);
        let open = format!("select count(*) from cases where client = '{client}' and phase = 'open'");
        assert_eq!(ground.number(&open).await, 1);
    }
}

#[tokio::test]
async fn o1_a_case_closed_before_its_client_is_known_only_gets_the_client() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let open = zhang.open("call-1", "C-1").await;
    let closed = li.claim("call-2").await.unwrap().case.unwrap().name;
    li.confirm(&closed, true).await.unwrap();
    let identified = li.identify("call-2", "C-1").await.unwrap();
    assert_eq!((&identified.name, identified.state()), (&closed, State::Closed));
    assert_eq!(identified.client, "C-1");

    // Reopened, it finds its key taken: the other one is merged into it (O8).
    let reopened = li.reopen(&closed).await.unwrap();
    assert_eq!((reopened.state(), &*reopened.first_responder), (State::Open, "employees/li"));
    assert_eq!(reopened.assistants, [employee("zhang")]);
    assert_eq!(zhang.get(&open).await.unwrap().merged_into, closed);
    let keys = ground.texts("select holder from unique_key where kind = 'open_case'").await;
    assert_eq!(keys, [closed]);
}

#[tokio::test]
async fn o1_a_client_once_identified_stays() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    zhang.claim("call-1").await.unwrap();
    let known = zhang.identify("call-1", "C-1").await.unwrap();
    assert_eq!(zhang.identify("call-1", "C-1").await.unwrap(), known);
    let refused = zhang.identify("call-1", "C-2").await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "CLIENT_ALREADY_IDENTIFIED"));
    assert_eq!(refused.metadata["case"], known.name);
    assert_eq!(ground.count("client_identified").await, 1);
}

#[tokio::test]
async fn o1_a_more_exact_topic_decides_which_case_the_contact_belongs_to() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let general = zhang.open("call-1", "C-1").await;
    li.claim("call-2").await.unwrap();
    let request = IdentifyClientRequest {
        contact: "calls/call-2".to_owned(),
        client: "C-1".to_owned(),
        topic: "fees".to_owned(),
        request_id: id(),
        ..IdentifyClientRequest::default()
    };
    let fees = li.cases(request, async |mut cases, it| cases.identify_client(it).await).await.unwrap();
    assert_ne!(fees.name, general);
    assert_eq!((&*fees.topic, &*fees.first_responder, fees.state()), ("fees", "employees/li", State::Open));
}

#[tokio::test]
async fn o6_who_assists_may_identify_and_a_stranger_may_not() {
    let (_ground, office) = Ground::at(tuesday()).await;
    office.desk("zhang").claim("call-1").await.unwrap();
    let refused = office.desk("li").identify("call-1", "C-1").await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::PermissionDenied, "NOT_RESPONSIBLE"));
    assert_eq!(refused.metadata["handler"], employee("zhang"));
    assert_eq!(reason(office.desk("li").identify("nowhere", "C-1").await), "CONTACT_NOT_FOUND");
    office.desk("zhang").identify("call-1", "C-1").await.unwrap();
    office.desk("li").claim_of("call-2", "C-1").await.unwrap();
    assert_eq!(office.desk("li").identify("call-2", "C-1").await.unwrap().client, "C-1");
}

#[tokio::test]
async fn k12_a_void_case_has_no_client_to_identify() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let case = zhang.claim("call-1").await.unwrap().case.unwrap().name;
    office.calls().ended(tuesday(), "call-1", "zhang", CallOutcome::WrongNumber);
    office.followed().await;
    assert_eq!(zhang.get(&case).await.unwrap().state(), State::Void);
    assert_eq!(reason(zhang.identify("call-1", "C-1").await), "ILLEGAL_TRANSITION");
}

#[tokio::test]
async fn o1_a_merged_case_says_where_to_go_on_through_every_merge() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li, wang) = (office.desk("zhang"), office.desk("li"), office.desk("wang"));
    // First is merged into second; second closes; third is opened and merged into second when that is reopened.
    let first = zhang.claim("call-1").await.unwrap().case.unwrap().name;
    let second = li.open("call-2", "C-1").await;
    zhang.identify("call-1", "C-1").await.unwrap();
    li.confirm(&second, true).await.unwrap();
    let third = wang.open("call-3", "C-1").await;
    li.reopen(&second).await.unwrap();
    for merged in [&first, &third] {
        for refused in [
            zhang.resolve(merged).await,
            wang.offer(merged, "sun").await,
            office.desk("zhao").close(merged).await,
            office.desk("zhao").begin_override(merged).await,
            zhang.reopen(merged).await,
            zhang.confirm(merged, true).await,
        ] {
            let refused = refused.unwrap_err();
            assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "CASE_MERGED"));
            assert_eq!((&refused.metadata["case"], &refused.metadata["survivor"]), (merged, &second));
        }
    }
    let survivor = zhang.get(&second).await.unwrap();
    assert_eq!(survivor.assistants, [employee("zhang"), employee("wang")]);
    assert_eq!(zhang.claim("call-1").await.unwrap().case.unwrap().name, second);
    assert_eq!(reason(zhang.claim("call-3").await), "CONTACT_CLAIMED");
}
