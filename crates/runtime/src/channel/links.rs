//! The live connections of a channel and whose turn it is.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;
use h2::client::SendRequest;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::exchange::{Content, Failed, ResponseBody, exchange, exchange_stream};

/// One live connection.
pub(super) struct Link {
    id: u64,
    scheme: Scheme,
    authority: Authority,
    sender: SendRequest<Bytes>,
    /// It takes no more calls; those on their way still finish.
    spent: CancellationToken,
    /// Requests that have no response head yet.
    waiting: AtomicUsize,
}

impl Link {
    pub(super) fn new(
        scheme: Scheme,
        authority: Authority,
        sender: SendRequest<Bytes>,
        spent: CancellationToken,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { id, scheme, authority, sender, spent, waiting: AtomicUsize::new(0) }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Sends a whole request to the address of this connection, with the request's own path.
    pub(super) async fn send(
        &self,
        head: Request<()>,
        message: Bytes,
    ) -> Result<Response<ResponseBody>, Failed<()>> {
        let _waiting = Waiting::begin(&self.waiting);
        self.noted(exchange(&self.sender, self.addressed(head), message).await)
    }

    /// The same with a request of which more may come.
    pub(super) async fn send_stream(
        &self,
        head: Request<()>,
        content: Content,
    ) -> Result<Response<ResponseBody>, Failed<(Request<()>, Content)>> {
        let _waiting = Waiting::begin(&self.waiting);
        self.noted(exchange_stream(&self.sender, self.addressed(head), content).await)
    }

    fn noted<A, R>(&self, answered: Result<A, Failed<R>>) -> Result<A, Failed<R>> {
        if matches!(answered, Err(Failed::Unsent(_))) {
            self.spent.cancel();
        }
        answered
    }

    fn addressed(&self, mut head: Request<()>) -> Request<()> {
        *head.uri_mut() = self.uri(head.uri());
        *head.version_mut() = Version::HTTP_2;
        head
    }

    fn uri(&self, uri: &Uri) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let path = uri.path_and_query().cloned();
        parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
    }
}

/// Counts a request for as long as it waits, however the wait ends.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All live connections of a channel.
pub(super) struct Links {
    live: ArcSwap<Vec<Arc<Link>>>,
    turn: AtomicUsize,
    count: watch::Sender<usize>,
    lost: Notify,
    last_failure: Mutex<String>,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            live: ArcSwap::default(),
            turn: AtomicUsize::new(0),
            count: watch::Sender::new(0),
            lost: Notify::new(),
            last_failure: Mutex::new("no connection to the backend yet".to_owned()),
        }
    }
}

impl Links {
    /// The next connection in turn, or the one after it if fewer requests wait there.
    pub(super) fn next(&self) -> Option<Arc<Link>> {
        let live = self.live.load();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = live.get(turn % live.len().max(1))?;
        let second = &live[(turn + 1) % live.len()];
        let less_busy = second.waiting.load(Ordering::Relaxed) < first.waiting.load(Ordering::Relaxed);
        Some(Arc::clone(if less_busy { second } else { first }))
    }

    pub(super) fn count(&self) -> usize {
        *self.count.borrow()
    }

    pub(super) async fn wait(&self, count: usize) {
        // The sender lives as long as we do.
        let _ = self.count.subscribe().wait_for(|live| *live >= count).await;
    }

    pub(super) fn add(&self, link: &Arc<Link>) {
        self.change(|live| live.push(Arc::clone(link)));
    }

    pub(super) fn remove(&self, id: u64) {
        self.change(|live| live.retain(|link| link.id != id));
    }

    fn change(&self, change: impl Fn(&mut Vec<Arc<Link>>)) {
        // The count's lock orders the changes.
        self.count.send_modify(|count| {
            let mut live = Vec::clone(&self.live.load());
            change(&mut live);
            *count = live.len();
            self.live.store(Arc::new(live));
        });
    }

    /// Notes why a connection is not there, and has names resolved again.
    pub(super) fn failed(&self, why: String) {
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    pub(super) fn last_failure(&self) -> String {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Wakes those who wait in [`lost`](Self::lost).
    pub(super) fn report_loss(&self) {
        self.lost.notify_waiters();
    }

    /// Returns when a connection is lost.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }
}
