//! Every refusal has its code, its reason and what it is about: states that do not allow an action, etags, names and values.

use shouwen_proto::{
    events::v1::CallOutcome,
    ownership::v1::{
        BeginOverrideRequest, Case, ClaimRequest, CloseCaseRequest, ConfirmSatisfactionRequest,
        IdentifyClientRequest, ListCasesRequest, OfferTransferRequest, ResolveCaseRequest, case::State,
    },
    r#type::v1::Channel,
};
use tonic::Code;

use crate::{
    desk::{Answer, Desk, Refused, claim, employee, id, reason},
    ground::{Ground, Office, tuesday},
};

/// A case of zhang in a state; its offer is to li.
async fn case_in(office: &Office, state: State, number: usize) -> String {
    let zhang = office.desk("zhang");
    let contact = format!("call-{number}");
    let name = zhang.claim(&contact).await.unwrap().case.unwrap().name;
    match state {
        State::AwaitingSatisfaction => drop(zhang.resolve(&name).await.unwrap()),
        State::Closed => drop(zhang.confirm(&name, true).await.unwrap()),
        State::Merged => {
            zhang.open(&format!("other-{number}"), &format!("C-{number}")).await;
            zhang.identify(&contact, &format!("C-{number}")).await.unwrap();
        }
        State::Void => {
            office.calls().ended(tuesday(), &contact, "zhang", CallOutcome::Silent);
            office.followed().await;
        }
        _ => {}
    }
    assert_eq!(zhang.get(&name).await.unwrap().state(), state);
    name
}

async fn act(action: &str, zhang: &Desk, zhao: &Desk, case: &str) -> Answer<Case> {
    match action {
        "resolve" => zhang.resolve(case).await,
        "satisfied" => zhang.confirm(case, true).await,
        "dissatisfied" => zhang.confirm(case, false).await,
        "offer" => zhang.offer(case, "li").await,
        "override" => zhao.begin_override(case).await,
        "close" => zhao.close(case).await,
        "reopen" => zhang.reopen(case).await,
        _ => panic!("{action}"),
    }
}

#[tokio::test]
async fn o8_each_state_allows_its_actions_and_refuses_all_others() {
    use State::{AwaitingSatisfaction as Awaiting, Closed, Merged, Open, Void};
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, zhao) = (office.desk("zhang"), office.desk("zhao"));
    let table: [(&str, &[State]); 7] = [
        ("resolve", &[Open]),
        ("satisfied", &[Open, Awaiting]),
        ("dissatisfied", &[Awaiting]),
        ("offer", &[Open, Awaiting]),
        ("override", &[Open, Awaiting]),
        ("close", &[Open, Awaiting]),
        ("reopen", &[Awaiting, Closed]),
    ];
    let mut number = 0;
    for (action, allowed) in table {
        for state in [Open, Awaiting, Closed, Merged, Void] {
            number += 1;
            let name = case_in(&office, state, number).await;
            let before = ground.events(&name).await;
            let answer = act(action, &zhang, &zhao, &name).await;
            if allowed.contains(&state) {
                assert!(answer.is_ok(), "{action} while {state:?}: {answer:?}");
                continue;
            }
            let refused = answer.unwrap_err();
            assert_eq!(refused.code, Code::FailedPrecondition);
            if state == Merged {
                assert_eq!(refused.reason, "CASE_MERGED", "{action}");
            } else {
                assert_eq!(refused.reason, "ILLEGAL_TRANSITION", "{action} while {state:?}");
                assert!(refused.metadata.contains_key("state") && refused.metadata.contains_key("action"));
            }
            assert_eq!(ground.events(&name).await, before, "a refusal leaves nothing");
        }
    }
}

