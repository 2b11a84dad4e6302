//! Where a page of a list of cases ends, as its token holds it.

use chrono::DateTime;

use crate::store::cases::After;

/// As bytes: the case's name, in the order of limits behind `due` and its limit in microseconds, or behind `rest` once no answer is owed any more.
pub(super) fn bytes(after: &After) -> Vec<u8> {
    let text = match after {
        After::Newest(id) => id.clone().unwrap_or_default(),
        After::Due(Some((due, id))) => format!("due {} {id}", due.timestamp_micros()),
        After::Due(None) => String::new(),
        After::NothingDue(id) => format!("rest {}", id.as_deref().unwrap_or_default()),
    };
    text.into_bytes()
}

/// The place in the order that begins at `begin`; `None` for bytes that are none.
pub(super) fn after(begin: &After, bytes: &[u8]) -> Option<After> {
    let text = str::from_utf8(bytes).ok()?;
    if matches!(begin, After::Newest(_)) {
        return Some(After::Newest(Some(text.to_owned())));
    }
    let mut parts = text.split(' ');
    match (parts.next()?, parts.next()?, parts.next()) {
        ("due", due, Some(id)) => {
            Some(After::Due(Some((DateTime::from_timestamp_micros(due.parse().ok()?)?, id.to_owned()))))
        }
        ("rest", id, None) => Some(After::NothingDue(Some(id.to_owned()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again() {
        let due = DateTime::from_timestamp_micros(1_757_383_200_000_001);
        let newest = After::Newest(Some("cases/1".to_owned()));
        assert_eq!(after(&After::Newest(None), &bytes(&newest)), Some(newest));
        for place in [
            After::Due(due.map(|due| (due, "cases/2".to_owned()))),
            After::NothingDue(Some("cases/3".to_owned())),
        ] {
            assert_eq!(after(&After::Due(None), &bytes(&place)), Some(place));
        }
        for malformed in ["", "due", "due x cases/1", "due 1", "rest", "rest cases/1 x", "cases/1"] {
            assert_eq!(after(&After::Due(None), malformed.as_bytes()), None, "{malformed}");
        }
    }
}
