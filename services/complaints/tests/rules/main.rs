//! The rules of complaints, shown on the pure domain and on the running service over a real Postgres.

mod api;
mod approval;
mod bench;
mod calls;
mod ending;
mod escalation;
mod follow;
mod handling;
mod limits;
mod listing;
mod numbers;
mod people;
mod properties;
mod recusal;
mod roster;
mod service;
