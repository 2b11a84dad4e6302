//! The versions of one kind and scope, and how those of the firm and of a branch lie on the built-in standard.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Effective, InvalidBook};
use crate::document::{Document, PolicyDocument, from_document, merge, to_document};
use crate::error::PolicyError;
use crate::kind::{Kind, Scope};
use crate::version::{PolicyRef, PolicyVersion, Source};

/// The versions of one kind and scope, in the order in which they take effect: by time, then by revision.
#[derive(Debug, Default)]
pub(super) struct History(Vec<PolicyVersion>);

/// What lies on the standard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layers<'a> {
    kind: Kind,
    firm: Option<&'a PolicyVersion>,
    branch: Option<&'a PolicyVersion>,
}

impl History {
    /// A revision means one document for ever: another one under the same number is refused.
    pub(super) fn insert(&mut self, version: PolicyVersion) -> Result<(), InvalidBook> {
        match self.revision(version.revision) {
            Some(held) if *held == version => Ok(()),
            Some(held) => Err(InvalidBook {
                combination: format!("{}@{}", version.kind, version.source()),
                errors: vec![PolicyError::new(
                    "revision",
                    format!("{} and {} both claim it", held.policy, version.policy),
                    "number the proposals of a kind and scope one by one",
                    format!(
                        "{} 与 {} 使用同一修订号；同一类别和范围的提案须依次编号",
                        held.policy, version.policy
                    ),
                )],
            }),
            None => {
                let key = |version: &PolicyVersion| (version.effective_from, version.revision);
                let place = self.0.partition_point(|held| key(held) < key(&version));
                self.0.insert(place, version);
                Ok(())
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &PolicyVersion> {
        self.0.iter()
    }

    /// Those that have taken effect by `at`; the last of them holds.
    pub(super) fn until(&self, at: DateTime<Utc>) -> &[PolicyVersion] {
        &self.0[..self.0.partition_point(|version| version.effective_from <= at)]
    }

    fn revision(&self, revision: i64) -> Option<&PolicyVersion> {
        self.0.iter().find(|version| version.revision == revision)
    }
}

impl<'a> Layers<'a> {
    /// What holds at `at`, for a branch by its id.
    pub(super) fn at(
        versions: &'a BTreeMap<(Kind, Scope), History>,
        kind: Kind,
        branch: Option<&str>,
        at: DateTime<Utc>,
    ) -> Layers<'a> {
        let in_effect = |scope| versions.get(&(kind, scope)).and_then(|history| history.until(at).last());
        Layers {
            kind,
            firm: in_effect(Scope::Firm),
            branch: branch.and_then(|branch| in_effect(Scope::Branch(branch.into()))),
        }
    }

    /// What a version string names; `None` if one of its versions is not held.
    pub(super) fn of(
        versions: &'a BTreeMap<(Kind, Scope), History>,
        named: &PolicyRef,
    ) -> Option<Layers<'a>> {
        let find = |scope, revision| versions.get(&(named.kind(), scope))?.revision(revision);
        let mut layers = Layers { kind: named.kind(), firm: None, branch: None };
        if let Some(revision) = named.firm() {
            layers.firm = Some(find(Scope::Firm, revision)?);
        }
        if let Some((branch, revision)) = named.branch() {
            layers.branch = Some(find(Scope::Branch(branch.into()), revision)?);
        }
        Some(layers)
    }

    pub(super) fn version(&self) -> PolicyRef {
        PolicyRef::new(self.kind, self.firm, self.branch)
    }

    /// Standard ← firm ← branch.
    pub(super) fn merged(&self, standard: Document) -> Document {
        self.versions().fold(standard, |base, version| merge(base, &version.document))
    }

    /// The topmost layer that sets each field of the merged document.
    pub(super) fn provenance(&self, standard: &Document) -> Vec<(String, Source)> {
        let mut sources: BTreeMap<&String, Source> =
            standard.keys().map(|field| (field, Source::Default)).collect();
        for version in self.versions() {
            sources.extend(version.document.keys().map(|field| (field, version.source())));
        }
        sources.into_iter().map(|(field, source)| (field.clone(), source)).collect()
    }

    /// The merged document, read and checked.
    pub(super) fn effective<T: PolicyDocument>(&self) -> Result<Effective<T>, InvalidBook> {
        let version = self.version();
        to_document(&T::default())
            .and_then(|standard| from_document(self.merged(standard)))
            .map(|value| Effective { value, version: version.clone() })
            .map_err(|errors| InvalidBook { combination: version.to_string(), errors })
    }

    fn versions(&self) -> impl Iterator<Item = &'a PolicyVersion> + use<'a> {
        self.firm.into_iter().chain(self.branch)
    }
}
