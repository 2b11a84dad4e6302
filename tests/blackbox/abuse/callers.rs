//! Who may call at all, for whom, and how far their branch reaches.

use serde_json::{Value, json};
use shouwen_proto::{
    calls::v1::{GetCallRequest, ListCallsRequest},
    ownership::v1::{GetCaseRequest, GetEmployeeRequest, ListCasesRequest},
};
use shouwen_testkit::TestIssuer;
use tonic::Code;

use super::{answered, meets};
use crate::harness::{
    Client, Refusal, Shared,
    client::claims,
    refused,
    requests::{answer, offer, record, register},
};

/// A read that every employee may make.
async fn read(client: &Client) -> Refusal {
    let request = GetEmployeeRequest { name: "employees/li".to_owned() };
    refused(client.roster().get_employee(request).await)
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[tokio::test]
async fn a_token_that_is_not_a_good_one_is_refused_for_what_is_wrong_with_it() {
    let suite = Shared::suite().await;
    let issuer = &suite.deployment.issuer;
    let good = claims("employees/li");
    let now = good["iat"].as_i64().unwrap();
    let other_key = TestIssuer::new("idp-1");
    let unknown_key = TestIssuer::new("idp-9");
    let hs256 = json!({"typ": "JWT", "alg": "HS256", "kid": "idp-1"});
    let tokens = [
        ("expired", issuer.sign(&with(good.clone(), "exp", json!(now - 120))), "TOKEN_EXPIRED"),
        ("not yet valid", issuer.sign(&with(good.clone(), "nbf", json!(now + 600))), "TOKEN_NOT_YET_VALID"),
        ("wrong audience", issuer.sign(&with(good.clone(), "aud", json!("payroll"))), "TOKEN_AUDIENCE_WRONG"),
        (
            "wrong issuer",
            issuer.sign(&with(good.clone(), "iss", json!("https://evil"))),
            "TOKEN_ISSUER_WRONG",
        ),
        ("alg none", TestIssuer::unsigned(&good), "TOKEN_ALGORITHM_REFUSED"),
        ("symmetric", issuer.sign_with_header(&hs256, &good), "TOKEN_ALGORITHM_REFUSED"),
        ("another key", other_key.sign(&good), "TOKEN_SIGNATURE_INVALID"),
        ("unknown key", unknown_key.sign(&good), "TOKEN_KEY_UNKNOWN"),
        ("no token at all", "not.a.token".to_owned(), "TOKEN_MALFORMED"),
        ("a service's name", issuer.sign(&claims("services/gateway")), "TOKEN_SUBJECT_INVALID"),
        ("somebody's mail", issuer.sign(&claims("li@example.test")), "TOKEN_SUBJECT_INVALID"),
    ];
    for (what, token, reason) in tokens {
        let refusal = read(&suite.anonymous().token(&token)).await;
        meets(what, &refusal, Code::Unauthenticated, reason);
        assert!(!refusal.message.contains(&token), "{what}");
    }
    meets("no token", &read(&suite.anonymous()).await, Code::Unauthenticated, "TOKEN_MISSING");
    let basic = suite.anonymous().with("authorization", "Basic bGk6bGk=");
    meets("another scheme", &read(&basic).await, Code::Unauthenticated, "TOKEN_MALFORMED");
}

#[tokio::test]
async fn a_caller_whom_the_roster_does_not_let_in_is_told_why() {
    let suite = Shared::suite().await;
    let (crm, telephony) = (suite.account("crm-east"), suite.account("telephony"));
    let for_employee = |account: &Client, name: &str| account.clone().with("x-shouwen-employee", name);
    let callers = [
        ("unknown employee", suite.employee("nobody"), "EMPLOYEE_UNKNOWN"),
        ("inactive employee", suite.employee("gone"), "EMPLOYEE_INACTIVE"),
        ("a role that the method is not open to", suite.employee("officer"), "ROLE_REQUIRED"),
        ("unknown account", suite.account("nobody"), "ACCOUNT_UNKNOWN"),
        ("account outside its branches", for_employee(&crm, "employees/chen"), "EMPLOYEE_OUTSIDE_ACCOUNT"),
        ("account for nobody", for_employee(&crm, "employees/nobody"), "EMPLOYEE_UNKNOWN"),
        ("account for an inactive employee", for_employee(&crm, "CRM-gone"), "EMPLOYEE_INACTIVE"),
        ("account that may not act", for_employee(&telephony, "employees/li"), "SERVICE_ACCOUNT_CANNOT_ACT"),
        ("employee for another", for_employee(&suite.employee("wang"), "employees/li"), "EMPLOYEE_MISMATCH"),
    ];
    for (what, client, reason) in callers {
        meets(what, &read(&client).await, Code::PermissionDenied, reason);
    }
    let empty = for_employee(&crm, "");
    meets("empty metadata", &read(&empty).await, Code::InvalidArgument, "EMPLOYEE_METADATA_INVALID");

    // By its external id the employee is found, and both stand on the ledger.
    telephony.calls().register_call(register("by-crm")).await.unwrap();
    let li = for_employee(&crm, "CRM-li");
    let call = li.calls().answer_call(answer("by-crm")).await.unwrap().into_inner();
    assert_eq!(call.employee, "employees/li");
    // What needs an employee is not done in an account's own name.
    let refusal = refused(crm.calls().answer_call(answer("by-crm")).await);
    meets("an account answers", &refusal, Code::PermissionDenied, "ROLE_REQUIRED");
}

#[tokio::test]
async fn another_branch_is_out_of_reach_in_every_service() {
    let suite = Shared::suite().await;
    let case = answered(&suite, "reach-1").await;
    let chen = suite.employee("chen");
    let parent = || "branches/east".to_owned();
    let get_case = GetCaseRequest { name: case.clone() };
    let list_cases = ListCasesRequest { parent: parent(), ..Default::default() };
    let all_cases = ListCasesRequest { parent: "branches/-".to_owned(), ..Default::default() };
    let get_call = GetCallRequest { name: "calls/reach-1".to_owned() };
    let list_calls = ListCallsRequest { parent: parent(), ..Default::default() };
    let refusals = [
        ("GetCase", refused(chen.cases().get_case(get_case.clone()).await)),
        ("ListCases", refused(chen.cases().list_cases(list_cases).await)),
        ("ListCases everywhere", refused(chen.cases().list_cases(all_cases.clone()).await)),
        ("GetCall", refused(chen.calls().get_call(get_call.clone()).await)),
        ("ListCalls", refused(chen.calls().list_calls(list_calls).await)),
        ("RegisterCall", refused(chen.calls().register_call(register("reach-2")).await)),
    ];
    for (what, refusal) in &refusals {
        meets(what, refusal, Code::PermissionDenied, "BRANCH_OUT_OF_REACH");
        assert!(refusal.metadata.contains_key("branch"), "{what}: {refusal:?}");
    }
    // Headquarters and auditors reach it.
    suite.employee("hq").cases().get_case(get_case).await.unwrap();
    suite.employee("auditor").calls().get_call(get_call).await.unwrap();
    let listed = suite.employee("hq").cases().list_cases(all_cases).await.unwrap().into_inner().cases;
    assert!(listed.iter().any(|listed| listed.name == case));

    // Answering another branch's contact is refused, and leaves the contact to that branch.
    suite.account("telephony").calls().register_call(register("reach-3")).await.unwrap();
    let refusal = refused(chen.calls().answer_call(answer("reach-3")).await);
    meets("AnswerCall", &refusal, Code::PermissionDenied, "BRANCH_OUT_OF_REACH");
    let call = suite.employee("li").calls().answer_call(answer("reach-3")).await.unwrap().into_inner();
    assert_eq!(call.employee, "employees/li");
}

#[tokio::test]
async fn o7_who_is_not_responsible_learns_who_is_and_how_to_ask() {
    let suite = Shared::suite().await;
    let case = answered(&suite, "owner-1").await;
    let wang = suite.employee("wang").with("accept-language", "zh-CN");
    let refusals = [
        ("RecordCall", refused(wang.calls().record_call(record("owner-1")).await)),
        ("OfferTransfer", refused(wang.cases().offer_transfer(offer(&case, "wang")).await)),
    ];
    for (what, refusal) in &refusals {
        meets(what, refusal, Code::PermissionDenied, "NOT_RESPONSIBLE");
        for who in ["first_responder", "accountable", "handler"] {
            assert_eq!(refusal.metadata[who], "employees/li", "{what}");
        }
        assert_eq!(refusal.metadata["case"], case);
        assert_eq!(refusal.details.resource_info().unwrap().resource_name, case);
        assert!(refusal.message.contains("OfferTransfer"), "{}", refusal.message);
        let localized = refusal.details.localized_message().unwrap();
        assert_eq!(localized.locale, "zh-CN");
        assert!(localized.message.contains("承办人") && localized.message.contains("employees/li"));
    }
}
