//! Spans of local time within a day, as policy documents write them: `[["08:30", "11:30"], ["13:00", "17:00"]]`.
//! They know nothing of dates; which days count is the calendar's affair.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use thiserror::Error;

const MIDNIGHT: u16 = 24 * 60;

/// One or more intervals of a day in ascending order, with a gap between any two; whole minutes in Shanghai time. The
/// start of an interval belongs to it, its end does not; it may end at `24:00`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<[String; 2]>", into = "Vec<[String; 2]>")]
pub struct DayIntervals {
    /// Never empty: the first interval stands apart.
    first: Interval,
    rest: Vec<Interval>,
}

/// Minutes since midnight, `opens < closes <= 1440`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interval {
    opens: u16,
    closes: u16,
}

/// Why a list of intervals was refused; intervals are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IntervalsError {
    #[error("no interval: give at least one, such as [\"08:30\", \"11:30\"]")]
    Empty,
    #[error("interval {number}: {text:?} is not a time of day: write HH:MM, from 00:00 to 24:00")]
    Time { number: usize, text: String },
    #[error(
        "interval {number}: ends at {closes}, not after its start at {opens}: swap them, or split it at midnight"
    )]
    EndsBeforeStart { number: usize, opens: String, closes: String },
    #[error(
        "interval {number}: starts at {opens}, not after the end of the one before it at {closes}: put intervals in \
         ascending order and join those that touch or overlap"
    )]
    OutOfOrder { number: usize, opens: String, closes: String },
}

impl DayIntervals {
    /// Checks a list of (start, end), both `HH:MM`.
    pub fn new<S: AsRef<str>>(
        intervals: impl IntoIterator<Item = [S; 2]>,
    ) -> Result<DayIntervals, IntervalsError> {
        let mut checked: Vec<Interval> = Vec::new();
        for (index, [opens, closes]) in intervals.into_iter().enumerate() {
            let number = index + 1;
            let interval = Interval::parse(number, opens.as_ref(), closes.as_ref())?;
            if let Some(before) = checked.last()
                && interval.opens <= before.closes
            {
                return Err(IntervalsError::OutOfOrder {
                    number,
                    opens: clock(interval.opens),
                    closes: clock(before.closes),
                });
            }
            checked.push(interval);
        }
        let mut checked = checked.into_iter();
        let first = checked.next().ok_or(IntervalsError::Empty)?;
        Ok(DayIntervals { first, rest: checked.collect() })
    }

    fn all(&self) -> impl Iterator<Item = &Interval> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Whether `time` since midnight lies within an interval, its end excluded.
    pub(crate) fn contain(&self, time: TimeDelta) -> bool {
        self.all().any(|i| i.opening() <= time && time < i.closing())
    }

    /// The same, its end included: there a limit may lie.
    pub(crate) fn reach(&self, time: TimeDelta) -> bool {
        self.all().any(|i| i.opening() <= time && time <= i.closing())
    }

    /// `time` itself if an interval contains it, else the next opening of the day if there is one.
    pub(crate) fn open_from(&self, time: TimeDelta) -> Option<TimeDelta> {
        self.all().find(|i| time < i.closing()).map(|i| i.opening().max(time))
    }

    /// Whether an interval begins at `time` or later in the day.
    pub(crate) fn open_again_from(&self, time: TimeDelta) -> bool {
        self.all().any(|i| time <= i.opening())
    }

    /// The end of the first interval that begins after `time`, if there is one in the day.
    pub(crate) fn end_of_next(&self, time: TimeDelta) -> Option<TimeDelta> {
        self.all().find(|i| time < i.opening()).map(|i| i.closing())
    }

    pub(crate) fn first_opening(&self) -> TimeDelta {
        self.first.opening()
    }

    pub(crate) fn first_closing(&self) -> TimeDelta {
        self.first.closing()
    }

    pub(crate) fn last_closing(&self) -> TimeDelta {
        self.rest.last().unwrap_or(&self.first).closing()
    }

    pub(crate) fn last_until_midnight(&self) -> bool {
        self.last_closing() == TimeDelta::days(1)
    }

    /// Minutes within intervals per day.
    pub(crate) fn minutes(&self) -> i64 {
        self.all().map(|i| i64::from(i.closes - i.opens)).sum()
    }

    /// Spends `need` within the intervals from `time` on: the time at which it is spent, or as an error what is left
    /// of it at the end of the day. A need that ends with an interval is spent at that end, not at the next start.
    pub(crate) fn spend(&self, time: TimeDelta, mut need: TimeDelta) -> Result<TimeDelta, TimeDelta> {
        for interval in self.all() {
            let start = interval.opening().max(time);
            let room = interval.closing() - start;
            if room <= TimeDelta::zero() {
                continue;
            }
            if need <= room {
                return Ok(start + need);
            }
            need -= room;
        }
        Err(need)
    }
}

impl TryFrom<Vec<[String; 2]>> for DayIntervals {
    type Error = IntervalsError;

    fn try_from(intervals: Vec<[String; 2]>) -> Result<Self, Self::Error> {
        DayIntervals::new(intervals)
    }
}

impl From<DayIntervals> for Vec<[String; 2]> {
    fn from(intervals: DayIntervals) -> Self {
        intervals.all().map(|i| [clock(i.opens), clock(i.closes)]).collect()
    }
}

impl Interval {
    fn parse(number: usize, opens: &str, closes: &str) -> Result<Interval, IntervalsError> {
        let minute = |text: &str| {
            minute_of_day(text).ok_or_else(|| IntervalsError::Time { number, text: text.into() })
        };
        let interval = Interval { opens: minute(opens)?, closes: minute(closes)? };
        if interval.opens < interval.closes {
            Ok(interval)
        } else {
            Err(IntervalsError::EndsBeforeStart { number, opens: opens.into(), closes: closes.into() })
        }
    }

    fn opening(self) -> TimeDelta {
        TimeDelta::minutes(self.opens.into())
    }

    fn closing(self) -> TimeDelta {
        TimeDelta::minutes(self.closes.into())
    }
}

/// Working hours 工作时间: on working days only. By default 8:30-11:30 and 13:00-17:00 (S1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkingHours(pub DayIntervals);

impl Default for WorkingHours {
    fn default() -> Self {
        WorkingHours(two((8, 30, 11, 30), (13, 0, 17, 0)))
    }
}

/// Two intervals known to be valid, for defaults: (hour, minute, hour, minute).
pub(crate) fn two(first: (u16, u16, u16, u16), second: (u16, u16, u16, u16)) -> DayIntervals {
    let interval =
        |(h1, m1, h2, m2): (u16, u16, u16, u16)| Interval { opens: h1 * 60 + m1, closes: h2 * 60 + m2 };
    DayIntervals { first: interval(first), rest: vec![interval(second)] }
}

/// Exactly `HH:MM`, up to `24:00`.
fn minute_of_day(text: &str) -> Option<u16> {
    let two_digits = |part: &str| -> Option<u16> {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if plain { part.parse().ok() } else { None }
    };
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= MIDNIGHT).then_some(total)
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}
