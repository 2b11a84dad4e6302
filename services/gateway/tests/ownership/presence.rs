//! Presence: who is at the desk, from which one, and what becomes of a desk that is not heard of any more.

use chrono::TimeDelta;
use shouwen_proto::{
    access::v1::Role,
    events::v1::{CallOutcome, PresenceCause, PresenceState as Wanted, ReservationEnd},
    ownership::v1::{Line, ListLinesRequest, RosterEntry, roster_entry::Entry},
    routing::v1::{RouteContactRequest, SetPresenceRequest},
};

use crate::{
    desk::{IntoEntry as _, colleague, employee, reason},
    ground::{Ground, Office, at, local, tuesday},
    telephone::{call, outcome, presence},
};

#[tokio::test]
async fn k1_who_is_signed_on_shows_in_the_branch_and_a_repetition_changes_nothing() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    assert_eq!(zhang.presence_of("zhang").await.unwrap().state(), Wanted::Offline);
    let request = presence(Wanted::Available, "desk-1");
    let first = zhang.set_presence(request.clone()).await.unwrap();
    assert_eq!((first.state(), first.session.as_str()), (Wanted::Available, "desk-1"));
    assert_eq!(zhang.set_presence(request.clone()).await.unwrap(), first);
    let reused = SetPresenceRequest { state: Wanted::Busy.into(), ..request };
    assert_eq!(reason(zhang.set_presence(reused).await), "REQUEST_ID_REUSED");
    zhang.is(Wanted::Available).await.unwrap();
    assert_eq!(ground.count("presence_changed").await, 1);
    let present = zhang.present("b1").await.unwrap().presences;
    assert_eq!(present.iter().map(|known| &*known.employee).collect::<Vec<_>>(), ["employees/zhang"]);
    zhang.is(Wanted::Offline).await.unwrap();
    assert_eq!(zhang.present("b1").await.unwrap().presences, []);
    assert_eq!(ground.number("select count(*) from desk_session").await, 0);
}

#[tokio::test]
async fn k1_what_is_no_presence_is_refused() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    for state in [Wanted::Unspecified, Wanted::Reserved] {
        assert_eq!(zhang.is(state).await.unwrap_err().fields, ["state"]);
    }
    let odd = presence(Wanted::Available, "a desk");
    assert_eq!(zhang.set_presence(odd).await.unwrap_err().fields, ["session"]);
    let unnamed = SetPresenceRequest { request_id: String::new(), ..presence(Wanted::Busy, "desk-1") };
    assert_eq!(reason(zhang.set_presence(unnamed).await), "REQUEST_ID_REQUIRED");
    assert_eq!(reason(office.telephony().is(Wanted::Available).await), "EMPLOYEE_REQUIRED");
    assert_eq!(reason(zhang.presence_of("nobody").await), "EMPLOYEE_NOT_FOUND");
    assert_eq!(reason(office.desk("sun").presence_of("zhang").await), "BRANCH_OUT_OF_REACH");
}

#[tokio::test]
async fn k1_an_employee_is_signed_on_at_one_desk() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    zhang.is(Wanted::Available).await.unwrap();
    let other = presence(Wanted::Available, "desk-2");
    assert_eq!(reason(zhang.set_presence(other.clone()).await), "SESSION_ELSEWHERE");
    let taken = zhang.set_presence(SetPresenceRequest { take_over: true, ..other }).await.unwrap();
    assert_eq!(taken.session, "desk-2");
    assert_eq!(reason(zhang.beat("desk-1").await), "SESSION_NOT_FOUND");
    zhang.beat("desk-2").await.unwrap();
}

#[tokio::test]
async fn k2_a_desk_that_is_not_heard_of_is_lost_and_what_rings_there_goes_to_the_next() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    office.at_their_desks(&["zhang"]).await;
    office.pass(TimeDelta::seconds(40)).await;
    zhang.beat("desk-1").await.unwrap();
    office.at_their_desks(&["li"]).await;
    office.pass(TimeDelta::seconds(40)).await;
    assert_eq!(zhang.presence_of("zhang").await.unwrap().state(), Wanted::Available, "heard of 40 s ago");
    office.desk("li").beat("desk-1").await.unwrap();
    assert_eq!(outcome(&office.telephony().route(call("c-1")).await.unwrap()), employee("zhang"));
    assert_eq!(zhang.presence_of("zhang").await.unwrap().state(), Wanted::Reserved);
    office.pass(TimeDelta::seconds(5)).await;
    let lost = zhang.presence_of("zhang").await.unwrap();
    assert_eq!((lost.state(), lost.cause()), (Wanted::Offline, PresenceCause::Lost));
    assert_eq!(office.rings_at("c-1").await, employee("li"));
    assert_eq!(reason(zhang.beat("desk-1").await), "SESSION_NOT_FOUND");
    office.engine.sweep_once().await.unwrap();
    assert_eq!(ground.events("presences/zhang").await, ["presence_changed", "presence_changed"]);
}

