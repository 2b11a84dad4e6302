//! The calls service: contacts of clients with the firm on every channel, who answered them, what was recorded and promised, how they ended.
//!
//! It does not decide who is responsible for a case, and it makes no callbacks: ownership and callbacks follow its ledger.

pub mod domain;
mod store;
