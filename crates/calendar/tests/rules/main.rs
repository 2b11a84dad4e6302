//! The time rules, shown through the crate's public API: known days, documents, limits, windows, and properties
//! checked against a slow oracle that walks day by day and minute by minute.

mod data;
mod known_days;
mod limits;
mod oracle;
mod properties;
mod windows;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use shouwen_calendar::SHANGHAI;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// `2024-09-30 10:00` or with seconds, Shanghai time.
fn at(text: &str) -> DateTime<Utc> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M"))
        .unwrap();
    local.and_local_timezone(SHANGHAI).unwrap().to_utc()
}
