//! The pure domain: limits of each kind, leases, attempts, the talk.

use chrono::TimeDelta;
use shouwen_calendar::Calendar;
use shouwen_callbacks::domain::{
    Command, Met, Rejection, Stage,
    callback::{STEP_LEASE, STEP_LIMIT},
    command::Tried,
    settled::settled,
};
use shouwen_policy::PolicyVersion;
use shouwen_proto::events::v1::callbacks_event::Event;
use shouwen_serving::timestamps::to_proto;

use crate::bench::{Bench, LI, ZHANG, at};

#[test]
fn b1_a_promise_is_due_at_the_agreed_time_with_the_policys_grace() {
    let bench = Bench::promised("2026-05-07T10:00", false);
    assert_eq!(
        (bench.callback.not_before, bench.callback.due),
        (at("2026-05-07T10:00"), at("2026-05-07T10:15"))
    );
    assert_eq!(bench.callback.calendar_version, "", "no calendar decides a promise");
    assert_eq!(bench.callback.policy_version, "callbacks@default");
}

#[test]
fn b2_a_limit_outside_the_calling_windows_ends_with_the_next_one() {
    assert_eq!(Bench::promised("2026-05-07T11:20", false).callback.due, at("2026-05-07T20:00"));
    assert_eq!(
        Bench::promised("2026-05-07T11:15", false).callback.due,
        at("2026-05-07T11:30"),
        "the very end"
    );
    assert_eq!(Bench::promised("2026-05-07T21:00", false).callback.due, at("2026-05-08T11:30"));
}

#[test]
fn b2_a_time_that_the_client_asked_for_stands() {
    let mut bench = Bench::promised("2026-05-07T21:00", true);
    assert_eq!(bench.callback.due, at("2026-05-07T21:15"));
    assert!(bench.lease(at("2026-05-07T21:00"), ZHANG).is_ok());
}

#[test]
fn b2_a_time_that_the_client_asked_for_lasts_as_long_as_the_grace_of_a_promise() {
    let bench = Bench::promised("2026-05-07T21:00", true);
    assert!(bench.clone().lease(at("2026-05-07T21:15"), ZHANG).is_ok());
    let late = at("2026-05-07T21:15") + TimeDelta::seconds(1);
    let outside = Err(Rejection::OutsideWindows(at("2026-05-08T09:00")));
    assert_eq!(bench.clone().lease(late, ZHANG), outside);
    assert!(bench.clone().lease(at("2026-05-08T09:00"), ZHANG).is_ok());
    // So is one that was agreed anew (B3).
    let mut anew = Bench::promised("2026-05-07T10:00", false);
    anew.lease(at("2026-05-07T10:00"), ZHANG).unwrap();
    let tried = Tried::Inconvenient { agreed: at("2026-05-07T12:00"), client_asked: true };
    anew.attempt(at("2026-05-07T10:01"), ZHANG, tried).unwrap();
    assert!(anew.clone().lease(at("2026-05-07T12:15"), ZHANG).is_ok());
    let outside = Err(Rejection::OutsideWindows(at("2026-05-07T13:30")));
    assert_eq!(anew.lease(at("2026-05-07T12:16"), ZHANG), outside);
}

#[test]
fn b2_nobody_leases_outside_the_windows() {
    let mut bench = Bench::promised("2026-05-07T09:30", false);
    assert_eq!(
        bench.lease(at("2026-05-07T12:00"), ZHANG),
        Err(Rejection::OutsideWindows(at("2026-05-07T13:30")))
    );
    assert_eq!(
        bench.lease(at("2026-05-07T11:30"), ZHANG),
        Err(Rejection::OutsideWindows(at("2026-05-07T13:30")))
    );
    assert_eq!(
        bench.lease(at("2026-05-07T20:00"), ZHANG),
        Err(Rejection::OutsideWindows(at("2026-05-08T09:00")))
    );
    assert!(bench.lease(at("2026-05-07T19:59"), ZHANG).is_ok());
}

