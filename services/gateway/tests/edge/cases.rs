//! The case rule and the branch scope.

use std::sync::Arc;

use chrono::TimeDelta;
use shouwen_access::Failure;
use shouwen_gateway::ownership::CaseView;
use shouwen_proto::access::v1::Capacity;
use shouwen_runtime::config::Period;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::backend::Act;
use crate::contract::{Change, Ping};
use crate::owners::view;
use crate::world::World;

fn refuse(code: Code, reason: &'static str) -> Act {
    Act::Refuse(Status::from(Failure::new(code, reason, "No.", "不行。")))
}

fn not_a_replay() -> Act {
    refuse(Code::FailedPrecondition, "NOT_A_REPLAY")
}

#[tokio::test]
async fn o7_handler_and_accountable_person_decide() {
    let mut world = World::new().await;
    let case = world.owners.case(&["cases/a"]);
    for (who, capacity) in [("li", Capacity::Handler), ("zhang", Capacity::Accountable)] {
        world.ask("Decide", who).send(&Change::of("cases/a")).await.unwrap();
        let caller = world.seen().await.caller.unwrap();
        assert_eq!(caller.capacity, capacity);
        let seen = caller.case.unwrap();
        assert_eq!((seen.name, seen.named, seen.epoch), (case.case.clone(), case.named.clone(), case.epoch));
        assert_eq!(seen.read_at, world.clock.unix_micros());
    }
}

#[tokio::test]
async fn o7_who_is_not_responsible_is_told_who_is_and_how_to_ask_for_the_case() {
    let mut world = World::new().await;
    world.owners.case(&["cases/a"]);
    world.script([not_a_replay()]);
    let refusal = world.ask("Decide", "wang").refusal(&Change::of("cases/a")).await;
    refusal.is(Code::PermissionDenied, "NOT_RESPONSIBLE");
    assert_eq!(refusal.metadata("case"), "cases/a");
    assert_eq!(refusal.metadata("first_responder"), "employees/zhang");
    assert_eq!(refusal.metadata("accountable"), "employees/zhang");
    assert_eq!(refusal.metadata("handler"), "employees/li");
    let resource = refusal.0.get_details_resource_info().unwrap();
    assert_eq!((resource.resource_type.as_str(), resource.resource_name.as_str()), ("case", "cases/a"));
    for help in ["employees/li", "OfferTransfer", "BeginOverride"] {
        assert!(refusal.0.message().contains(help), "{}", refusal.0.message());
    }
    assert_eq!(world.seen().await.caller.unwrap().capacity, Capacity::Replay);
}

#[tokio::test]
async fn o7_an_override_stands_in_where_the_method_allows_it() {
    let mut world = World::new().await;
    let overriding = Some("employees/qian".to_owned());
    world.owners.put(&["cases/a"], &CaseView { overriding, ..view("cases/a") });
    world.ask("Decide", "qian").send(&Change::of("cases/a")).await.unwrap();
    assert_eq!(world.seen().await.caller.unwrap().capacity, Capacity::Override);
    world.script([not_a_replay()]);
    let refusal = world.ask("Confess", "qian").refusal(&Change::of("cases/a")).await;
    refusal.is(Code::PermissionDenied, "NOT_RESPONSIBLE");
}

#[tokio::test]
async fn o9_a_deputy_acts_like_who_is_absent_and_is_named_to_others() {
    let mut world = World::new().await;
    let deputies = vec!["employees/wang".to_owned()];
    world.owners.put(&["cases/a"], &CaseView { deputies, ..view("cases/a") });
    for method in ["Decide", "Confess"] {
        world.ask(method, "wang").send(&Change::of("cases/a")).await.unwrap();
        assert_eq!(world.seen().await.caller.unwrap().capacity, Capacity::Deputy);
    }
    world.script([not_a_replay()]);
    let refusal = world.ask("Decide", "qian").refusal(&Change::of("cases/a")).await;
    refusal.is(Code::PermissionDenied, "NOT_RESPONSIBLE");
    assert_eq!(refusal.metadata("deputies"), "employees/wang");
    assert!(refusal.0.message().contains("`employees/wang` acts for them"), "{}", refusal.0.message());
}

