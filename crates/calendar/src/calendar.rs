//! The calendar: which days are worked and traded on, and how far its data reach (S1, S3). What follows from that
//! for limits is in `limits`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};

use chrono::{Datelike, Days, NaiveDate, Weekday};

use crate::data::{CalendarData, YearDays};
use crate::zone::day_after;

const BUILTIN: &str = include_str!("../data/cn-2015-2026.toml");

static BUILTIN_DATA: LazyLock<CalendarData> = LazyLock::new(|| match CalendarData::parse(BUILTIN) {
    Ok(data) => data,
    // The document is compiled in, and a test parses it.
    Err(error) => unreachable!("built-in calendar data: {error}"),
});

/// An answer and whether it is provisional: true if a day outside the imported years had a part in it (S3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Judged<T> {
    pub value: T,
    pub provisional: bool,
}

impl<T> Judged<T> {
    /// The same judgement about something derived from the value.
    pub fn map<U>(self, derive: impl FnOnce(T) -> U) -> Judged<U> {
        Judged { value: derive(self.value), provisional: self.provisional }
    }

    /// Also provisional if `earlier`, on which this answer rests, was.
    pub(crate) fn resting_on<U>(self, earlier: &Judged<U>) -> Self {
        Judged { value: self.value, provisional: self.provisional || earlier.provisional }
    }
}

/// Working days 工作日 and trading days 交易日 from versioned data. Immutable; share it in an `Arc` and put a new one
/// in its place when an operator imports data.
#[derive(Debug, Clone)]
pub struct Calendar {
    years: BTreeMap<i32, Year>,
    version: String,
}

/// One year's days and the import they came with.
#[derive(Debug, Clone)]
struct Year {
    days: Arc<YearDays>,
    source: Arc<str>,
    import: u32,
}

impl CalendarData {
    /// The data that come with the product: 2015 to 2026.
    pub fn builtin() -> CalendarData {
        BUILTIN_DATA.clone()
    }
}

impl Calendar {
    /// The calendar that comes with the product: 2015 to 2026.
    pub fn builtin() -> Calendar {
        Calendar { years: BTreeMap::new(), version: String::new() }.with(CalendarData::builtin())
    }

    /// This calendar with `data` imported on top: the years it contains are replaced whole, others stay.
    #[must_use]
    pub fn with(&self, data: CalendarData) -> Calendar {
        let import = self.years.values().map(|year| year.import + 1).max().unwrap_or(0);
        let source: Arc<str> = data.version().into();
        let mut years = self.years.clone();
        for (number, days) in data.into_years() {
            years.insert(number, Year { days: Arc::new(days), source: source.clone(), import });
        }
        let sources: BTreeMap<u32, &str> =
            years.values().map(|year| (year.import, year.source.as_ref())).collect();
        let version = sources.into_values().collect::<Vec<_>>().join("+");
        Calendar { years, version }
    }

    /// The versions of all data that still contribute a year, in order of import, joined by `+`:
    /// `cn-2026.1+cn-2027.1`. Two calendars of one version answer alike, provided that nobody imports two different
    /// documents under one version; whoever stores imports has to refuse that.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The last day before the first year without data, counted from the built-in years on. Later years that were
    /// imported beyond a gap do not count.
    pub fn covered_until(&self) -> NaiveDate {
        let first = CalendarData::builtin().years().next().unwrap_or_default();
        let unbroken = self.years.range(first..).zip(first..).take_while(|((year, _), count)| *year == count);
        let last = unbroken.last().map_or(first, |(_, year)| year);
        NaiveDate::from_ymd_opt(last, 12, 31).unwrap_or(NaiveDate::MAX)
    }

    /// How many days after `today` there are data for, without a gap; where `today` itself has none, how long ago those
    /// before it ended, below 0. Operators are warned 60 days ahead (S3).
    pub fn days_left(&self, today: NaiveDate) -> i64 {
        let this_year = today.year();
        let unbroken =
            self.years.range(this_year..).zip(this_year..).take_while(|((year, _), count)| *year == count);
        let ahead = unbroken.map(|((year, _), _)| *year).last();
        let last = ahead.or_else(|| self.years.range(..this_year).next_back().map(|(year, _)| *year));
        let end = last.and_then(|year| NaiveDate::from_ymd_opt(year, 12, 31)).unwrap_or(NaiveDate::MIN);
        end.signed_duration_since(today).num_days()
    }

    /// Monday to Friday except public holidays, and the make-up working days 调休上班日 (S1).
    pub fn is_working_day(&self, date: NaiveDate) -> Judged<bool> {
        self.judge(date, |days| {
            if is_weekday(date) { !days.holidays.contains(&date) } else { days.make_up.contains(&date) }
        })
    }

    /// Whether the Shanghai exchange holds a session: never on a make-up working day (S1).
    pub fn is_trading_day(&self, date: NaiveDate) -> Judged<bool> {
        self.judge(date, |days| {
            is_weekday(date) && !days.holidays.contains(&date) && !days.exchange_also_closed.contains(&date)
        })
    }

    /// The first working day strictly after `after`.
    pub fn next_working_day(&self, after: NaiveDate) -> Judged<NaiveDate> {
        self.nth_working_day(day_after(after), NonZeroU32::MIN)
    }

    /// The `n`-th working day from `first` on; `first` is day 1 if it is a working day. Saturates at the last
    /// representable day.
    pub(crate) fn nth_working_day(&self, first: NaiveDate, n: NonZeroU32) -> Judged<NaiveDate> {
        let last_known = self.years.last_key_value().map_or(i32::MIN, |(year, _)| *year);
        let mut day = first;
        let mut left = n.get();
        let mut provisional = false;
        loop {
            if day.year() > last_known {
                // Only Monday to Friday from here on: whole weeks need no walking, however large n is.
                let weeks = (left - 1) / 5;
                let Some(later) = day.checked_add_days(Days::new(u64::from(weeks) * 7)) else {
                    return Judged { value: NaiveDate::MAX, provisional: true };
                };
                day = later;
                left -= weeks * 5;
            }
            let working = self.is_working_day(day);
            provisional |= working.provisional;
            left -= u32::from(working.value);
            if left == 0 || day == NaiveDate::MAX {
                return Judged { value: day, provisional };
            }
            day = day_after(day);
        }
    }

    fn judge(&self, date: NaiveDate, by_data: impl FnOnce(&YearDays) -> bool) -> Judged<bool> {
        match self.years.get(&date.year()) {
            Some(year) => Judged { value: by_data(&year.days), provisional: false },
            None => Judged { value: is_weekday(date), provisional: true },
        }
    }
}

/// Monday to Friday.
pub(crate) fn is_weekday(date: NaiveDate) -> bool {
    !matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}
