//! Reading contacts: one by name, a branch's in pages, nothing of other branches.

use std::collections::BTreeSet;

use shouwen_access::{Caller, EmployeeName};
use shouwen_proto::{
    access::v1::Capacity,
    calls::v1::{
        AnswerCallRequest, Call, GetCallRequest, ListCallsRequest, ListCallsResponse, RegisterCallRequest,
    },
    r#type::v1::Channel,
};
use tonic::Code;

use crate::harness::{
    Answer, BRANCH, CASE, Running, by, call_from, employee, handler, proto_time, reason, request_id, stranger,
};

pub(crate) async fn get(running: &Running, who: Caller, name: &str) -> Answer<Call> {
    running.client().get_call(by(who, GetCallRequest { name: name.into() })).await
}

async fn list(running: &Running, who: Caller, page_size: i32, token: &str) -> Answer<ListCallsResponse> {
    let request = ListCallsRequest { parent: BRANCH.into(), page_size, page_token: token.into() };
    running.client().list_calls(by(who, request)).await
}

#[tokio::test]
async fn l10_contacts_of_other_branches_are_not_shown() {
    let running = Running::start().await;
    let name = running.ring("c1").await.name;
    let refused = get(&running, stranger(), &name).await;
    assert_eq!(refused.as_ref().unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(reason(refused), "BRANCH_OUT_OF_REACH");
    assert_eq!(reason(list(&running, stranger(), 0, "").await), "BRANCH_OUT_OF_REACH");
    assert_eq!(reason(get(&running, employee("li"), "calls/c2").await), "CALL_NOT_FOUND");
    assert_eq!(reason(get(&running, employee("li"), "c1").await), "FIELD_INVALID");
}

#[tokio::test]
async fn o6_whoever_is_responsible_answers_their_client_at_another_branch_and_sees_that_contact() {
    let running = Running::start().await;
    let registered = RegisterCallRequest { client: "80011073".into(), ..call_from("c1") };
    let name = running.register(employee("zhang"), registered).await.unwrap().into_inner().name;
    let wang = Caller { capacity: Capacity::Handler, case: handler("wang", CASE).case, ..stranger() };
    let answering = |client: &str| AnswerCallRequest {
        name: name.clone(),
        channel: Channel::Phone.into(),
        client: client.into(),
        request_id: request_id(),
        ..AnswerCallRequest::default()
    };
    // Not as the first touch of a concern, nor for another client than the one who called.
    for (joined, client) in [(false, "80011073"), (true, "80011074"), (true, "")] {
        let who = Caller { joined, ..wang.clone() };
        let refused = running.client().answer_call(by(who, answering(client))).await;
        assert_eq!(reason(refused), "BRANCH_OUT_OF_REACH", "{joined} {client}");
    }
    let who = Caller { joined: true, ..wang };
    running.client().answer_call(by(who, answering("80011073"))).await.unwrap();
    let seen = get(&running, stranger(), &name).await.unwrap().into_inner();
    assert_eq!((&*seen.employee, &*seen.branch), ("employees/wang", BRANCH));
    let colleague = EmployeeName::parse("employees/he").unwrap();
    let refused = get(&running, Caller { employee: Some(colleague), ..stranger() }, &name).await;
    assert_eq!(reason(refused), "BRANCH_OUT_OF_REACH");
}

#[tokio::test]
async fn a_branch_is_listed_newest_first_in_pages() {
    let running = Running::start().await;
    let other = RegisterCallRequest { parent: "branches/b2".into(), ..call_from("elsewhere") };
    running.register(stranger(), other).await.unwrap();
    // Two at the same time, and one entered later with its true time (K20).
    for (id, time) in [
        ("c1", None),
        ("c2", None),
        ("c3", Some(proto_time("09:00:00"))),
        ("c4", Some(proto_time("09:30:00"))),
    ] {
        let request = RegisterCallRequest { occur_time: time, ..call_from(id) };
        running.register(employee("zhang"), request).await.unwrap();
    }
    let (mut seen, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = list(&running, employee("zhang"), 3, &token).await.unwrap().into_inner();
        seen.extend(page.calls.into_iter().map(|call| call.name));
        pages += 1;
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["calls/c2", "calls/c1", "calls/c4", "calls/c3"]);
    assert_eq!(pages, 2);
    let whole = list(&running, employee("zhang"), 4, "").await.unwrap().into_inner();
    assert_eq!((whole.calls.len(), whole.next_page_token.as_str()), (4, ""));
    let most = list(&running, employee("zhang"), 100_000, "").await.unwrap().into_inner();
    assert_eq!(most.calls.iter().map(|call| &call.name).collect::<BTreeSet<_>>().len(), 4);
}

#[tokio::test]
async fn a_page_token_is_good_for_its_caller_and_branch_only() {
    let running = Running::start().await;
    for id in ["c1", "c2"] {
        running.ring(id).await;
    }
    let page = list(&running, employee("zhang"), 1, "").await.unwrap().into_inner();
    let token = page.next_page_token;
    assert!(list(&running, employee("zhang"), 5, &token).await.is_ok());
    assert_eq!(reason(list(&running, employee("li"), 1, &token).await), "PAGE_TOKEN_INVALID");
    assert_eq!(reason(list(&running, employee("zhang"), 1, "x").await), "PAGE_TOKEN_INVALID");
    assert_eq!(reason(list(&running, employee("zhang"), -1, "").await), "FIELD_INVALID");
}
