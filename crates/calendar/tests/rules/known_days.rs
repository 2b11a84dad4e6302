//! Days everybody in the trade remembers, typed by hand, so that a slip in making the data shows.

use chrono::{Datelike, NaiveDate};
use shouwen_calendar::{Calendar, CalendarData, Judged};

use crate::day;

/// Date, working day, trading day, why.
const KNOWN: &[(&str, bool, bool, &str)] = &[
    ("2015-01-02", false, false, "New Year 2015, Friday"),
    ("2015-01-04", true, false, "make-up Sunday for it"),
    ("2015-09-03", false, false, "70 years since the end of the war"),
    ("2015-09-06", true, false, "make-up Sunday for it"),
    ("2018-12-31", false, false, "New Year 2019 begins on a Monday of 2018"),
    ("2018-12-29", true, false, "make-up Saturday for it"),
    ("2019-05-03", false, false, "May holiday lengthened in March 2019"),
    ("2019-05-05", true, false, "make-up Sunday for it"),
    ("2020-01-19", true, false, "make-up Sunday before Spring Festival"),
    ("2020-01-23", true, true, "the last session before it"),
    ("2020-01-30", false, false, "Spring Festival as first announced"),
    ("2020-01-31", false, false, "its extension"),
    ("2020-02-01", false, false, "the make-up Saturday that the extension took back"),
    ("2020-02-03", true, true, "the first session after it"),
    ("2022-05-07", true, false, "make-up Saturday, May 2022"),
    ("2024-02-09", true, false, "New Year's Eve 2024: worked, the exchange closed"),
    ("2024-02-18", true, false, "make-up Sunday after Spring Festival 2024"),
    ("2024-09-29", true, false, "make-up Sunday before National Day 2024"),
    ("2024-09-30", true, true, "Monday before National Day"),
    ("2024-10-01", false, false, "National Day 2024"),
    ("2024-10-04", false, false, "National Day week, Friday"),
    ("2024-10-05", false, false, "a Saturday within it"),
    ("2024-10-07", false, false, "its last day, Monday"),
    ("2024-10-08", true, true, "the day after"),
    ("2024-10-12", true, false, "make-up Saturday after it"),
    ("2024-10-13", false, false, "a plain Sunday"),
    ("2025-01-28", false, false, "New Year's Eve, a holiday since 2025"),
    ("2025-10-08", false, false, "National Day and Mid-Autumn 2025: eight days"),
    ("2026-01-02", false, false, "New Year 2026, Friday"),
    ("2026-01-04", true, false, "make-up Sunday for it"),
    ("2026-02-14", true, false, "make-up Saturday before Spring Festival 2026"),
    ("2026-02-23", false, false, "the ninth day of Spring Festival 2026"),
    ("2026-02-24", true, true, "the day after"),
    ("2026-02-28", true, false, "make-up Saturday after it"),
    ("2026-09-20", true, false, "make-up Sunday before National Day 2026"),
    ("2026-10-10", true, false, "make-up Saturday after it"),
    ("2026-12-31", true, true, "the last day of the data"),
];

#[test]
fn s1_known_days_are_judged_as_announced() {
    let calendar = Calendar::builtin();
    for (date, working, trading, why) in KNOWN {
        let firm = |value| Judged { value, provisional: false };
        assert_eq!(calendar.is_working_day(day(date)), firm(*working), "working day {date}: {why}");
        assert_eq!(calendar.is_trading_day(day(date)), firm(*trading), "trading day {date}: {why}");
    }
}

/// Yearly totals, so that a day lost or doubled in the data shows.
#[test]
fn s1_each_year_has_its_number_of_sessions() {
    let calendar = Calendar::builtin();
    let totals = [
        (2015, 244),
        (2016, 244),
        (2017, 244),
        (2018, 243),
        (2019, 244),
        (2020, 243),
        (2021, 243),
        (2022, 242),
        (2023, 242),
        (2024, 242),
        (2025, 243),
        (2026, 242),
    ];
    for (year, sessions) in totals {
        let days =
            || NaiveDate::from_ymd_opt(year, 1, 1).unwrap().iter_days().take_while(|d| d.year() == year);
        let trading = days().filter(|d| calendar.is_trading_day(*d).value).count();
        assert_eq!(trading, sessions, "sessions in {year}");
        assert!(days().all(|d| calendar.is_working_day(d).value || !calendar.is_trading_day(d).value));
    }
}

#[test]
fn s1_the_next_working_day_skips_holidays_and_finds_make_up_days() {
    let calendar = Calendar::builtin();
    let next = |date| calendar.next_working_day(day(date)).value;
    assert_eq!(next("2024-09-27"), day("2024-09-29"), "Friday, then the make-up Sunday");
    assert_eq!(next("2024-09-30"), day("2024-10-08"), "over the holiday");
    assert_eq!(next("2024-10-11"), day("2024-10-12"), "the make-up Saturday");
    assert_eq!(next("2024-10-08"), day("2024-10-09"), "strictly after");
}

#[test]
fn s3_outside_the_imported_years_monday_to_friday_serves_provisionally() {
    let calendar = Calendar::builtin();
    let provisional = |value| Judged { value, provisional: true };
    assert_eq!(calendar.is_working_day(day("2027-01-01")), provisional(true), "a Friday");
    assert_eq!(calendar.is_working_day(day("2027-01-02")), provisional(false), "a Saturday");
    assert_eq!(calendar.is_trading_day(day("2014-12-31")), provisional(true));
    let next = calendar.next_working_day(day("2026-12-31"));
    assert_eq!(next, Judged { value: day("2027-01-01"), provisional: true });
    assert!(!calendar.next_working_day(day("2026-12-30")).provisional);
}

#[test]
fn s3_the_end_of_the_data_is_announced_sixty_days_ahead() {
    let calendar = Calendar::builtin();
    assert_eq!(calendar.covered_until(), day("2026-12-31"));
    for (today, left) in [("2026-11-01", 60), ("2026-12-31", 0), ("2027-01-01", -1), ("2027-05-01", -121)] {
        assert_eq!(calendar.days_left(day(today)), left, "{today}");
    }
    assert!(calendar.days_left(day("2014-12-31")) < -1_000, "nothing is known of the years before");

    let text = "version = \"cn-2028.1\"\n[[year]]\nyear = 2028\nholidays = [\"2028-05-01\"]\nmake_up = []\n";
    let beyond_a_gap = calendar.with(CalendarData::parse(text).unwrap());
    assert_eq!(beyond_a_gap.covered_until(), day("2026-12-31"), "2027 is missing");
    for (today, left) in [("2026-12-01", 30), ("2027-12-31", -365), ("2028-06-01", 213)] {
        assert_eq!(beyond_a_gap.days_left(day(today)), left, "{today}");
    }
}
