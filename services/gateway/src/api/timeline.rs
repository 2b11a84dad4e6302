//! Where a page of a timeline ends, and what all its pages tell, as the page token holds them.

use shouwen_proto::events::v1::Cursor;

use crate::{
    domain::timeline::{At, Line},
    store::timeline::AsOf,
};

/// The end of a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    service: String,
    position: i64,
    pub(super) as_of: AsOf,
}

impl Place {
    pub(super) fn behind(last: &Line, as_of: &AsOf) -> Self {
        Self { service: last.service.clone(), position: last.position, as_of: as_of.clone() }
    }

    pub(super) fn last(&self) -> At<'_> {
        (&self.service, self.position)
    }

    /// `service position`, then `service position incarnation` of each feed.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {}", self.service, self.position);
        for (service, cursor) in &self.as_of.0 {
            text.extend([";", service, " ", &cursor.position.to_string(), " ", &cursor.incarnation]);
        }
        text.into_bytes()
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut parts = str::from_utf8(bytes).ok()?.split(';');
        let (service, position) = parts.next()?.split_once(' ')?;
        let as_of = parts
            .map(|feed| {
                let mut words = feed.splitn(3, ' ');
                let service = words.next()?.to_owned();
                let position = words.next()?.parse().ok()?;
                Some((service, Cursor { incarnation: words.next()?.to_owned(), position }))
            })
            .collect::<Option<_>>()?;
        Some(Self { service: service.to_owned(), position: position.parse().ok()?, as_of: AsOf(as_of) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again() {
        let cursor = |incarnation: &str, position| Cursor { incarnation: incarnation.to_owned(), position };
        let as_of =
            AsOf(vec![("ownership".to_owned(), cursor("0-1", 9)), ("calls".to_owned(), cursor("", 0))]);
        let place = Place { service: "calls".to_owned(), position: 7, as_of };
        assert_eq!(Place::read(&place.bytes()), Some(place));
        for malformed in ["", "calls", "calls x", "calls 1;calls", "calls 1;calls 2"] {
            assert_eq!(Place::read(malformed.as_bytes()), None, "{malformed}");
        }
    }
}
