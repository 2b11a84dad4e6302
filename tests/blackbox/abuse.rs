//! Bad input and abuse: each kind has its own status and its own reason, at the edge and past it.

mod callers;
mod direct;
mod requests;
mod transitions;
mod wire;

use tonic::Code;

use crate::harness::{Refusal, Suite, requests::answer, requests::register};

/// What a refusal must be.
fn meets(what: &str, refusal: &Refusal, code: Code, reason: &str) {
    assert_eq!(refusal.kind(), (code, reason), "{what}: {refusal:?}");
}

/// A call that `li` of branch east has answered; returns its case.
async fn answered(suite: &Suite, call: &str) -> String {
    suite.account("telephony").calls().register_call(register(call)).await.unwrap();
    suite.employee("li").calls().answer_call(answer(call)).await.unwrap().into_inner().case
}
