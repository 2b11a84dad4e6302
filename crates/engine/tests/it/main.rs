//! The engine on a real Postgres, with a small bank as its domain: accounts with unique names, transfers between two of them, numbered notes,
//! reminders that fall due, and credits that follow another ledger.
//!
//! What a property needs is a check function that answers what it found; a test asserts that nothing was found, and where a mechanism of the
//! engine can be switched off, a second test asserts that the same check then turns red.

mod audit;
mod bank;
mod batches;
mod chain;
mod clock;
mod commits;
mod counters;
mod deadlines;
mod feeds;
mod fences;
mod followers;
mod gate;
mod ground;
mod idempotency;
mod keys;
mod kills;
mod metrics;
mod observed;
mod parked;
mod plans;
mod replay;
mod roles;
mod source;
