//! Calling windows (B2): when a client may be called, on any calendar day. No calendar is needed for that; a time
//! the client asked for is not checked here.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::intervals::{DayIntervals, two};
use crate::zone::{day_after, instant, local};

/// The times outside the client's rest, the same on every calendar day. By default 9:00-11:30 and 13:30-20:00 (B2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Windows(pub DayIntervals);

impl Default for Windows {
    fn default() -> Self {
        Windows(two((9, 0, 11, 30), (13, 30, 20, 0)))
    }
}

impl Windows {
    /// Whether a call may begin at `at`; no longer at the very end of a window.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.0.contain(local(at).1)
    }

    /// The earliest time from `at` on at which a call may begin: `at` itself within a window.
    pub fn next_open(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let (date, time) = local(at);
        match self.0.open_from(time) {
            Some(open) => instant(date, open),
            None => instant(day_after(date), self.0.first_opening()),
        }
    }

    /// Where a limit really ends: at `due` if that is within a window or at its end, else with the next window.
    pub fn limit(&self, due: DateTime<Utc>) -> DateTime<Utc> {
        let (date, time) = local(due);
        let ends_yesterday = time == TimeDelta::zero() && self.0.last_until_midnight();
        if ends_yesterday || self.0.reach(time) {
            return due;
        }
        match self.0.end_of_next(time) {
            Some(end) => instant(date, end),
            None => instant(day_after(date), self.0.first_closing()),
        }
    }
}
