//! K2, K13, L8, L12, O6, K21: at whose desk a contact rings. What becomes of it when nobody answers: see `routing_queue`.

use chrono::TimeDelta;
use shouwen_proto::access::v1::Role;
use shouwen_proto::{
    events::v1::{
        CallOutcome, CandidateRank, CandidateVerdict, PresenceCause, PresenceState as Wanted, ReservationEnd,
        RoutingReason,
    },
    ownership::v1::{ClaimRequest, Employee, Line, roster_entry::Entry},
    routing::v1::{RouteContactRequest, Routing, routing::State},
    r#type::v1::Channel,
};

use crate::{
    desk::{IntoEntry as _, claim, colleague, employee, reason},
    ground::{Ground, Office, at, local, tuesday},
    telephone::{call, call_of, outcome},
    touching::touch,
};

/// Employees sign on a second after each other: the first is the longest idle.
pub(crate) async fn in_turn(office: &Office, employees: &[&str]) {
    for employee in employees {
        office.at_their_desks(&[employee]).await;
        // What waits for them comes to them at this moment, and not when a sweep happens to look.
        office.engine.sweep_once().await.unwrap();
        office.pass(TimeDelta::seconds(1)).await;
    }
}

pub(crate) async fn hire(office: &Office, employees: Vec<Employee>) {
    let entries = employees.into_iter().map(|employee| Entry::Employee(employee).into_entry()).collect();
    assert_eq!(office.admin().import(entries).await.unwrap().rejected, []);
}

fn verdicts(routing: &Routing) -> Vec<(String, CandidateRank, CandidateVerdict)> {
    let shown = routing.candidates.iter();
    shown.map(|shown| (shown.employee.clone(), shown.rank(), shown.verdict())).collect()
}

#[tokio::test]
async fn o6_a_later_contact_goes_to_the_handler_then_the_accountable_person_then_a_colleague() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let telephony = office.telephony();
    let case = office.desk("zhang").open("call-1", "C-1").await;
    let offered = office.desk("zhang").offer(&case, "li").await.unwrap();
    office.desk("li").accept(&case, &offered.offer.unwrap().offer).await.unwrap();
    in_turn(&office, &["wang", "li", "zhang"]).await;

    let first = telephony.route(call_of("c-1", "C-1")).await.unwrap();
    assert_eq!(
        (outcome(&first), first.reason(), &first.case),
        (employee("li"), RoutingReason::Handler, &case)
    );
    let second = telephony.route(call_of("c-2", "C-1")).await.unwrap();
    assert_eq!((outcome(&second), second.reason()), (employee("zhang"), RoutingReason::Accountable));
    assert_eq!(
        verdicts(&second),
        [
            (employee("li"), CandidateRank::Handler, CandidateVerdict::Reserved),
            (employee("zhang"), CandidateRank::Accountable, CandidateVerdict::Chosen)
        ]
    );
    let third = telephony.route(call_of("c-3", "C-1")).await.unwrap();
    assert_eq!((outcome(&third), third.reason()), (employee("wang"), RoutingReason::Colleague));
    // Nobody of the branch is left; headquarters helps out, another branch does not.
    in_turn(&office, &["sun", "chen"]).await;
    let fourth = telephony.route(call_of("c-4", "C-1")).await.unwrap();
    assert_eq!((outcome(&fourth), fourth.reason()), (employee("chen"), RoutingReason::Hq));
    assert_eq!(outcome(&telephony.route(call_of("c-5", "C-1")).await.unwrap()), "queued");
    // Whoever answers assists (O6).
    let answered = office.desk("wang").claim_of("c-3", "C-1").await.unwrap();
    assert_eq!(answered.case.unwrap().assistants, [employee("wang")]);
}

