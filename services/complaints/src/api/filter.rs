//! The filter of a list of complaints: `field = value` terms joined by AND, each field at most once.

use shouwen_access::Failure;

use crate::store::ComplaintFilter;

/// Longest external id of a client, and longest number, in characters.
const LONGEST_VALUE: usize = 128;

/// What the filter knows, and an example.
const FIELDS: &str = "state, client, number";
const EXAMPLE: &str = "state = FILED AND client = 123";

/// Parses a filter; empty asks for all. `FILTER_INVALID` says the number of the term that is not understood.
pub(super) fn parse(text: &str) -> Result<ComplaintFilter, Failure> {
    let mut filter = ComplaintFilter::default();
    if text.trim().is_empty() {
        return Ok(filter);
    }
    for (number, term) in (1..).zip(text.split(" AND ").map(str::trim)) {
        let invalid = || Failure::filter_invalid(number, FIELDS, EXAMPLE);
        let (field, value) = term.split_once('=').ok_or_else(invalid)?;
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
            return Err(invalid());
        }
    }
    Ok(filter)
}

fn put(known: &mut Option<String>, value: &str) -> bool {
    let fits = (1..=LONGEST_VALUE).contains(&value.chars().count());
    fits && known.replace(value.to_owned()).is_none()
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
    use shouwen_access::Language;

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
    fn what_is_not_understood_is_named_by_its_number_and_never_repeated() {
        for (text, term) in [
            ("state", "1"),
            ("state = LOST", "1"),
            ("state = FILED AND state = CLOSED", "2"),
            ("client = 1 AND client = 1", "2"),
            ("state = FILED and client = 1", "1"),
            ("client =", "1"),
            ("kind = COMPLAINT", "1"),
            ("state = FILED AND ", "2"),
        ] {
            let failure = parse(text).unwrap_err();
            assert_eq!(
                (failure.reason(), failure.metadata("term")),
                ("FILTER_INVALID", Some(term)),
                "{text}"
            );
        }
        let canary = parse("CANARY = 1 AND client = CANARY").unwrap_err();
        for said in [Language::En, Language::ZhCn].map(|language| canary.to_status(language)) {
            assert!(!format!("{said:?}{}", String::from_utf8_lossy(said.details())).contains("CANARY"));
        }
    }
}