#[tokio::test]
async fn an_etag_that_is_not_the_cases_is_refused_on_every_call_that_takes_one() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, zhao) = (office.desk("zhang"), office.desk("zhao"));
    let name = zhang.open("call-1", "C-1").await;
    let old = zhang.get(&name).await.unwrap().etag;
    zhang.withdraw(&name, &zhang.offered(&name, "li").await).await.unwrap();
    let etag = || old.clone();
    let offer = OfferTransferRequest {
        name: name.clone(),
        to: employee("li"),
        reason: "x".to_owned(),
        explanation: "x".to_owned(),
        etag: etag(),
        request_id: id(),
    };
    let resolve =
        ResolveCaseRequest { name: name.clone(), answer: "x".to_owned(), etag: etag(), request_id: id() };
    let confirm = ConfirmSatisfactionRequest {
        name: name.clone(),
        satisfied: true,
        reason: String::new(),
        etag: etag(),
        request_id: id(),
    };
    let close = CloseCaseRequest {
        name: name.clone(),
        kind: 2,
        reason: "x".to_owned(),
        etag: etag(),
        request_id: id(),
    };
    let begin =
        BeginOverrideRequest { name: name.clone(), reason: "x".to_owned(), etag: etag(), request_id: id() };
    for refused in [
        zhang.cases(offer, async |mut cases, it| cases.offer_transfer(it).await).await,
        zhang.cases(resolve.clone(), async |mut cases, it| cases.resolve_case(it).await).await,
        zhang.cases(confirm, async |mut cases, it| cases.confirm_satisfaction(it).await).await,
        zhao.cases(close, async |mut cases, it| cases.close_case(it).await).await,
        zhao.cases(begin, async |mut cases, it| cases.begin_override(it).await).await,
    ] {
        let refused = refused.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::Aborted, "ETAG_MISMATCH"));
    }
    // The present one, also in quotes as HTTP writes it.
    let etag = format!("\"{}\"", zhang.get(&name).await.unwrap().etag);
    let present = ResolveCaseRequest { etag, ..resolve.clone() };
    zhang.cases(present, async |mut cases, it| cases.resolve_case(it).await).await.unwrap();
    let nonsense = ResolveCaseRequest { etag: "yesterday".to_owned(), request_id: id(), ..resolve };
    let refused = zhang.cases(nonsense, async |mut cases, it| cases.resolve_case(it).await).await;
    assert_eq!(refused.unwrap_err().fields, ["etag"]);
}

#[tokio::test]
async fn what_is_not_known_is_not_found() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, zhao) = (office.desk("zhang"), office.desk("zhao"));
    let unknown = format!("cases/{}", id());
    let mut refused = vec![
        zhang.get(&unknown).await,
        zhang.accept(&unknown, "x").await,
        zhang.decline(&unknown, "x").await,
        zhang.withdraw(&unknown, "x").await,
        zhao.end_override(&unknown).await,
    ];
    for action in ["resolve", "satisfied", "dissatisfied", "offer", "override", "close", "reopen"] {
        refused.push(act(action, &zhang, &zhao, &unknown).await);
    }
    for refused in refused {
        let refused = refused.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::NotFound, "CASE_NOT_FOUND"));
    }
    assert_eq!(reason(zhang.receipt(&unknown).await), "CASE_NOT_FOUND");
    assert_eq!(reason(zhang.timeline(&unknown, 0, "").await), "CASE_NOT_FOUND");
}

fn invalid(refused: &Refused, field: &str) {
    assert_eq!((refused.code, &*refused.reason), (Code::InvalidArgument, "FIELD_INVALID"), "{field}");
    assert_eq!(refused.fields, [field]);
    assert_eq!(refused.metadata["field"], field);
}

#[tokio::test]
async fn o1_a_claim_with_a_bad_value_names_the_field() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let good = || claim("call-1", "");
    let long = "x".repeat(65);
    let requests = [
        ("contact", ClaimRequest { contact: "call-1".to_owned(), ..good() }),
        ("contact", ClaimRequest { contact: "contacts/".to_owned(), ..good() }),
        ("contact", ClaimRequest { contact: "contacts/a b".to_owned(), ..good() }),
        ("contact", ClaimRequest { contact: "contacts/a/b".to_owned(), ..good() }),
        ("contact", ClaimRequest { contact: "contacts/电话".to_owned(), ..good() }),
        ("contact", ClaimRequest { contact: format!("contacts/{long}"), ..good() }),
        ("contact", ClaimRequest { contact: String::new(), ..good() }),
        ("channel", ClaimRequest { channel: 0, ..good() }),
        ("channel", ClaimRequest { channel: 99, ..good() }),
        ("topic", ClaimRequest { topic: "Fees".to_owned(), ..good() }),
        ("topic", ClaimRequest { topic: "fees|x".to_owned(), ..good() }),
        ("topic", ClaimRequest { topic: "x".repeat(41), ..good() }),
        ("client", ClaimRequest { client: "C 1".to_owned(), ..good() }),
        ("client", ClaimRequest { client: "C|1".to_owned(), ..good() }),
        ("client", ClaimRequest { client: long, ..good() }),
        ("request_id", ClaimRequest { request_id: "1".to_owned(), ..good() }),
    ];
    for (field, request) in requests {
        invalid(&zhang.claim_as(request).await.unwrap_err(), field);
    }
    let without = ClaimRequest { request_id: String::new(), ..good() };
    assert_eq!(reason(zhang.claim_as(without).await), "REQUEST_ID_REQUIRED");
    assert_eq!(ground.count("contact_claimed").await, 0);
    // What is at the limits is good.
    let contact = format!("calls/{}", "a".repeat(64));
    let limits = ClaimRequest { contact, topic: "t".repeat(40), client: "C".repeat(64), ..good() };
    let case = zhang.claim_as(ClaimRequest { channel: Channel::Letter.into(), ..limits }).await.unwrap();
    assert_eq!(case.case.unwrap().channel(), Channel::Letter);
}

