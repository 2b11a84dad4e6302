//! The filter of a list of clients: `field = value` terms joined by AND, each field at most once.

use shouwen_access::{EmployeeName, Failure};
use shouwen_proto::r#type::v1::ClientClass as ClientClassMessage;

use crate::{
    domain::{ClientClass, class},
    store::clients::Filter,
};

/// What the filter knows, and an example.
const FIELDS: &str = "service_manager, client_class, vip";
const EXAMPLE: &str = "client_class = A_PLUS AND vip = true";

/// Parses a filter; empty asks for all. `FILTER_INVALID` says the number of the term that is not understood.
pub(super) fn parse(text: &str) -> Result<Filter, Failure> {
    let mut filter = Filter::default();
    if text.trim().is_empty() {
        return Ok(filter);
    }
    for (number, term) in (1..).zip(text.split(" AND ").map(str::trim)) {
        let invalid = || Failure::filter_invalid(number, FIELDS, EXAMPLE);
        let (field, value) = term.split_once('=').ok_or_else(invalid)?;
        let value = unquoted(value.trim());
        // A second value of one field could only contradict the first.
        let taken = match field.trim() {
            "service_manager" => set(&mut filter.manager, employee(value)),
            "client_class" => set(&mut filter.class, class(value)),
            "vip" => set(&mut filter.vip, value.parse().ok()),
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

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

fn employee(value: &str) -> Option<String> {
    EmployeeName::parse(value).ok().map(String::from)
}

fn class(value: &str) -> Option<ClientClass> {
    let name = format!("CLIENT_CLASS_{}", value.strip_prefix("CLIENT_CLASS_").unwrap_or(value));
    ClientClassMessage::from_str_name(&name).and_then(class::of_message)
}

#[cfg(test)]
mod tests {
    use shouwen_access::Language;

    use super::*;

    #[test]
    fn terms_are_joined_by_and_and_may_be_quoted() {
        let filter =
            parse(r#"service_manager = "employees/li" AND client_class=C_MINUS AND vip = false"#).unwrap();
        assert_eq!(filter.manager.as_deref(), Some("employees/li"));
        assert_eq!((filter.class, filter.vip), (Some(ClientClass::CMinus), Some(false)));
        assert_eq!(parse("client_class = CLIENT_CLASS_A_PLUS").unwrap().class, Some(ClientClass::APlus));
        assert_eq!(parse(" ").unwrap(), Filter::default());
    }

    #[test]
    fn what_is_not_understood_is_named_by_its_number_and_never_repeated() {
        for (text, term) in [
            ("vip", "1"),
            ("vip = yes", "1"),
            ("vip = true AND vip = true", "2"),
            ("client_class = H", "1"),
            ("client_class = UNSPECIFIED", "1"),
            ("service_manager = li", "1"),
            ("phone = 1", "1"),
            ("vip = true AND ", "2"),
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
