//! What decisions read beside the locked states: roster, policies and absences as the ledger stands at a position.
//!
//! Events are taken in by position, each once and in the ledger's order, whoever brings them: the batch that is about to decide, the watcher of the
//! ledger, or the call that has just written.

use std::sync::Arc;

use shouwen_policy::{PolicyBook, PolicyVersion};
use shouwen_proto::events::v1::{PolicyApproved, ownership_event::Event};

use super::{
    absence::Absences,
    roster::{self, Roster},
};

/// Names of the events that change it.
pub const OBSERVED: &[&str] = &[
    "branch_saved",
    "employee_saved",
    "line_saved",
    "service_account_saved",
    "policy_approved",
    "absence_planned",
    "absence_ended",
    "absence_cancelled",
    "absence_deputy_changed",
];

/// Roster, policies and absences up to a position. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Known {
    /// The last position taken in; 0 before anything was read.
    pub position: i64,
    pub roster: Arc<Roster>,
    pub policies: PolicyBook,
    /// Those that are planned or running.
    pub absences: Absences,
}

impl Known {
    /// With the events of the positions up to `head`; those taken in before are passed over.
    #[must_use]
    pub fn with(&self, events: &[(i64, Event)], head: i64) -> Self {
        let mut known = self.clone();
        for (_, event) in events.iter().filter(|(position, _)| *position > self.position) {
            if let Some(entry) = roster::entry_of(event) {
                known.roster = Arc::new(known.roster.with(entry));
            }
            known.absences.learn(event);
            if let Event::PolicyApproved(approved) = event {
                known.policies = with_policy(&known.policies, approved);
            }
        }
        known.position = known.position.max(head);
        known
    }
}

/// A version approved by a newer release stays out: this one keeps what it understands.
pub(super) fn with_policy(policies: &PolicyBook, approved: &PolicyApproved) -> PolicyBook {
    let version = PolicyVersion::try_from(approved);
    if let Ok(Ok(newer)) = version.map(|version| policies.with(version)) {
        return newer;
    }
    tracing::error!(policy = approved.policy, "an approved policy cannot be read");
    policies.clone()
}
