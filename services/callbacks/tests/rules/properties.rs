//! Random lives of callbacks: whatever is tried when, an open callback has a next step, and no rule about attempts is broken.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use shouwen_calendar::local_date;
use shouwen_callbacks::domain::{
    Command, Met, Stage,
    command::{Cause, Tried},
    evolve, transitions,
};
use shouwen_policy::CallbacksPolicy;
use shouwen_proto::events::v1::callbacks_event::Event;

use crate::domain::{Bench, LI, ZHANG, at};

#[derive(Clone, Debug)]
enum Step {
    Lease(bool),
    Release(bool),
    Fail(bool),
    Inconvenient {
        who: bool,
        minutes: i64,
        client_asked: bool,
    },
    Complete(bool),
    Postpone(i64),
    Cancel,
    Sweep,
    Wait(i64),
    /// Until the callback may be tried.
    WaitForTime,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<bool>().prop_map(Step::Lease),
        1 => any::<bool>().prop_map(Step::Release),
        5 => any::<bool>().prop_map(Step::Fail),
        2 => (any::<bool>(), -60..4000_i64, any::<bool>())
            .prop_map(|(who, minutes, client_asked)| Step::Inconvenient { who, minutes, client_asked }),
        1 => any::<bool>().prop_map(Step::Complete),
        1 => (-60..4000_i64).prop_map(Step::Postpone),
        1 => Just(Step::Cancel),
        2 => Just(Step::Sweep),
        3 => (1..900_i64).prop_map(Step::Wait),
        5 => Just(Step::WaitForTime),
    ]
}

fn cause() -> impl Strategy<Value = (Cause, i64)> {
    (0..3_u8, 0..40 * 24 * 60_i64, 0..4000_i64, any::<bool>()).prop_map(
        |(kind, began, later, client_asked)| {
            let agreed = start() + TimeDelta::minutes(began + later);
            let cause = match kind {
                0 => Cause::Promise { agreed, client_asked },
                1 => Cause::MissedCall { call: "calls/c".into(), caller_key: vec![7] },
                _ => Cause::AfterHours,
            };
            (cause, began)
        },
    )
}

/// A month with a holiday and a make-up day.
fn start() -> DateTime<Utc> {
    at("2026-04-20T00:00")
}

fn who(first: bool) -> String {
    if first { ZHANG.into() } else { LI.into() }
}

fn command(step: &Step, bench: &Bench, now: DateTime<Utc>) -> Option<Command> {
    let callback = bench.id();
    Some(match *step {
        Step::Lease(first) => Command::Lease { callback, employee: who(first) },
        Step::Release(first) => Command::Release { callback, employee: who(first) },
        Step::Fail(first) => {
            Command::RecordAttempt { callback, employee: who(first), tried: Tried::Unreached(Met::NoAnswer) }
        }
        Step::Inconvenient { who: first, minutes, client_asked } => {
            let tried = Tried::Inconvenient { agreed: now + TimeDelta::minutes(minutes), client_asked };
            Command::RecordAttempt { callback, employee: who(first), tried }
        }
        Step::Postpone(minutes) => Command::Postpone {
            callback,
            not_before: now + TimeDelta::minutes(minutes),
            reason: "later".into(),
        },
        Step::Cancel => Command::Cancel { callback, reason: "given up".into() },
        Step::Sweep => Command::Due { callback },
        Step::Complete(_) | Step::Wait(_) | Step::WaitForTime => return None,
    })
}

