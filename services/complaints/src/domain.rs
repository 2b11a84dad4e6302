//! Complaints (投诉), opinions, suggestions and inquiries as pure types and decisions: from the record form through proposal, approval and reply to the
//! client's word, with every limit on the way (C1-C11, C15, C16, O10, O12).
//!
//! No I/O and no clock: times, policies and ids come in from outside. Nothing here knows how a call reaches the service or where a state is kept.

pub mod approval;
pub mod codec;
pub mod command;
pub mod complaint;
pub mod ending;
pub mod evolve;
pub mod handling;
pub mod intake;
pub mod limits;
pub mod name;
pub mod numbers;
pub mod policies;
pub mod rejection;
pub mod settle;
pub mod terms;
pub mod transitions;

use shouwen_policy::PolicyVersion;

pub use command::Command;
pub use complaint::{Complaint, Stage};
pub use name::ComplaintName;
pub use rejection::Rejection;
pub use transitions::Setting;

/// The state of an aggregate of this service.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// `complaints/{complaint}`
    Complaint(Box<Complaint>),
    /// `policies/{policy}`: a version adopted from ownership (P1); `None` where this release cannot read it.
    Policy(Option<Box<PolicyVersion>>),
}

impl State {
    /// The complaint, if it is one.
    pub fn complaint(&self) -> Option<&Complaint> {
        match self {
            Self::Complaint(complaint) => Some(complaint),
            Self::Policy(_) => None,
        }
    }

    /// The adopted version, if it is one that this release can read.
    pub fn policy(&self) -> Option<&PolicyVersion> {
        match self {
            Self::Policy(version) => version.as_deref(),
            Self::Complaint(_) => None,
        }
    }
}

/// Rules that a simulation switches off to see its own check turn red. All off in the product: no configuration reaches them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutants {
    /// The limits of C6 and C7 begin with the day after acceptance.
    pub day_of_acceptance_not_counted: bool,
    /// A dissatisfied client's complaint closes like a satisfied one's (C10).
    pub dissatisfied_does_not_reopen: bool,
}
