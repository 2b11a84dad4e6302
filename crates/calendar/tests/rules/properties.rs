//! What holds for every calendar question, checked against the oracle.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use proptest::prelude::*;
use shouwen_calendar::{AcceptanceDay, Calendar, DayIntervals, Judged, Windows, WorkingHours, local_date};

use crate::oracle::{self, Minutes};

static CALENDAR: LazyLock<Calendar> = LazyLock::new(Calendar::builtin);

/// Seconds from late 2014 to mid 2027: both ends reach beyond the data.
fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    (1_414_800_000_i64..1_814_400_000).prop_map(|s| DateTime::from_timestamp(s, 0).unwrap())
}

fn whole_minutes() -> impl Strategy<Value = DateTime<Utc>> {
    instants().prop_map(|at| at - TimeDelta::seconds(at.timestamp() % 60))
}

fn instant_pairs() -> impl Strategy<Value = (DateTime<Utc>, DateTime<Utc>)> {
    (instants(), 0_i64..2_000_000).prop_map(|(at, more)| (at, at + TimeDelta::seconds(more)))
}

/// Any valid intervals: distinct minutes in order, taken two by two.
fn intervals() -> impl Strategy<Value = Vec<(u32, u32)>> {
    prop::collection::btree_set(0_u32..=1440, 2..8).prop_map(|minutes| {
        let minutes: Vec<u32> = minutes.into_iter().collect();
        minutes.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
    })
}

fn acceptance_days() -> impl Strategy<Value = AcceptanceDay> {
    prop_oneof![Just(AcceptanceDay::CountsAsFirst), Just(AcceptanceDay::NotCounted)]
}

fn day_intervals(minutes: &Minutes) -> DayIntervals {
    let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
    DayIntervals::new(minutes.iter().map(|(opens, closes)| [clock(*opens), clock(*closes)])).unwrap()
}

fn hours(minutes: &Minutes) -> WorkingHours {
    WorkingHours(day_intervals(minutes))
}

fn within_days(at: DateTime<Utc>, n: u32, day: AcceptanceDay, hours: &WorkingHours) -> Judged<DateTime<Utc>> {
    CALENDAR.within_working_days(at, NonZeroU32::new(n).unwrap(), day, hours)
}

/// The end of the last interval of the day, as an instant.
fn closing(day: NaiveDate, hours: &Minutes) -> DateTime<Utc> {
    let midnight = day.and_hms_opt(0, 0, 0).unwrap().and_utc() - TimeDelta::hours(8);
    midnight + TimeDelta::minutes(hours.last().unwrap().1.into())
}

