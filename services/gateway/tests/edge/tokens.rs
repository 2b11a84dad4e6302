//! Every token that is not accepted, each with a reason of its own.

use serde_json::{Value, json};
use shouwen_testkit::TestIssuer;
use tonic::Code;

use crate::contract::Ping;
use crate::world::{Ask, NOW, World};

const GET: &str = "/shouwen.echo.v1.Echo/Get";

#[tokio::test]
async fn nobody_comes_in_without_a_good_token() {
    let mut world = World::new().await;
    let good = World::claims("employees/zhang");
    let other = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        world.issuer.sign(&claims)
    };
    let header = json!({"typ": "JWT", "alg": "HS256", "kid": "k1"});
    let cases = [
        ("not-a-token".to_owned(), "TOKEN_MALFORMED"),
        (TestIssuer::unsigned(&good), "TOKEN_ALGORITHM_REFUSED"),
        (world.issuer.sign_with_header(&header, &good), "TOKEN_ALGORITHM_REFUSED"),
        (TestIssuer::new("k2").sign(&good), "TOKEN_KEY_UNKNOWN"),
        (TestIssuer::new("k1").sign(&good), "TOKEN_SIGNATURE_INVALID"),
        (other("iss", json!("https://elsewhere.test")), "TOKEN_ISSUER_WRONG"),
        (other("aud", json!(["another"])), "TOKEN_AUDIENCE_WRONG"),
        (other("nbf", json!(NOW + 60)), "TOKEN_NOT_YET_VALID"),
        (other("exp", json!(NOW)), "TOKEN_EXPIRED"),
        (other("exp", Value::Null), "TOKEN_MALFORMED"),
        (other("sub", json!("services/calls")), "TOKEN_SUBJECT_INVALID"),
    ];
    for (token, reason) in cases {
        let ask = Ask::new(&world.channel, GET).with("authorization", &format!("Bearer {token}"));
        ask.refusal(&Ping::default()).await.is(Code::Unauthenticated, reason);
    }
    let none = Ask::new(&world.channel, GET).refusal(&Ping::default()).await;
    none.is(Code::Unauthenticated, "TOKEN_MISSING");
    assert!(world.nothing_seen());
    world.ask("Get", "zhang").send(&Ping::default()).await.unwrap();
}

#[tokio::test]
async fn a_token_of_nobody_in_the_roster_or_of_somebody_inactive_opens_nothing() {
    let world = World::new().await;
    for (subject, reason) in [
        ("employees/stranger", "EMPLOYEE_UNKNOWN"),
        ("employees/gone", "EMPLOYEE_INACTIVE"),
        ("serviceAccounts/stranger", "ACCOUNT_UNKNOWN"),
        ("serviceAccounts/old", "ACCOUNT_INACTIVE"),
    ] {
        let refusal = world.ask_at(GET, subject).refusal(&Ping::default()).await;
        refusal.is(Code::PermissionDenied, reason);
    }
}

#[tokio::test]
async fn a_role_that_the_method_does_not_name_is_told_which_ones_it_does() {
    let world = World::new().await;
    let refusal = world.ask("Lead", "zhang").refusal(&Ping::default()).await;
    refusal.is(Code::PermissionDenied, "ROLE_REQUIRED");
    assert_eq!(refusal.metadata("roles"), "LEAD, HQ");
    world.ask("Lead", "qian").send(&Ping::default()).await.unwrap();
}

#[tokio::test]
async fn a_refusal_speaks_the_callers_language() {
    let world = World::new().await;
    let ask = world.ask("Lead", "zhang").with("accept-language", "zh-CN,zh;q=0.9");
    let status = ask.refusal(&Ping::default()).await.0;
    let localized = tonic_types::StatusExt::get_details_localized_message(&status).unwrap();
    assert_eq!(localized.locale, "zh-CN");
    assert!(status.message().is_ascii());
}
