//! Limits counted in working days, working minutes and clock hours (S2), and what "the next working day" means to
//! somebody who calls after hours (O5). Every function is pure: the same calendar gives the same answer.

use std::num::NonZeroU32;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, Judged};
use crate::intervals::WorkingHours;
use crate::zone::{day_after, instant, local};

/// Whether the day on which something is accepted is counted in its limit (S2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcceptanceDay {
    /// It is day 1 if it is a working day, otherwise the next working day is.
    CountsAsFirst,
    /// Day 1 is the next working day.
    NotCounted,
}

impl Calendar {
    /// "Within `n` working days": the end of working hours of day `n` (S2).
    ///
    /// Whole days are counted, whatever the time of acceptance: with `n` = 1 and the day of acceptance counted, what
    /// is accepted after closing was due before it was accepted.
    pub fn within_working_days(
        &self,
        accepted: DateTime<Utc>,
        n: NonZeroU32,
        acceptance_day: AcceptanceDay,
        hours: &WorkingHours,
    ) -> Judged<DateTime<Utc>> {
        let (date, _) = local(accepted);
        let first = match acceptance_day {
            AcceptanceDay::CountsAsFirst => date,
            AcceptanceDay::NotCounted => day_after(date),
        };
        self.nth_working_day(first, n).map(|day| instant(day, hours.0.last_closing()))
    }

    /// Whether `at` lies within working hours of a working day; the end of an interval does not.
    pub fn is_working_time(&self, at: DateTime<Utc>, hours: &WorkingHours) -> Judged<bool> {
        let (date, time) = local(at);
        self.is_working_day(date).map(|working| working && hours.0.contain(time))
    }

    /// The next working time, which a client is told after hours (O5): `at` itself within working hours, else when
    /// they begin next. For a contact after hours it lies on the very day that
    /// [`Calendar::end_of_next_working_day`] names.
    pub fn next_working_time(&self, at: DateTime<Utc>, hours: &WorkingHours) -> Judged<DateTime<Utc>> {
        let (date, time) = local(at);
        let today = self.is_working_day(date);
        match hours.0.open_from(time).filter(|_| today.value) {
            Some(open) => today.map(|_| instant(date, open)),
            None => self
                .next_working_day(date)
                .map(|day| instant(day, hours.0.first_opening()))
                .resting_on(&today),
        }
    }

    /// The time at which `minutes` of working time have passed since `from` (K14). Zero minutes have passed at
    /// `from` itself; minutes that run out with an interval have passed at its end, not at the next beginning.
    pub fn after_working_minutes(
        &self,
        from: DateTime<Utc>,
        minutes: u32,
        hours: &WorkingHours,
    ) -> Judged<DateTime<Utc>> {
        if minutes == 0 {
            return Judged { value: from, provisional: false };
        }
        let (date, time) = local(from);
        let today = self.is_working_day(date);
        let mut left = TimeDelta::minutes(minutes.into());
        if today.value {
            match hours.0.spend(time, left) {
                Ok(end) => return today.map(|_| instant(date, end)),
                Err(rest) => left = rest,
            }
        }
        // Whole working days first; the last day gets what then is left, and never nothing.
        let per_day = hours.0.minutes();
        let mut days = left.num_minutes() / per_day;
        let mut last = left - TimeDelta::minutes(days * per_day);
        if last.is_zero() {
            days -= 1;
            last = TimeDelta::minutes(per_day);
        }
        let nth = NonZeroU32::MIN.saturating_add(u32::try_from(days).unwrap_or(u32::MAX));
        let end = hours.0.spend(TimeDelta::zero(), last).unwrap_or_else(|_| hours.0.last_closing());
        self.nth_working_day(day_after(date), nth).map(|day| instant(day, end)).resting_on(&today)
    }

    /// "On the next working day" for a contact after hours (O5, B1): the end of working hours of the day on which
    /// the next interval of working hours begins, at `from` or later.
    ///
    /// So a contact at 7:00 on a working day, or in the lunch break, is due that same day; one at 20:00 or on a
    /// holiday is due on the following working day. The same rule serves for a contact within working hours: once
    /// the day's last interval has begun, the following working day is meant.
    pub fn end_of_next_working_day(
        &self,
        from: DateTime<Utc>,
        hours: &WorkingHours,
    ) -> Judged<DateTime<Utc>> {
        let (date, time) = local(from);
        let today = self.is_working_day(date);
        let day = if today.value && hours.0.open_again_from(time) {
            today.map(|_| date)
        } else {
            self.next_working_day(date).resting_on(&today)
        };
        day.map(|day| instant(day, hours.0.last_closing()))
    }
}

/// "Within `hours` hours" is clock time (S2), whatever the calendar says. Saturates at the end of representable time.
pub fn within_hours(from: DateTime<Utc>, hours: u32) -> DateTime<Utc> {
    from.checked_add_signed(TimeDelta::hours(hours.into())).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
