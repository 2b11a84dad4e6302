//! The rules once more, told in the slowest and plainest way: the document read line by line, days walked one by one,
//! time walked minute by minute. Shares no code with the crate.

use std::collections::HashSet;
use std::sync::LazyLock;

use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, TimeDelta, Timelike, Utc};

struct Days2015To2026 {
    holidays: HashSet<NaiveDate>,
    make_up: HashSet<NaiveDate>,
}

static DAYS: LazyLock<Days2015To2026> = LazyLock::new(|| {
    let mut days = Days2015To2026 { holidays: HashSet::new(), make_up: HashSet::new() };
    let mut list = "";
    for line in include_str!("../../data/cn-2015-2026.toml").lines() {
        if let Some((name, _)) = line.split_once(" = ") {
            list = name;
        }
        for day in line.split('"').filter_map(|piece| piece.parse().ok()) {
            match list {
                "holidays" => days.holidays.insert(day),
                "make_up" => days.make_up.insert(day),
                _ => false,
            };
        }
    }
    days
});

pub(crate) fn working_day(day: NaiveDate) -> bool {
    let weekday = day.weekday().number_from_monday() <= 5;
    (weekday || DAYS.make_up.contains(&day)) && !DAYS.holidays.contains(&day)
}

pub(crate) fn known(day: NaiveDate) -> bool {
    (2015..=2026).contains(&day.year())
}

/// Day and minute of the day in Shanghai.
pub(crate) fn local(at: DateTime<Utc>) -> (NaiveDate, u32) {
    let local = at.with_timezone(&FixedOffset::east_opt(8 * 3600).unwrap());
    (local.date_naive(), local.hour() * 60 + local.minute())
}

/// Pairs of minutes of the day.
pub(crate) type Minutes = [(u32, u32)];

pub(crate) fn within(minute: u32, intervals: &Minutes) -> bool {
    intervals.iter().any(|(opens, closes)| (*opens..*closes).contains(&minute))
}

pub(crate) fn working_minute(at: DateTime<Utc>, hours: &Minutes) -> bool {
    let (day, minute) = local(at);
    working_day(day) && within(minute, hours)
}

/// Day `n`, and whether each day looked at was known.
pub(crate) fn nth_working_day(first: NaiveDate, n: u32) -> (NaiveDate, bool) {
    let mut day = first;
    let mut count = 0;
    let mut all_known = true;
    loop {
        all_known &= known(day);
        if working_day(day) {
            count += 1;
        }
        if count == n {
            return (day, all_known);
        }
        day = day + Days::new(1);
    }
}

/// The end of the `n`-th working minute from `from`, which is a whole minute.
pub(crate) fn after_working_minutes(from: DateTime<Utc>, n: u32, hours: &Minutes) -> DateTime<Utc> {
    let mut at = from;
    let mut count = 0;
    while count < n {
        if working_minute(at, hours) {
            count += 1;
        }
        at += TimeDelta::minutes(1);
    }
    at
}

/// The first whole minute from `from` on that satisfies `wanted`.
pub(crate) fn first_minute(from: DateTime<Utc>, wanted: impl Fn(DateTime<Utc>) -> bool) -> DateTime<Utc> {
    let mut at = from;
    while !wanted(at) {
        at += TimeDelta::minutes(1);
    }
    at
}
