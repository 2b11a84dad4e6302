//! The filter of a list of cases: `field = value` terms joined by AND, each field at most once.

use shouwen_access::{EmployeeName, Failure};
use tonic::Code;

use crate::{ownership, store::cases::CaseFilter};

/// Parses a filter; empty asks for all. `FILTER_INVALID` names the term that is not understood.
pub(crate) fn parse(text: &str) -> Result<CaseFilter, Failure> {
    let mut filter = CaseFilter::default();
    if text.trim().is_empty() {
        return Ok(filter);
    }
    for term in text.split(" AND ").map(str::trim) {
        let (field, value) = term.split_once('=').ok_or_else(|| invalid(term))?;
        let value = unquoted(value.trim());
        let (known, value) = match field.trim() {
            "handler" => (&mut filter.handler, employee(value)),
            "accountable" => (&mut filter.accountable, employee(value)),
            "client" => (&mut filter.client, ownership::client(value).ok().flatten()),
            "state" => (&mut filter.phase, phase(value).map(str::to_owned)),
            _ => return Err(invalid(term)),
        };
        // A second value of one field could only contradict the first.
        if known.is_some() || value.is_none() {
            return Err(invalid(term));
        }
        *known = value;
    }
    Ok(filter)
}

fn invalid(term: &str) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "FILTER_INVALID",
        format!("`{term}` is not understood; use `handler`, `accountable`, `client` or `state` once each, `=` and a value, joined by AND."),
        format!("无法识别 `{term}`；可用 handler、accountable、client、state 各一次，形如 `state = OPEN`，以 AND 连接。"),
    )
    .with("term", term)
    .field("filter", "such as `handler = employees/zhang AND state = OPEN`", "例如 `handler = employees/zhang AND state = OPEN`")
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

fn employee(value: &str) -> Option<String> {
    EmployeeName::parse(value).ok().map(String::from)
}

/// The phase as stored.
fn phase(value: &str) -> Option<&'static str> {
    match value.strip_prefix("STATE_").unwrap_or(value) {
        "OPEN" => Some("open"),
        "AWAITING_SATISFACTION" => Some("awaiting_satisfaction"),
        "CLOSED" => Some("closed"),
        "MERGED" => Some("merged"),
        "VOID" => Some("void"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_joined_by_and_and_may_be_quoted() {
        let filter = parse(r#" client = "C-1"  AND state=OPEN AND handler = employees/zhang "#).unwrap();
        assert_eq!(filter.client.as_deref(), Some("C-1"));
        assert_eq!(filter.phase.as_deref(), Some("open"));
        assert_eq!(filter.handler.as_deref(), Some("employees/zhang"));
        assert_eq!(filter.accountable, None);
    }

    #[test]
    fn an_empty_filter_asks_for_all() {
        for text in ["", "  "] {
            assert!(parse(text).unwrap().phase.is_none());
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, term) in [
            ("state", "state"),
            ("state = LOST", "state = LOST"),
            ("state = OPEN AND state = CLOSED", "state = CLOSED"),
            ("state = OPEN and client = 1", "state = OPEN and client = 1"),
            ("handler = zhang", "handler = zhang"),
            ("client =", "client ="),
            ("topic = fees", "topic = fees"),
            ("state = OPEN AND ", ""),
            ("AND", "AND"),
        ] {
            let failure = parse(text).unwrap_err();
            assert_eq!(
                (failure.reason(), failure.metadata("term")),
                ("FILTER_INVALID", Some(term)),
                "{text}"
            );
        }
    }
}
