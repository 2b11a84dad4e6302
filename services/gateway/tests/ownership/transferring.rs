//! K5: a transfer is announced, the target accepts, or the call returns to who transferred it. Who is responsible for the case stays so.

use chrono::TimeDelta;
use shouwen_gateway::desk as desks;
use shouwen_proto::{
    access::v1::Role,
    events::v1::{CallOutcome, PresenceState as Wanted, ReservationEnd},
    ownership::v1::roster_entry::Entry,
    routing::v1::{DeskItemKind as Kind, PastTransfer, Routing, routing::State},
    r#type::v1::Channel,
};
use tonic::Code;

use crate::{
    desk::{IntoEntry as _, claim, colleague, employee, id, is_chinese, reason},
    ground::{Ground, Office, at, tuesday},
    telephone::{announcement, call, outcome},
    watching::{Watch, waiting},
};

/// Zhang is on a call of a client, routed to them; Li and Wang are at their desks.
async fn on_a_call(office: &Office, contact: &str) -> String {
    office.at_their_desks(&["zhang"]).await;
    assert_eq!(outcome(&office.telephony().route(call(contact)).await.unwrap()), employee("zhang"));
    let case = office.desk("zhang").open(contact, "C-1").await;
    office.at_their_desks(&["li", "wang"]).await;
    case
}

fn only(routing: &Routing) -> &PastTransfer {
    let [past] = &*routing.past_transfers else { panic!("one transfer: {routing:?}") };
    past
}

async fn presence(office: &Office, who: &str) -> (Wanted, String) {
    let presence = office.telephony().presence_of(who).await.unwrap();
    (presence.state(), presence.contact)
}

const ON: &str = "contacts/c-1";

#[tokio::test]
async fn k5_an_announced_transfer_rings_three_times_and_the_giver_stays_on_the_call() {
    let (_ground, office) = Ground::at(tuesday()).await;
    on_a_call(&office, "c-1").await;
    let announced = office.desk("zhang").transfer("c-1", "li").await.unwrap();
    let transfer = announced.transfer.clone().unwrap();
    assert_eq!(announced.state(), State::Answered);
    assert_eq!(
        (transfer.from, transfer.to, &*transfer.display_name),
        (employee("zhang"), employee("li"), "LI")
    );
    let begun = office.here().await;
    assert_eq!(at(transfer.announce_time), begun);
    assert_eq!(at(transfer.expire_time), begun + TimeDelta::seconds(15), "three rings (K2)");
    assert_eq!(presence(&office, "zhang").await, (Wanted::Busy, ON.to_owned()));
    assert_eq!(presence(&office, "li").await, (Wanted::Reserved, ON.to_owned()));
    // No other contact rings there, and none is transferred there.
    assert_eq!(outcome(&office.telephony().route(call("c-2")).await.unwrap()), employee("wang"));
    assert_eq!(outcome(&office.telephony().route(call("c-3")).await.unwrap()), "queued");
}

#[tokio::test]
async fn k5_who_accepts_is_on_the_call_and_assists_and_the_responsibility_stays() {
    let (ground, office) = Ground::at(tuesday()).await;
    let case = on_a_call(&office, "c-1").await;
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    let before = office.desk("zhang").get(&case).await.unwrap();
    office.pass(TimeDelta::seconds(5)).await;
    let taken = office.desk("li").take("c-1").await.unwrap();
    assert_eq!((taken.on_call.clone(), taken.employee.clone()), (employee("li"), employee("zhang")));
    assert_eq!((only(&taken).accepted, taken.transfer.is_none()), (true, true));
    let after = office.desk("zhang").get(&case).await.unwrap();
    assert_eq!(after.assistants, [employee("li")]);
    assert_eq!(
        (after.first_responder, after.accountable, after.handler, after.epoch),
        (before.first_responder, before.accountable, before.handler, before.epoch)
    );
    assert_eq!(presence(&office, "zhang").await, (Wanted::Available, String::new()));
    assert_eq!(presence(&office, "li").await, (Wanted::Busy, ON.to_owned()));
    assert_eq!(reason(office.desk("li").resolve(&case).await), "NOT_RESPONSIBLE");
    // Whose time is over does not come back, and the end of the call frees who is on it now.
    office.pass(TimeDelta::seconds(15)).await;
    assert_eq!(office.telephony().routing("c-1").await.unwrap(), taken);
    office.calls().ended(office.here().await, "c-1", "li", CallOutcome::AnswerOwed);
    office.followed().await;
    assert_eq!(presence(&office, "li").await, (Wanted::Available, String::new()));
    assert_eq!(office.telephony().routing("c-1").await.unwrap().on_call, "");
    let routing = "select count(*) from deadline where aggregate = 'routings/c-1'";
    assert_eq!(ground.number(routing).await, 0);
}