proptest! {
    #[test]
    fn s1_every_day_is_judged_like_the_oracle(at in instants()) {
        let day = local_date(at);
        let judged = CALENDAR.is_working_day(day);
        prop_assert_eq!(judged, Judged { value: oracle::working_day(day), provisional: !oracle::known(day) });
    }

    #[test]
    fn s2_working_days_agree_with_walking(
        at in instants(), n in 1_u32..60, counted in acceptance_days(), minutes in intervals(),
    ) {
        let accepted = oracle::local(at).0;
        let first = match counted {
            AcceptanceDay::CountsAsFirst => accepted,
            AcceptanceDay::NotCounted => accepted.succ_opt().unwrap(),
        };
        let (day, known) = oracle::nth_working_day(first, n);
        let expected = Judged { value: closing(day, &minutes), provisional: !known };
        prop_assert_eq!(within_days(at, n, counted, &hours(&minutes)), expected);
    }

    #[test]
    fn s2_far_limits_agree_with_walking(at in instants(), n in 1_u32..3000) {
        let (day, known) = oracle::nth_working_day(oracle::local(at).0, n);
        let due = within_days(at, n, AcceptanceDay::CountsAsFirst, &WorkingHours::default());
        prop_assert_eq!(due.map(local_date), Judged { value: day, provisional: !known });
    }

    #[test]
    fn s2_later_acceptance_and_more_days_never_end_earlier(
        (early, late) in instant_pairs(), n in 1_u32..40, more in 0_u32..10, counted in acceptance_days(),
    ) {
        let hours = WorkingHours::default();
        let due = within_days(early, n, counted, &hours).value;
        prop_assert!(due <= within_days(late, n, counted, &hours).value);
        let longer = within_days(early, n + more, counted, &hours).value;
        prop_assert_eq!(due.cmp(&longer), 0.cmp(&more));
    }

    #[test]
    fn s2_a_limit_ends_with_the_working_hours_of_a_working_day(
        at in instants(), n in 1_u32..40, counted in acceptance_days(),
    ) {
        let hours = WorkingHours::default();
        let due = within_days(at, n, counted, &hours).value;
        prop_assert_eq!(oracle::local(due).1, 17 * 60);
        prop_assert!(CALENDAR.is_working_day(local_date(due)).value);
        prop_assert!(CALENDAR.is_working_time(due - TimeDelta::nanoseconds(1), &hours).value);
        prop_assert!(!CALENDAR.is_working_time(due, &hours).value);
    }

    #[test]
    fn s2_counting_the_day_of_acceptance_never_ends_later(at in instants(), n in 1_u32..40) {
        let hours = WorkingHours::default();
        let counting = within_days(at, n, AcceptanceDay::CountsAsFirst, &hours).value;
        let not = within_days(at, n, AcceptanceDay::NotCounted, &hours).value;
        prop_assert!(counting <= not);
        prop_assert_eq!(counting == not, !oracle::working_day(oracle::local(at).0));
    }

    #[test]
    fn s1_working_time_agrees_with_the_oracle(at in instants(), minutes in intervals()) {
        let judged = CALENDAR.is_working_time(at, &hours(&minutes)).value;
        prop_assert_eq!(judged, oracle::working_minute(at, &minutes));
    }

    #[test]
    fn k14_working_minutes_agree_with_walking(at in whole_minutes(), n in 1_u32..1500) {
        let default = [(510, 690), (780, 1020)];
        let due = CALENDAR.after_working_minutes(at, n, &WorkingHours::default()).value;
        prop_assert_eq!(due, oracle::after_working_minutes(at, n, &default));
    }

    #[test]
    fn k14_working_minutes_agree_with_walking_for_any_hours(
        at in whole_minutes(), n in 1_u32..40, minutes in intervals(),
    ) {
        let due = CALENDAR.after_working_minutes(at, n, &hours(&minutes)).value;
        prop_assert_eq!(due, oracle::after_working_minutes(at, n, &minutes));
    }

    #[test]
    fn k14_working_minutes_add_up(at in instants(), a in 0_u32..2000, b in 0_u32..2000, minutes in intervals()) {
        let hours = hours(&minutes);
        let after = |from, n| CALENDAR.after_working_minutes(from, n, &hours).value;
        prop_assert_eq!(after(after(at, a), b), after(at, a + b));
    }

    #[test]
    fn k14_a_later_start_never_ends_earlier((early, late) in instant_pairs(), n in 0_u32..2000) {
        let hours = WorkingHours::default();
        let after = |from| CALENDAR.after_working_minutes(from, n, &hours).value;
        prop_assert!(after(early) <= after(late));
        prop_assert!(after(early) >= early + TimeDelta::minutes(n.into()));
    }

    #[test]
    fn o5_the_next_working_time_agrees_with_walking(at in whole_minutes(), minutes in intervals()) {
        let next = CALENDAR.next_working_time(at, &hours(&minutes)).value;
        prop_assert_eq!(next, oracle::first_minute(at, |t| oracle::working_minute(t, &minutes)));
        if next > at {
            let due = CALENDAR.end_of_next_working_day(at, &hours(&minutes)).value;
            prop_assert_eq!(due, closing(oracle::local(next).0, &minutes));
        }
    }

    #[test]
    fn b1_the_next_working_day_agrees_with_walking(at in whole_minutes(), minutes in intervals()) {
        let begins = oracle::first_minute(at, |t| {
            let (day, minute) = oracle::local(t);
            oracle::working_day(day) && minutes.iter().any(|(opens, _)| *opens == minute)
        });
        let due = CALENDAR.end_of_next_working_day(at, &hours(&minutes)).value;
        prop_assert_eq!(due, closing(oracle::local(begins).0, &minutes));
    }

    #[test]
    fn b1_a_later_contact_is_never_due_earlier((early, late) in instant_pairs()) {
        let hours = WorkingHours::default();
        let due = |at| CALENDAR.end_of_next_working_day(at, &hours).value;
        prop_assert!(due(early) <= due(late));
        prop_assert!(due(early) > early);
    }

    #[test]
    fn b2_the_next_opening_agrees_with_walking(at in whole_minutes(), minutes in intervals()) {
        let windows = Windows(day_intervals(&minutes));
        let inside = |t| oracle::within(oracle::local(t).1, &minutes);
        prop_assert_eq!(windows.contains(at), inside(at));
        prop_assert_eq!(windows.next_open(at), oracle::first_minute(at, inside));
    }

    #[test]
    fn b2_a_limit_is_never_before_its_due_time_and_ends_in_or_with_a_window(
        due in whole_minutes(), minutes in intervals(),
    ) {
        let windows = Windows(day_intervals(&minutes));
        let at_end = |t| {
            let minute = oracle::local(t).1;
            minutes.iter().any(|(_, closes)| closes % 1440 == minute)
        };
        let limit = windows.limit(due);
        prop_assert!(limit >= due);
        prop_assert!(windows.contains(limit) || at_end(limit));
        prop_assert_eq!(windows.limit(limit), limit);
        let expected = if windows.contains(due) { due } else { oracle::first_minute(due, at_end) };
        prop_assert_eq!(limit, expected);
    }
}
