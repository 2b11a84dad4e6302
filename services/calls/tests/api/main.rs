//! The calls service through its gRPC on a real Postgres: every transition, reads, the feed, and what it does about ownership's events. Each test has
//! its own database and a business clock that stands still.

mod feed;
mod follow;
mod harness;
mod ownership;
mod privacy;
mod reads;
mod rules;
mod steps;
mod transitions;
