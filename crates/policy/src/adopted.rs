//! The adopted policies that a process of a following service knows: whether one more is adopted, and a snapshot for decisions.
//!
//! A process learns of a version when it commits its adoption, and of those that another replica adopted before its next decision. Taking in is a
//! union, so the order of the two does not matter.

use std::{collections::BTreeSet, sync::Arc};

use arc_swap::ArcSwap;
use shouwen_proto::events::v1::PolicyAdopted;

use crate::{InvalidBook, PolicyBook, PolicyVersion};

/// The snapshot, replaced as a whole.
#[derive(Debug)]
pub struct AdoptedPolicies(ArcSwap<PolicyBook>);

/// A stored policy: `policies/{policy}` and its version, where this release can read it.
pub type StoredPolicy = (String, Option<PolicyVersion>);

/// Whether a version that ownership approved is to be adopted (P1), which it is once: `known` is what is stored of it, where this release can read
/// that. What an earlier release could not read is adopted anew; what this one cannot read, or does not fit, is refused, so that an operator sees it
/// and repeats it after the upgrade.
pub fn adopt(
    known: Option<&PolicyVersion>,
    approved: &PolicyAdopted,
    book: &PolicyBook,
) -> Result<Option<PolicyAdopted>, InvalidBook> {
    if known.is_some() {
        return Ok(None);
    }
    let version = PolicyVersion::try_from(approved)
        .map_err(|error| InvalidBook { combination: approved.policy.clone(), errors: vec![error] })?;
    book.with(version)?;
    Ok(Some(approved.clone()))
}

impl AdoptedPolicies {
    /// From everything that is stored.
    pub fn load(stored: Vec<StoredPolicy>) -> Result<Self, InvalidBook> {
        let book = PolicyBook::load(stored.into_iter().filter_map(|(_, version)| version))?;
        Ok(Self(ArcSwap::from_pointee(book)))
    }

    /// What holds now, for one decision.
    pub fn book(&self) -> PolicyBook {
        PolicyBook::clone(&self.0.load())
    }

    /// Takes in what of everything stored is not known yet.
    pub fn take_in(&self, stored: &[StoredPolicy]) {
        self.0.rcu(|book| Arc::new(taken_in(book, stored)));
    }

    /// Takes in what was just committed.
    pub fn adopted<'a>(&self, committed: impl Iterator<Item = &'a PolicyAdopted>) {
        let stored =
            |adopted: &PolicyAdopted| (adopted.policy.clone(), PolicyVersion::try_from(adopted).ok());
        let adopted: Vec<StoredPolicy> = committed.map(stored).collect();
        if !adopted.is_empty() {
            self.take_in(&adopted);
        }
    }
}

/// A book with what is not in it yet.
fn taken_in(book: &PolicyBook, stored: &[StoredPolicy]) -> PolicyBook {
    let held: BTreeSet<&str> = book.versions().map(|version| version.policy.as_str()).collect();
    let mut next = book.clone();
    for (id, version) in stored.iter().filter(|(id, _)| !held.contains(id.as_str())) {
        match version.clone().map(|version| next.with(version)) {
            Some(Ok(book)) => next = book,
            // Each was validated when it was adopted, under the lock that orders all adoptions.
            Some(Err(error)) => {
                tracing::error!(policy = id, %error, "an adopted policy does not fit the others");
            }
            None => tracing::error!(policy = id, "an adopted policy cannot be read by this release"),
        }
    }
    next
}
