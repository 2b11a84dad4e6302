//! Black-box suites: the built binary as separate processes on a real Postgres, called through its public API only.
//!
//! They deliberately know nothing of the inside of the services; what they break on purpose (processes, the database, ledgers, certificates) is what an
//! operator or an attacker could break.

mod abuse;
mod access;
mod audit_cli;
mod canary;
mod cli;
mod complaint;
mod desk;
mod due;
mod flow;
mod harness;
mod kill;
mod outage;
mod race;
mod routing;
mod settings;
mod tls;
