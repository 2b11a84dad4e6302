//! Names of this service's resources.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use shouwen_engine::AggregateId;

/// `clients/{client}`; the id is the CRM's: 1-64 of `a-z A-Z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientName(String);

/// `operations/{operation}`: an import. The same caller's same request always has the same name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperationName(String);

/// A text that does not name what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `{0}/` and an id")]
pub struct InvalidName(&'static str);

impl ClientName {
    const COLLECTION: &str = "clients/";

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part behind `clients/`.
    pub fn id(&self) -> &str {
        &self.0[Self::COLLECTION.len()..]
    }

    pub fn aggregate(&self) -> AggregateId {
        AggregateId(self.0.clone())
    }
}

impl FromStr for ClientName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let valid = |id: &str| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        match text.strip_prefix(Self::COLLECTION) {
            Some(id) if valid(id) => Ok(Self(text.to_owned())),
            _ => Err(InvalidName("clients")),
        }
    }
}

impl TryFrom<String> for ClientName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<ClientName> for String {
    fn from(name: ClientName) -> Self {
        name.0
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl OperationName {
    const COLLECTION: &str = "operations/";
    /// Hexadecimal digits of an id.
    const DIGITS: usize = 32;

    /// From a digest of who asks and under which request id; its first 16 bytes.
    pub fn of_digest(digest: &[u8]) -> Self {
        let bytes = digest.get(..Self::DIGITS / 2).unwrap_or(digest);
        Self(format!("{}{}", Self::COLLECTION, hex::encode(bytes)))
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn aggregate(&self) -> AggregateId {
        AggregateId(self.0.clone())
    }
}

impl FromStr for OperationName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let valid = |id: &str| {
            id.len() == Self::DIGITS
                && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        match text.strip_prefix(Self::COLLECTION) {
            Some(id) if valid(id) => Ok(Self(text.to_owned())),
            _ => Err(InvalidName("operations")),
        }
    }
}

impl TryFrom<String> for OperationName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<OperationName> for String {
    fn from(name: OperationName) -> Self {
        name.0
    }
}

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l1_a_clients_id_is_the_crms() {
        let name: ClientName = "clients/C-10.a_Z".parse().unwrap();
        assert_eq!((name.id(), name.to_string().as_str()), ("C-10.a_Z", "clients/C-10.a_Z"));
        for bad in ["clients/", "clients/a b", "clients/a/b", "clients/张", "contacts/1", "C-10"] {
            assert!(bad.parse::<ClientName>().is_err(), "{bad}");
        }
        assert!(format!("clients/{}", "a".repeat(64)).parse::<ClientName>().is_ok());
        assert!(format!("clients/{}", "a".repeat(65)).parse::<ClientName>().is_err());
    }

    #[test]
    fn an_operation_is_named_by_a_digest() {
        let name = OperationName::of_digest(&[255; 32]);
        assert_eq!(name.as_str(), format!("operations/{}", "ff".repeat(16)));
        assert_eq!(name.as_str().parse(), Ok(name));
        assert!("operations/FF".parse::<OperationName>().is_err());
    }
}