#[tokio::test]
async fn k5_the_handler_of_the_case_takes_the_call_without_assisting() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let case = office.desk("li").open("earlier", "C-1").await;
    on_a_call(&office, "c-1").await;
    assert_eq!(office.desk("li").get(&case).await.unwrap().assistants, [employee("zhang")]);
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    office.desk("li").take("c-1").await.unwrap();
    let case = office.desk("li").get(&case).await.unwrap();
    assert_eq!((case.handler, case.assistants), (employee("li"), vec![employee("zhang")]));
}

#[tokio::test]
async fn k5_a_call_that_rings_out_returns_to_who_transferred_it_and_counts_as_missed() {
    let (ground, office) = Ground::at(tuesday()).await;
    let case = on_a_call(&office, "c-1").await;
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    let begun = office.here().await;
    office.pass(TimeDelta::seconds(15)).await;
    let back = office.telephony().routing("c-1").await.unwrap();
    let past = only(&back);
    assert_eq!((past.accepted, past.end()), (false, ReservationEnd::Missed));
    assert_eq!((at(past.announce_time), at(past.end_time)), (begun, begun + TimeDelta::seconds(15)));
    assert_eq!(presence(&office, "zhang").await, (Wanted::Busy, ON.to_owned()));
    let li = office.desk("li").presence_of("li").await.unwrap();
    assert_eq!((li.state(), li.missed), (Wanted::Available, 1));
    assert_eq!(reason(office.desk("li").take("c-1").await), "NO_SUCH_RESERVATION");
    assert_eq!(office.desk("zhang").get(&case).await.unwrap().assistants, [""; 0]);
    // Two missed one after the other pause, whatever rang (K2).
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    office.pass(TimeDelta::seconds(15)).await;
    assert_eq!(office.desk("li").presence_of("li").await.unwrap().state(), Wanted::Paused);
    assert_eq!(ground.count("transfer_returned").await, 2);
}

#[tokio::test]
async fn k5_a_transfer_whose_time_has_come_is_over_before_any_sweep() {
    let (ground, office) = Ground::at(tuesday()).await;
    on_a_call(&office, "c-1").await;
    let announced = office.desk("zhang").transfer("c-1", "li").await.unwrap();
    office.unswept(at(announced.transfer.unwrap().expire_time)).await;
    assert_eq!(reason(office.desk("li").take("c-1").await), "NO_SUCH_RESERVATION");
    assert_eq!(reason(office.desk("li").decline_ringing("c-1").await), "NO_SUCH_RESERVATION");
    assert_eq!(reason(office.desk("zhang").withdraw_transfer("c-1").await), "NO_SUCH_TRANSFER");
    // Another takes its place, and the history says what became of the first.
    let again = office.desk("zhang").transfer("c-1", "wang").await.unwrap();
    assert_eq!(only(&again).end(), ReservationEnd::Missed);
    assert_eq!(ground.count("reservation_counted").await, 1);
    office.engine.sweep_once().await.unwrap();
    office.desk("wang").take("c-1").await.unwrap();
    assert_eq!(ground.count("transfer_returned").await, 1);
}

