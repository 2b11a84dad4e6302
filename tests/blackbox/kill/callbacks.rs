//! Who calls back: diallers who make the promised callbacks while processes die.

use chrono::{DateTime, Utc};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use shouwen_proto::r#type::v1::Satisfaction;
use shouwen_runtime::clock::now;
use shouwen_testkit::until;
use tokio::sync::{Mutex, mpsc};

use super::{
    caller::{Caller, INSISTS},
    journal::Journal,
};
use crate::harness::{Suite, requests};

/// A callback to be made, by whom, and from when on.
pub(super) struct Promised {
    pub(super) callback: String,
    pub(super) employee: String,
    pub(super) agreed: DateTime<Utc>,
}

/// Makes promised callbacks until no desk promises any more.
pub(super) async fn dial(
    suite: &Suite,
    journal: &Journal,
    to_dial: &Mutex<mpsc::UnboundedReceiver<Promised>>,
) {
    let mut random = StdRng::seed_from_u64(1);
    loop {
        let next = to_dial.lock().await.recv().await;
        let Some(Promised { callback, employee, agreed }) = next else { return };
        // Asking before would only take time from those who write.
        until("the agreed time", INSISTS, async || (now() >= agreed).then_some(())).await;
        let caller = Caller::new(suite, &employee);
        lease(&caller, &callback).await;
        journal.note("leased", &callback, &employee);
        let mut request = requests::complete(&callback, Satisfaction::Satisfied);
        request.score = random.random_range(1..=10);
        let score = request.score.to_string();
        caller.achieve("complete", async |it| it.callbacks().complete_callback(request.clone()).await).await;
        journal.note("completed", &callback, &score);
    }
}

/// Leases as soon as the callback has appeared and is due; always with the same request id.
pub(super) async fn lease(caller: &Caller, callback: &str) {
    let request = requests::lease(callback);
    let waits = ["CALLBACK_NOT_FOUND", "TOO_EARLY"];
    let lease = async |it: crate::harness::Client| it.callbacks().lease_callback(request.clone()).await;
    caller.await_feed("the callback can be leased", &waits, lease).await;
}
