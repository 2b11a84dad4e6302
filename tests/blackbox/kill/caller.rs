//! People and systems that insist: the same request, through either gateway, until it has an answer.

use std::time::Duration;

use shouwen_testkit::until;
use tonic::{Code, Response, Status};

use crate::harness::{Client, Refusal, Suite};

/// How long a client insists. Two replicas that died one after the other are back long before.
pub(super) const INSISTS: Duration = Duration::from_secs(60);

/// A person or system that reaches the suite through either gateway.
#[derive(Clone)]
pub(super) struct Caller([Client; 2]);

impl Caller {
    pub(super) fn new(suite: &Suite, subject: &str) -> Self {
        Self([suite.subject_at(0, subject), suite.subject_at(1, subject)])
    }

    /// Repeats a call until it has an answer that is one: a result, or a refusal for good.
    pub(super) async fn insist<T>(
        &self,
        what: &str,
        call: impl AsyncFn(Client) -> Result<Response<T>, Status>,
    ) -> Result<T, Refusal> {
        let mut attempt = 0;
        until(what, INSISTS, async || {
            let client = self.0[attempt % 2].clone();
            attempt += 1;
            match call(client).await {
                Ok(answer) => Some(Ok(answer.into_inner())),
                Err(status) => Refusal::of(&status).filter(|refusal| !is_passing(refusal)).map(Err),
            }
        })
        .await
    }

    /// The same for a call that nothing may refuse.
    pub(super) async fn achieve<T>(
        &self,
        what: &str,
        call: impl AsyncFn(Client) -> Result<Response<T>, Status>,
    ) -> T {
        self.insist(what, call).await.unwrap_or_else(|refusal| panic!("{what}: {refusal:?}"))
    }

    /// Repeats a call that is refused for one of these reasons until another service has heard of what it is about.
    pub(super) async fn await_feed<T>(
        &self,
        what: &str,
        reasons: &[&str],
        call: impl AsyncFn(Client) -> Result<Response<T>, Status>,
    ) -> T {
        until(what, INSISTS, async || match self.insist(what, &call).await {
            Ok(answer) => Some(answer),
            Err(refusal) => {
                assert!(reasons.contains(&&*refusal.reason), "{what}: {refusal:?}");
                None
            }
        })
        .await
    }
}

/// Whether the same request may be sent again.
fn is_passing(refusal: &Refusal) -> bool {
    matches!(
        refusal.code,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted
    ) || ["CONTENTION", "STALE_EPOCH"].contains(&&*refusal.reason)
}