#[tokio::test]
async fn k5_a_declined_transfer_returns_at_once() {
    let (_ground, office) = Ground::at(tuesday()).await;
    on_a_call(&office, "c-1").await;
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    for stranger in ["wang", "zhang", "sun"] {
        assert_eq!(reason(office.desk(stranger).decline_ringing("c-1").await), "NO_SUCH_RESERVATION");
    }
    let back = office.desk("li").decline_ringing("c-1").await.unwrap();
    assert_eq!((back.state(), only(&back).end()), (State::Answered, ReservationEnd::Declined));
    assert_eq!(office.desk("li").presence_of("li").await.unwrap().missed, 0);
    assert_eq!(reason(office.desk("li").decline_ringing("c-1").await), "NO_SUCH_RESERVATION");
    // The call goes on, and so may another transfer.
    office.desk("zhang").transfer("c-1", "wang").await.unwrap();
    assert_eq!(office.desk("wang").take("c-1").await.unwrap().on_call, employee("wang"));
}

#[tokio::test]
async fn k5_who_is_gone_busy_or_answers_another_call_gives_the_transfer_back() {
    let (_ground, office) = Ground::at(tuesday()).await;
    on_a_call(&office, "c-1").await;
    let zhang = office.desk("zhang");
    zhang.transfer("c-1", "li").await.unwrap();
    office.desk("li").is(Wanted::Paused).await.unwrap();
    office.at_their_desks(&["li"]).await;
    zhang.transfer("c-1", "li").await.unwrap();
    office.desk("li").claim("c-2").await.unwrap();
    zhang.transfer("c-1", "wang").await.unwrap();
    office.desk("wang").is(Wanted::Offline).await.unwrap();
    let past = office.telephony().routing("c-1").await.unwrap().past_transfers;
    assert!(past.iter().all(|past| past.end() == ReservationEnd::Withdrawn && !past.accepted), "{past:?}");
    assert_eq!(
        past.iter().map(|past| &*past.to).collect::<Vec<_>>(),
        ["employees/li", "employees/li", "employees/wang"]
    );
}

#[tokio::test]
async fn k5_a_lost_desk_returns_what_rings_there() {
    let (_ground, office) = Ground::at(tuesday()).await;
    on_a_call(&office, "c-1").await;
    // Li is not heard of any more while it rings.
    let lost = office.here().await + TimeDelta::seconds(45);
    office.until(lost - TimeDelta::seconds(5)).await;
    for who in ["zhang", "wang"] {
        office.desk(who).beat("desk-1").await.unwrap();
    }
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    office.unswept(lost).await;
    office.engine.sweep_once().await.unwrap();
    let back = office.telephony().routing("c-1").await.unwrap();
    assert_eq!(only(&back).end(), ReservationEnd::Lost);
    assert_eq!(presence(&office, "li").await.0, Wanted::Offline);
    assert_eq!(presence(&office, "zhang").await, (Wanted::Busy, ON.to_owned()));
}

#[tokio::test]
async fn k5_who_announced_it_may_take_it_back() {
    let (_ground, office) = Ground::at(tuesday()).await;
    on_a_call(&office, "c-1").await;
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    for stranger in ["li", "wang", "zhao"] {
        assert_eq!(reason(office.desk(stranger).withdraw_transfer("c-1").await), "NO_SUCH_TRANSFER");
    }
    let back = office.desk("zhang").withdraw_transfer("c-1").await.unwrap();
    assert_eq!(only(&back).end(), ReservationEnd::TakenBack);
    assert_eq!(reason(office.desk("li").take("c-1").await), "NO_SUCH_RESERVATION");
    assert_eq!(reason(office.desk("zhang").withdraw_transfer("c-1").await), "NO_SUCH_TRANSFER");
    assert_eq!(reason(office.desk("zhang").withdraw_transfer("c-9").await), "ROUTING_NOT_FOUND");
    assert_eq!(waiting(&office, "zhang").await, [], "nothing that they would not know");
}

