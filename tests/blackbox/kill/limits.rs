//! Limits that have passed when they are set, so that they are missed and climb while processes die: every day is a working day that is over after its
//! first minute (C3, O10).

use std::collections::BTreeMap;

use chrono::{Datelike as _, NaiveDate, TimeDelta, Weekday};
use shouwen_calendar::SHANGHAI;
use shouwen_runtime::clock::now;

use crate::harness::{
    Suite,
    policies::{adopt, clients_are_called_at_any_hour, intervals, text},
};

/// Adopts such policies.
pub(super) async fn that_pass_at_once(suite: &Suite) {
    let calendar = calendar();
    tokio::join!(
        clients_are_called_at_any_hour(suite),
        adopt(suite, "hours", [("working_hours", intervals(&[["00:00", "00:01"]]))]),
        adopt(suite, "calendar", [("toml", text(&calendar))]),
    );
}

/// A calendar by which today and the days around it are working days. No year is without a holiday, so each has one far from today.
fn calendar() -> String {
    let today = now().with_timezone(&SHANGHAI).date_naive();
    let weekend = |day: &NaiveDate| matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    let mut make_up: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for day in (-2..3).map(|days| today + TimeDelta::days(days)) {
        make_up.entry(day.year()).or_default().extend(weekend(&day).then(|| day.to_string()));
    }
    let years = make_up.into_iter().map(|(year, make_up)| {
        let far = |day: &NaiveDate| (*day - today).num_days().abs() > 7 && !weekend(day);
        let holiday = NaiveDate::from_ymd_opt(year, 1, 1).unwrap().iter_days().find(far).unwrap();
        format!(
            "\n[[year]]\nyear = {year}\nholidays = [\"{holiday}\"]\nmake_up = {make_up:?}\nexchange_also_closed = []\n"
        )
    });
    format!("version = \"every-day\"\n{}", years.collect::<String>())
}
