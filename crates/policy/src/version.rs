//! An approved version, and the string by which a matter remembers the versions under which it began.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::error::UnknownVersion;
use crate::kind::{Kind, Scope};

/// An approved version: holds from `effective_from` until a later one of the same kind and scope takes effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// `policies/{policy}`
    pub policy: String,
    pub kind: Kind,
    pub scope: Scope,
    /// Counts the proposals of this kind and scope, from 1.
    pub revision: i64,
    /// Only the fields that it sets.
    pub document: Document,
    pub effective_from: DateTime<Utc>,
}

/// Which versions make up an effective policy: `calls@default`, `calls@firm:2`, `calls@branches/b1:1`,
/// `calls@firm:2+branches/b1:1`. It means the same document for ever, whatever is approved later; the built-in standard
/// behind `default` is therefore never changed in a later release.
///
/// Of kind `calendar` it names the data imported last; those imported before lie beneath.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyRef {
    /// The canonical form of the rest.
    text: String,
    kind: Kind,
    firm: Option<i64>,
    branch: Option<(String, i64)>,
}

/// Where a value comes from (P2): `default`, `firm:{revision}` or `branches/{branch}:{revision}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    Default,
    Firm(i64),
    /// Branch id and revision.
    Branch(String, i64),
}

impl PolicyVersion {
    /// As what an effective policy shows it.
    pub fn source(&self) -> Source {
        match &self.scope {
            Scope::Firm => Source::Firm(self.revision),
            Scope::Branch(branch) => Source::Branch(branch.clone(), self.revision),
        }
    }
}

impl PolicyRef {
    pub(crate) fn new(kind: Kind, firm: Option<&PolicyVersion>, branch: Option<&PolicyVersion>) -> PolicyRef {
        let branch = branch.and_then(|version| match &version.scope {
            Scope::Firm => None,
            Scope::Branch(branch) => Some((branch.clone(), version.revision)),
        });
        PolicyRef::of(kind, firm.map(|version| version.revision), branch)
    }

    fn of(kind: Kind, firm: Option<i64>, branch: Option<(String, i64)>) -> PolicyRef {
        let text = match (firm, &branch) {
            (None, None) => format!("{kind}@default"),
            (Some(firm), None) => format!("{kind}@firm:{firm}"),
            (None, Some((branch, revision))) => format!("{kind}@branches/{branch}:{revision}"),
            (Some(firm), Some((branch, revision))) => {
                format!("{kind}@firm:{firm}+branches/{branch}:{revision}")
            }
        };
        PolicyRef { text, kind, firm, branch }
    }

    /// The version string.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The revision of the firm's version in it.
    pub(crate) fn firm(&self) -> Option<i64> {
        self.firm
    }

    /// Id of the branch and revision of its version in it.
    pub(crate) fn branch(&self) -> Option<(&str, i64)> {
        self.branch.as_ref().map(|(branch, revision)| (branch.as_str(), *revision))
    }
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AsRef<str> for PolicyRef {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl FromStr for PolicyRef {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<PolicyRef, UnknownVersion> {
        parse(text).filter(|parsed| parsed.text == text).ok_or_else(|| UnknownVersion {
            version: text.into(),
            problem: "is not written like calls@firm:2+branches/b1:1".into(),
        })
    }
}

impl TryFrom<String> for PolicyRef {
    type Error = UnknownVersion;

    fn try_from(text: String) -> Result<PolicyRef, UnknownVersion> {
        text.parse()
    }
}

impl From<PolicyRef> for String {
    fn from(version: PolicyRef) -> String {
        version.text
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::Firm(revision) => write!(f, "firm:{revision}"),
            Source::Branch(branch, revision) => write!(f, "branches/{branch}:{revision}"),
        }
    }
}

/// Reads leniently; the caller compares with the canonical form.
fn parse(text: &str) -> Option<PolicyRef> {
    let (kind, layers) = text.split_once('@')?;
    let kind = kind.parse().ok()?;
    let (mut firm, mut branch) = (None, None);
    for layer in layers.split('+').filter(|_| layers != "default") {
        let (scope, revision) = layer.rsplit_once(':')?;
        let revision = revision.parse().ok().filter(|revision| *revision >= 1)?;
        match scope.parse().ok()? {
            Scope::Firm => firm = Some(revision),
            Scope::Branch(id) => branch = Some((id, revision)),
        }
    }
    Some(PolicyRef::of(kind, firm, branch))
}
