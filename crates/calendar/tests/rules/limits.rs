//! Limits by example. In 2024 the National Day holiday ran from Tuesday 1 to Monday 7 October; Sunday 29 September and
//! Saturday 12 October were worked.

use std::num::NonZeroU32;

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_calendar::{
    AcceptanceDay, Calendar, DayIntervals, WorkingHours, local_date, start_of_day, within_hours,
};

use crate::{at, day};
use AcceptanceDay::{CountsAsFirst, NotCounted};

fn within(accepted: &str, n: u32, acceptance_day: AcceptanceDay) -> DateTime<Utc> {
    let n = NonZeroU32::new(n).unwrap();
    Calendar::builtin().within_working_days(at(accepted), n, acceptance_day, &WorkingHours::default()).value
}

#[test]
fn s2_the_day_of_acceptance_counts_as_the_first() {
    assert_eq!(within("2024-09-26 10:00", 1, CountsAsFirst), at("2024-09-26 17:00"));
    assert_eq!(
        within("2024-09-26 10:00", 3, CountsAsFirst),
        at("2024-09-29 17:00"),
        "the make-up Sunday is day 3"
    );
    assert_eq!(within("2024-09-26 10:00", 5, CountsAsFirst), at("2024-10-08 17:00"), "over the holiday");
}

#[test]
fn s2_accepted_on_a_free_day_the_next_working_day_is_the_first() {
    assert_eq!(within("2024-10-03 10:00", 1, CountsAsFirst), at("2024-10-08 17:00"));
    assert_eq!(within("2024-10-03 10:00", 1, NotCounted), at("2024-10-08 17:00"));
    assert_eq!(within("2024-10-03 10:00", 2, NotCounted), at("2024-10-09 17:00"));
}

#[test]
fn s2_the_day_of_acceptance_is_not_counted() {
    assert_eq!(within("2024-09-30 10:00", 1, NotCounted), at("2024-10-08 17:00"));
    assert_eq!(within("2024-09-27 10:00", 2, NotCounted), at("2024-09-30 17:00"));
}

#[test]
fn s2_whole_days_count_whatever_the_hour() {
    assert_eq!(within("2024-09-26 00:00", 2, CountsAsFirst), at("2024-09-27 17:00"));
    assert_eq!(within("2024-09-26 23:59:59", 2, CountsAsFirst), at("2024-09-27 17:00"));
    assert_eq!(
        within("2024-09-26 20:00", 1, CountsAsFirst),
        at("2024-09-26 17:00"),
        "due before its acceptance"
    );
}

#[test]
fn s2_days_are_days_in_shanghai() {
    let before_midnight_utc = "2024-09-26T17:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let due = Calendar::builtin().within_working_days(
        before_midnight_utc,
        NonZeroU32::MIN,
        CountsAsFirst,
        &WorkingHours::default(),
    );
    assert_eq!(due.value, at("2024-09-27 17:00"), "it is already the 27th in Shanghai");
}

#[test]
fn s1_a_day_begins_at_midnight_in_shanghai() {
    let midnight = start_of_day(day("2024-09-27"));
    assert_eq!(midnight, "2024-09-26T16:00:00Z".parse::<DateTime<Utc>>().unwrap());
    assert_eq!(local_date(midnight), day("2024-09-27"));
    assert_eq!(local_date(midnight - TimeDelta::nanoseconds(1)), day("2024-09-26"));
}

#[test]
fn s2_hours_are_clock_time() {
    assert_eq!(within_hours(at("2024-09-30 16:00"), 24), at("2024-10-01 16:00"));
    assert_eq!(within_hours(DateTime::<Utc>::MAX_UTC, 1), DateTime::<Utc>::MAX_UTC);
}

#[test]
fn s1_working_time_is_working_hours_of_a_working_day() {
    let calendar = Calendar::builtin();
    let working = |text| calendar.is_working_time(at(text), &WorkingHours::default()).value;
    assert!(!working("2024-09-29 08:29:59"));
    assert!(working("2024-09-29 08:30"), "a make-up Sunday");
    assert!(!working("2024-09-29 11:30"), "the lunch break");
    assert!(working("2024-09-29 13:00"));
    assert!(working("2024-09-29 16:59:59"));
    assert!(!working("2024-09-29 17:00"));
    assert!(!working("2024-10-01 10:00"), "National Day");
}

#[test]
fn o5_the_next_working_time_is_told_after_hours() {
    let calendar = Calendar::builtin();
    let next = |text| calendar.next_working_time(at(text), &WorkingHours::default()).value;
    assert_eq!(next("2024-09-30 07:00"), at("2024-09-30 08:30"));
    assert_eq!(next("2024-09-30 10:00:07"), at("2024-09-30 10:00:07"));
    assert_eq!(next("2024-09-30 11:30"), at("2024-09-30 13:00"));
    assert_eq!(next("2024-09-30 17:00"), at("2024-10-08 08:30"));
    assert_eq!(next("2024-10-07 10:00"), at("2024-10-08 08:30"));
}

#[test]
fn b1_an_after_hours_contact_is_due_on_the_day_working_hours_begin_next() {
    let calendar = Calendar::builtin();
    let due = |text| calendar.end_of_next_working_day(at(text), &WorkingHours::default()).value;
    assert_eq!(due("2024-09-27 07:00"), at("2024-09-27 17:00"), "before opening: that day");
    assert_eq!(due("2024-09-27 08:30"), at("2024-09-27 17:00"));
    assert_eq!(due("2024-09-27 12:00"), at("2024-09-27 17:00"), "lunch break: that afternoon");
    assert_eq!(due("2024-09-27 15:00"), at("2024-09-29 17:00"), "no interval begins any more");
    assert_eq!(due("2024-09-27 20:00"), at("2024-09-29 17:00"), "the make-up Sunday");
    assert_eq!(due("2024-09-30 20:00"), at("2024-10-08 17:00"), "over the holiday");
    assert_eq!(due("2024-10-02 07:00"), at("2024-10-08 17:00"), "on the holiday");
}

