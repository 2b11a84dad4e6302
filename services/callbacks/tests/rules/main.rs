//! The rules of callbacks, shown on the pure domain and on the running service over a real Postgres.

mod api;
mod domain;
mod follow;
mod lease;
mod properties;
mod service;
