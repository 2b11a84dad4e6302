//! Policies tested rule by rule: documents (P1, B2), adopting versions (P1), the book (P2, S3), the life of a proposal (P3), what must be true
//! of any set of versions, and the page about them.

mod adoption;
mod book;
mod documents;
mod page;
mod properties;
mod proposals;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use shouwen_policy::{Document, Kind, PolicyVersion, Scope};

/// Hours after the start of 2026 in UTC.
pub(crate) fn hour(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).expect("2026-01-01") + TimeDelta::hours(hours)
}

pub(crate) fn document(value: Value) -> Document {
    match value {
        Value::Object(document) => document,
        other => panic!("{other} is not an object"),
    }
}

pub(crate) fn version(kind: Kind, scope: &str, revision: i64, from: i64, value: Value) -> PolicyVersion {
    let scope: Scope = scope.parse().expect("scope");
    PolicyVersion {
        policy: format!("policies/{kind}-{revision}"),
        kind,
        scope,
        revision,
        document: document(value),
        effective_from: hour(from),
    }
}

/// A calendar file with the given holidays of 2027.
pub(crate) fn calendar_2027(version: &str, holidays: &[&str]) -> String {
    format!("version = {version:?}\n[[year]]\nyear = 2027\nholidays = {holidays:?}\nmake_up = []\n")
}