/// An open callback waits for a time at which it can be leased, or is leased until a time, or a lead can decide.
fn has_a_next_step(bench: &Bench, now: DateTime<Utc>) -> bool {
    let (_, callback) = transitions::settled(&bench.callback, now);
    let mut bench = Bench { callback, ..bench.clone() };
    match &bench.callback.stage {
        Stage::Waiting => {
            let earliest = bench.callback.not_before.max(now);
            let asked = bench.callback.client_asked;
            let open = CallbacksPolicy::default().calling_windows.next_open(earliest);
            bench.lease(if asked { earliest } else { open }, ZHANG).is_ok()
        }
        Stage::Leased { until, .. } => {
            bench.callback.deadlines().iter().any(|deadline| deadline.due == *until)
        }
        Stage::LeadDecides => {
            let again = Command::Postpone {
                callback: bench.id(),
                not_before: now + TimeDelta::days(1),
                reason: "again".into(),
            };
            bench.tell(now, &again).is_ok()
        }
        Stage::Completed(_) | Stage::Cancelled { .. } => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn b6_an_open_callback_always_has_a_next_step_and_attempts_keep_their_distance(
        (cause, began) in cause(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let policy = CallbacksPolicy::default();
        let mut now = start() + TimeDelta::minutes(began);
        let mut bench = Bench::begun(
            if matches!(cause, Cause::MissedCall { .. }) { "branches/b1/callbacks/c" } else { "cases/1/callbacks/c" },
            cause,
            now,
        );
        // B2: the limit lies within the windows, unless the client asked for the time.
        let due = bench.callback.due;
        prop_assert!(bench.callback.client_asked || policy.calling_windows.limit(due) == due);
        prop_assert!(bench.callback.not_before <= due);
        let mut missed = 0;
        for step in steps {
            let before = bench.callback.clone();
            let events = match &step {
                Step::Wait(minutes) => { now += TimeDelta::minutes(*minutes); Ok(Vec::new()) }
                Step::WaitForTime => {
                    now = policy.calling_windows.next_open(now.max(bench.callback.not_before));
                    Ok(Vec::new())
                }
                Step::Complete(first) => bench.complete(now, &who(*first)),
                other => {
                    let command = command(other, &bench, now).unwrap();
                    bench.tell(now, &command)
                }
            };
            for event in events.unwrap_or_default() {
                match event {
                    Event::CallbackLeased(_) => {
                        prop_assert!(before.client_asked || policy.calling_windows.contains(now), "B2");
                        prop_assert!(now >= before.not_before, "B6");
                    }
                    Event::CallbackLimitMissed(_) => {
                        missed += 1;
                        prop_assert!(before.first_attempt.is_none() && now >= before.due, "B1");
                    }
                    Event::CallbackExhausted(_) => {
                        let round = &bench.callback.round;
                        let days: BTreeSet<_> = round.iter().map(|time| local_date(*time)).collect();
                        prop_assert_eq!(round.len(), policy.attempts as usize);
                        prop_assert!(days.len() >= policy.attempt_days as usize, "B6: {:?}", round);
                    }
                    _ => {}
                }
            }
            prop_assert!(missed <= 1);
            prop_assert!(bench.callback.round.len() <= policy.attempts as usize);
            prop_assert!(
                bench.callback.round.windows(2).all(|pair| pair[1] - pair[0] >= policy.attempt_spacing()),
                "B6: {:?}", bench.callback.round
            );
            prop_assert!(!bench.callback.is_open() || has_a_next_step(&bench, now), "{:?}", bench.callback);
            prop_assert_eq!(bench.callback.keys().is_empty(), bench.callback.caller_key.is_empty() || !bench.callback.is_open());
        }
    }

    #[test]
    fn b8_what_is_due_happens_the_same_whether_swept_or_met(lease in 0..200_i64, later in 0..2000_i64) {
        let mut bench = Bench::promised("2026-05-07T10:00", true);
        bench.lease(at("2026-05-07T10:00") + TimeDelta::minutes(lease), ZHANG).unwrap();
        let now = at("2026-05-07T10:00") + TimeDelta::minutes(lease + later);
        let mut swept = bench.clone();
        let due = Command::Due { callback: bench.id() };
        swept.tell(now, &due).unwrap();
        let (events, settled) = transitions::settled(&bench.callback, now);
        let mut folded = bench.callback.clone();
        for event in &events {
            evolve::apply(&mut folded, event, now);
        }
        prop_assert_eq!(&settled, &folded);
        prop_assert_eq!(&settled, &swept.callback);
    }
}
