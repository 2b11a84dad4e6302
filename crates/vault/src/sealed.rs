//! Sealed values and what they are bound to: a subject, an aggregate and a field. Pure data, to be stored in JSONB
//! state or copied into event payloads; opening them is the vault's.

use std::fmt;

use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::error::VaultError;

/// Whose personal data a key opens: a client (客户), or a contact while the client is unknown. An opaque resource
/// name such as `clients/0198…`; it is stored in the clear and must not itself be personal data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subject(String);

impl Subject {
    /// A subject by its whole resource name, e.g. `clients/0198…`.
    pub fn new(resource_name: impl Into<String>) -> Self {
        Self(resource_name.into())
    }

    /// `clients/{id}`.
    pub fn client(id: impl fmt::Display) -> Self {
        Self(format!("clients/{id}"))
    }

    /// `contacts/{id}`.
    pub fn contact(id: impl fmt::Display) -> Self {
        Self(format!("contacts/{id}"))
    }

    /// The resource name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a sealed value lives. A value moved to another place does not pass for that place's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The aggregate's resource name, e.g. `calls/0198…`.
    pub aggregate: &'a str,
    /// The field within the aggregate, e.g. `summary`.
    pub field: &'a str,
}

/// A text sealed under its subject's data key. In JSON the ciphertext is base64.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sealed {
    /// Whose data key opens it.
    pub subject: Subject,
    /// The aggregate it was sealed for.
    pub aggregate: String,
    /// The field it was sealed for.
    pub field: String,
    /// Format byte (1), nonce (12 bytes), AES-256-GCM ciphertext and tag (16 bytes).
    #[serde(with = "ciphertext_as_base64")]
    pub ciphertext: Vec<u8>,
}

impl Sealed {
    /// The value itself if it was sealed for `place`, else [`VaultError::Misplaced`]. A value carries its place
    /// with it, so whoever reads one from storage asks here before opening it: a whole value copied from one row
    /// to another opens, but not `at` the other.
    pub fn at(&self, place: Place<'_>) -> Result<&Self, VaultError> {
        if self.place() == place {
            Ok(self)
        } else {
            Err(VaultError::Misplaced { aggregate: self.aggregate.clone(), field: self.field.clone() })
        }
    }

    /// The place that the value was sealed for.
    pub fn place(&self) -> Place<'_> {
        Place { aggregate: &self.aggregate, field: &self.field }
    }
}

/// Without the ciphertext, which would only fill the log.
impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("subject", &self.subject.as_str())
            .field("aggregate", &self.aggregate)
            .field("field", &self.field)
            .field("ciphertext_bytes", &self.ciphertext.len())
            .finish()
    }
}

mod ciphertext_as_base64 {
    use base64::Engine as _;

    use super::{BASE64, Deserialize};

    pub(super) fn serialize<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map_err(|_| serde::de::Error::custom("ciphertext is not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Sealed {
        Sealed {
            subject: Subject::client(7),
            aggregate: "calls/1".into(),
            field: "summary".into(),
            ciphertext: vec![1, 2, 255],
        }
    }

    #[test]
    fn json_holds_the_ciphertext_as_base64_and_reads_back() {
        let json = serde_json::to_string(&sealed()).unwrap();
        assert_eq!(
            json,
            r#"{"subject":"clients/7","aggregate":"calls/1","field":"summary","ciphertext":"AQL/"}"#
        );
        assert_eq!(serde_json::from_str::<Sealed>(&json).unwrap(), sealed());
        assert!(serde_json::from_str::<Sealed>(&json.replace("AQL/", "A")).is_err());
    }

    #[test]
    fn a_value_is_only_at_the_place_it_was_sealed_for() {
        let sealed = sealed();
        assert!(sealed.at(Place { aggregate: "calls/1", field: "summary" }).is_ok());
        assert!(sealed.at(Place { aggregate: "calls/1", field: "name" }).is_err());
        assert!(sealed.at(Place { aggregate: "calls/2", field: "summary" }).is_err());
    }
}
