//! Numbers of complaints (C15): unit, two-digit year, two-digit month, serial; restarting each month per unit, without gaps.
//!
//! The serial is a counter that is locked with the batch, and advances only with an accepted command.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use shouwen_calendar::local_date;
use shouwen_engine::Key;

/// The kind of keys by which a decision sees that the counter of a month was locked. Nothing ever holds one.
pub const KEY_MONTH: &str = "number_month";

/// The series of one unit and month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The id behind `branches/`.
    unit: String,
    yymm: String,
}

impl Series {
    /// The series to which a number of a unit belongs that is given at a time; months are those of Shanghai.
    pub fn of(receiving_unit: &str, at: DateTime<Utc>) -> Self {
        Self::in_month(receiving_unit, local_date(at))
    }

    /// The series of the month in which a time lies, and of the next one.
    pub fn around(receiving_unit: &str, at: DateTime<Utc>) -> [Self; 2] {
        let today = local_date(at);
        let next = today.checked_add_months(Months::new(1)).unwrap_or(today);
        [Self::in_month(receiving_unit, today), Self::in_month(receiving_unit, next)]
    }

    fn in_month(receiving_unit: &str, day: NaiveDate) -> Self {
        let unit = receiving_unit.strip_prefix("branches/").unwrap_or(receiving_unit);
        let yymm = format!("{:02}{:02}", day.year().rem_euclid(100), day.month());
        Self { unit: unit.to_owned(), yymm }
    }

    /// The counter of the series.
    pub fn counter(&self) -> String {
        format!("number|{}|{}", self.unit, self.yymm)
    }

    /// The key that stands in a footprint beside the counter.
    pub fn key(&self) -> Key {
        Key { kind: KEY_MONTH, key: format!("{}|{}", self.unit, self.yymm) }
    }

    /// The number with a serial: four digits, more when needed.
    pub fn number(&self, serial: i64) -> String {
        format!("{}-{}-{serial:04}", self.unit, self.yymm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("{text}+08:00").parse::<DateTime<chrono::FixedOffset>>().unwrap().to_utc()
    }

    #[test]
    fn c15_a_number_names_unit_year_month_and_serial() {
        let series = Series::of("branches/changzhi", at("2025-09-30T23:59:59"));
        assert_eq!(series.counter(), "number|changzhi|2509");
        assert_eq!(series.number(1), "changzhi-2509-0001");
        assert_eq!(series.number(10_000), "changzhi-2509-10000", "more digits when needed");
    }

    #[test]
    fn c15_months_are_those_of_shanghai() {
        assert_eq!(Series::of("branches/b1", at("2025-10-01T00:00:00")).number(1), "b1-2510-0001");
        assert_eq!(Series::of("branches/b1", at("2026-01-01T07:59:59")).number(1), "b1-2601-0001");
        let [this, next] = Series::around("branches/b1", at("2025-12-31T23:59:59"));
        assert_eq!((this.number(7), next.number(1)), ("b1-2512-0007".into(), "b1-2601-0001".into()));
    }
}
