//! Random lives of callbacks: whatever is tried when, an open callback has a next step, no rule is broken, and the events alone tell the state.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use shouwen_calendar::local_date;
use shouwen_callbacks::domain::{
    Callback, Command, Kind, Met, Rejection, Stage,
    command::{Cause, Tried},
    evolve,
    settled::settled,
};
use shouwen_policy::{CallbacksPolicy, Level, PolicyBook};
use shouwen_proto::events::v1::{AttemptRecorded, callbacks_event::Event};

use crate::bench::{Bench, LI, WANG, ZHANG, about, at, missed_call};

#[derive(Clone, Debug)]
enum Step {
    Lease(Who),
    Release(Who),
    Fail(Who),
    Inconvenient {
        who: Who,
        minutes: i64,
        client_asked: bool,
    },
    Complete(Who),
    Supersede(Who),
    Postpone(Who, i64),
    Cancel(Who),
    /// A further call of the client is missed.
    Join,
    Sweep,
    Wait(i64),
    /// Until the callback may be tried.
    WaitForTime,
}

/// One of three: Zhang, Li, and Wang whom the complaint is about where there is one.
type Who = &'static str;

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![3 => Just(ZHANG), 3 => Just(LI), 1 => Just(WANG)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => who().prop_map(Step::Lease),
        1 => who().prop_map(Step::Release),
        5 => who().prop_map(Step::Fail),
        2 => (who(), -60..4000_i64, any::<bool>())
            .prop_map(|(who, minutes, client_asked)| Step::Inconvenient { who, minutes, client_asked }),
        1 => who().prop_map(Step::Complete),
        2 => who().prop_map(Step::Supersede),
        1 => (who(), -60..4000_i64).prop_map(|(who, minutes)| Step::Postpone(who, minutes)),
        1 => who().prop_map(Step::Cancel),
        2 => Just(Step::Join),
        2 => Just(Step::Sweep),
        3 => (1..900_i64).prop_map(Step::Wait),
        5 => Just(Step::WaitForTime),
    ]
}