#[tokio::test]
async fn o6_a_later_contact_goes_to_the_handler_at_whichever_branch_they_are() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let case = office.desk("zhang").open("call-1", "C-1").await;
    let offer = office.desk("zhang").offered(&case, "sun").await;
    office.desk("sun").accept(&case, &offer).await.unwrap();
    in_turn(&office, &["wang", "zhang", "sun"]).await;
    let first = office.telephony().route(call_of("c-1", "C-1")).await.unwrap();
    assert_eq!((outcome(&first), first.reason()), (employee("sun"), RoutingReason::Handler));
    let second = office.telephony().route(call_of("c-2", "C-1")).await.unwrap();
    assert_eq!((outcome(&second), second.reason()), (employee("zhang"), RoutingReason::Accountable));
}

#[tokio::test]
async fn o6_of_another_concern_nobody_is_asked_who_may_not_answer_in_the_branch() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let case = office.desk("zhang").open("call-1", "C-1").await;
    let offer = office.desk("zhang").offered(&case, "sun").await;
    office.desk("sun").accept(&case, &offer).await.unwrap();
    in_turn(&office, &["wang", "zhang", "sun"]).await;
    let other = RouteContactRequest { topic: "margin".to_owned(), ..call_of("c-1", "C-1") };
    let routed = office.telephony().route(other).await.unwrap();
    assert_eq!(routed.case, case);
    assert_eq!(
        verdicts(&routed),
        [
            (employee("sun"), CandidateRank::Handler, CandidateVerdict::OutOfReach),
            (employee("zhang"), CandidateRank::Accountable, CandidateVerdict::Chosen)
        ]
    );
}

#[tokio::test]
async fn o6_a_contact_does_not_ring_again_at_who_may_not_answer_it() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let case = office.desk("zhang").open("call-1", "C-1").await;
    let offer = office.desk("zhang").offered(&case, "sun").await;
    office.desk("sun").accept(&case, &offer).await.unwrap();
    in_turn(&office, &["zhang", "sun"]).await;
    assert_eq!(outcome(&office.telephony().route(call_of("c-1", "C-1")).await.unwrap()), employee("sun"));
    let claim = touch("c-1", "sun", "C-1");
    office.ownership.claim(claim.clone()).await.unwrap();
    office.ownership.void_touch("contacts/c-1", &claim.request_id, "BRANCH_OUT_OF_REACH").await.unwrap();
    office.engine.sweep_once().await.unwrap();
    let next = office.telephony().routing("c-1").await.unwrap();
    assert_eq!(outcome(&next), employee("zhang"));
    let past = &next.past[0];
    assert_eq!((past.employee.as_str(), past.end()), ("employees/sun", ReservationEnd::Refused));
}

#[tokio::test]
async fn k2_a_reservation_that_is_missed_goes_to_the_next_and_is_on_record() {
    let (ground, office) = Ground::at(tuesday()).await;
    in_turn(&office, &["zhang", "li"]).await;
    let begun = office.here().await;
    let request = call("c-1");
    let routed = office.telephony().route(request.clone()).await.unwrap();
    let reservation = routed.reservation.clone().unwrap();
    assert_eq!(reservation.employee, employee("zhang"));
    assert_eq!(at(reservation.expire_time), begun + TimeDelta::seconds(15), "three rings");
    assert_eq!(office.telephony().route(request).await.unwrap(), routed, "repeated");
    assert_eq!(office.telephony().route(call("c-1")).await.unwrap(), routed, "asked again");

    office.pass(TimeDelta::seconds(14)).await;
    assert_eq!(office.rings_at("c-1").await, employee("zhang"));
    office.pass(TimeDelta::seconds(1)).await;
    let next = office.telephony().routing("c-1").await.unwrap();
    assert_eq!(outcome(&next), employee("li"));
    let past = &next.past[0];
    assert_eq!((past.employee.as_str(), past.end()), ("employees/zhang", ReservationEnd::Missed));
    assert_eq!((at(past.reserve_time), at(past.end_time)), (begun, begun + TimeDelta::seconds(15)));
    // Not asked again for this contact: it waits, while somebody is free.
    office.pass(TimeDelta::seconds(15)).await;
    assert_eq!(outcome(&office.telephony().routing("c-1").await.unwrap()), "queued");
    assert_eq!(office.desk("zhang").presence_of("zhang").await.unwrap().state(), Wanted::Available);
    assert_eq!(ground.count("reservation_ended").await, 2);
}