#[tokio::test]
async fn k2_who_leaves_the_desk_gives_back_what_rings_there() {
    let (ground, office) = Ground::at(tuesday()).await;
    office.at_their_desks(&["zhang"]).await;
    office.pass(TimeDelta::seconds(1)).await;
    office.at_their_desks(&["li"]).await;
    for (contact, state) in [("c-1", Wanted::Paused), ("c-2", Wanted::Busy)] {
        assert_eq!(outcome(&office.telephony().route(call(contact)).await.unwrap()), employee("zhang"));
        office.desk("zhang").is(state).await.unwrap();
        assert_eq!(office.rings_at(contact).await, employee("li"));
        office.telephony().cancel(contact).await.unwrap();
        office.at_their_desks(&["zhang"]).await;
        office.pass(TimeDelta::seconds(1)).await;
        office.desk("li").is(Wanted::Paused).await.unwrap();
        office.at_their_desks(&["li"]).await;
    }
    let events =
        ["routing_begun", "reservation_made", "reservation_ended", "reservation_made", "routing_ended"];
    assert_eq!(ground.events("routings/c-1").await, events);
}

#[tokio::test]
async fn k2_who_answers_a_call_is_busy_until_it_ends() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    office.at_their_desks(&["zhang"]).await;
    office.telephony().route(call("c-1")).await.unwrap();
    zhang.claim("c-1").await.unwrap();
    let busy = zhang.presence_of("zhang").await.unwrap();
    assert_eq!((busy.state(), busy.contact.as_str()), (Wanted::Busy, "contacts/c-1"));
    assert_eq!(outcome(&office.telephony().route(call("c-2")).await.unwrap()), "queued");
    office.calls().answered(office.here().await, "c-1", "cases/none");
    office.calls().ended(office.here().await, "c-1", "zhang", CallOutcome::AnsweredClear);
    office.followed().await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(office.rings_at("c-2").await, employee("zhang"), "free again, and the next rings");
}

#[tokio::test]
async fn k2_who_leaves_is_on_no_call_any_more_and_who_is_lost_still_is() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    office.at_their_desks(&["zhang"]).await;
    zhang.claim("c-1").await.unwrap();
    office.pass(TimeDelta::seconds(45)).await;
    assert_eq!(zhang.presence_of("zhang").await.unwrap().cause(), PresenceCause::Lost);
    let still = zhang.is(Wanted::Available).await.unwrap();
    assert_eq!((still.state(), &*still.contact), (Wanted::Busy, "contacts/c-1"));
    assert_eq!(zhang.is(Wanted::Offline).await.unwrap().contact, "");
    let next_day = zhang.is(Wanted::Available).await.unwrap();
    assert_eq!((next_day.state(), &*next_day.contact), (Wanted::Available, ""));
    assert_eq!(outcome(&office.telephony().route(call("c-2")).await.unwrap()), employee("zhang"));
}

#[tokio::test]
async fn k5_who_leaves_transfers_no_call_any_more() {
    let (_ground, office) = Ground::at(tuesday()).await;
    office.at_their_desks(&["zhang", "li"]).await;
    office.desk("zhang").claim("c-1").await.unwrap();
    office.desk("zhang").transfer("c-1", "li").await.unwrap();
    office.desk("zhang").is(Wanted::Offline).await.unwrap();
    let [over] = &*office.telephony().routing("c-1").await.unwrap().past_transfers else {
        panic!("one transfer")
    };
    assert_eq!(over.end(), ReservationEnd::CallOver);
    assert_eq!(office.desk("li").presence_of("li").await.unwrap().state(), Wanted::Available);
}

