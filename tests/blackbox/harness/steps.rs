//! Steps that many stories share, and those that wait for another service.

use shouwen_proto::{
    callbacks::v1::callback,
    ownership::v1::{Case, GetCaseRequest},
};
use shouwen_testkit::until;
use tonic::{Response, Status};

use super::{Client, PATIENCE, Suite, refused, requests};

pub(crate) async fn case(client: &Client, name: &str) -> Case {
    let request = GetCaseRequest { name: name.to_owned() };
    client.cases().get_case(request).await.unwrap().into_inner()
}

/// Waits until the case is as `done` wants it.
pub(crate) async fn case_becomes(
    client: &Client,
    name: &str,
    what: &str,
    done: impl Fn(&Case) -> bool,
) -> Case {
    until(what, PATIENCE, async || Some(case(client, name).await).filter(|case| done(case))).await
}

/// A call is registered by telephony and answered; returns the case.
pub(crate) async fn answered(suite: &Suite, call: &str, by: &str) -> String {
    suite.account("telephony").calls().register_call(requests::register(call)).await.unwrap();
    let call = suite.employee(by).calls().answer_call(requests::answer(call)).await.unwrap().into_inner();
    call.case
}

/// Leases a callback as soon as it is there and due; returns the number to dial and what it is about.
pub(crate) async fn leased(client: &Client, callback: &str) -> (String, String) {
    let request = requests::lease(callback);
    let answer = until("the callback can be leased", PATIENCE, async || {
        match client.callbacks().lease_callback(request.clone()).await {
            Ok(answer) => Some(answer.into_inner()),
            Err(status) => {
                let refusal = refused::<()>(Err(status));
                assert!(["CALLBACK_NOT_FOUND", "TOO_EARLY"].contains(&&*refusal.reason), "{refusal:?}");
                None
            }
        }
    })
    .await;
    assert_eq!(answer.callback.unwrap().state(), callback::State::Leased);
    (answer.phone, answer.subject)
}

/// What a call answers once it is no more refused for this reason: what it needs reaches its service by a feed, or a moment later.
pub(crate) async fn once_not<T: std::fmt::Debug>(
    reason: &str,
    call: impl AsyncFn() -> Result<Response<T>, Status>,
) -> T {
    until(&format!("no more {reason}"), PATIENCE, async || match call().await {
        Ok(answer) => Some(answer.into_inner()),
        Err(status) => {
            let refusal = refused::<()>(Err(status));
            assert_eq!(refusal.reason, reason, "{refusal:?}");
            None
        }
    })
    .await
}
