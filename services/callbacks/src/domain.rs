//! Callbacks (回访) as pure types and decisions: what is owed to a client by telephone, from when, until when, who has it, and what came of it
//! (B1-B8, C9, C11).
//!
//! No I/O and no clock: times, policies and ids come in from outside. Nothing here knows how a call reaches the service or where a state is kept.

pub mod attempts;
pub mod callback;
pub mod codec;
pub mod command;
pub mod escalation;
pub mod evolve;
pub mod limits;
pub mod name;
pub mod rejection;
mod results;
pub mod schedule;
pub mod settled;
pub mod talk;
pub mod talks;
pub mod tally;
pub mod transitions;

use shouwen_policy::PolicyVersion;

pub use callback::{Attempt, Callback, Kind, Met, Stage, Verification};
pub use command::Command;
pub use name::{CallbackName, ComplaintName, Parent};
pub use rejection::Rejection;
pub use tally::Tally;

/// The state of an aggregate of this service.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// `callbacks/{callback}`
    Callback(Box<Callback>),
    /// `policies/{policy}`: a version adopted from ownership (P1); `None` where this release cannot read it.
    Policy(Option<Box<PolicyVersion>>),
}

impl State {
    /// The callback, if it is one.
    pub fn callback(&self) -> Option<&Callback> {
        match self {
            Self::Callback(callback) => Some(callback),
            Self::Policy(_) => None,
        }
    }

    /// The adopted version, if it is one that this release can read.
    pub fn policy(&self) -> Option<&PolicyVersion> {
        match self {
            Self::Policy(version) => version.as_deref(),
            Self::Callback(_) => None,
        }
    }
}
