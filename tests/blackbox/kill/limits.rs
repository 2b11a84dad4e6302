//! Limits that have passed when they are set, so that they are missed and climb while processes die: every day is a working day that is over after its
//! first minute, and the levels follow each other by minutes (C3, O10).

use std::collections::BTreeMap;

use chrono::{Datelike as _, NaiveDate, TimeDelta, Weekday};
use shouwen_calendar::SHANGHAI;
use shouwen_runtime::clock::now;

use crate::harness::{
    Suite,
    policies::{adopt, intervals, number, text},
};

/// Minutes after a missed limit at which each level is told: the responsible persons, the lead, HQ, the company leader.
pub(super) const LADDER: [i64; 4] = [0, 1, 2, 3];

/// Adopts such policies.
pub(super) async fn that_pass_at_once(suite: &Suite) {
    crate::harness::policies::clients_are_called_at_any_hour(suite).await;
    let [_, lead, hq, leader] = LADDER.map(|minutes| number(f64::from(i32::try_from(minutes).unwrap())));
    let ladder = [("lead_minutes", lead), ("hq_minutes", hq), ("company_leader_minutes", leader)];
    adopt(suite, "escalation", ladder).await;
    adopt(suite, "hours", [("working_hours", intervals(&[["00:00", "00:01"]]))]).await;
    adopt(suite, "calendar", [("toml", text(&calendar()))]).await;
}

/// A calendar by which today and the days around it are working days.
fn calendar() -> String {
    let today = now().with_timezone(&SHANGHAI).date_naive();
    let mut years: BTreeMap<i32, Vec<NaiveDate>> = BTreeMap::new();
    for day in (-2..3).map(|days| today + TimeDelta::days(days)) {
        let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        years.entry(day.year()).or_default().extend(weekend.then_some(day));
    }
    let years = years.into_iter().map(|(year, make_up)| {
        let make_up: Vec<String> = make_up.iter().map(ToString::to_string).collect();
        format!(
            "\n[[year]]\nyear = {year}\nholidays = []\nmake_up = {make_up:?}\nexchange_also_closed = []\n"
        )
    });
    format!("version = \"every-day\"\n{}", years.collect::<String>())
}