#[test]
fn k14_a_missed_call_is_due_thirty_working_minutes_later() {
    let bench = Bench::missed("2026-05-06T10:00");
    assert_eq!(
        (bench.callback.not_before, bench.callback.due),
        (at("2026-05-06T10:00"), at("2026-05-06T10:30"))
    );
    assert_eq!(bench.callback.calls, ["calls/c"]);
    // 15 minutes before the lunch break and 15 after: outside the calling windows, so the next one ends it (B2).
    assert_eq!(Bench::missed("2026-05-06T11:15").callback.due, at("2026-05-06T20:00"));
    assert_eq!(
        Bench::missed("2026-05-06T16:45").callback.due,
        at("2026-05-07T11:30"),
        "8:45 is before the windows"
    );
    // Labour Day: the next working day is the 6th.
    assert_eq!(Bench::missed("2026-05-01T10:00").callback.due, at("2026-05-06T09:00"));
}

/// The limit that a further missed call sets.
fn owed_anew(events: &[Event]) -> Option<prost_types::Timestamp> {
    match events {
        [Event::CallbackCoalesced(joined)] => joined.due,
        other => panic!("{other:?}"),
    }
}

#[test]
fn k14_a_further_missed_call_leaves_a_limit_that_is_not_met_as_it_is() {
    let mut bench = Bench::missed("2026-05-06T10:00");
    assert_eq!(owed_anew(&bench.join(at("2026-05-06T10:20"), "calls/d")), None);
    assert_eq!((bench.callback.due, bench.steps()), (at("2026-05-06T10:30"), vec![STEP_LIMIT]));
    // Also one that was missed, and one that was set anew.
    bench.tell(at("2026-05-06T10:30"), &Command::Due { callback: bench.id() }).unwrap();
    assert_eq!(owed_anew(&bench.join(at("2026-05-06T10:40"), "calls/e")), None);
    assert!(bench.callback.missed && bench.steps().len() == 3);
    bench.tell(at("2026-05-06T10:45"), &bench.postponement("2026-05-06T15:00")).unwrap();
    assert_eq!(owed_anew(&bench.join(at("2026-05-06T10:50"), "calls/f")), None);
    assert_eq!(bench.callback.due, at("2026-05-06T15:15"));
    assert_eq!(bench.callback.calls, ["calls/c", "calls/d", "calls/e", "calls/f"]);
}

#[test]
fn k14_a_client_who_was_tried_in_vain_and_calls_again_is_owed_another_attempt() {
    let mut bench = Bench::missed("2026-05-06T10:00");
    bench.try_in_vain("2026-05-06T10:05");
    let events = bench.join(at("2026-05-06T10:40"), "calls/d");
    assert_eq!(owed_anew(&events), Some(to_proto(at("2026-05-06T11:10"))));
    let callback = &bench.callback;
    assert_eq!((callback.not_before, callback.began), (at("2026-05-06T10:40"), at("2026-05-06T10:40")));
    assert_eq!((callback.due, bench.steps()), (at("2026-05-06T11:10"), vec![STEP_LIMIT]));
    assert_eq!(callback.calendar_version, Calendar::builtin().version());
    assert_eq!((callback.first_attempt, callback.round.len()), (Some(at("2026-05-06T10:05")), 0));
    // O10: it is missed like the first.
    let events = bench.tell(at("2026-05-06T11:10"), &Command::Due { callback: bench.id() }).unwrap();
    assert!(matches!(&events[..], [Event::CallbackLimitMissed(_), Event::CallbackEscalated(_)]));
    bench.try_in_vain("2026-05-06T11:20");
    assert!(bench.steps().is_empty());
}

#[test]
fn k14_b6_a_client_who_calls_again_takes_the_decision_from_the_lead() {
    let mut bench = Bench::missed("2026-05-06T10:00");
    for time in ["2026-05-06T10:05", "2026-05-06T13:30", "2026-05-07T09:00"] {
        bench.try_in_vain(time);
    }
    assert_eq!(bench.callback.stage, Stage::LeadDecides);
    let events = bench.join(at("2026-05-07T10:00"), "calls/d");
    assert_eq!(owed_anew(&events), Some(to_proto(at("2026-05-07T10:30"))));
    assert_eq!((&bench.callback.stage, bench.steps()), (&Stage::Waiting, vec![STEP_LIMIT]));
    bench.try_in_vain("2026-05-07T10:01");
    assert_eq!(bench.callback.round.len(), 1, "another round");
}

