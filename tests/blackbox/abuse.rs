//! Bad input and abuse: each kind has its own status and its own reason, at the edge and past it.

mod callers;
mod complaints;
mod direct;
mod identity;
mod requests;
mod transitions;
mod wire;

use tonic::Code;

use crate::harness::{Refusal, Suite, steps};

/// What a refusal must be.
fn meets(what: &str, refusal: &Refusal, code: Code, reason: &str) {
    assert_eq!(refusal.kind(), (code, reason), "{what}: {refusal:?}");
}

/// A call that `li` of branch east has answered; returns its case.
async fn answered(suite: &Suite, call: &str) -> String {
    steps::answered(suite, call, "li").await
}