#[tokio::test]
async fn names_texts_and_sizes_out_of_bounds_name_the_field() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    for bad in ["", "cases", "cases/", "contacts/call-1", "cases/a b", &format!("{name}/callbacks/1")] {
        invalid(&zhang.get(bad).await.unwrap_err(), "name");
        invalid(&zhang.resolve(bad).await.unwrap_err(), "name");
        invalid(&zhang.timeline(bad, 0, "").await.unwrap_err(), "name");
        invalid(&zhang.receipt(bad).await.unwrap_err(), "name");
    }
    let offer = |to: &str, reason: &str, explanation: &str| OfferTransferRequest {
        name: name.clone(),
        to: to.to_owned(),
        reason: reason.to_owned(),
        explanation: explanation.to_owned(),
        etag: String::new(),
        request_id: id(),
    };
    let long = "长".repeat(4001);
    for (field, request) in [
        ("to", offer("li", "x", "x")),
        ("to", offer("employees/LI", "x", "x")),
        ("reason", offer("employees/li", " ", "x")),
        ("reason", offer("employees/li", &long, "x")),
        ("explanation", offer("employees/li", "x", "")),
        ("explanation", offer("employees/li", "x", &long)),
    ] {
        let refused = zhang.cases(request, async |mut cases, it| cases.offer_transfer(it).await).await;
        invalid(&refused.unwrap_err(), field);
    }
    let most = offer("employees/li", &"长".repeat(4000), "x");
    zhang.cases(most, async |mut cases, it| cases.offer_transfer(it).await).await.unwrap();

    invalid(&zhang.accept(&name, "").await.unwrap_err(), "offer");
    let dissatisfied = ConfirmSatisfactionRequest {
        name: name.clone(),
        satisfied: false,
        reason: String::new(),
        etag: String::new(),
        request_id: id(),
    };
    let refused = zhang.cases(dissatisfied, async |mut cases, it| cases.confirm_satisfaction(it).await).await;
    invalid(&refused.unwrap_err(), "reason");
    let nobody = IdentifyClientRequest {
        contact: "contacts/call-1".to_owned(),
        request_id: id(),
        ..IdentifyClientRequest::default()
    };
    let refused = zhang.cases(nobody, async |mut cases, it| cases.identify_client(it).await).await;
    invalid(&refused.unwrap_err(), "client");

    let list = |parent: &str, page_size: i32, filter: &str| ListCasesRequest {
        parent: parent.to_owned(),
        page_size,
        page_token: String::new(),
        filter: filter.to_owned(),
        order_by: String::new(),
    };
    invalid(&zhang.list(list("b1", 0, "")).await.unwrap_err(), "parent");
    invalid(&zhang.list(list("branches/b1", -1, "")).await.unwrap_err(), "page_size");
    invalid(&zhang.timeline(&name, -1, "").await.unwrap_err(), "page_size");
    let refused =
        zhang.list(list("branches/b1", 0, "state = OPEN AND phone = 13812345678")).await.unwrap_err();
    assert_eq!((&*refused.reason, &*refused.metadata["term"]), ("FILTER_INVALID", "2"));
    // What it says may hold a client's data.
    assert!(!format!("{refused:?}").contains("138"), "{refused:?}");
    assert_eq!(refused.fields, ["filter"]);
}

#[tokio::test]
async fn o7_only_employees_act_and_they_are_told_in_their_language() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let account = Desk::of_account(office.routes(), "crm");
    assert_eq!(reason(account.claim("call-2").await), "EMPLOYEE_REQUIRED");
    assert_eq!(reason(account.resolve(&name).await), "EMPLOYEE_REQUIRED");
    let english = office.desk("li").resolve(&name).await.unwrap_err();
    let chinese = office.desk("li").in_chinese().resolve(&name).await.unwrap_err();
    assert_eq!(
        (&english.code, &english.reason, &english.metadata),
        (&chinese.code, &chinese.reason, &chinese.metadata)
    );
    assert!(english.text.contains("ask the handler to offer you the work"), "{}", english.text);
    assert!(chinese.text.contains("请承办人转交"), "{}", chinese.text);
}
