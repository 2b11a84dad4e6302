//! The edge over real HTTP/2 on loopback: a contract of its own with methods of every kind, an echoing backend that demands contexts,
//! and ownership in a few maps. No database: what ownership decides is shown with ownership.

mod backend;
mod codec;
mod contract;
mod owners;
mod world;

mod cases;
mod direct;
mod first_touch;
mod forwarding;
mod infrastructure;
mod limits;
mod service_accounts;
mod streams;
mod tokens;