#[test]
fn k14_thirty_working_minutes_stop_with_the_hours_and_go_on_with_them() {
    let calendar = Calendar::builtin();
    let due = |text| calendar.after_working_minutes(at(text), 30, &WorkingHours::default()).value;
    assert_eq!(due("2024-09-30 10:00:07"), at("2024-09-30 10:30:07"));
    assert_eq!(due("2024-09-30 11:00"), at("2024-09-30 11:30"), "up to the end");
    assert_eq!(due("2024-09-30 11:20:30"), at("2024-09-30 13:20:30"), "over lunch");
    assert_eq!(due("2024-09-30 12:00"), at("2024-09-30 13:30"));
    assert_eq!(due("2024-09-30 07:00"), at("2024-09-30 09:00"));
    assert_eq!(due("2024-09-30 16:50"), at("2024-10-08 08:50"), "over the holiday");
    assert_eq!(due("2024-10-05 10:00"), at("2024-10-08 09:00"));
}

#[test]
fn k14_minutes_may_fill_days() {
    let calendar = Calendar::builtin();
    let hours = WorkingHours::default();
    let after = |minutes| calendar.after_working_minutes(at("2024-09-30 17:00"), minutes, &hours).value;
    assert_eq!(after(0), at("2024-09-30 17:00"));
    assert_eq!(after(420), at("2024-10-08 17:00"), "one whole day");
    assert_eq!(after(421), at("2024-10-09 08:31"));
    assert_eq!(after(840), at("2024-10-09 17:00"));
}

#[test]
fn s3_a_limit_that_reaches_unknown_days_is_provisional() {
    let calendar = Calendar::builtin();
    let hours = WorkingHours::default();
    let within = |accepted: &str, n: u32| {
        let n = NonZeroU32::new(n).unwrap();
        calendar.within_working_days(at(accepted), n, CountsAsFirst, &hours).provisional
    };
    assert!(!within("2026-12-30 10:00", 2));
    assert!(within("2026-12-30 10:00", 3));
    assert!(!calendar.after_working_minutes(at("2026-12-31 16:30"), 30, &hours).provisional);
    assert!(calendar.after_working_minutes(at("2026-12-31 16:30"), 31, &hours).provisional);
    assert!(
        calendar.after_working_minutes(at("2014-12-31 20:00"), 31, &hours).provisional,
        "today is unknown"
    );
    assert!(calendar.end_of_next_working_day(at("2026-12-31 20:00"), &hours).provisional);
    assert!(calendar.next_working_time(at("2026-12-31 20:00"), &hours).provisional);
    assert!(!calendar.is_working_time(at("2026-12-31 20:00"), &hours).provisional);
}

#[test]
fn s2_absurd_limits_saturate_quickly() {
    let calendar = Calendar::builtin();
    let hours = WorkingHours::default();
    let far = calendar.within_working_days(at("2024-09-30 10:00"), NonZeroU32::MAX, NotCounted, &hours);
    assert!(far.provisional);
    assert!(far.value > DateTime::<Utc>::MAX_UTC - TimeDelta::days(2));
    let far = calendar.after_working_minutes(at("2024-09-30 10:00"), u32::MAX, &hours);
    assert!(far.provisional && far.value > at("9999-01-01 00:00"));
    let late = DateTime::<Utc>::MAX_UTC;
    assert!(!calendar.is_working_time(late, &hours).value);
    calendar.after_working_minutes(late, 30, &hours);
    calendar.end_of_next_working_day(late, &hours);
    calendar.next_working_time(late, &hours);
    calendar.within_working_days(DateTime::<Utc>::MIN_UTC, NonZeroU32::MIN, CountsAsFirst, &hours);
}

#[test]
fn s1_working_hours_are_read_from_policy_documents() {
    let text = r#"[["08:30","11:30"],["13:00","17:00"]]"#;
    let hours: WorkingHours = serde_json::from_str(text).unwrap();
    assert_eq!(hours, WorkingHours::default());
    assert_eq!(serde_json::to_string(&hours).unwrap(), text);
    assert!(DayIntervals::new([["00:00", "24:00"]]).is_ok());
}

#[test]
fn s1_bad_working_hours_say_what_is_wrong() {
    let cases = [
        ("[]", "no interval: give at least one"),
        (r#"[["8:30","11:30"]]"#, r#"interval 1: "8:30" is not a time of day: write HH:MM"#),
        (r#"[["08:30","11:60"]]"#, r#"interval 1: "11:60" is not a time of day"#),
        (r#"[["08:30","24:01"]]"#, r#"interval 1: "24:01" is not a time of day"#),
        (
            r#"[["08:30","11:30"],["17:00","13:00"]]"#,
            "interval 2: ends at 13:00, not after its start at 17:00",
        ),
        (r#"[["08:30","08:30"]]"#, "interval 1: ends at 08:30, not after its start at 08:30"),
        (
            r#"[["08:30","11:30"],["11:00","13:00"]]"#,
            "interval 2: starts at 11:00, not after the end of the one before it at 11:30",
        ),
        (r#"[["08:30","11:30"],["11:30","13:00"]]"#, "interval 2: starts at 11:30, not after the end"),
        (r#"[["13:00","17:00"],["08:30","11:30"]]"#, "interval 2: starts at 08:30, not after the end"),
    ];
    for (text, expected) in cases {
        let error = serde_json::from_str::<WorkingHours>(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}