#[tokio::test]
async fn k2_who_is_moved_in_the_roster_is_found_there_as_they_are() {
    let (ground, office) = Ground::at(tuesday()).await;
    office.at_their_desks(&["zhang"]).await;
    let before = office.desk("zhang").presence_of("zhang").await.unwrap();
    office.pass(TimeDelta::seconds(1)).await;
    let of_b2 = |contact| RouteContactRequest { branch: "branches/b2".to_owned(), ..call(contact) };
    for (branch, roles, request, found) in [
        ("b2", &[Role::Staff][..], call("c-1"), "queued".to_owned()),
        ("b2", &[Role::Staff], of_b2("c-2"), employee("zhang")),
        ("b1", &[Role::Staff], of_b2("c-3"), "queued".to_owned()),
        ("b1", &[Role::Staff, Role::Hq], of_b2("c-4"), employee("zhang")),
    ] {
        let entry = Entry::Employee(colleague("zhang", branch, roles)).into_entry();
        assert_eq!(office.admin().import(vec![entry]).await.unwrap().rejected, []);
        let contact = request.contact.trim_start_matches("contacts/").to_owned();
        assert_eq!(outcome(&office.telephony().route(request).await.unwrap()), found, "{contact}");
        office.telephony().cancel(&contact).await.unwrap();
    }
    let after = office.telephony().presence_of("zhang").await.unwrap();
    assert_eq!(
        (after.state(), &after.session, after.cause()),
        (before.state(), &before.session, before.cause())
    );
    assert_eq!(after.since_time, before.since_time);
    assert_eq!(ground.count("presence_changed").await, 4, "signed on, and moved three times");
}

#[tokio::test]
async fn k2_who_says_again_to_be_available_is_found_where_the_roster_has_them() {
    let (ground, office) = Ground::at(tuesday()).await;
    office.at_their_desks(&["zhang"]).await;
    ground.run(r#"update presences set state = state || '{"hq": true}'"#).await;
    office.at_their_desks(&["zhang"]).await;
    assert_eq!(ground.number("select count(*) from presences where hq").await, 0);
}

/// A published line of b1.
pub(crate) fn published_line() -> RosterEntry {
    let line = Line {
        name: "lines/1".to_owned(),
        branch: "branches/b1".to_owned(),
        number: "021-1".to_owned(),
        published: true,
        ..Line::default()
    };
    Entry::Line(line).into_entry()
}

/// Since when the published line of b1 has had nobody.
async fn unstaffed(office: &Office) -> Option<chrono::DateTime<chrono::Utc>> {
    let request = ListLinesRequest { parent: "branches/b1".to_owned(), ..ListLinesRequest::default() };
    let answer = office.admin().roster(request, async |mut it, request| it.list_lines(request).await).await;
    let [line] = &*answer.unwrap().lines else { panic!("one line") };
    line.unstaffed_time.map(|time| at(Some(time)))
}

#[tokio::test]
async fn k1_the_last_one_to_leave_in_working_hours_raises_the_alarm_once_until_somebody_is_back() {
    let (ground, office) = Ground::at(local(2025, 9, 9, 8, 0)).await;
    office.admin().import(vec![published_line()]).await.unwrap();
    office.until(local(2025, 9, 9, 9, 0)).await;
    assert_eq!(unstaffed(&office).await, None, "nobody has ever signed on: not watched");

    office.at_their_desks(&["zhang", "li"]).await;
    office.desk("zhang").is(Wanted::Paused).await.unwrap();
    office.engine.sweep_once().await.unwrap();
    assert_eq!(unstaffed(&office).await, None, "Li is there");
    let left = office.here().await;
    office.desk("li").is(Wanted::Offline).await.unwrap();
    office.engine.sweep_once().await.unwrap();
    ground.another().await.engine.sweep_once().await.unwrap();
    assert_eq!(unstaffed(&office).await, Some(left));
    office.at_their_desks(&["li"]).await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(unstaffed(&office).await, None);
    office.desk("li").is(Wanted::Offline).await.unwrap();
    // The desks are empty over the lunch break and the night: no alarm then, and one again when working hours begin.
    office.engine.sweep_once().await.unwrap();
    office.until(local(2025, 9, 9, 12, 0)).await;
    assert_eq!(unstaffed(&office).await, None);
    office.until(local(2025, 9, 9, 13, 0)).await;
    assert_eq!(unstaffed(&office).await, Some(local(2025, 9, 9, 13, 0)));
    let events = ["line_unstaffed", "line_staffed", "line_unstaffed", "line_staffed", "line_unstaffed"];
    assert_eq!(ground.events("staffing/1").await, events);
}
