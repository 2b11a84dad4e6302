//! The filter of a list of clients: `field = value` terms joined by AND, each field at most once.

use shouwen_access::{EmployeeName, Failure};
use shouwen_proto::r#type::v1::ClientClass as ClientClassMessage;
use tonic::Code;

use crate::{
    domain::{ClientClass, class},
    store::clients::Filter,
};

/// Parses a filter; empty asks for all. `FILTER_INVALID` names the term that is not understood.
pub(super) fn parse(text: &str) -> Result<Filter, Failure> {
    let mut filter = Filter::default();
    if text.trim().is_empty() {
        return Ok(filter);
    }
    for term in text.split(" AND ").map(str::trim) {
        let (field, value) = term.split_once('=').ok_or_else(|| invalid(term))?;
        let value = unquoted(value.trim());
        // A second value of one field could only contradict the first.
        let taken = match field.trim() {
            "service_manager" => set(&mut filter.manager, employee(value)),
            "client_class" => set(&mut filter.class, class(value)),
            "vip" => set(&mut filter.vip, value.parse().ok()),
            _ => false,
        };
        if !taken {
            return Err(invalid(term));
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

fn invalid(term: &str) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "FILTER_INVALID",
        format!("`{term}` is not understood; use `service_manager`, `client_class` or `vip` once each, `=` and a value, joined by AND."),
        format!("无法识别 `{term}`；可用 service_manager、client_class、vip 各一次，形如 `vip = true`，以 AND 连接。"),
    )
    .with("term", term)
    .field(
        "filter",
        "such as `client_class = A_PLUS AND vip = true`",
        "例如 `client_class = A_PLUS AND vip = true`",
    )
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
    fn what_is_not_understood_is_named() {
        for (text, term) in [
            ("vip", "vip"),
            ("vip = yes", "vip = yes"),
            ("vip = true AND vip = true", "vip = true"),
            ("client_class = H", "client_class = H"),
            ("client_class = UNSPECIFIED", "client_class = UNSPECIFIED"),
            ("service_manager = li", "service_manager = li"),
            ("phone = 1", "phone = 1"),
            ("vip = true AND ", ""),
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
