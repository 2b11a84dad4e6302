//! The rules of clients, shown on the pure domain and on the running service over a real Postgres.

mod coverage;
mod figures;
mod files;
mod import;
mod lists;
mod lookups;
mod properties;
mod secrecy;
mod service;
mod verification;