#[tokio::test]
async fn o6_who_assists_may_record_but_not_decide() {
    let mut world = World::new().await;
    let assistants = vec!["employees/wang".to_owned()];
    world.owners.put(&["cases/a", "calls/c"], &CaseView { assistants, ..view("cases/a") });
    world.ask("Record", "wang").send(&Change::of("calls/c")).await.unwrap();
    assert_eq!(world.seen().await.caller.unwrap().capacity, Capacity::Assisting);
    world.script([not_a_replay()]);
    let refusal = world.ask("Decide", "wang").refusal(&Change::of("cases/a")).await;
    refusal.is(Code::PermissionDenied, "NOT_RESPONSIBLE");
    assert!(refusal.0.message().contains("assist"));
    // Wang is of another branch: assisting is no reach.
    world.script([not_a_replay()]);
    let refusal = world.ask("Dismiss", "wang").refusal(&Change::of("cases/a")).await;
    refusal.is(Code::PermissionDenied, "BRANCH_OUT_OF_REACH");
}

#[tokio::test]
async fn o3_a_case_is_read_within_the_branch_by_headquarters_and_by_who_is_involved() {
    let mut world = World::new().await;
    let assistants = vec!["employees/wang".to_owned()];
    world.owners.put(&["cases/b"], &CaseView { assistants, ..view("cases/b") });
    world.owners.case(&["cases/a"]);
    for (who, case) in [("zhang", "cases/a"), ("sun", "cases/a"), ("wang", "cases/b")] {
        world.ask("Look", who).send(&Ping::named(case)).await.unwrap();
        assert_eq!(world.seen().await.caller.unwrap().capacity, Capacity::Reader);
    }
    let refusal = world.ask("Look", "wang").refusal(&Ping::named("cases/a")).await;
    refusal.is(Code::PermissionDenied, "BRANCH_OUT_OF_REACH");
    assert_eq!(refusal.metadata("branch"), "branches/b1");
    assert!(world.nothing_seen());
}

#[tokio::test]
async fn c2_what_a_unit_received_is_its_own_whichever_branch_has_the_case() {
    let mut world = World::new().await;
    let complaints = vec![("cases/a/complaints/x".to_owned(), "branches/b2".to_owned())];
    world.owners.put(&["cases/a"], &CaseView { complaints, ..view("cases/a") });
    world.ask("Look", "wang").send(&Ping::named("cases/a/complaints/x")).await.unwrap();
    assert_eq!(world.seen().await.caller.unwrap().capacity, Capacity::Reader);
    for elsewhere in ["cases/a", "cases/a/complaints/y", "cases/a/complaints/x/measures/1"] {
        let refusal = world.ask("Look", "wang").refusal(&Ping::named(elsewhere)).await;
        refusal.is(Code::PermissionDenied, "BRANCH_OUT_OF_REACH");
    }
}

#[tokio::test]
async fn a_merged_case_leads_to_its_survivor_and_is_named_as_asked() {
    let mut world = World::new().await;
    world.owners.put(&["cases/old"], &CaseView { named: "cases/old".to_owned(), ..view("cases/a") });
    world.ask("Decide", "li").send(&Change::of("cases/old")).await.unwrap();
    let case = world.seen().await.caller.unwrap().case.unwrap();
    assert_eq!((case.name.as_str(), case.named.as_str()), ("cases/a", "cases/old"));
}

#[tokio::test]
async fn what_is_not_there_and_what_is_no_name_are_told_apart() {
    let mut world = World::new().await;
    for (name, code, reason) in [
        ("cases/none", Code::NotFound, "CASE_NOT_FOUND"),
        ("cases/none/callbacks/1", Code::NotFound, "CASE_NOT_FOUND"),
        ("calls/none", Code::NotFound, "CONTACT_NOT_FOUND"),
        ("contacts/none", Code::NotFound, "CONTACT_NOT_FOUND"),
        ("", Code::InvalidArgument, "FIELD_INVALID"),
        ("cases/", Code::InvalidArgument, "FIELD_INVALID"),
        ("branches/", Code::InvalidArgument, "FIELD_INVALID"),
        ("employees/zhang", Code::InvalidArgument, "FIELD_INVALID"),
    ] {
        world.ask("Decide", "zhang").refusal(&Change::of(name)).await.is(code, reason);
    }
    assert!(world.nothing_seen());
}