#[test]
fn k14_b8_a_call_that_joins_while_the_callback_is_leased_leaves_the_lease() {
    let mut bench = Bench::missed("2026-05-06T10:00");
    bench.try_in_vain("2026-05-06T10:05");
    bench.lease(at("2026-05-06T13:30"), LI).unwrap();
    let events = bench.join(at("2026-05-06T13:35"), "calls/d");
    assert_eq!(owed_anew(&events), Some(to_proto(at("2026-05-06T14:05"))));
    assert_eq!(bench.steps(), [STEP_LIMIT, STEP_LEASE]);
    bench.attempt(at("2026-05-06T13:40"), LI, Tried::Unreached(Met::Busy)).unwrap();
    assert!(bench.steps().is_empty());
}

#[test]
fn k14_an_attempt_behind_the_call_of_which_the_follower_heard_late_answers_it() {
    let mut bench = Bench::missed("2026-05-06T10:00");
    bench.try_in_vain("2026-05-06T10:05");
    assert_eq!(owed_anew(&bench.join(at("2026-05-06T10:04"), "calls/d")), None);
    assert!(owed_anew(&bench.join(at("2026-05-06T10:05"), "calls/e")).is_some());
}

#[test]
fn o5_an_after_hours_contact_is_called_back_on_the_next_working_day() {
    let evening = Bench::after_hours("2026-04-30T20:30").callback;
    assert_eq!((evening.not_before, evening.due), (at("2026-05-06T08:30"), at("2026-05-06T17:00")));
    let early = Bench::after_hours("2026-05-06T07:00").callback;
    assert_eq!((early.not_before, early.due), (at("2026-05-06T08:30"), at("2026-05-06T17:00")));
    // A make-up Saturday is a working day.
    let friday = Bench::after_hours("2026-05-08T19:00").callback;
    assert_eq!(friday.due, at("2026-05-09T17:00"));
    assert!(!friday.provisional);
}

#[test]
fn s3_a_limit_beyond_the_imported_years_is_provisional() {
    let callback = Bench::after_hours("2026-12-31T20:00").callback;
    assert!(callback.provisional);
    assert_eq!(callback.calendar_version, Calendar::builtin().version());
}

#[test]
fn b8_a_lease_is_one_employees_until_it_ends() {
    let mut bench = Bench::missed("2026-05-06T10:00");
    bench.lease(at("2026-05-06T10:01"), ZHANG).unwrap();
    let until = at("2026-05-06T10:16");
    assert_eq!(bench.callback.stage, Stage::Leased { employee: ZHANG.into(), until });
    let refused = bench.lease(at("2026-05-06T10:15"), LI);
    assert_eq!(refused, Err(Rejection::LeasedByAnother { employee: ZHANG.into(), until }));
    assert!(bench.complete(at("2026-05-06T10:15"), LI).is_err());
    // Renewed by its holder.
    bench.lease(at("2026-05-06T10:15"), ZHANG).unwrap();
    assert_eq!(
        bench.callback.deadlines().iter().find(|it| it.step == STEP_LEASE).unwrap().due,
        at("2026-05-06T10:30")
    );
    // At its end it is lost, whether or not the sweeper was there.
    let events = bench.lease(at("2026-05-06T10:30"), LI).unwrap();
    assert!(matches!(
        &events[..],
        [Event::CallbackLimitMissed(_), Event::CallbackEscalated(_), Event::CallbackReleased(lost), Event::CallbackLeased(_)]
            if lost.reason == "expired"
    ));
    assert_eq!(bench.complete(at("2026-05-06T10:31"), ZHANG), Err(Rejection::NotLeased));
}

