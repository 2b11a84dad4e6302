//! What holds when, worked out once: typed policies of one kind for the firm and for each branch that has its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::history::{History, Layers};
use super::{Effective, InvalidBook, moments};
use crate::document::PolicyDocument;
use crate::kind::{Kind, Scope, branch_id};

/// A value that changes at certain moments.
#[derive(Debug)]
pub(super) struct Changes<T> {
    first: T,
    /// Ascending; of equal moments the last counts.
    later: Vec<(DateTime<Utc>, T)>,
}

/// All effective policies of one kind.
#[derive(Debug)]
pub(super) struct Timelines<T> {
    firm: Changes<Arc<Effective<T>>>,
    branches: HashMap<String, Changes<Arc<Effective<T>>>>,
    by_version: HashMap<String, Arc<Effective<T>>>,
}

impl<T> Changes<T> {
    pub(super) fn beginning_with(first: T) -> Changes<T> {
        Changes { first, later: Vec::new() }
    }

    /// From `moment` on; not before the moment pushed last.
    pub(super) fn push(&mut self, moment: DateTime<Utc>, value: T) {
        self.later.push((moment, value));
    }

    pub(super) fn at(&self, at: DateTime<Utc>) -> &T {
        let past = self.later.partition_point(|(moment, _)| *moment <= at);
        self.later[..past].last().map_or(&self.first, |(_, value)| value)
    }
}

impl<T: PolicyDocument> Timelines<T> {
    /// Merges and reads every combination of versions that holds at some time.
    pub(super) fn build(versions: &BTreeMap<(Kind, Scope), History>) -> Result<Timelines<T>, InvalidBook> {
        let mut by_version: HashMap<String, Arc<Effective<T>>> = HashMap::new();
        let mut read = |layers: Layers<'_>| -> Result<Arc<Effective<T>>, InvalidBook> {
            let version = layers.version();
            if let Some(known) = by_version.get(version.as_str()) {
                return Ok(Arc::clone(known));
            }
            let effective = Arc::new(layers.effective()?);
            by_version.insert(version.into(), Arc::clone(&effective));
            Ok(effective)
        };
        let mut changes = |branch: Option<&str>, histories: &[&History]| {
            let before = Layers::at(versions, T::KIND, None, DateTime::<Utc>::MIN_UTC);
            let mut changes = Changes::beginning_with(read(before)?);
            for moment in moments(histories.iter().copied()) {
                changes.push(moment, read(Layers::at(versions, T::KIND, branch, moment))?);
            }
            Ok::<_, InvalidBook>(changes)
        };

        let of_firm = versions.get(&(T::KIND, Scope::Firm));
        let firm = changes(None, of_firm.as_slice())?;
        let mut branches = HashMap::new();
        for ((kind, scope), own) in versions {
            if let (true, Scope::Branch(branch)) = (*kind == T::KIND, scope) {
                let histories: Vec<&History> = of_firm.into_iter().chain([own]).collect();
                branches.insert(branch.clone(), changes(Some(branch), &histories)?);
            }
        }
        Ok(Timelines { firm, branches, by_version })
    }
}

impl<T> Timelines<T> {
    /// What holds for a branch, by resource name or id, at `at`.
    pub(super) fn at(&self, branch: Option<&str>, at: DateTime<Utc>) -> Arc<Effective<T>> {
        let own = branch.and_then(|branch| self.branches.get(branch_id(branch)));
        Arc::clone(own.unwrap_or(&self.firm).at(at))
    }

    /// What a version string means, if that combination holds at some time.
    pub(super) fn of(&self, version: &str) -> Option<Arc<Effective<T>>> {
        self.by_version.get(version).map(Arc::clone)
    }
}