#[tokio::test]
async fn k5_only_who_is_on_a_running_telephone_call_announces() {
    let (_ground, office) = Ground::at(tuesday()).await;
    on_a_call(&office, "c-1").await;
    let refused = office.desk("wang").transfer("c-1", "li").await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::PermissionDenied, "NOT_ON_CALL"));
    assert_eq!(refused.metadata["employee"], employee("zhang"));
    assert_eq!(reason(office.desk("zhang").transfer("c-9", "li").await), "CONTACT_NOT_FOUND");
    assert_eq!(reason(office.desk("li").take("c-9").await), "ROUTING_NOT_FOUND");
    assert_eq!(reason(office.desk("li").take("c-1").await), "NO_SUCH_RESERVATION");
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    let refused = office.desk("zhang").transfer("c-1", "wang").await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "TRANSFER_PENDING"));
    assert_eq!(refused.metadata["employee"], employee("li"));
    // Whoever took it over may pass it on, and who is not on it any more may not.
    office.desk("li").take("c-1").await.unwrap();
    assert_eq!(reason(office.desk("zhang").transfer("c-1", "wang").await), "NOT_ON_CALL");
    office.desk("li").transfer("c-1", "zhang").await.unwrap();
    assert_eq!(office.desk("zhang").take("c-1").await.unwrap().on_call, employee("zhang"));
    // What is over, and what is no call, is not transferred.
    office.calls().ended(office.here().await, "c-1", "zhang", CallOutcome::AnswerOwed);
    office.followed().await;
    assert_eq!(reason(office.desk("zhang").transfer("c-1", "wang").await), "ILLEGAL_TRANSITION");
    let mail =
        shouwen_proto::ownership::v1::ClaimRequest { channel: Channel::Email.into(), ..claim("m-1", "") };
    office.desk("zhang").claim_as(mail).await.unwrap();
    assert_eq!(reason(office.desk("zhang").transfer("m-1", "wang").await), "ILLEGAL_TRANSITION");
}

#[tokio::test]
async fn k5_the_target_is_a_free_colleague_of_the_branch_or_hq_and_need_not_be_qualified() {
    let (_ground, office) = Ground::at(tuesday()).await;
    on_a_call(&office, "c-1").await;
    office.at_their_desks(&["sun", "chen"]).await;
    let zhang = office.desk("zhang");
    for (to, problem) in [
        ("nobody", "is not in the roster"),
        ("gone", "is not active"),
        ("auditor", "serves no clients"),
        ("zhang", "is on the call already"),
        ("sun", "works neither in this branch nor at HQ"),
    ] {
        let refused = zhang.transfer("c-1", to).await.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::InvalidArgument, "RECEIVER_INVALID"), "{to}");
        assert_eq!(refused.metadata["problem"], problem);
        assert_eq!(refused.fields, ["to"]);
        let told = zhang.clone().in_chinese().transfer("c-1", to).await.unwrap_err().text;
        assert!(is_chinese(&told), "{told}");
    }
    assert_eq!(zhang.transfer("c-1", "Li").await.unwrap_err().fields, ["to"]);
    office.desk("wang").is(Wanted::Paused).await.unwrap();
    office.desk("li").claim("c-2").await.unwrap();
    for (to, expected) in [("wang", "PAUSED"), ("li", "BUSY"), ("zhao", "OFFLINE")] {
        let refused = zhang.transfer("c-1", to).await.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "TARGET_NOT_FREE"), "{to}");
        assert_eq!(refused.metadata["presence"], expected);
    }
    // HQ takes calls of every branch.
    zhang.transfer("c-1", "chen").await.unwrap();
    assert_eq!(office.desk("chen").take("c-1").await.unwrap().on_call, employee("chen"));
    // And passes on to every branch.
    office.desk("chen").transfer("c-1", "sun").await.unwrap();
    assert_eq!(office.desk("sun").decline_ringing("c-1").await.unwrap().past_transfers.len(), 2);
    // Another contact rings there.
    office.at_their_desks(&["wang"]).await;
    let routed = office.telephony().route(call("c-3")).await.unwrap();
    let rings = routed.reservation.unwrap().employee;
    let rings = rings.trim_start_matches("employees/");
    let refused = office.desk("chen").transfer("c-1", rings).await.unwrap_err();
    assert_eq!(refused.metadata["presence"], "RESERVED");
}