fn cause() -> impl Strategy<Value = (Cause, i64)> {
    (0..4_u8, 0..40 * 24 * 60_i64, 0..4000_i64, any::<bool>()).prop_map(
        |(kind, began, later, client_asked)| {
            let agreed = start() + TimeDelta::minutes(began + later);
            let cause = match kind {
                0 => Cause::Promise { agreed, client_asked },
                1 => missed_call(),
                2 => Cause::Verification(about("cases/1/complaints/c", 1, &[WANG])),
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

fn begun(cause: Cause, began: DateTime<Utc>) -> Bench {
    let below_branch = matches!(cause, Cause::MissedCall(_) | Cause::Verification(_));
    Bench::begun(if below_branch { "branches/b1/callbacks/c" } else { "cases/1/callbacks/c" }, cause, began)
}

fn command(step: &Step, bench: &Bench, now: DateTime<Utc>) -> Option<Command> {
    let callback = bench.id();
    Some(match *step {
        Step::Lease(who) => Command::Lease { callback, employee: who.into() },
        Step::Release(who) => Command::Release { callback, employee: who.into() },
        Step::Fail(who) => {
            Command::RecordAttempt { callback, employee: who.into(), tried: Tried::Unreached(Met::NoAnswer) }
        }
        Step::Inconvenient { who, minutes, client_asked } => {
            let tried = Tried::Inconvenient { agreed: now + TimeDelta::minutes(minutes), client_asked };
            Command::RecordAttempt { callback, employee: who.into(), tried }
        }
        Step::Complete(who) => bench.completion(who),
        Step::Supersede(who) => bench.superseding(who, false),
        Step::Postpone(who, minutes) => Command::Postpone {
            callback,
            employee: who.into(),
            not_before: now + TimeDelta::minutes(minutes),
            reason: "later".into(),
        },
        Step::Cancel(who) => Command::Cancel { callback, employee: who.into(), reason: "given up".into() },
        Step::Sweep => Command::Due { callback },
        Step::Join | Step::Wait(_) | Step::WaitForTime => return None,
    })
}

/// An open callback waits for a time at which it can be leased, or is leased until a time, or a lead can decide; who is to be told of a missed limit
/// has a deadline.
fn has_a_next_step(bench: &Bench, now: DateTime<Utc>) -> bool {
    let (_, callback) = settled(&bench.callback, now, &bench.book);
    let mut bench = Bench { callback, ..bench.clone() };
    let deadlines: BTreeSet<_> = bench.callback.deadlines().iter().map(|deadline| deadline.due).collect();
    if bench.callback.steps_ahead().iter().any(|step| step.due <= now || !deadlines.contains(&step.due)) {
        return false;
    }
    match &bench.callback.stage {
        Stage::Waiting => {
            let earliest = bench.callback.not_before.max(now);
            let asked = is_asked_for(&bench.callback, earliest);
            let open = CallbacksPolicy::default().calling_windows.next_open(earliest);
            bench.lease(if asked { earliest } else { open }, ZHANG).is_ok()
        }
        Stage::Leased { until, .. } => deadlines.contains(until),
        Stage::LeadDecides => {
            let command = command(&Step::Postpone(LI, 24 * 60), &bench, now).unwrap();
            bench.tell(now, &command).is_ok()
        }
        Stage::Completed(_) | Stage::Cancelled { .. } => true,
    }
}

/// B2: the calling windows bind once the agreed time has passed with the grace of a promise.
fn is_asked_for(callback: &Callback, now: DateTime<Utc>) -> bool {
    callback.client_asked && now <= callback.not_before + CallbacksPolicy::default().promise_grace()
}

/// What the events on the way may do.
struct Watched {
    /// How often the limit that runs was missed.
    missed: usize,
    told: Vec<Level>,
}

impl Watched {
    fn event(
        &mut self,
        before: &Callback,
        after: &Callback,
        event: &Event,
        now: DateTime<Utc>,
    ) -> Result<(), TestCaseError> {
        let policy = CallbacksPolicy::default();
        match event {
            Event::CallbackLeased(_) => {
                prop_assert!(is_asked_for(before, now) || policy.calling_windows.contains(now), "B2");
                prop_assert!(now >= before.not_before, "B6");
            }
            Event::CallbackLimitMissed(_) => {
                self.missed += 1;
                prop_assert!(before.limit_runs() && now >= before.due, "B1");
            }
            Event::CallbackEscalated(escalated) => {
                let told = shouwen_callbacks::domain::codec::level(escalated.level()).unwrap();
                prop_assert!(self.missed == 1 && self.told.last().is_none_or(|last| *last < told), "O10");
                prop_assert!(before.is_untried() && before.is_open(), "O10");
                self.told.push(told);
            }
            // A time that is set anew is the limit from then on.
            Event::CallbackPostponed(_) | Event::AttemptRecorded(AttemptRecorded { due: Some(_), .. }) => {
                (self.missed, self.told) = (0, Vec::new());
                prop_assert!(after.limit_runs() && after.due >= after.not_before, "K6");
                prop_assert!(
                    after.client_asked || policy.calling_windows.limit(after.due) == after.due,
                    "B2"
                );
            }
            Event::AttemptRecorded(_) => prop_assert!(!after.limit_runs(), "B6"),
            Event::CallbackCoalesced(joined) if joined.due.is_some() => {
                (self.missed, self.told) = (0, Vec::new());
                prop_assert!(!before.is_untried() && after.limit_runs() && after.due > now, "K14");
                prop_assert!(policy.calling_windows.limit(after.due) == after.due, "B2");
            }
            Event::CallbackCoalesced(_) => {
                prop_assert!(before.is_untried() && after.due == before.due, "K14");
            }
            Event::CallbackExhausted(_) => {
                let days: BTreeSet<_> = after.round.iter().map(|time| local_date(*time)).collect();
                prop_assert_eq!(after.round.len(), policy.attempts as usize);
                prop_assert!(days.len() >= policy.attempt_days as usize, "B6: {:?}", after.round);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A recused employee neither holds nor recorded anything (B7).
fn took_part(callback: &Callback, employee: &str) -> bool {
    callback.attempts.iter().any(|attempt| attempt.employee == employee)
        || match &callback.stage {
            Stage::Leased { employee: holder, .. } => holder == employee,
            Stage::Completed(results) => {
                let former = results.superseded.iter().map(|former| &former.result);
                former.chain([&results.standing]).any(|result| result.employee == employee)
            }
            _ => false,
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
        let mut bench = begun(cause, now);
        // B2: the limit lies within the windows, unless the client asked for the time.
        let due = bench.callback.due;
        prop_assert!(bench.callback.client_asked || policy.calling_windows.limit(due) == due);
        prop_assert!(bench.callback.not_before <= due);
        let mut replayed = bench.callback.clone();
        let mut watched = Watched { missed: 0, told: Vec::new() };
        for step in steps {
            let before = bench.callback.clone();
            let events = match &step {
                Step::Wait(minutes) => { now += TimeDelta::minutes(*minutes); Ok(Vec::new()) }
                Step::WaitForTime => {
                    now = policy.calling_windows.next_open(now.max(bench.callback.not_before));
                    Ok(Vec::new())
                }
                Step::Join if bench.callback.kind == Kind::MissedCall && bench.callback.is_open() => {
                    Ok(bench.join(now, "calls/d"))
                }
                Step::Join => Ok(Vec::new()),
                other => {
                    let command = command(other, &bench, now).unwrap();
                    let told = bench.tell(now, &command);
                    let recused = bench.callback.kind.verification().is_some() && command.employee() == Some(WANG);
                    prop_assert_eq!(recused, matches!(told, Err(Rejection::Recused(_))), "B7");
                    told
                }
            };
            for event in events.unwrap_or_default() {
                watched.event(&before, &bench.callback, &event, now)?;
                evolve::apply(&mut replayed, &event, now);
            }
            prop_assert!(watched.missed <= 1);
            prop_assert!(bench.callback.round.len() <= policy.attempts as usize);
            prop_assert!(
                bench.callback.round.windows(2).all(|pair| pair[1] - pair[0] >= policy.attempt_spacing()),
                "B6: {:?}", bench.callback.round
            );
            prop_assert!(!bench.callback.is_open() || has_a_next_step(&bench, now), "{:?}", bench.callback);
            let keyed = bench.callback.kind.verification().is_some() || !bench.callback.caller_key.is_empty();
            prop_assert_eq!(bench.callback.keys().is_empty(), !keyed || !bench.callback.is_open());
            if let (Stage::Completed(before), Stage::Completed(after)) = (&before.stage, &bench.callback.stage) {
                prop_assert!(after.superseded.starts_with(&before.superseded), "C11: a result is gone");
            }
        }
        prop_assert!(bench.callback.kind.verification().is_none() || !took_part(&bench.callback, WANG), "B7");
        prop_assert_eq!(&replayed, &bench.callback, "the events alone tell the state");
        let kept: Callback = serde_json::from_str(&serde_json::to_string(&bench.callback).unwrap()).unwrap();
        prop_assert_eq!(&kept, &bench.callback, "it is stored whole");
    }

    #[test]
    fn o10_what_is_due_happens_the_same_whether_swept_in_time_late_or_met(
        (cause, began) in cause(),
        lease in 0..3000_i64,
        later in 0..5000_i64,
    ) {
        let began = start() + TimeDelta::minutes(began);
        let mut bench = begun(cause, began);
        // Leased or not: a lease that ends lies somewhere among the steps.
        let leased = began + TimeDelta::minutes(lease);
        let _ = bench.lease(leased, ZHANG);
        let now = leased + TimeDelta::minutes(later);
        let (at_once, met) = settled(&bench.callback, now, &bench.book);
        let mut in_time = Vec::new();
        let mut swept = bench.clone();
        while let Some(due) = swept.callback.deadlines().iter().map(|it| it.due).min().filter(|due| *due <= now) {
            let command = Command::Due { callback: swept.id() };
            in_time.extend(swept.tell(due, &command).unwrap());
        }
        prop_assert_eq!(&at_once, &in_time);
        prop_assert_eq!(&met, &swept.callback);
        // Events that are recorded late leave the same state.
        let mut folded = bench.callback.clone();
        for event in &at_once {
            evolve::apply(&mut folded, event, now);
        }
        prop_assert_eq!(&met, &folded);
        prop_assert!(settled(&met, now, &PolicyBook::standard()).0.is_empty());
    }
}
