//! The gateway: the edge through which every call enters, and the two domains that it holds itself in schema `ownership`, cases and roster.
//!
//! `edge` knows no method and no rule of the business; `domain` knows nothing of transport or SQL; `api`, `store` and `followers` translate;
//! `desk` watches what waits for whom.

pub mod api;
pub mod desk;
mod directory;
pub mod domain;
pub mod edge;
pub mod followers;
pub mod ownership;
mod readings;
mod store;

mod service;

pub use directory::Directory;
pub use ownership::Ownership;
pub use service::{Dependencies, Feeds, Service, StartError, bootstrap, schema};
