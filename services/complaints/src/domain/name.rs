//! Names of complaints: below the case of their concern.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use shouwen_engine::AggregateId;

/// `cases/{case}/complaints/{complaint}`. What hangs under a merged case keeps its name.
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

    /// `complaints/{complaint}`, as the engine knows it.
    pub fn aggregate(&self) -> AggregateId {
        AggregateId(format!("complaints/{}", self.id))
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
        let mut parts = text.split('/');
        let mut next = || parts.next().unwrap_or_default();
        let (cases, case, complaints, id) = (next(), next(), next(), next());
        let well_formed = cases == "cases" && complaints == "complaints" && is_id(case) && is_id(id);
        if !well_formed || parts.next().is_some() {
            return Err(InvalidComplaintName);
        }
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

/// As ids of cases are.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_to_the_letter() {
        let name: ComplaintName = "cases/0198/complaints/c-1".parse().unwrap();
        assert_eq!((name.case(), &*name.aggregate().0), ("cases/0198", "complaints/c-1"));
        assert_eq!(ComplaintName::below("cases/0198", "c-1").unwrap(), name);
        for bad in [
            "",
            "complaints/c1",
            "cases/1/complaints/",
            "branches/1/complaints/2",
            "cases/1/complaints/2/3",
            "cases/a b/complaints/2",
        ] {
            assert!(bad.parse::<ComplaintName>().is_err(), "{bad}");
        }
    }
}