#[tokio::test]
async fn k5_skills_that_a_line_or_topic_needs_are_not_asked_of_a_named_target() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let margin = shouwen_proto::ownership::v1::Employee {
        skills: vec!["margin".to_owned()],
        ..colleague("he", "b1", &[Role::Staff])
    };
    office.admin().import(vec![Entry::Employee(margin).into_entry()]).await.unwrap();
    office.at_their_desks(&["he", "li"]).await;
    let needs = shouwen_proto::routing::v1::RouteContactRequest { topic: "margin".to_owned(), ..call("c-1") };
    assert_eq!(outcome(&office.telephony().route(needs).await.unwrap()), employee("he"));
    office.desk("he").claim("c-1").await.unwrap();
    office.desk("he").transfer("c-1", "li").await.unwrap();
    office.desk("li").take("c-1").await.unwrap();
}

#[tokio::test]
async fn k5_a_call_that_nobody_routed_can_be_transferred_too() {
    let (ground, office) = Ground::at(tuesday()).await;
    office.at_their_desks(&["zhang", "li"]).await;
    let case = office.desk("zhang").open("c-1", "C-1").await;
    let announced = office.desk("zhang").transfer("c-1", "li").await.unwrap();
    assert_eq!(
        (announced.state(), &announced.case, &*announced.employee),
        (State::Answered, &case, "employees/zhang")
    );
    let events = ["routing_begun", "routing_answered", "transfer_announced"];
    assert_eq!(ground.events("routings/c-1").await, events);
    office.desk("li").take("c-1").await.unwrap();
}

#[tokio::test]
async fn k5_repeating_a_request_answers_as_before_and_changes_nothing() {
    let (ground, office) = Ground::at(tuesday()).await;
    on_a_call(&office, "c-1").await;
    let request = announcement("c-1", "li", &id());
    let announced = office.desk("zhang").transfer_as(request.clone()).await.unwrap();
    assert_eq!(office.desk("zhang").transfer_as(request.clone()).await.unwrap(), announced);
    office.desk("li").decline_ringing("c-1").await.unwrap();
    assert_eq!(office.desk("zhang").transfer_as(request.clone()).await.unwrap(), announced, "as it was then");
    let other = announcement("c-1", "wang", &request.request_id);
    assert_eq!(reason(office.desk("zhang").transfer_as(other).await), "REQUEST_ID_REUSED");
    office.desk("zhang").transfer("c-1", "wang").await.unwrap();
    let acceptance = id();
    let taken = office.desk("wang").take_as("c-1", &acceptance).await.unwrap();
    assert_eq!(office.desk("wang").take_as("c-1", &acceptance).await.unwrap(), taken);
    assert_eq!(ground.count("transfer_announced").await, 2);
    assert_eq!(ground.count("transfer_accepted").await, 1);
    assert_eq!(ground.count("assistant_added").await, 1);
}

