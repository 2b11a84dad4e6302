//! Limits, windows and calendars as versioned documents with a scope and a date from which they hold (rules P1-P3,
//! S3): what they may say, how the firm's standard and a branch's adjustment make the effective policy, and how a
//! proposal becomes a version.
//!
//! A [`PolicyBook`] is an immutable snapshot of all approved versions that answers what holds for a branch at a time,
//! and what a version string that a matter remembers meant and still means.
//!
//! [`AdoptedPolicies`] is the book of a service that adopts versions from ownership's feed, replaced as versions come.
//!
//! This crate is deliberately not a store, a clock or a service: it reads nothing, never asks what time it is, and
//! does not know who may call an RPC beyond what P2 and P3 say about persons.

mod adopted;
mod book;
mod calendar;
mod document;
mod documents;
mod error;
mod escalation;
mod events;
mod kind;
mod proposal;
mod protobuf;
mod version;

pub use adopted::{AdoptedPolicies, StoredPolicy, adopt};
pub use book::{Effective, EffectiveDocument, InvalidBook, PolicyBook};
pub use document::{Document, Field, PolicyDocument, Shape};
pub use documents::{
    CallbacksPolicy, CallsPolicy, ClientsPolicy, ComplaintLimits, ComplaintsPolicy, EscalationPolicy,
    HoursPolicy, OwnershipPolicy, RoutingPolicy,
};
pub use error::{PolicyError, PolicyRejection, UnknownVersion};
pub use escalation::{Level, Rung};
pub use events::adoption;
pub use kind::{Kind, Scope, UnknownKind};
pub use proposal::{
    Person, PolicyState, PolicyStatus, Propose, Reach, approve, propose, reject, revision_counter,
    validate_proposal,
};
pub use protobuf::{document_from_struct, document_to_struct};
pub use version::{PolicyRef, PolicyVersion, Source};
