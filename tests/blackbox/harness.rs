//! A deployment of the suite for one test: a database, files of keys and settings, and `shouwen serve` processes that can be killed and restarted.

pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod complaints;
pub(crate) mod deployment;
pub(crate) mod files;
pub(crate) mod ledgers;
pub(crate) mod place;
pub(crate) mod policies;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod refusal;
pub(crate) mod requests;
pub(crate) mod roster;
pub(crate) mod shared;
pub(crate) mod steps;
pub(crate) mod suite;

use std::time::Duration;

pub(crate) use client::{Client, id};
pub(crate) use refusal::{Refusal, refused};
pub(crate) use shared::Shared;
pub(crate) use suite::{Shape, Suite};

/// How long anything that another process does may take before the test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