#[test]
fn b8_only_the_holder_gives_a_lease_back() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    bench.lease(at("2026-05-07T10:00"), ZHANG).unwrap();
    let release = |employee: &str| Command::Release { callback: bench.id(), employee: employee.into() };
    let (li, zhang) = (release(LI), release(ZHANG));
    assert_eq!(bench.tell(at("2026-05-07T10:01"), &li), Err(Rejection::NotLeased));
    bench.tell(at("2026-05-07T10:01"), &zhang).unwrap();
    assert_eq!((&bench.callback.stage, bench.steps()), (&Stage::Waiting, vec![STEP_LIMIT]));
}

#[test]
fn b1_the_limit_is_missed_once_and_before_what_happens_at_its_very_instant() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    bench.lease(at("2026-05-07T10:14"), ZHANG).unwrap();
    let events = bench.attempt(at("2026-05-07T10:15"), ZHANG, Tried::Unreached(Met::Busy)).unwrap();
    assert!(matches!(
        &events[..],
        [Event::CallbackLimitMissed(_), Event::CallbackEscalated(_), Event::AttemptRecorded(_)]
    ));
    assert!(bench.callback.missed && bench.steps().is_empty());
    let mut kept = Bench::promised("2026-05-07T10:00", false);
    kept.lease(at("2026-05-07T10:00"), ZHANG).unwrap();
    kept.attempt(at("2026-05-07T10:14"), ZHANG, Tried::Unreached(Met::Busy)).unwrap();
    assert!(!kept.callback.missed && kept.steps().is_empty());
}

#[test]
fn b3_an_inconvenient_client_names_another_time() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    bench.lease(at("2026-05-07T10:00"), ZHANG).unwrap();
    let now = at("2026-05-07T10:01");
    let tried = |agreed: &str, client_asked| Tried::Inconvenient { agreed: at(agreed), client_asked };
    assert_eq!(bench.attempt(now, ZHANG, tried("2026-05-07T10:01", false)), Err(Rejection::AgreedTimePast));
    let outside = Err(Rejection::AgreedOutsideWindows(at("2026-05-08T09:00")));
    assert_eq!(bench.attempt(now, ZHANG, tried("2026-05-07T20:30", false)), outside);
    let events = bench.attempt(now, ZHANG, tried("2026-05-07T20:30", true)).unwrap();
    let [Event::AttemptRecorded(agreed)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(agreed.due, Some(to_proto(at("2026-05-07T20:45"))), "promised with the policy's grace");
    assert_eq!(bench.callback.not_before, at("2026-05-07T20:30"));
    assert!(bench.callback.client_asked && bench.callback.round.is_empty(), "uses no attempt up");
    assert_eq!(bench.callback.first_attempt, Some(now), "the first limit is kept");
    assert_eq!((bench.callback.due, bench.steps()), (at("2026-05-07T20:45"), vec![STEP_LIMIT]));
    assert_eq!(bench.lease(at("2026-05-07T20:29"), LI), Err(Rejection::TooEarly(at("2026-05-07T20:30"))));
    bench.lease(at("2026-05-07T20:30"), LI).unwrap();
    let events = bench.attempt(at("2026-05-07T20:31"), LI, Tried::Unreached(Met::NoAnswer)).unwrap();
    assert!(matches!(&events[..], [Event::AttemptRecorded(in_vain)] if in_vain.due.is_none()));
    assert!(!bench.callback.client_asked && bench.steps().is_empty(), "what was asked for is over");
    assert_eq!(bench.callback.not_before, at("2026-05-08T09:00"));
}

#[test]
fn b3_o10_a_time_agreed_anew_is_missed_and_goes_up_like_the_first() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    bench.lease(at("2026-05-07T10:20"), ZHANG).unwrap();
    assert!(bench.callback.missed);
    let tried = Tried::Inconvenient { agreed: at("2026-05-07T15:00"), client_asked: false };
    bench.attempt(at("2026-05-07T10:21"), ZHANG, tried).unwrap();
    assert!(!bench.callback.missed && bench.callback.escalation.reached.is_none());
    let due = Command::Due { callback: bench.id() };
    let events = bench.tell(at("2026-05-07T15:14"), &due).unwrap();
    assert!(events.is_empty(), "of the limit before nobody is told any more");
    let events = bench.tell(at("2026-05-07T15:15"), &due).unwrap();
    let [Event::CallbackLimitMissed(missed), Event::CallbackEscalated(_)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(missed.due, Some(to_proto(at("2026-05-07T15:15"))));
    assert_eq!(bench.steps().len(), 3, "the lead, HQ and the company leader are ahead");
    bench.try_in_vain("2026-05-07T15:20");
    assert!(bench.steps().is_empty());
}

