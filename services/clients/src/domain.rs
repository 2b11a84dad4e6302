//! Clients (客户) as pure types and decisions: their files (L1), classes (L2), service managers (L8), marks (L12), the verification of their identity
//! (K11), who looked for them by a number (L10), and the imports that enter them.
//!
//! No I/O and no clock: times, policies, the roster and ids come in from outside. Nothing here knows how a call reaches the service, where a state is
//! kept, or any text in clear: personal data arrive sealed, with opaque keys that tell whether they are the same.

pub mod class;
pub mod client;
pub mod codec;
pub mod command;
pub mod coverage;
pub mod evolve;
pub mod factor;
pub mod import;
pub mod key;
pub mod lookups;
pub mod manager;
pub mod marks;
pub mod name;
pub mod rejection;
pub mod roster;
pub mod save;
pub mod verification;

use shouwen_policy::PolicyVersion;

pub use class::ClientClass;
pub use client::{Account, Client};
pub use command::Command;
pub use coverage::Position;
pub use factor::Factor;
pub use import::Import;
pub use key::OpaqueKey;
pub use lookups::{Lookup, Lookups};
pub use name::{ClientName, OperationName};
pub use rejection::Rejection;
pub use roster::{BranchRoster, Colleague};

/// The state of an aggregate of this service.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// `clients/{client}`
    Client(Box<Client>),
    /// `operations/{operation}`
    Import(Box<Import>),
    /// `lookups/{employee}`
    Lookups(Lookups),
    /// `policies/{policy}`: a version adopted from ownership (P1); `None` where this release cannot read it.
    Policy(Option<Box<PolicyVersion>>),
}

impl State {
    /// The client, if it is one.
    pub fn client(&self) -> Option<&Client> {
        match self {
            Self::Client(client) => Some(client),
            Self::Import(_) | Self::Lookups(_) | Self::Policy(_) => None,
        }
    }

    /// The import, if it is one.
    pub fn import(&self) -> Option<&Import> {
        match self {
            Self::Import(import) => Some(import),
            Self::Client(_) | Self::Lookups(_) | Self::Policy(_) => None,
        }
    }

    /// An employee's lookups, if it is those.
    pub fn lookups(&self) -> Option<&Lookups> {
        match self {
            Self::Lookups(lookups) => Some(lookups),
            Self::Client(_) | Self::Import(_) | Self::Policy(_) => None,
        }
    }

    /// The adopted version, if it is one that this release can read.
    pub fn policy(&self) -> Option<&PolicyVersion> {
        match self {
            Self::Policy(version) => version.as_deref(),
            Self::Client(_) | Self::Import(_) | Self::Lookups(_) => None,
        }
    }
}