#[tokio::test]
async fn k2_who_misses_two_one_after_the_other_is_paused() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    office.at_their_desks(&["zhang"]).await;
    for contact in ["c-1", "c-2"] {
        assert_eq!(outcome(&office.telephony().route(call(contact)).await.unwrap()), employee("zhang"));
        office.pass(TimeDelta::seconds(15)).await;
    }
    let paused = zhang.presence_of("zhang").await.unwrap();
    assert_eq!((paused.state(), paused.cause(), paused.missed), (Wanted::Paused, PresenceCause::Missed, 2));
    let back = zhang.is(Wanted::Available).await.unwrap();
    assert_eq!((back.state(), back.missed), (Wanted::Available, 0));
}

pub(crate) fn mail(contact: &str) -> RouteContactRequest {
    RouteContactRequest { channel: Channel::Email.into(), ..call(contact) }
}

async fn answer_mail(office: &Office, who: &str, contact: &str) {
    let answer = ClaimRequest { channel: Channel::Email.into(), ..claim(contact, "") };
    office.desk(who).claim_as(answer).await.unwrap();
}

#[tokio::test]
async fn k2_who_answers_a_mail_has_answered_and_is_idle_from_then_on() {
    let (ground, office) = Ground::at(tuesday()).await;
    in_turn(&office, &["zhang", "li"]).await;
    for (contact, who) in [("m-1", "zhang"), ("m-2", "li"), ("m-3", "zhang")] {
        assert_eq!(outcome(&office.telephony().route(mail(contact)).await.unwrap()), employee(who));
        office.pass(TimeDelta::seconds(1)).await;
        answer_mail(&office, who, contact).await;
        let presence = office.desk(who).presence_of(who).await.unwrap();
        assert_eq!((presence.state(), &*presence.contact), (Wanted::Available, ""));
        assert_eq!(at(presence.since_time), office.here().await);
    }
    // Of who is not signed on nothing is to be said.
    answer_mail(&office, "wang", "m-4").await;
    assert_eq!(ground.events("presences/wang").await, [""; 0]);
}

#[tokio::test]
async fn k2_misses_with_an_answered_mail_between_them_pause_nobody() {
    let (_ground, office) = Ground::at(tuesday()).await;
    office.at_their_desks(&["zhang"]).await;
    for contact in ["1", "2"] {
        let missed = office.telephony().route(call(&format!("c-{contact}"))).await.unwrap();
        assert_eq!(outcome(&missed), employee("zhang"));
        office.pass(TimeDelta::seconds(15)).await;
        let zhang = office.desk("zhang").presence_of("zhang").await.unwrap();
        assert_eq!((zhang.state(), zhang.missed), (Wanted::Available, 1));
        answer_mail(&office, "zhang", &format!("m-{contact}")).await;
        assert_eq!(office.desk("zhang").presence_of("zhang").await.unwrap().missed, 0);
    }
}

#[tokio::test]
async fn k2_a_mail_that_is_answered_during_a_call_does_not_end_it() {
    let (_ground, office) = Ground::at(tuesday()).await;
    office.at_their_desks(&["zhang"]).await;
    office.desk("zhang").claim("c-1").await.unwrap();
    answer_mail(&office, "zhang", "m-1").await;
    let busy = office.desk("zhang").presence_of("zhang").await.unwrap();
    assert_eq!((busy.state(), &*busy.contact), (Wanted::Busy, "contacts/c-1"));
    office.calls().ended(office.here().await, "c-1", "zhang", CallOutcome::AnswerOwed);
    office.followed().await;
    assert_eq!(office.desk("zhang").presence_of("zhang").await.unwrap().state(), Wanted::Available);
}

