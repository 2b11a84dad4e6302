//! Names of callbacks: below the case whose promise they keep, or below the branch that missed a call or received a complaint. Names of the
//! complaints that are verified.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use shouwen_engine::AggregateId;

/// Under what a callback is named; full names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Parent {
    /// `cases/{case}`: belongs to who is responsible for the case (B7).
    Case(String),
    /// `branches/{branch}`: open to every employee of the branch.
    Branch(String),
}

impl Parent {
    /// The full name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Case(name) | Self::Branch(name) => name,
        }
    }
}

/// `cases/{case}/callbacks/{callback}` or `branches/{branch}/callbacks/{callback}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallbackName {
    parent: Parent,
    id: String,
}

/// A text that does not name a callback.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `cases/{{case}}/callbacks/{{callback}}` or `branches/{{branch}}/callbacks/{{callback}}`")]
pub struct InvalidCallbackName;

impl CallbackName {
    /// The callback `id` below the case or branch with the full name `parent`.
    pub fn below(parent: &str, id: &str) -> Result<Self, InvalidCallbackName> {
        format!("{parent}/callbacks/{id}").parse()
    }

    pub fn parent(&self) -> &Parent {
        &self.parent
    }

    /// The case's full name; empty below a branch.
    pub fn case(&self) -> &str {
        match &self.parent {
            Parent::Case(case) => case,
            Parent::Branch(_) => "",
        }
    }

    /// The part behind `callbacks/`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `callbacks/{callback}`, as the engine knows it.
    pub fn aggregate(&self) -> AggregateId {
        AggregateId(format!("callbacks/{}", self.id))
    }
}

impl fmt::Display for CallbackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/callbacks/{}", self.parent.as_str(), self.id)
    }
}

impl FromStr for CallbackName {
    type Err = InvalidCallbackName;

    fn from_str(text: &str) -> Result<Self, InvalidCallbackName> {
        let mut parts = text.split('/');
        let mut next = || parts.next().unwrap_or_default();
        let (collection, owner, callbacks, id) = (next(), next(), next(), next());
        if callbacks != "callbacks" || !is_id(owner) || !is_id(id) || parts.next().is_some() {
            return Err(InvalidCallbackName);
        }
        let parent = match collection {
            "cases" => Parent::Case(format!("cases/{owner}")),
            "branches" => Parent::Branch(format!("branches/{owner}")),
            _ => return Err(InvalidCallbackName),
        };
        Ok(Self { parent, id: id.to_owned() })
    }
}

impl TryFrom<String> for CallbackName {
    type Error = InvalidCallbackName;

    fn try_from(text: String) -> Result<Self, InvalidCallbackName> {
        text.parse()
    }
}

impl From<CallbackName> for String {
    fn from(name: CallbackName) -> Self {
        name.to_string()
    }
}

/// `cases/{case}/complaints/{complaint}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComplaintName {
    case: String,
    id: String,
}

/// A text that does not name a complaint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `cases/{{case}}/complaints/{{complaint}}`")]
pub struct InvalidComplaintName;

impl ComplaintName {
    /// The complaint `id` below the case with the full name `case`.
    pub fn below(case: &str, id: &str) -> Result<Self, InvalidComplaintName> {
        format!("{case}/complaints/{id}").parse()
    }

    /// The case's full name.
    pub fn case(&self) -> &str {
        &self.case
    }

    /// The part behind `complaints/`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `complaints/{complaint}`, as the complaints service knows the aggregate.
    pub fn aggregate(&self) -> String {
        format!("complaints/{}", self.id)
    }
}

impl fmt::Display for ComplaintName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/complaints/{}", self.case, self.id)
    }
}

impl FromStr for ComplaintName {
    type Err = InvalidComplaintName;

    fn from_str(text: &str) -> Result<Self, InvalidComplaintName> {
        let (case, id) = text
            .strip_prefix("cases/")
            .and_then(|rest| rest.split_once("/complaints/"))
            .filter(|(case, id)| is_id(case) && is_id(id))
            .ok_or(InvalidComplaintName)?;
        Ok(Self { case: format!("cases/{case}"), id: id.to_owned() })
    }
}

impl TryFrom<String> for ComplaintName {
    type Error = InvalidComplaintName;

    fn try_from(text: String) -> Result<Self, InvalidComplaintName> {
        text.parse()
    }
}

impl From<ComplaintName> for String {
    fn from(name: ComplaintName) -> Self {
        name.to_string()
    }
}

/// Callbacks of calls take over the calls' ids.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_to_the_letter() {
        let name: CallbackName = "cases/0198/callbacks/c-1".parse().unwrap();
        assert_eq!((name.case(), name.id()), ("cases/0198", "c-1"));
        assert_eq!(name.aggregate().0, "callbacks/c-1");
        let below: CallbackName = "branches/b1/callbacks/c1".parse().unwrap();
        assert_eq!((below.parent(), below.case()), (&Parent::Branch("branches/b1".into()), ""));
        assert_eq!(CallbackName::below("branches/b1", "c1").unwrap(), below);
        for bad in [
            "",
            "callbacks/c1",
            "cases/1/callbacks/",
            "clients/1/callbacks/2",
            "cases/1/callbacks/2/3",
            "cases/a b/callbacks/2",
        ] {
            assert!(bad.parse::<CallbackName>().is_err(), "{bad}");
        }
    }
    #[test]
    fn names_of_complaints_are_parsed_to_the_letter() {
        let name: ComplaintName = "cases/0198/complaints/c-1".parse().unwrap();
        assert_eq!((name.case(), name.id()), ("cases/0198", "c-1"));
        assert_eq!(
            (name.aggregate(), name.to_string()),
            ("complaints/c-1".into(), "cases/0198/complaints/c-1".into())
        );
        for bad in [
            "",
            "complaints/1",
            "cases/1/complaints/",
            "cases//complaints/1",
            "cases/1/complaints/2/3",
            "branches/1/complaints/2",
        ] {
            assert!(bad.parse::<ComplaintName>().is_err(), "{bad}");
        }
    }
}
