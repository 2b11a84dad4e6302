//! Calendar data as a document: TOML that operators can write by hand, checked whole before any of it is used (S3).
//!
//! ```toml
//! version = "cn-2027.1"
//!
//! [[year]]
//! year = 2027
//! holidays = ["2027-01-01"]      # public holidays on Monday to Friday
//! make_up = ["2027-02-20"]       # Saturdays and Sundays worked in exchange
//! exchange_also_closed = []      # further weekdays without a session in Shanghai; may be left out
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::{Range, RangeInclusive};

use chrono::{Datelike, NaiveDate};
use serde::Deserialize;
use toml::Spanned;

use crate::calendar::is_weekday;
use crate::error::CalendarError;

/// Years that a document may hold: anything else is a slip of the pen.
const YEARS: RangeInclusive<i64> = 2000..=2199;
const VERSION_LENGTH: RangeInclusive<usize> = 1..=64;
const DAYS_PER_LINE: usize = 7;

/// One document of calendar data: a version and the days of one or more years.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarData {
    version: String,
    years: BTreeMap<i32, YearDays>,
}

/// The days of one year that differ from the plain rule Monday to Friday.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct YearDays {
    /// Public holidays 法定节假日 on weekdays.
    pub(crate) holidays: BTreeSet<NaiveDate>,
    /// Make-up working days 调休上班日 at weekends.
    pub(crate) make_up: BTreeSet<NaiveDate>,
    /// Weekdays without a Shanghai session that are no public holidays.
    pub(crate) exchange_also_closed: BTreeSet<NaiveDate>,
}

impl CalendarData {
    /// Reads and checks a document. The first fault found is reported with its line.
    pub fn parse(text: &str) -> Result<CalendarData, CalendarError> {
        let check = Check { text };
        let document: Document = toml::from_str(text).map_err(|error| {
            check.refuse(
                &error.span().unwrap_or_default(),
                "document",
                error.message().trim().replace('\n', ", "),
                "expected `version = \"…\"` and [[year]] tables with year, holidays, make_up and \
                 exchange_also_closed, days as \"YYYY-MM-DD\" in quotes",
                "文件无法解析；须有 `version = \"…\"`，以及含 year、holidays、make_up、exchange_also_closed 的 [[year]] 表，日期写作带引号的 \"YYYY-MM-DD\"",
            )
        })?;
        check.version(&document.version)?;
        if document.year.is_empty() {
            let span = document.version.span();
            let chinese = "没有年份；请增加 [[year]] 表";
            return Err(check.refuse(&span, "year", "there is no year", "add a [[year]] table", chinese));
        }
        let mut years = BTreeMap::new();
        for table in &document.year {
            let (number, days) = check.year(table)?;
            if years.insert(number, days).is_some() {
                return Err(check.refuse(
                    &table.year.span(),
                    "year",
                    format!("{number} occurs twice"),
                    "keep one [[year]] table for it",
                    format!("{number} 年重复；每年只保留一个 [[year]] 表"),
                ));
            }
        }
        Ok(CalendarData { version: document.version.into_inner(), years })
    }

    /// The document's own version, for instance `cn-2026.1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The years it holds, ascending.
    pub fn years(&self) -> impl Iterator<Item = i32> {
        self.years.keys().copied()
    }

    /// The document in its canonical form, which [`CalendarData::parse`] reads back to an equal value.
    pub fn to_toml(&self) -> String {
        let mut text = format!("version = \"{}\"\n", self.version);
        for (number, days) in &self.years {
            let _ = write!(text, "\n[[year]]\nyear = {number}\n");
            push_days(&mut text, "holidays", &days.holidays);
            push_days(&mut text, "make_up", &days.make_up);
            push_days(&mut text, "exchange_also_closed", &days.exchange_also_closed);
        }
        text
    }

    pub(crate) fn into_years(self) -> impl Iterator<Item = (i32, YearDays)> {
        self.years.into_iter()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: Spanned<String>,
    year: Vec<YearTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct YearTable {
    year: Spanned<i64>,
    holidays: Vec<Spanned<String>>,
    make_up: Vec<Spanned<String>>,
    #[serde(default)]
    exchange_also_closed: Vec<Spanned<String>>,
}

/// The checks, with the text at hand to turn byte offsets into lines.
struct Check<'a> {
    text: &'a str,
}

impl Check<'_> {
    fn version(&self, version: &Spanned<String>) -> Result<(), CalendarError> {
        let text = version.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if VERSION_LENGTH.contains(&text.len()) && text.chars().all(plain) {
            return Ok(());
        }
        Err(self.refuse(
            &version.span(),
            "version",
            format!("{text:?} is not a version"),
            "use 1 to 64 of the characters A-Z a-z 0-9 . _ -",
            format!("{text:?} 不能作为版本名；请使用 1-64 个字符 A-Z a-z 0-9 . _ -"),
        ))
    }

