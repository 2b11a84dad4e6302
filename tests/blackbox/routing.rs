//! From the first ring to the end of a call, through the gateway: telephony routes, an employee answers, and what nobody answers becomes a callback.

use shouwen_proto::{
    access::v1::Role,
    calls::v1::{GetCallRequest, call},
    events::v1::{CallOutcome, PresenceState, RoutingReason},
    ownership::v1::{Employee, RosterEntry, roster_entry::Entry},
    routing::v1::{
        CancelRoutingRequest, GetPresenceRequest, GetRoutingRequest, RouteContactRequest, SetPresenceRequest,
        routing::State,
    },
    r#type::v1::Channel,
};
use shouwen_testkit::until;
use tonic::Code;

use crate::harness::{
    PATIENCE, Shared, Suite, id, refused,
    requests::{self, CALLER},
    roster,
};

/// An employee for this test alone who serves at any hour.
async fn on_duty(suite: &Suite, name: &str) {
    let employee = Employee {
        skills: vec![name.to_owned()],
        duty: true,
        ..roster::employee(name, "east", &[Role::Staff], true)
    };
    roster::import(&suite.employee("admin"), vec![RosterEntry { entry: Some(Entry::Employee(employee)) }])
        .await;
}

fn available() -> SetPresenceRequest {
    SetPresenceRequest {
        state: PresenceState::Available.into(),
        session: "desk-1".to_owned(),
        take_over: false,
        request_id: id(),
    }
}

/// Routes a registered call to whoever has the skill.
fn route(call: &str, skill: &str) -> RouteContactRequest {
    RouteContactRequest {
        contact: format!("calls/{call}"),
        channel: Channel::Phone.into(),
        line: "lines/east-1".to_owned(),
        phone: CALLER.to_owned(),
        skills: vec![skill.to_owned()],
        request_id: id(),
        ..RouteContactRequest::default()
    }
}

#[tokio::test]
async fn k2_telephony_routes_a_call_and_the_reserved_employee_answers_it() {
    let suite = Shared::suite().await;
    on_duty(&suite, "duty-1").await;
    let (telephony, duty) = (suite.account("telephony"), suite.employee("duty-1"));
    duty.routing().set_presence(available()).await.unwrap();
    telephony.calls().register_call(requests::register("routed-1")).await.unwrap();
    let routed = telephony.routing().route_contact(route("routed-1", "duty-1")).await.unwrap().into_inner();
    assert_eq!((routed.state(), routed.reason()), (State::Reserved, RoutingReason::Colleague));
    assert_eq!(routed.reservation.unwrap().employee, "employees/duty-1");

    duty.calls().answer_call(requests::answer("routed-1")).await.unwrap();
    let request = GetRoutingRequest { name: "routings/routed-1".to_owned() };
    let settled = telephony.routing().get_routing(request).await.unwrap().into_inner();
    assert_eq!((settled.state(), settled.employee.as_str()), (State::Answered, "employees/duty-1"));
    let presence = async || {
        let request = GetPresenceRequest { name: "presences/duty-1".to_owned() };
        duty.routing().get_presence(request).await.unwrap().into_inner().state()
    };
    assert_eq!(presence().await, PresenceState::Busy);
    duty.calls().end_call(requests::end("routed-1", CallOutcome::WrongNumber)).await.unwrap();
    until("the employee is free again", PATIENCE, async || {
        (presence().await == PresenceState::Available).then_some(())
    })
    .await;
    // An employee signs on for themselves, telephony for nobody.
    let refusal = refused(telephony.routing().set_presence(available()).await);
    assert_eq!(refusal.kind(), (Code::PermissionDenied, "ROLE_REQUIRED"));
}

#[tokio::test]
async fn k14_a_client_who_hangs_up_while_it_rings_leaves_a_missed_call() {
    let suite = Shared::suite().await;
    let telephony = suite.account("telephony");
    telephony.calls().register_call(requests::register("routed-2")).await.unwrap();
    telephony.routing().route_contact(route("routed-2", "nobody-has-this")).await.unwrap();
    let cancel = CancelRoutingRequest { name: "routings/routed-2".to_owned(), request_id: id() };
    telephony.routing().cancel_routing(cancel).await.unwrap();
    until("the call is missed", PATIENCE, async || {
        let request = GetCallRequest { name: "calls/routed-2".to_owned() };
        let call = telephony.calls().get_call(request).await.unwrap().into_inner();
        (call.state() == call::State::Missed).then_some(())
    })
    .await;
}
