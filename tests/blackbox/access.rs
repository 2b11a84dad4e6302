//! Every RPC of the contract against everybody: who its option lets in comes in, and nobody else does. The calls are generated from the descriptors;
//! no method is named here, so a new one is tested by being there.

mod people;
mod request;
mod scene;

use shouwen_access::{
    Contract,
    contract::{Backend, Method},
};
use shouwen_proto::{DESCRIPTORS, access::v1::CaseRule};
use tonic::{Code, Status};

use crate::harness::{Client, Refusal, Shared, Suite, client::channel, place::SERVICES, raw, refused};
use people::{Person, ROLES};
use request::Requests;
use scene::Scene;

/// One method, called at one service: those that every service offers are called at each.
struct Target<'a> {
    method: &'a Method,
    service: &'a str,
}

impl Target<'_> {
    async fn call(&self, client: &Client, body: Vec<u8>) -> Result<(), Status> {
        raw::first(client, &self.method.path, body).await
    }

    /// The refusal that the call must meet.
    async fn refused(&self, client: &Client, body: Vec<u8>) -> Refusal {
        match self.call(client, body).await {
            Ok(()) => panic!("{self}: must be refused"),
            answered => refused(answered),
        }
    }
}

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.method.path, self.service)
    }
}

fn targets(contract: &Contract) -> Vec<Target<'_>> {
    let mut targets = Vec::new();
    for method in contract.methods() {
        match &method.backend {
            Backend::Service(service) => targets.push(Target { method, service }),
            Backend::Named(_) => targets.extend(SERVICES.map(|service| Target { method, service })),
        }
    }
    targets
}

fn contract() -> Contract {
    Contract::load(DESCRIPTORS).unwrap()
}

#[tokio::test]
async fn without_a_token_and_past_the_gateway_nobody_is_let_in() {
    let suite = Shared::suite().await;
    let (contract, requests) = (contract(), Requests::of(DESCRIPTORS));
    let (anonymous, known) = (suite.anonymous(), suite.employee("admin"));
    for target in targets(&contract) {
        let body = requests.least(&target, None);
        if target.method.access.internal {
            let refusal = target.refused(&known, body.clone()).await;
            assert_eq!(refusal.kind(), (Code::Unimplemented, "METHOD_UNKNOWN"), "{target}");
        } else if !target.method.access.public {
            let refusal = target.refused(&anonymous, body.clone()).await;
            assert_eq!(refusal.kind(), (Code::Unauthenticated, "TOKEN_MISSING"), "{target}");
        }
        // A token is worth nothing at a backend.
        let backend = known.clone().at(channel(inner(&suite, target.service)));
        let refusal = target.refused(&backend, body).await;
        assert_eq!(refusal.kind(), (Code::Unauthenticated, "CONTEXT_MISSING"), "{target}");
    }
}