#[tokio::test]
async fn k2_a_decline_goes_on_at_once() {
    let (_ground, office) = Ground::at(tuesday()).await;
    in_turn(&office, &["zhang", "li"]).await;
    office.telephony().route(call("c-1")).await.unwrap();
    assert_eq!(reason(office.desk("li").decline_ringing("c-1").await), "NO_SUCH_RESERVATION");
    let declined = office.desk("zhang").decline_ringing("c-1").await.unwrap();
    assert_eq!(outcome(&declined), employee("li"));
    assert_eq!(declined.past[0].end(), ReservationEnd::Declined);
    assert_eq!(reason(office.desk("zhang").decline_ringing("c-1").await), "NO_SUCH_RESERVATION");
    assert_eq!(reason(office.desk("zhang").decline_ringing("c-9").await), "ROUTING_NOT_FOUND");
}

#[tokio::test]
async fn k13_a_colleague_who_answers_settles_the_routing_and_frees_whose_phone_it_was() {
    let (ground, office) = Ground::at(tuesday()).await;
    office.at_their_desks(&["zhang"]).await;
    office.telephony().route(call("c-1")).await.unwrap();
    office.desk("li").claim("c-1").await.unwrap();
    let answered = office.telephony().routing("c-1").await.unwrap();
    assert_eq!((answered.state(), answered.employee.as_str()), (State::Answered, "employees/li"));
    assert!(answered.for_colleague);
    assert_eq!(outcome(&office.telephony().route(call("c-2")).await.unwrap()), employee("zhang"));
    office.desk("zhang").claim("c-2").await.unwrap();
    assert!(!office.telephony().routing("c-2").await.unwrap().for_colleague);
    assert_eq!(reason(office.desk("wang").claim("c-2").await), "CONTACT_CLAIMED");
    // The first rings are over: nothing happens any more.
    office.pass(TimeDelta::minutes(1)).await;
    assert_eq!(ground.count("reservation_ended").await, 0);
    // Answered before it was routed.
    office.desk("wang").claim("c-3").await.unwrap();
    let late = office.telephony().route(call("c-3")).await.unwrap();
    assert_eq!((late.state(), late.employee.as_str()), (State::Answered, "employees/wang"));
}

#[tokio::test]
async fn k2_a_call_rings_at_nobody_who_may_not_answer_it() {
    let (ground, office) = Ground::at(tuesday()).await;
    hire(&office, vec![colleague("he", "b2", &[Role::Staff])]).await;
    ground.client_file("C-1", false, "employees/he").await;
    in_turn(&office, &["he", "zhang"]).await;
    let routed = office.telephony().route(call_of("c-1", "C-1")).await.unwrap();
    assert_eq!(outcome(&routed), employee("zhang"));
    let elsewhere = (employee("he"), CandidateRank::ServiceManager, CandidateVerdict::OutOfReach);
    assert_eq!(verdicts(&routed)[0], elsewhere);
}

#[tokio::test]
async fn l12_vip_clients_go_before_others_and_to_vip_seats_first() {
    let (ground, office) = Ground::at(tuesday()).await;
    let seat = Employee { vip_seat: true, ..colleague("he", "b1", &[Role::Staff]) };
    hire(&office, vec![seat]).await;
    ground.client_file("V-1", true, "").await;
    in_turn(&office, &["zhang", "he"]).await;
    let vip = office.telephony().route(call_of("c-1", "V-1")).await.unwrap();
    assert!(vip.vip);
    assert_eq!(outcome(&vip), employee("he"));
    assert_eq!(outcome(&office.telephony().route(call("c-2")).await.unwrap()), employee("zhang"));
    for (contact, client) in [("c-3", ""), ("c-4", "V-1"), ("c-5", "")] {
        office.pass(TimeDelta::seconds(1)).await;
        assert_eq!(outcome(&office.telephony().route(call_of(contact, client)).await.unwrap()), "queued");
    }
    let queue = office.telephony().queue("b1").await.unwrap().routings;
    let order: Vec<_> = queue.iter().map(|it| (&*it.contact, it.queue.unwrap().position)).collect();
    assert_eq!(order, [("contacts/c-4", 1), ("contacts/c-3", 2), ("contacts/c-5", 3)]);
    in_turn(&office, &["li", "wang"]).await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(office.rings_at("c-4").await, employee("li"));
    assert_eq!(office.rings_at("c-3").await, employee("wang"));
    let waiting = office.telephony().routing("c-5").await.unwrap();
    let place = waiting.queue.unwrap();
    assert_eq!((place.position, place.expected_wait.unwrap().seconds), (1, 2));
}