    fn year(&self, table: &YearTable) -> Result<(i32, YearDays), CalendarError> {
        let number = *table.year.get_ref();
        let valid = i32::try_from(number).ok().filter(|_| YEARS.contains(&number));
        let Some(year) = valid else {
            return Err(self.refuse(
                &table.year.span(),
                "year",
                format!("{number} is not a year this calendar can hold"),
                format!("use {} to {}", YEARS.start(), YEARS.end()),
                format!("{number} 年超出范围；请填写 {} 至 {}", YEARS.start(), YEARS.end()),
            ));
        };
        if table.holidays.is_empty() {
            return Err(self.refuse(
                &table.year.span(),
                format!("year {year}: holidays"),
                "there are none",
                "leave out the whole year until its holidays are announced: it is provisional until then",
                "没有节假日；节假日公布之前请去掉整年，其间按临时日历计算",
            ));
        }
        let holidays = self.days(year, "holidays", &table.holidays)?;
        let make_up = self.days(year, "make_up", &table.make_up)?;
        let exchange_also_closed = self.days(year, "exchange_also_closed", &table.exchange_also_closed)?;

        let place = |list: &str| format!("year {year}: {list}");
        for (day, span) in &make_up {
            if holidays.contains_key(day) {
                let reason = format!("{day} is listed under holidays too");
                let chinese = format!("{day} 也列在 holidays 中；请只保留一处");
                let remedy = "keep it in one of the two lists";
                return Err(self.refuse(span, place("make_up"), reason, remedy, chinese));
            }
            if is_weekday(*day) {
                let reason = format!("{day} is a {}", day.format("%A"));
                let remedy =
                    "list only Saturdays and Sundays: other days are worked unless they are holidays";
                let chinese = format!("{day} 不是周六或周日；请只列周末，其他日子除节假日外都上班");
                return Err(self.refuse(span, place("make_up"), reason, remedy, chinese));
            }
        }
        for (day, span) in &holidays {
            if !is_weekday(*day) {
                let reason = format!("{day} is a {}", day.format("%A"));
                let remedy = "list only Mondays to Fridays: weekends are free unless listed under make_up";
                let chinese = format!("{day} 是周末；请只列周一至周五，周末除 make_up 外都休息");
                return Err(self.refuse(span, place("holidays"), reason, remedy, chinese));
            }
        }
        for (day, span) in &exchange_also_closed {
            if !is_weekday(*day) || holidays.contains_key(day) {
                let reason = format!("{day} is a holiday or a weekend day");
                let remedy = "leave it out: the exchange is closed then anyway";
                let chinese = format!("{day} 是节假日或周末；请去掉，交易所当日本来休市");
                return Err(self.refuse(span, place("exchange_also_closed"), reason, remedy, chinese));
            }
        }
        let plain = |days: BTreeMap<NaiveDate, Range<usize>>| days.into_keys().collect();
        Ok((
            year,
            YearDays {
                holidays: plain(holidays),
                make_up: plain(make_up),
                exchange_also_closed: plain(exchange_also_closed),
            },
        ))
    }

    /// The days of one list with their places: valid, in their year, none twice.
    fn days(
        &self,
        year: i32,
        list: &str,
        texts: &[Spanned<String>],
    ) -> Result<BTreeMap<NaiveDate, Range<usize>>, CalendarError> {
        let mut days = BTreeMap::new();
        for text in texts {
            let refuse = |reason: String, remedy: &str, chinese: String| {
                Err(self.refuse(&text.span(), format!("year {year}: {list}"), reason, remedy, chinese))
            };
            let Some(day) = parse_day(text.get_ref()) else {
                return refuse(
                    format!("{:?} is not a date", text.get_ref()),
                    "write it as YYYY-MM-DD",
                    format!("{:?} 不是日期；请写作 YYYY-MM-DD", text.get_ref()),
                );
            };
            if day.year() != year {
                return refuse(
                    format!("{day} lies in {}", day.year()),
                    "move it to the [[year]] table of that year, or correct it",
                    format!("{day} 属于 {} 年；请移到该年的 [[year]] 表，或更正", day.year()),
                );
            }
            if days.insert(day, text.span()).is_some() {
                return refuse(
                    format!("{day} occurs twice"),
                    "keep it once",
                    format!("{day} 重复；请只保留一个"),
                );
            }
        }
        Ok(days)
    }

    fn refuse(
        &self,
        span: &Range<usize>,
        field: impl Into<String>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
        chinese: impl Into<String>,
    ) -> CalendarError {
        let before = self.text.as_bytes().iter().take(span.start);
        CalendarError {
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
            field: field.into(),
            reason: reason.into(),
            remedy: remedy.into(),
            chinese: chinese.into(),
        }
    }
}

/// Exactly `YYYY-MM-DD`; chrono alone would also take `2027-1-1` and `+2027-01-01`.
fn parse_day(text: &str) -> Option<NaiveDate> {
    let day = text.parse::<NaiveDate>().ok()?;
    (day.to_string() == text).then_some(day)
}

fn push_days(text: &mut String, name: &str, days: &BTreeSet<NaiveDate>) {
    if days.is_empty() {
        let _ = writeln!(text, "{name} = []");
        return;
    }
    let _ = writeln!(text, "{name} = [");
    let quoted: Vec<String> = days.iter().map(|day| format!("\"{day}\"")).collect();
    for row in quoted.chunks(DAYS_PER_LINE) {
        let _ = writeln!(text, "  {},", row.join(", "));
    }
    text.push_str("]\n");
}