/// Where a service is reached past the gateway.
fn inner(suite: &Suite, service: &str) -> std::net::SocketAddr {
    match service {
        "ownership" => suite.ownership[0],
        "calls" => suite.calls[0].address,
        "callbacks" => suite.callbacks[0].address,
        "clients" => suite.clients[0].address,
        "complaints" => suite.complaints[0].address,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn each_role_alone_opens_what_the_option_says_and_nothing_else() {
    let suite = Shared::suite().await;
    people::imported(&suite).await;
    let (contract, requests) = (contract(), Requests::of(DESCRIPTORS));
    let (mut opened, mut closed) = (0, 0);
    for target in targets(&contract).iter().filter(|target| !target.method.access.internal) {
        for person in ROLES.map(Person::east) {
            // With as little as the gateway needs to let it pass: what comes next is refused for its contents, hardly ever done.
            let answered = target.call(&person.client(&suite), requests.least(target, None)).await;
            let told = answered.err().map(|status| refused::<()>(Err(status)));
            let kind = told.as_ref().map(Refusal::kind);
            if person.is_admitted(target.method) {
                let shut_out = kind.is_some_and(|(code, reason)| {
                    reason == "ROLE_REQUIRED" || code == Code::Unauthenticated || code == Code::Unimplemented
                });
                assert!(!shut_out, "{target}: {person:?} is let in, but {kind:?}");
                opened += 1;
            } else {
                assert_eq!(kind, Some((Code::PermissionDenied, "ROLE_REQUIRED")), "{target}: {person:?}");
                assert!(told.unwrap().metadata.contains_key("roles"), "{target}");
                closed += 1;
            }
        }
    }
    println!("{opened} pairs of RPC and role are open, {closed} are closed");
    assert!(opened > 0 && closed > 0);
}

#[tokio::test]
async fn another_branch_is_out_of_reach_of_every_rpc() {
    let suite = Shared::suite().await;
    people::imported(&suite).await;
    let scene = Scene::played(&suite, "access-branch", 50_001).await;
    let (contract, requests) = (contract(), Requests::of(DESCRIPTORS));
    let mut tried = 0;
    for target in targets(&contract).iter().filter(|target| !target.method.access.internal) {
        let access = &target.method.access;
        let strangers = ROLES.map(Person::west).into_iter();
        for person in strangers.filter(|person| person.is_local() && person.is_admitted(target.method)) {
            let client = person.client(&suite);
            let mut names = Vec::new();
            if access.branch.is_some() {
                names.extend(["branches/east".to_owned(), "branches/-".to_owned()]);
            }
            if let Some(condition) = &access.case {
                names.push("branches/east/callbacks/nothing".to_owned());
                if condition.rule == CaseRule::Branch {
                    names.push(scene.name(target, condition));
                }
            }
            for name in names {
                let refusal = target.refused(&client, requests.complete(target, Some(&name))).await;
                let kind = (Code::PermissionDenied, "BRANCH_OUT_OF_REACH");
                assert_eq!(refusal.kind(), kind, "{target}: {person:?} and {name}: {refusal:?}");
                assert!(refusal.metadata["branch"].starts_with("branches/"), "{target}");
                tried += 1;
            }
        }
    }
    println!("{tried} calls to another branch");
    assert!(tried > 0);
}

#[tokio::test]
async fn o7_who_is_not_responsible_is_told_who_is_by_every_rpc() {
    let suite = Shared::suite().await;
    let scene = Scene::played(&suite, "access-owner", 50_002).await;
    let (contract, requests) = (contract(), Requests::of(DESCRIPTORS));
    let (stranger, assistant) = (suite.employee("wang"), suite.employee("zhang"));
    let (mut tried, mut assisted) = (0, 0);
    for target in targets(&contract).iter().filter(|target| !target.method.access.internal) {
        let Some(condition) = &target.method.access.case else { continue };
        let name = scene.name(target, condition);
        let mut refused = Vec::new();
        match condition.rule {
            CaseRule::Responsible => refused.extend([&stranger, &assistant]),
            CaseRule::Assisting => {
                refused.push(&stranger);
                // O6: may record, whatever comes of it.
                let answered = target.call(&assistant, requests.least(target, Some(&name))).await;
                let told = answered.err().and_then(|status| Refusal::of(&status));
                assert!(told.is_none_or(|it| it.reason != "NOT_RESPONSIBLE"), "{target}");
                assisted += 1;
            }
            CaseRule::Branch | CaseRule::Unspecified => {}
        }
        for client in refused {
            let refusal = target.refused(client, requests.complete(target, Some(&name))).await;
            assert_eq!(refusal.kind(), (Code::PermissionDenied, "NOT_RESPONSIBLE"), "{target}: {refusal:?}");
            for who in ["first_responder", "accountable", "handler"] {
                assert_eq!(refusal.metadata[who], "employees/li", "{target}");
            }
            assert_eq!(refusal.metadata["case"], scene.case, "{target}");
            tried += 1;
        }
    }
    println!("{tried} calls of who is not responsible, {assisted} of who assists");
    assert!(tried > 0 && assisted > 0);
}

#[tokio::test]
async fn k11_what_needs_a_verified_identity_is_refused_without_one() {
    let suite = Shared::suite().await;
    let scene = Scene::played(&suite, "access-identity", 50_003).await;
    let (contract, requests) = (contract(), Requests::of(DESCRIPTORS));
    let li = suite.employee("li");
    let mut tried = 0;
    for target in targets(&contract).iter().filter(|target| target.method.access.verified_identity) {
        let refusal = target.refused(&li, requests.about(target, "name", &scene.client)).await;
        assert_eq!(
            refusal.kind(),
            (Code::FailedPrecondition, "IDENTITY_NOT_VERIFIED"),
            "{target}: {refusal:?}"
        );
        tried += 1;
    }
    assert!(tried > 0);
}
