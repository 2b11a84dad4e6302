//! O1 at the edge: claim, forward, void, repeat.

use prost::Message as _;
use shouwen_access::Failure;
use shouwen_access::status::reason_of;
use shouwen_gateway::ownership::CaseView;
use shouwen_proto::access::v1::Capacity;
use shouwen_runtime::config::Period;
use tonic::{Code, Status};

use crate::backend::Act;
use crate::contract::Change;
use crate::owners::view;
use crate::world::World;

fn refuse(code: Code, reason: &'static str) -> Act {
    Act::Refuse(Status::from(Failure::new(code, reason, "No.", "不行。")))
}

fn answer(contact: &str) -> Change {
    Change {
        topic: "fees".to_owned(),
        client: "C-17".to_owned(),
        channel: 2,
        ..Change::of(&format!("calls/{contact}"))
    }
}

#[tokio::test]
async fn o1_an_answer_claims_the_contact_before_the_backend_hears_of_it() {
    let mut world = World::new().await;
    let change = answer("c1");
    world.ask("Answer", "zhang").send(&change).await.unwrap();
    let claim = world.owners.state.lock().unwrap().claims[0].clone();
    assert_eq!(
        (claim.contact_id.as_str(), claim.employee.as_str(), claim.branch.as_str()),
        ("c1", "employees/zhang", "branches/b1")
    );
    assert_eq!((claim.topic.as_str(), claim.client.as_str(), claim.channel), ("fees", "C-17", 2));
    assert_eq!((claim.request, claim.request_id), (change.encode_to_vec().into(), change.request_id.clone()));
    assert_eq!(claim.method, "/shouwen.echo.v1.Echo/Answer");
    let caller = world.seen().await.caller.unwrap();
    assert_eq!(caller.capacity, Capacity::Handler);
    assert_eq!(caller.case.unwrap().name, "cases/of-c1");
    assert_eq!(caller.body_digest.unwrap().to_vec(), claim.fingerprint);
}

#[tokio::test]
async fn o1_a_service_account_answers_for_its_employee() {
    let mut world = World::new().await;
    let ask = world.ask_at("/shouwen.echo.v1.Echo/Answer", "serviceAccounts/crm");
    ask.clone().acting_for("CRM-zhang").send(&answer("c1")).await.unwrap();
    let caller = world.seen().await.caller.unwrap();
    assert_eq!(caller.principal.to_string(), "serviceAccounts/crm");
    assert_eq!(caller.employee.unwrap().as_str(), "employees/zhang");
    ask.refusal(&answer("c2")).await.is(Code::PermissionDenied, "ROLE_REQUIRED");
}

#[tokio::test]
async fn o1_who_is_second_is_told_who_answered_and_the_backend_hears_nothing() {
    let mut world = World::new().await;
    world.ask("Answer", "zhang").send(&answer("c1")).await.unwrap();
    world.seen().await;
    let refusal = world.ask("Answer", "li").refusal(&answer("c1")).await;
    refusal.is(Code::AlreadyExists, "CONTACT_CLAIMED");
    assert_eq!(refusal.metadata("employee"), "employees/zhang");
    assert!(world.nothing_seen());
}

#[tokio::test]
async fn o6_who_answers_a_client_with_an_open_case_assists_there() {
    let mut world = World::new().await;
    let assistants = vec!["employees/wang".to_owned()];
    world.owners.state.lock().unwrap().joins = Some(CaseView { assistants, ..view("cases/a") });
    world.ask("Answer", "wang").send(&answer("c1")).await.unwrap();
    let caller = world.seen().await.caller.unwrap();
    assert_eq!(caller.capacity, Capacity::Assisting);
    assert_eq!((caller.case.unwrap().name, caller.joined), ("cases/a".to_owned(), true));
    assert!(!caller.reach.covers("branches/b1"));
}

