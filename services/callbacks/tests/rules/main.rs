//! The rules of callbacks, shown on the pure domain and on the running service over a real Postgres.

mod api;
mod bench;
mod domain;
mod escalation;
mod follow;
mod lease;
mod properties;
mod results;
mod service;
mod verification;
mod voiding;
