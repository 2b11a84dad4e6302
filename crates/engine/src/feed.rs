//! The feed of a ledger: stored events after a position, then new ones as they are committed. Never skips, doubles or reorders.
//!
//! Writers wake watchers of their own process; what other processes write is noticed by polling the head. Nothing is notified on the write path.
//! The first event after a rest is read at once; those that soon follow it are read together, so that a busy writer does not share the machine with a
//! reading, and a batch of every follower, for each of its commits.

use futures_util::{Stream, stream};

use crate::{
    domain::Domain,
    engine::Engine,
    ledger::{self, Head, LedgerRow},
    options::Options,
};

/// What a watcher receives.
#[derive(Clone, Debug)]
pub enum FeedItem {
    /// Events in order of position, without a gap.
    Events(Vec<LedgerRow>),
    /// The reader has caught up, or nothing happened for a while.
    Head(Head),
}

/// Where a cursor cannot be resumed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    #[error("the cursor lies beyond the ledger's head")]
    BeyondHead,
    #[error("events after the cursor are no longer kept")]
    BelowRetention,
    #[error("the ledger has another incarnation: it was restored or moved")]
    IncarnationChanged,
}

/// Checks that reading can go on after a cursor.
pub async fn check_cursor<D: Domain>(
    engine: &Engine<D>,
    incarnation: &str,
    position: i64,
) -> sqlx::Result<Result<Head, CursorError>> {
    let head = ledger::head(engine.pool()).await?;
    if !incarnation.is_empty() && incarnation != head.incarnation.to_string() {
        return Ok(Err(CursorError::IncarnationChanged));
    }
    if position > head.position || position < 0 {
        return Ok(Err(CursorError::BeyondHead));
    }
    if head.position > position && ledger::first_position(engine.pool()).await? > position + 1 {
        return Ok(Err(CursorError::BelowRetention));
    }
    Ok(Ok(head))
}

struct Watcher<D: Domain> {
    engine: Engine<D>,
    woken: tokio::sync::watch::Receiver<i64>,
    position: i64,
    /// There may be more than what was read.
    behind: bool,
    /// Not read again before.
    rests_until: tokio::time::Instant,
    /// The end of the ledger as of the last reading; `None` before the first.
    head: Option<Head>,
    /// The head was told since the last event.
    told: bool,
    last_told: tokio::time::Instant,
}

/// Streams what comes after `position`. Errors of the database end the stream; a reader resumes from its cursor.
pub fn watch<D: Domain>(
    engine: &Engine<D>,
    position: i64,
) -> impl Stream<Item = sqlx::Result<FeedItem>> + Send + use<D> {
    let watcher = Watcher {
        engine: engine.clone(),
        woken: engine.head_watch(),
        position,
        behind: true,
        rests_until: tokio::time::Instant::now(),
        head: None,
        told: false,
        last_told: tokio::time::Instant::now(),
    };
    stream::try_unfold(watcher, |mut watcher| async move {
        let item = watcher.next().await?;
        Ok(Some((item, watcher)))
    })
}

impl<D: Domain> Watcher<D> {
    async fn next(&mut self) -> sqlx::Result<FeedItem> {
        let Options { feed_events, feed_poll, feed_rest, feed_heartbeat, .. } = *self.engine.options();
        let limit = i64::try_from(feed_events).unwrap_or(i64::MAX);
        loop {
            if self.behind {
                tokio::time::sleep_until(self.rests_until).await;
                let known = *self.woken.borrow_and_update();
                let rows = ledger::after(self.engine.pool(), self.position, limit).await?;
                // Positions are dense: fewer rows than asked for are all there were.
                let read = i64::try_from(rows.len()).unwrap_or(i64::MAX);
                self.behind = read >= limit || (read > 0 && known > self.position + read);
                if let Some(last) = rows.last() {
                    if read < limit {
                        self.rests_until = tokio::time::Instant::now() + feed_rest;
                    }
                    self.position = last.position;
                    self.told = false;
                    if let Some(head) = &mut self.head {
                        (head.position, head.time) = (last.position, Some(last.time));
                        head.hash.clone_from(&last.hash);
                    }
                    return Ok(FeedItem::Events(rows));
                }
            }
            if !self.behind && (!self.told || self.last_told.elapsed() >= feed_heartbeat) {
                let head = self.head().await?;
                if head.position > self.position {
                    self.behind = true;
                    continue;
                }
                self.told = true;
                self.last_told = tokio::time::Instant::now();
                return Ok(FeedItem::Head(head));
            }
            tokio::select! {
                changed = self.woken.changed() => {
                    if changed.is_err() {
                        // The engine is gone: only polling is left until the stream is dropped.
                        tokio::time::sleep(feed_poll).await;
                    }
                    self.behind = changed.is_err() || *self.woken.borrow_and_update() > self.position;
                }
                () = tokio::time::sleep(feed_poll) => self.behind = true,
            }
        }
    }

    /// The head to tell: the last event's where it was just read, otherwise read anew.
    async fn head(&mut self) -> sqlx::Result<Head> {
        if let Some(head) = self.head.as_ref().filter(|head| !self.told && head.position == self.position) {
            return Ok(head.clone());
        }
        let head = ledger::head(self.engine.pool()).await?;
        self.head = Some(head.clone());
        Ok(head)
    }
}