#[tokio::test]
async fn o6_whoever_is_responsible_comes_to_the_backend_as_such_and_with_their_own_reach() {
    let mut world = World::new().await;
    let wang = || "employees/wang".to_owned();
    let nobody = view("cases/a");
    let ways = [
        (CaseView { handler: wang(), ..nobody.clone() }, Capacity::Handler),
        (CaseView { accountable: wang(), ..nobody.clone() }, Capacity::Accountable),
        (CaseView { deputies: vec![wang()], ..nobody }, Capacity::Deputy),
    ];
    for (number, (case, capacity)) in ways.into_iter().enumerate() {
        world.owners.state.lock().unwrap().joins = Some(case);
        world.ask("Answer", "wang").send(&answer(&format!("c{number}"))).await.unwrap();
        let caller = world.seen().await.caller.unwrap();
        assert_eq!((caller.capacity, caller.joined), (capacity, true));
        assert!(!caller.reach.covers("branches/b1"));
    }
    // The first touch of a concern joins nothing.
    world.ask("Answer", "wang").send(&answer("c9")).await.unwrap();
    let caller = world.seen().await.caller.unwrap();
    assert_eq!((caller.capacity, caller.joined), (Capacity::Handler, false));
}

#[tokio::test]
async fn o1_a_permanent_rejection_voids_the_touch_under_its_request_id() {
    let world = World::new().await;
    world.script([refuse(Code::NotFound, "CALL_NOT_FOUND")]);
    let change = answer("c1");
    world.ask("Answer", "zhang").refusal(&change).await.is(Code::NotFound, "CALL_NOT_FOUND");
    let voided = ("contacts/c1".to_owned(), change.request_id, "CALL_NOT_FOUND".to_owned());
    assert_eq!(world.owners.state.lock().unwrap().voided, [voided]);
}

#[tokio::test]
async fn o1_a_failure_that_may_pass_leaves_the_touch_pending() {
    let world = World::new().await;
    for (code, reason) in [
        (Code::Unavailable, "OUTCOME_UNKNOWN"),
        (Code::ResourceExhausted, "OVERLOADED"),
        (Code::Aborted, "CONTENTION"),
    ] {
        world.script([refuse(code, reason)]);
        world.ask("Answer", "zhang").refusal(&answer("c1")).await.is(code, reason);
    }
    assert!(world.owners.state.lock().unwrap().voided.is_empty());
}

#[tokio::test]
async fn o1_a_stale_epoch_after_a_claim_is_read_anew_and_tried_once_more() {
    let mut world = World::new().await;
    world.script([refuse(Code::Aborted, "STALE_EPOCH")]);
    world.ask("Answer", "zhang").send(&answer("c1")).await.unwrap();
    world.seen().await;
    world.seen().await;
    assert!(world.nothing_seen());
}

#[tokio::test]
async fn o1_a_touch_that_the_backend_missed_is_repeated_as_the_winners() {
    let mut world = World::with(|config| config.limits.request_timeout = Period::secs(1)).await;
    world.script([Act::Hang]);
    let change = answer("c1");
    let ask = world.ask_at("/shouwen.echo.v1.Echo/Answer", "serviceAccounts/crm").acting_for("CRM-zhang");
    let status = ask.send(&change).await.unwrap_err();
    assert_eq!(reason_of(&status).as_deref(), Some("DEADLINE_EXCEEDED"));
    let first = world.seen().await;
    assert_eq!(world.edge.sweep_touches().await, 1);
    let repeated = world.seen().await;
    assert_eq!(repeated.message, first.message);
    let (first, repeated) = (first.caller.unwrap(), repeated.caller.unwrap());
    assert_eq!((&repeated.principal, &repeated.employee), (&first.principal, &first.employee));
    assert_eq!((repeated.capacity, repeated.body_digest), (Capacity::Handler, first.body_digest));
    assert!(world.owners.state.lock().unwrap().voided.is_empty());
}

#[tokio::test]
async fn o1_a_repeated_touch_reaches_no_further_than_the_account_through_which_it_was_made() {
    let mut world = World::with(|config| config.limits.request_timeout = Period::secs(1)).await;
    world.script([Act::Hang]);
    let ask = world.ask_at("/shouwen.echo.v1.Echo/Answer", "serviceAccounts/crm");
    ask.acting_for("employees/chief").send(&answer("c1")).await.unwrap_err();
    world.seen().await;
    assert_eq!(world.edge.sweep_touches().await, 1);
    let caller = world.seen().await.caller.unwrap();
    assert!(caller.reach.covers("branches/b1") && !caller.reach.covers("branches/b2"));
}