#[tokio::test]
async fn k5_desks_show_the_target_what_rings_and_the_giver_that_it_is_back() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let case = on_a_call(&office, "c-1").await;
    let mut zhang = Watch::of(&office, "zhang").await;
    let mut li = Watch::of(&office, "li").await;
    let announced = office.desk("zhang").transfer("c-1", "li").await.unwrap();
    li.until(|li| li.items.len() == 1).await;
    let item = li.items.values().next().unwrap().clone();
    assert_eq!((item.kind(), &*item.subject, &item.case), (Kind::Transfer, "routings/c-1", &case));
    assert_eq!(item.due_time, announced.transfer.unwrap().expire_time);
    assert_eq!(zhang.waiting(), []);
    office.pass(TimeDelta::seconds(15)).await;
    li.until(|li| li.items.is_empty()).await;
    let returned = [(Kind::Returned, "routings/c-1")];
    zhang.until(|zhang| zhang.waiting() == returned).await;
    // Until it is transferred anew, or over.
    office.desk("zhang").transfer("c-1", "wang").await.unwrap();
    zhang.until(|zhang| zhang.items.is_empty()).await;
    office.desk("wang").decline_ringing("c-1").await.unwrap();
    zhang.until(|zhang| zhang.waiting() == returned).await;
    office.calls().ended(office.here().await, "c-1", "zhang", CallOutcome::AnswerOwed);
    zhang.until(|zhang| zhang.items.is_empty()).await;
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn k5_the_end_of_the_call_ends_what_rings() {
    let (ground, office) = Ground::at(tuesday()).await;
    on_a_call(&office, "c-1").await;
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    office.calls().ended(office.here().await, "c-1", "zhang", CallOutcome::AnswerOwed);
    office.followed().await;
    let over = office.telephony().routing("c-1").await.unwrap();
    assert_eq!((only(&over).end(), over.on_call.as_str()), (ReservationEnd::CallOver, ""));
    assert_eq!(reason(office.desk("li").take("c-1").await), "NO_SUCH_RESERVATION");
    assert_eq!(presence(&office, "li").await, (Wanted::Available, String::new()));
    assert_eq!(presence(&office, "zhang").await, (Wanted::Available, String::new()));
    assert_eq!(ground.number("select count(*) from unique_key where kind = 'reserved_employee'").await, 0);
    // By who is available again by their own word, too.
    office.desk("zhang").claim("c-2").await.unwrap();
    office.desk("zhang").transfer("c-2", "li").await.unwrap();
    office.desk("zhang").is(Wanted::Available).await.unwrap();
    let over = office.telephony().routing("c-2").await.unwrap();
    assert_eq!(only(&over).end(), ReservationEnd::CallOver);
    assert_eq!(waiting(&office, "li").await, []);
    // And by who took it over.
    office.desk("zhang").claim("c-3").await.unwrap();
    office.desk("zhang").transfer("c-3", "li").await.unwrap();
    office.desk("li").take("c-3").await.unwrap();
    office.at_their_desks(&["li"]).await;
    assert_eq!(office.telephony().routing("c-3").await.unwrap().on_call, "");
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn k5_the_timeline_tells_of_every_transfer() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let case = on_a_call(&office, "c-1").await;
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    office.desk("li").decline_ringing("c-1").await.unwrap();
    office.desk("zhang").transfer("c-1", "wang").await.unwrap();
    office.desk("wang").take("c-1").await.unwrap();
    let lines = office.desk("zhang").timeline(&case, 100, "").await.unwrap().entries;
    let told: Vec<_> = lines.iter().map(|line| (&*line.r#type, &*line.on_behalf)).collect();
    let expected = [
        ("transfer_announced", "employees/zhang"),
        ("transfer_returned", "employees/li"),
        ("transfer_announced", "employees/zhang"),
        ("transfer_accepted", "employees/wang"),
        ("assistant_added", "employees/wang"),
    ];
    assert!(told.ends_with(&expected), "{told:?}");
}

#[tokio::test]
async fn o12_a_call_goes_to_nobody_who_is_complained_about_in_its_case() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let case = on_a_call(&office, "c-1").await;
    let complaint = format!("{case}/complaints/cp-1");
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    // While it rings there.
    office.complaints().filed(office.here().await, &complaint, &["li"]);
    office.followed().await;
    let refused = office.desk("li").take("c-1").await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::PermissionDenied, "RECUSED"));
    assert_eq!(refused.metadata["complaint"], complaint);
    assert_eq!(presence(&office, "zhang").await, (Wanted::Busy, ON.to_owned()));
    office.desk("zhang").withdraw_transfer("c-1").await.unwrap();
    let refused = office.desk("zhang").transfer("c-1", "li").await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::InvalidArgument, "RECEIVER_INVALID"));
    assert!(refused.metadata["problem"].contains("O12"), "{refused:?}");
    office.desk("zhang").transfer("c-1", "wang").await.unwrap();
    office.desk("wang").take("c-1").await.unwrap();
    assert_eq!(office.desk("zhang").get(&case).await.unwrap().assistants, [employee("wang")]);
}
