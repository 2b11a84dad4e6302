//! The one bounded poll, for what happens in another process and announces itself to nobody.

use std::time::{Duration, Instant};

/// How often the probe is asked.
const INTERVAL: Duration = Duration::from_millis(10);

/// Asks `probe` until it answers, and panics, naming `what`, when `limit` has passed. Use it only for what *another
/// process* does (a port opens, a pod's log line, a killed server's successor): inside one process a channel, a
/// `Notify` or the answer itself says when something has happened.
pub async fn until<T>(what: &str, limit: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(started.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(INTERVAL).await;
    }
}
