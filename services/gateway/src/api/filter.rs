//! The filter of a list of cases: `field = value` terms joined by AND, each field at most once.

use shouwen_access::{EmployeeName, Failure};

use crate::{
    ownership,
    store::cases::{After, CaseFilter},
};

/// What the filter knows, and an example.
const FIELDS: &str = "handler, accountable, responsible, client, state, overdue";
const EXAMPLE: &str = "handler = employees/zhang AND state = OPEN";

/// Parses a filter; empty asks for all. `FILTER_INVALID` says the number of the term that is not understood.
pub(crate) fn parse(text: &str) -> Result<CaseFilter, Failure> {
    let mut filter = CaseFilter::default();
    if text.trim().is_empty() {
        return Ok(filter);
    }
    for (number, term) in (1..).zip(text.split(" AND ").map(str::trim)) {
        let invalid = || Failure::filter_invalid(number, FIELDS, EXAMPLE);
        let (field, value) = term.split_once('=').ok_or_else(invalid)?;
        let value = unquoted(value.trim());
        // A second value of one field could only contradict the first.
        let taken = match field.trim() {
            "handler" => set(&mut filter.handler, employee(value)),
            "accountable" => set(&mut filter.accountable, employee(value)),
            "responsible" => set(&mut filter.responsible, employee(value)),
            "client" => set(&mut filter.client, ownership::client(value).ok().flatten()),
            "state" => set(&mut filter.phase, phase(value)),
            "overdue" => set(&mut filter.overdue, value.parse().ok()),
            _ => false,
        };
        if !taken {
            return Err(invalid());
        }
    }
    Ok(filter)
}

fn set<T>(known: &mut Option<T>, value: Option<T>) -> bool {
    if known.is_some() || value.is_none() {
        return false;
    }
    *known = value;
    true
}

/// The order of a list, at its beginning; empty means newest first.
pub(crate) fn order(text: &str) -> Result<After, Failure> {
    match text.split_whitespace().collect::<Vec<_>>()[..] {
        [] | ["create_time", "desc"] => Ok(After::Newest(None)),
        ["due_time"] | ["due_time", "asc"] => Ok(After::Due(None)),
        _ => Err(Failure::field_invalid(
            "order_by",
            "must be `create_time desc` or `due_time`",
            "须为 `create_time desc` 或 `due_time`",
        )),
    }
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
    use shouwen_access::Language;

    use super::*;

    #[test]
    fn terms_are_joined_by_and_and_may_be_quoted() {
        let filter = parse(r#" client = "C-1"  AND state=OPEN AND handler = employees/zhang "#).unwrap();
        assert_eq!(filter.client.as_deref(), Some("C-1"));
        assert_eq!(filter.phase, Some("open"));
        assert_eq!(filter.handler.as_deref(), Some("employees/zhang"));
        assert_eq!((filter.accountable, filter.overdue), (None, None));
        assert_eq!(parse("overdue = false").unwrap().overdue, Some(false));
        let theirs = parse("responsible = employees/li").unwrap();
        assert_eq!((theirs.responsible.as_deref(), theirs.handler), (Some("employees/li"), None));
        assert!(theirs.phase.is_none());
    }

    #[test]
    fn an_empty_filter_asks_for_all() {
        for text in ["", "  "] {
            assert!(parse(text).unwrap().phase.is_none());
        }
    }

    #[test]
    fn a_list_has_two_orders() {
        for text in ["", " ", "create_time desc", "create_time  desc "] {
            assert_eq!(order(text).unwrap(), After::Newest(None), "{text}");
        }
        for text in ["due_time", "due_time asc"] {
            assert_eq!(order(text).unwrap(), After::Due(None), "{text}");
        }
        for text in
            ["create_time", "create_time asc", "due_time desc", "client", "due_time, create_time desc"]
        {
            assert_eq!(order(text).unwrap_err().metadata("field"), Some("order_by"), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named_by_its_number_and_never_repeated() {
        for (text, term) in [
            ("state", "1"),
            ("state = LOST", "1"),
            ("state = OPEN AND state = CLOSED", "2"),
            ("state = OPEN and client = 1", "1"),
            ("handler = zhang", "1"),
            ("responsible = zhang", "1"),
            ("client =", "1"),
            ("topic = fees", "1"),
            ("state = OPEN AND ", "2"),
            ("AND", "1"),
            ("overdue = yes", "1"),
            ("overdue = true AND overdue = true", "2"),
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
