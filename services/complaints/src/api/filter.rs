//! The filter of a list of complaints: `field = value` terms joined by AND, each field at most once.

use shouwen_access::Failure;
use tonic::Code;

use crate::store::ComplaintFilter;

/// Longest external id of a client, and longest number, in characters.
const LONGEST_VALUE: usize = 128;

/// Parses a filter; empty asks for all. `FILTER_INVALID` names the term that is not understood.
pub(super) fn parse(text: &str) -> Result<ComplaintFilter, Failure> {
    let mut filter = ComplaintFilter::default();
    if text.trim().is_empty() {
        return Ok(filter);
    }
    for term in text.split(" AND ").map(str::trim) {
        let (field, value) = term.split_once('=').ok_or_else(|| invalid(term))?;
        let value = unquoted(value.trim());
        // A second value of one field could only contradict the first.
        let fits = match field.trim() {
            "state" => {
                let fresh = filter.stage.is_none();
                filter.stage = stage(value);
                fresh && filter.stage.is_some()
            }
            "client" => put(&mut filter.client, value),
            "number" => put(&mut filter.number, value),
            _ => false,
        };
        if !fits {
            return Err(invalid(term));
        }
    }
    Ok(filter)
}

fn put(known: &mut Option<String>, value: &str) -> bool {
    let fits = (1..=LONGEST_VALUE).contains(&value.chars().count());
    fits && known.replace(value.to_owned()).is_none()
}

fn invalid(term: &str) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "FILTER_INVALID",
        format!("`{term}` is not understood; use `state`, `client` or `number` once each, `=` and a value, joined by AND."),
        format!("无法识别 `{term}`；可用 state、client、number 各一次，形如 `state = FILED`，以 AND 连接。"),
    )
    .with("term", term)
    .field("filter", "such as `state = FILED AND client = 123`", "例如 `state = FILED AND client = 123`")
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// The stage as stored.
fn stage(value: &str) -> Option<&'static str> {
    match value.strip_prefix("STATE_").unwrap_or(value) {
        "FILED" => Some("filed"),
        "HANDLING" => Some("handling"),
        "PROPOSED" => Some("proposed"),
        "APPROVED" => Some("approved"),
        "HANDLED" => Some("handled"),
        "CLOSED" => Some("closed"),
        "DECLINED" => Some("declined"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_joined_by_and_and_may_be_quoted() {
        let filter = parse(r#" client = "C-1"  AND state=FILED AND number = b1-2509-0001 "#).unwrap();
        assert_eq!(filter.client.as_deref(), Some("C-1"));
        assert_eq!(filter.stage, Some("filed"));
        assert_eq!(filter.number.as_deref(), Some("b1-2509-0001"));
        assert_eq!(parse("  ").unwrap(), ComplaintFilter::default());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, term) in [
            ("state", "state"),
            ("state = LOST", "state = LOST"),
            ("state = FILED AND state = CLOSED", "state = CLOSED"),
            ("client = 1 AND client = 1", "client = 1"),
            ("state = FILED and client = 1", "state = FILED and client = 1"),
            ("client =", "client ="),
            ("kind = COMPLAINT", "kind = COMPLAINT"),
            ("state = FILED AND ", ""),
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
