//! The adopted policies that a process of a following service knows: a snapshot for decisions.
//!
//! A process learns of a version when it commits its adoption, and of those that another replica adopted before its next decision. Taking in is a
//! union, so the order of the two does not matter.

use std::{collections::BTreeSet, sync::Arc};

use arc_swap::ArcSwap;

use crate::{InvalidBook, PolicyBook, PolicyVersion};

/// The snapshot, replaced as a whole.
#[derive(Debug)]
pub struct AdoptedPolicies(ArcSwap<Known>);

#[derive(Clone, Debug)]
struct Known {
    book: PolicyBook,
    /// Ids of stored policies, also of those that this release cannot read.
    ids: BTreeSet<String>,
}

/// A stored policy: `policies/{policy}` and its version, where this release can read it.
pub type StoredPolicy = (String, Option<PolicyVersion>);

impl AdoptedPolicies {
    /// From everything that is stored.
    pub fn load(stored: Vec<StoredPolicy>) -> Result<Self, InvalidBook> {
        let ids = stored.iter().map(|(id, _)| id.clone()).collect();
        let book = PolicyBook::load(stored.into_iter().filter_map(|(_, version)| version))?;
        Ok(Self(ArcSwap::from_pointee(Known { book, ids })))
    }

    /// What holds now, for one decision.
    pub fn book(&self) -> PolicyBook {
        self.0.load().book.clone()
    }

    /// Takes in what is not known yet.
    pub fn take_in(&self, stored: &[StoredPolicy]) {
        self.0.rcu(|known| Arc::new(known.with(stored)));
    }
}

impl Known {
    fn with(&self, stored: &[StoredPolicy]) -> Self {
        let mut next = self.clone();
        for (id, version) in stored {
            if !next.ids.insert(id.clone()) {
                continue;
            }
            match version.clone().map(|version| next.book.with(version)) {
                Some(Ok(book)) => next.book = book,
                // Each was validated when it was adopted, under the lock that orders all adoptions.
                Some(Err(error)) => {
                    tracing::error!(policy = id, %error, "an adopted policy does not fit the others");
                }
                None => tracing::error!(policy = id, "an adopted policy cannot be read by this release"),
            }
        }
        next
    }
}