#[tokio::test]
async fn o1_a_touch_that_is_owed_is_taken_though_the_responsibility_has_moved() {
    let mut world = World::with(|config| config.limits.request_timeout = Period::secs(1)).await;
    world.script([Act::Hang]);
    world.ask("Answer", "zhang").send(&answer("c1")).await.unwrap_err();
    world.seen().await;
    let li = || "employees/li".to_owned();
    let moved = CaseView { handler: li(), accountable: li(), ..view("cases/of-c1") };
    world.owners.put(&["contacts/c1"], &moved);
    assert_eq!(world.edge.sweep_touches().await, 1);
    assert_eq!(world.seen().await.caller.unwrap().capacity, Capacity::Assisting);
}

#[tokio::test]
async fn o1_a_backend_that_is_away_leaves_the_touch_to_be_repeated() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = World::of(&[], |config| {
        config.backends.get_mut("echo").unwrap().addresses = vec![format!("127.0.0.1:{port}")];
    })
    .await;
    let refusal = world.ask("Answer", "zhang").refusal(&answer("c1")).await;
    refusal.is(Code::Unavailable, "BACKEND_UNAVAILABLE");
    let pending = world.owners.state.lock().unwrap().pending.len();
    assert_eq!((pending, world.edge.sweep_touches().await), (1, 0));
    assert!(world.owners.state.lock().unwrap().voided.is_empty());
}

#[tokio::test]
async fn o1_a_backend_that_does_not_believe_the_gateway_leaves_the_touch_to_be_repeated() {
    let mut world = World::with(|config| config.context_lifetime = Period::secs(0)).await;
    let refusal = world.ask("Answer", "zhang").refusal(&answer("c1")).await;
    refusal.is(Code::Unavailable, "BACKEND_UNAVAILABLE");
    let pending = world.owners.state.lock().unwrap().pending.len();
    assert_eq!((pending, world.edge.sweep_touches().await), (1, 0));
    assert!(world.owners.state.lock().unwrap().voided.is_empty() && world.nothing_seen());
}

#[tokio::test]
async fn o1_a_repeated_touch_that_is_rejected_for_good_is_voided() {
    let world = World::new().await;
    world.script([
        refuse(Code::Unavailable, "DATABASE_UNAVAILABLE"),
        refuse(Code::Unavailable, "DATABASE_UNAVAILABLE"),
        refuse(Code::FailedPrecondition, "ILLEGAL_TRANSITION"),
    ]);
    let change = answer("c1");
    world.ask("Answer", "zhang").refusal(&change).await.is(Code::Unavailable, "DATABASE_UNAVAILABLE");
    assert_eq!(world.edge.sweep_touches().await, 0);
    assert!(world.owners.state.lock().unwrap().voided.is_empty());
    assert_eq!(world.edge.sweep_touches().await, 1);
    let voided = ("contacts/c1".to_owned(), change.request_id, "ILLEGAL_TRANSITION".to_owned());
    assert_eq!(world.owners.state.lock().unwrap().voided, [voided]);
}

#[tokio::test]
async fn o1_pending_touches_are_repeated_in_the_background() {
    let mut world = World::with(|config| config.touch_interval = Period::millis(10)).await;
    world.script([refuse(Code::Unavailable, "DATABASE_UNAVAILABLE")]);
    world.ask("Answer", "zhang").refusal(&answer("c1")).await;
    world.seen().await;
    let shutdown = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(world.edge.clone().run(shutdown.clone()));
    world.seen().await;
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn o1_what_names_no_contact_claims_nothing() {
    let mut world = World::new().await;
    for name in ["", "calls/", "cases/1", "calls/1/records/2"] {
        let refusal = world.ask("Answer", "zhang").refusal(&Change::of(name)).await;
        refusal.is(Code::InvalidArgument, "FIELD_INVALID");
        assert_eq!(refusal.metadata("field"), "name");
    }
    assert!(world.owners.state.lock().unwrap().claims.is_empty() && world.nothing_seen());
}