#[test]
fn b6_a_time_set_by_a_lead_takes_the_place_of_a_limit_that_runs_or_was_missed() {
    let untried = Bench::missed("2026-05-06T10:00");
    for (now, missed) in [("2026-05-06T10:20", false), ("2026-05-06T10:30", true)] {
        let mut bench = untried.clone();
        let events = bench.tell(at(now), &bench.postponement("2026-05-07T09:00")).unwrap();
        let told = events.iter().any(|event| matches!(event, Event::CallbackLimitMissed(_)));
        assert_eq!((told, bench.callback.missed), (missed, false), "{now}");
        assert_eq!((bench.callback.due, bench.steps()), (at("2026-05-07T09:15"), vec![STEP_LIMIT]));
        assert!(bench.callback.escalation.reached.is_none());
    }
}

#[test]
fn s3_a_time_that_was_set_stands_when_the_calendar_changes() {
    let mut untouched = Bench::after_hours("2026-12-31T20:00");
    let mut set = untouched.clone();
    set.tell(at("2026-12-31T20:05"), &set.postponement("2027-01-01T09:00")).unwrap();
    let data = "version = \"cn-2027.1\"\n[[year]]\nyear = 2027\nholidays = [\"2027-01-01\"]\nmake_up = []\nexchange_also_closed = []\n";
    let calendar: PolicyVersion = serde_json::from_value(serde_json::json!({
        "policy": "policies/p1", "kind": "calendar", "scope": "firm", "revision": 1, "document": {"toml": data},
        "effective_from": "2026-12-31T12:30:00Z",
    }))
    .unwrap();
    for bench in [&mut untouched, &mut set] {
        bench.book = bench.book.with(calendar.clone()).unwrap();
    }
    let (now, recompute) = (at("2026-12-31T21:00"), Command::Recompute { callback: set.id() });
    assert_eq!(untouched.tell(now, &recompute).unwrap().len(), 1);
    assert_eq!(set.tell(now, &recompute), Ok(Vec::new()));
    assert_eq!((set.callback.due, set.callback.provisional), (at("2027-01-01T09:15"), false));
}

