//! Who calls back: diallers who make the promised callbacks while processes die.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use shouwen_proto::r#type::v1::Satisfaction;
use tokio::sync::{Mutex, mpsc};

use super::{caller::Caller, journal::Journal};
use crate::harness::{Suite, requests};

/// A callback to be made, and by whom.
pub(super) type Promised = (String, String);

/// Makes promised callbacks until no desk promises any more.
pub(super) async fn dial(
    suite: &Suite,
    journal: &Journal,
    to_dial: &Mutex<mpsc::UnboundedReceiver<Promised>>,
) {
    let mut random = StdRng::seed_from_u64(1);
    loop {
        let next = to_dial.lock().await.recv().await;
        let Some((callback, employee)) = next else { return };
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