#[tokio::test]
async fn an_id_that_nothing_can_have_is_refused_before_ownership_is_asked() {
    let world = World::new().await;
    let refusal = async |name: String| world.ask("Decide", "zhang").refusal(&Change::of(&name)).await;
    let longest = "x".repeat(64);
    for (collection, reason) in
        [("cases", "CASE_NOT_FOUND"), ("calls", "CONTACT_NOT_FOUND"), ("contacts", "CONTACT_NOT_FOUND")]
    {
        refusal(format!("{collection}/{longest}")).await.is(Code::NotFound, reason);
        for id in ["a\0", "a b", &format!("{longest}x"), &format!("{longest}x/callbacks/1")] {
            refusal(format!("{collection}/{id}")).await.is(Code::InvalidArgument, "FIELD_INVALID");
        }
    }
    assert_eq!(world.owners.readings(), 3);
}

#[tokio::test]
async fn work_without_a_case_belongs_to_its_branch() {
    let mut world = World::new().await;
    world.ask("Decide", "zhang").send(&Change::of("branches/b1/callbacks/7")).await.unwrap();
    let caller = world.seen().await.caller.unwrap();
    assert_eq!((caller.capacity, caller.case), (Capacity::Branch, None));
    let refusal = world.ask("Decide", "wang").refusal(&Change::of("branches/b1/callbacks/7")).await;
    refusal.is(Code::PermissionDenied, "BRANCH_OUT_OF_REACH");
}

#[tokio::test]
async fn a_branch_scope_ends_at_the_callers_reach() {
    let world = World::new().await;
    let of = |branch: &str| Ping { branch: branch.to_owned(), ..Ping::default() };
    for (who, branch) in
        [("zhang", "branches/b1"), ("sun", "branches/b1"), ("sun", "branches/b2"), ("sun", "branches/-")]
    {
        world.ask("List", who).send(&of(branch)).await.unwrap();
    }
    for branch in ["branches/b2", "branches/-"] {
        let refusal = world.ask("List", "zhang").refusal(&of(branch)).await;
        refusal.is(Code::PermissionDenied, "BRANCH_OUT_OF_REACH");
        assert_eq!(refusal.metadata("branch"), branch);
    }
    for branch in ["", "b1", "branches/b1/lines/2"] {
        world.ask("List", "sun").refusal(&of(branch)).await.is(Code::InvalidArgument, "FIELD_INVALID");
    }
}