#[test]
fn b6_after_the_policys_attempts_a_lead_decides() {
    let mut bench = Bench::promised("2026-05-07T09:00", false);
    bench.try_in_vain("2026-05-07T09:00");
    assert_eq!(bench.lease(at("2026-05-07T10:59"), ZHANG), Err(Rejection::TooEarly(at("2026-05-07T11:00"))));
    bench.try_in_vain("2026-05-07T11:00");
    // The third would be the last, and the second on one day.
    assert_eq!(bench.callback.not_before, at("2026-05-08T09:00"));
    let events = bench.try_in_vain("2026-05-08T09:00");
    assert!(matches!(&events[..], [Event::AttemptRecorded(_), Event::CallbackExhausted(_)]));
    assert_eq!(bench.callback.stage, Stage::LeadDecides);
    assert_eq!(bench.lease(at("2026-05-08T14:00"), ZHANG), Err(Rejection::LeadDecides));
    let (past, later) = (bench.postponement("2026-05-08T13:00"), bench.postponement("2026-05-12T09:00"));
    assert_eq!(bench.tell(at("2026-05-08T14:00"), &past), Err(Rejection::NotBeforePast));
    let events = bench.tell(at("2026-05-08T14:00"), &later).unwrap();
    let [Event::CallbackPostponed(postponed)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(postponed.due, Some(to_proto(at("2026-05-12T09:15"))), "promised with the policy's grace");
    assert_eq!((&bench.callback.stage, bench.callback.not_before), (&Stage::Waiting, at("2026-05-12T09:00")));
    assert!(bench.callback.round.is_empty() && bench.callback.attempts.len() == 3, "a new round");
    assert_eq!((bench.callback.due, bench.steps()), (at("2026-05-12T09:15"), vec![STEP_LIMIT]));
    bench.try_in_vain("2026-05-12T09:05");
    assert!(bench.steps().is_empty());
}

#[test]
fn b6_a_lead_gives_a_callback_up_only_while_it_is_open() {
    let mut bench = Bench::missed("2026-05-06T10:00");
    assert_eq!(bench.callback.keys().len(), 1);
    let cancel =
        Command::Cancel { callback: bench.id(), employee: LI.into(), reason: "number does not exist".into() };
    bench.tell(at("2026-05-06T10:05"), &cancel).unwrap();
    assert!(bench.callback.keys().is_empty() && bench.steps().is_empty());
    let again = bench.tell(at("2026-05-06T10:06"), &cancel);
    assert!(matches!(again, Err(Rejection::IllegalTransition { state: "CANCELLED", .. })));
    assert!(matches!(bench.lease(at("2026-05-06T10:06"), ZHANG), Err(Rejection::IllegalTransition { .. })));
}

#[test]
fn c9_a_verification_is_not_given_up_while_its_complaint_waits_for_it() {
    let mut bench = Bench::verification("2026-05-06T15:00");
    let cancel = Command::Cancel { callback: bench.id(), employee: LI.into(), reason: "abroad".into() };
    let mut done = bench.clone();
    let refused = Err(Rejection::VerificationNotCancellable("cases/1/complaints/c".into()));
    assert_eq!(bench.tell(at("2026-05-06T15:05"), &cancel), refused);
    for now in ["2026-05-06T15:10", "2026-05-07T09:00", "2026-05-08T09:00"] {
        bench.try_in_vain(now);
    }
    assert_eq!(bench.callback.stage, Stage::LeadDecides);
    assert_eq!(bench.tell(at("2026-05-08T09:05"), &cancel), refused);
    done.lease(at("2026-05-06T15:05"), ZHANG).unwrap();
    done.complete(at("2026-05-06T15:10"), ZHANG).unwrap();
    let late = done.tell(at("2026-05-06T15:15"), &cancel);
    assert!(matches!(late, Err(Rejection::IllegalTransition { state: "COMPLETED", .. })));
}

#[test]
fn b4_a_talk_ends_the_callback() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    assert_eq!(bench.complete(at("2026-05-07T10:00"), ZHANG), Err(Rejection::NotLeased));
    bench.lease(at("2026-05-07T10:00"), ZHANG).unwrap();
    let events = bench.complete(at("2026-05-07T10:05"), ZHANG).unwrap();
    let [Event::CallbackCompleted(completed)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((completed.case.as_str(), completed.score), ("cases/1", 9));
    assert!(!bench.callback.is_open() && bench.steps().is_empty());
    assert!(matches!(
        bench.complete(at("2026-05-07T10:06"), ZHANG),
        Err(Rejection::IllegalTransition { .. })
    ));
}

#[test]
fn p1_a_policy_that_is_not_known_stops_the_decision_not_the_callback() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    bench.callback.policy_version = "callbacks@firm:9".into();
    assert!(matches!(bench.lease(at("2026-05-07T10:00"), ZHANG), Err(Rejection::PolicyUnknown(_))));
}

#[test]
fn b8_what_was_due_during_an_outage_happens_in_order() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    bench.lease(at("2026-05-07T10:05"), ZHANG).unwrap();
    let later = at("2026-05-07T10:05") + TimeDelta::hours(2);
    let (events, after) = settled(&bench.callback, later, &bench.book);
    assert!(matches!(
        &events[..],
        [
            Event::CallbackLimitMissed(_),
            Event::CallbackEscalated(_),
            Event::CallbackReleased(_),
            Event::CallbackEscalated(_)
        ]
    ));
    assert!(after.missed && after.stage == Stage::Waiting);
}
