//! Single values of a line: times, ids, numbers, choices. Each either is what its column asks for, or says what is wrong and how to mend it.

use chrono::{DateTime, Utc};
use shouwen_vault::Phone;

use super::table::Row;

/// A value that cannot be used.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) column: String,
    pub(super) reason: String,
    pub(super) remedy: String,
}

impl Bad {
    pub(super) fn new(column: &str, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { column: column.to_owned(), reason: reason.into(), remedy: remedy.into() }
    }

    /// Of the line as a whole.
    pub(super) fn line(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new("", reason, remedy)
    }
}

/// Demands something of a column.
pub(super) fn demand(
    holds: bool,
    column: &str,
    reason: impl FnOnce() -> String,
    remedy: &str,
) -> Result<(), Bad> {
    if holds { Ok(()) } else { Err(Bad::new(column, reason(), remedy)) }
}

/// A time in RFC 3339.
pub(super) fn instant(column: &str, text: &str) -> Result<DateTime<Utc>, Bad> {
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|_| {
        let remedy = "write it with date, time and offset, as 2025-09-22T09:00:00+08:00";
        if text.is_empty() {
            Bad::new(column, "is empty", remedy)
        } else {
            Bad::new(column, format!("`{text}` is no RFC 3339 time"), remedy)
        }
    })
}

/// A time, or nothing.
pub(super) fn maybe_instant(row: &Row, column: &str) -> Result<Option<DateTime<Utc>>, Bad> {
    let text = row.get(column);
    if text.is_empty() { Ok(None) } else { instant(column, text).map(Some) }
}

/// One of several words.
pub(super) fn choice<T: Copy>(column: &str, text: &str, choices: &[(&str, T)]) -> Result<T, Bad> {
    choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).filter(|word| !word.is_empty()).collect();
        Bad::new(column, unknown(text), format!("write one of: {}", words.join(", ")))
    })
}

/// `yes` or `no`.
pub(super) fn yes(row: &Row, column: &str) -> Result<bool, Bad> {
    choice(column, row.get(column), &[("yes", true), ("no", false)])
}

/// A phone number in any usual spelling, or nothing. The number itself is not repeated (L10).
pub(super) fn phone(row: &Row, column: &str) -> Result<String, Bad> {
    let text = row.get(column);
    if text.is_empty() {
        return Ok(String::new());
    }
    match Phone::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(remedied(column, &error)),
    }
}

/// What a parser of personal data says: the reason, a semicolon, the remedy.
pub(super) fn remedied(column: &str, error: &impl std::error::Error) -> Bad {
    let said = error.to_string();
    let (reason, remedy) = said.split_once("; ").unwrap_or((&said, "correct it, or leave the line out"));
    Bad::new(column, reason, remedy)
}

/// 1 to 5, or nothing.
pub(super) fn degree(row: &Row, column: &str) -> Result<i32, Bad> {
    match row.get(column) {
        "" => Ok(0),
        text => match text.parse() {
            Ok(degree @ 1..=5) => Ok(degree),
            _ => Err(Bad::new(column, format!("`{text}` is no degree"), "write 1 to 5, or leave it empty")),
        },
    }
}

/// The id of a contact.
pub(super) fn contact_id(column: &str, text: &str) -> Result<(), Bad> {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    demand(fits, column, || format!("`{text}` is no id"), "use 1 to 64 of a-z A-Z 0-9 . _ -")
}

/// The id of something in the roster.
pub(super) fn roster_id(column: &str, text: &str) -> Result<(), Bad> {
    let fits = (1..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    demand(fits, column, || format!("`{text}` is no id"), "use 1 to 40 of a-z 0-9 -")
}

/// Parts between semicolons.
pub(super) fn parts(text: &str) -> Vec<String> {
    text.split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

pub(super) fn unknown(text: &str) -> String {
    if text.is_empty() { "is empty".to_owned() } else { format!("unknown `{text}`") }
}