#[tokio::test]
async fn a_repeated_call_gets_its_former_result_after_the_responsibility_moved_on() {
    let mut world = World::new().await;
    world.owners.case(&["cases/a"]);
    let answer = world.ask("Decide", "wang").send(&Change::of("cases/a")).await.unwrap();
    assert!(!answer.into_inner().is_empty());
    assert_eq!(world.seen().await.caller.unwrap().capacity, Capacity::Replay);
    // What else the backend says about the request id counts, too.
    world.script([refuse(Code::InvalidArgument, "REQUEST_ID_REUSED")]);
    let refusal = world.ask("Decide", "wang").refusal(&Change::of("cases/a")).await;
    refusal.is(Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn a_remembered_reading_admits_for_a_moment_and_never_refuses() {
    let mut world = World::with(|config| config.ownership_age = Period::secs(60)).await;
    world.owners.case(&["cases/a"]);
    for _ in 0..3 {
        world.ask("Decide", "li").send(&Change::of("cases/a")).await.unwrap();
        world.seen().await;
    }
    assert_eq!(world.owners.readings(), 1);
    // The case changes hands: the new handler is not refused by what is remembered.
    world.owners.put(&["cases/a"], &CaseView { handler: "employees/wang".to_owned(), ..view("cases/a") });
    world.ask("Decide", "wang").send(&Change::of("cases/a")).await.unwrap();
    assert_eq!(world.seen().await.caller.unwrap().capacity, Capacity::Handler);
    assert_eq!(world.owners.readings(), 2);
    world.clock.advance(TimeDelta::seconds(60));
    world.ask("Decide", "wang").send(&Change::of("cases/a")).await.unwrap();
    assert_eq!(world.owners.readings(), 3);
}

#[tokio::test]
async fn names_below_one_case_share_its_reading() {
    let mut world = World::with(|config| config.ownership_age = Period::secs(60)).await;
    let case = world.owners.case(&["cases/a"]);
    for name in ["cases/a/callbacks/1", "cases/a/callbacks/2", "cases/a/", "cases/a"] {
        world.ask("Decide", "li").send(&Change::of(name)).await.unwrap();
        let seen = world.seen().await.caller.unwrap().case.unwrap();
        assert_eq!((seen.name, seen.named), (case.case.clone(), case.named.clone()), "{name}");
    }
    assert_eq!(world.owners.readings(), 1);
}

#[tokio::test]
async fn a_stale_epoch_is_read_anew_and_tried_once_more() {
    let mut world = World::with(|config| config.ownership_age = Period::secs(60)).await;
    world.owners.case(&["cases/a"]);
    world.ask("Decide", "li").send(&Change::of("cases/a")).await.unwrap();
    world.seen().await;
    world.owners.put(&["cases/a"], &CaseView { epoch: 4, ..view("cases/a") });
    world.script([refuse(Code::Aborted, "STALE_EPOCH")]);
    let change = Change::of("cases/a");
    world.ask("Decide", "li").send(&change).await.unwrap();
    let (first, second) = (world.seen().await, world.seen().await);
    assert_eq!(first.message, second.message);
    let epochs = [first, second].map(|seen| seen.caller.unwrap().case.unwrap().epoch);
    assert_eq!(epochs, [3, 4]);

    world.script([refuse(Code::Aborted, "STALE_EPOCH"), refuse(Code::Aborted, "STALE_EPOCH")]);
    world.ask("Decide", "li").refusal(&Change::of("cases/a")).await.is(Code::Aborted, "STALE_EPOCH");
    world.seen().await;
    world.seen().await;
    assert!(world.nothing_seen());
}

#[tokio::test]
async fn o7_a_former_handler_who_comes_with_a_stale_epoch_is_refused() {
    let mut world = World::with(|config| config.ownership_age = Period::secs(60)).await;
    world.owners.case(&["cases/a"]);
    world.ask("Decide", "li").send(&Change::of("cases/a")).await.unwrap();
    let now_wang = CaseView { handler: "employees/wang".to_owned(), epoch: 4, ..view("cases/a") };
    world.owners.put(&["cases/a"], &now_wang);
    world.script([refuse(Code::Aborted, "STALE_EPOCH"), not_a_replay()]);
    let refusal = world.ask("Decide", "li").refusal(&Change::of("cases/a")).await;
    refusal.is(Code::PermissionDenied, "NOT_RESPONSIBLE");
    assert_eq!(refusal.metadata("handler"), "employees/wang");
    let capacities = [world.seen().await, world.seen().await, world.seen().await];
    let capacities = capacities.map(|seen| seen.caller.unwrap().capacity);
    assert_eq!(capacities, [Capacity::Handler, Capacity::Handler, Capacity::Replay]);
}

#[tokio::test]
async fn a_mutation_needs_a_request_id_that_is_a_uuid() {
    let mut world = World::new().await;
    world.owners.case(&["cases/a"]);
    let with = |id: &str| Change { request_id: id.to_owned(), ..Change::of("cases/a") };
    let refusal = world.ask("Decide", "li").refusal(&with("")).await;
    refusal.is(Code::InvalidArgument, "REQUEST_ID_REQUIRED");
    let refusal = world.ask("Decide", "li").refusal(&with("17")).await;
    refusal.is(Code::InvalidArgument, "FIELD_INVALID");
    assert!(world.nothing_seen());
}

#[tokio::test]
async fn many_callers_at_once_are_judged_each_by_their_own_standing() {
    let world = Arc::new(World::with(|config| config.limits.employee_rate = 0).await);
    world.owners.case(&["cases/a"]);
    let calls = (0..64).map(|index| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let who = ["li", "zhang", "qian", "wang"][index % 4];
            let reading = world.ask("Look", who).send(&Ping::named("cases/a")).await;
            (who, reading.map_err(|status| status.code()).err())
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let (who, refused) = call.await.unwrap();
        let expected = match who {
            "li" | "zhang" => None,
            _ => Some(Code::PermissionDenied),
        };
        assert_eq!(refused, expected, "{who}");
    }
}