#[tokio::test]
async fn l8_the_clients_service_manager_is_asked_before_others() {
    let (ground, office) = Ground::at(tuesday()).await;
    ground.client_file("C-1", false, "employees/wang").await;
    in_turn(&office, &["zhang", "wang"]).await;
    let routed = office.telephony().route(call_of("c-1", "C-1")).await.unwrap();
    assert_eq!((outcome(&routed), routed.reason()), (employee("wang"), RoutingReason::ServiceManager));
}

#[tokio::test]
async fn k1_line_topic_and_request_need_skills() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let margin = Employee { skills: vec!["margin".to_owned()], ..colleague("he", "b1", &[Role::Staff]) };
    hire(&office, vec![margin]).await;
    let line = Line {
        name: "lines/1".to_owned(),
        branch: "branches/b1".to_owned(),
        number: "021-1".to_owned(),
        published: true,
        employee: String::new(),
        etag: String::new(),
        skills: vec!["margin".to_owned()],
        unstaffed_time: None,
    };
    assert_eq!(office.admin().import(vec![Entry::Line(line).into_entry()]).await.unwrap().created, 1);
    in_turn(&office, &["zhang", "he"]).await;
    let needs = [
        RouteContactRequest { topic: "margin".to_owned(), ..call("c-1") },
        RouteContactRequest { skills: vec!["margin".to_owned()], ..call("c-2") },
        RouteContactRequest { line: "lines/1".to_owned(), branch: String::new(), ..call("c-3") },
    ];
    for request in needs {
        let contact = request.contact.trim_start_matches("contacts/").to_owned();
        assert_eq!(outcome(&office.telephony().route(request).await.unwrap()), employee("he"), "{contact}");
        office.telephony().cancel(&contact).await.unwrap();
    }
    let plain = RouteContactRequest { topic: "funds".to_owned(), ..call("c-4") };
    assert_eq!(outcome(&office.telephony().route(plain).await.unwrap()), employee("zhang"));
    let nowhere = RouteContactRequest { line: "lines/9".to_owned(), ..call("c-5") };
    assert_eq!(reason(office.telephony().route(nowhere).await), "LINE_NOT_FOUND");
    let odd = RouteContactRequest { skills: vec!["Margin".to_owned()], ..call("c-5") };
    assert_eq!(office.telephony().route(odd).await.unwrap_err().fields, ["skills"]);
    let silent = RouteContactRequest { channel: Channel::Unspecified.into(), ..call("c-5") };
    assert_eq!(office.telephony().route(silent).await.unwrap_err().fields, ["channel"]);
    assert_eq!(reason(office.desk("sun").route(call("c-5")).await), "BRANCH_OUT_OF_REACH");
}

#[tokio::test]
async fn k21_outside_working_hours_a_duty_employee_answers_or_the_client_is_told_when() {
    let (_ground, office) = Ground::at(local(2025, 9, 12, 20, 0)).await;
    let duty = Employee { duty: true, ..colleague("he", "b1", &[Role::Staff]) };
    hire(&office, vec![duty]).await;
    in_turn(&office, &["zhang", "he"]).await;
    assert_eq!(outcome(&office.telephony().route(call("c-1")).await.unwrap()), employee("he"));
    let night = office.telephony().in_chinese().route(call("c-2")).await.unwrap();
    assert_eq!((night.state(), night.reason()), (State::AfterHours, RoutingReason::AfterHours));
    // A Friday evening: Monday morning, and by the end of that day (O5).
    let path = night.after_hours.unwrap();
    assert_eq!(at(path.next_working_time), local(2025, 9, 15, 8, 30));
    assert_eq!(at(path.due_time), local(2025, 9, 15, 17, 0));
    assert!(path.wording.contains("09月15日08:30"), "{}", path.wording);
    assert_eq!(night.reason_text, "非工作时间，且无空闲值班人员");
}
