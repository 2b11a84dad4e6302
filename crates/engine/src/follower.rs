//! Followers: what a service does about another service's events, exactly once.
//!
//! A follower's cursor moves in the transaction of the effect. An event whose command is rejected is parked for its aggregate: later events of
//! that aggregate wait behind it, others go on, and an operator decides.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    future::Future,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use prost::Message as _;
use shouwen_proto::events::v1::{Cursor, Event, WatchRequest, WatchResponse, watch_response::Item};
use sqlx::PgConnection;
use tokio::time::Instant;
use tonic::{Status, Streaming};

use crate::{
    batch::{self, BatchError, FeedEffect, FeedStep, Moves, Source, Verdict},
    domain::Domain,
    engine::{Engine, is_outage, is_transient},
    metrics::Progress,
    options::Options,
    parked::{BEHIND_FAILED, FAILED, WAITING, malformed, park, refusal, unprojected},
    store,
    submission::Submission,
};

/// What a service does about the events of one feed.
pub trait Follow<D: Domain>: Send + Sync + 'static {
    /// The service that is followed.
    const FEED: &'static str;

    /// The command that an event stands for, if any. May seal private content; must not act otherwise.
    fn command(
        &self,
        event: &Event,
    ) -> impl Future<Output = Result<Option<Submission<D::Command>>, FollowError>> + Send;

    /// The case and epoch that an event tells of: the fence is raised before the event's command is decided, in a transaction of its own.
    fn fence(&self, _event: &Event) -> Option<(String, i64)> {
        None
    }

    /// Writes projections of the events in the transaction that moves the cursor, those of one aggregate always in their order: behind an event that
    /// fails later ones of its aggregate wait, and are projected when an operator retries it.
    fn project(
        &self,
        _connection: &mut PgConnection,
        _events: &[Event],
    ) -> impl Future<Output = sqlx::Result<()>> + Send {
        async { Ok(()) }
    }
}

/// Why an event could not be turned into a command.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// Trying again helps: keys or the database are not to be had.
    #[error("{0}")]
    Unavailable(String),
    /// The event itself is at fault; it is parked.
    #[error("{0}")]
    Malformed(String),
}

/// Opens the feed of a service after a cursor.
pub type FeedSource =
    Arc<dyn Fn(WatchRequest) -> BoxFuture<'static, Result<Streaming<WatchResponse>, Status>> + Send + Sync>;

const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl<D: Domain> Engine<D> {
    /// Follows a feed until the engine stops, over outages of either side.
    pub fn follow<F: Follow<D>>(&self, follow: Arc<F>, source: FeedSource) {
        let progress = self.0.metrics.follow(F::FEED);
        let follower = Follower { engine: self.clone(), follow, connection: None, progress };
        let stop = self.0.stop.clone();
        self.0.parts.run(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = follower.run(source) => {}
            }
        });
    }
}

pub(crate) struct Follower<D: Domain, F> {
    pub(crate) engine: Engine<D>,
    pub(crate) follow: Arc<F>,
    pub(crate) connection: Option<PgConnection>,
    progress: Arc<Progress>,
}

impl<D: Domain, F: Follow<D>> Follower<D, F> {
    async fn run(mut self, source: FeedSource) {
        let mut wait = Duration::from_millis(50);
        loop {
            let ended = self.follow_once(&source, &mut wait).await;
            self.progress.interrupted();
            match ended {
                Ok(()) => tracing::debug!(service = D::SERVICE, feed = F::FEED, "the feed ended; resuming"),
                Err(reason) => {
                    tracing::warn!(
                        service = D::SERVICE,
                        feed = F::FEED,
                        reason,
                        "the feed is interrupted; resuming"
                    );
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    async fn follow_once(&mut self, source: &FeedSource, wait: &mut Duration) -> Result<(), String> {
        let text = |error: sqlx::Error| error.to_string();
        let mut cursor = cursor(&self.engine, F::FEED).await.map_err(text)?;
        self.progress.resumed(cursor.position);
        let request = WatchRequest { service: F::FEED.to_owned(), after: Some(cursor.clone()) };
        let stream = source(request).await.map_err(|status| status.message().to_owned())?;
        let Options { feed_events, batch_bytes, .. } = self.engine.0.options;
        let mut chunks = stream.ready_chunks(feed_events);
        while let Some(chunk) = chunks.next().await {
            let mut events = Vec::with_capacity(chunk.len());
            let mut at_head = false;
            for item in chunk {
                let item = item.map_err(|status| status.message().to_owned())?.item;
                at_head = matches!(item, Some(Item::Heartbeat(_)));
                if let Some(Item::Event(event)) = item {
                    self.progress.arrived(position(&event));
                    events.push(event);
                }
            }
            *wait = Duration::from_millis(50);
            for part in parts(&events, batch_bytes) {
                let engine = self.engine.clone();
                let _working = engine.unpaused().await;
                match self.apply(part, &cursor).await? {
                    Some(moved) => cursor = moved,
                    // Another replica was faster: start from where it is.
                    None => return Ok(()),
                }
            }
            if at_head {
                self.progress.at_head();
            }
        }
        Ok(())
    }

    /// Applies events together; where a statement fails, one by one. `None` when the cursor stands elsewhere.
    async fn apply(&mut self, events: &[Event], cursor: &Cursor) -> Result<Option<Cursor>, String> {
        let mut attempts = 0;
        loop {
            match self.apply_once(events, cursor, false).await {
                Ok(moved) => return Ok(Some(moved)),
                Err(ApplyError::CursorMoved) => return Ok(None),
                Err(ApplyError::Again(reason)) => {
                    attempts += 1;
                    if attempts >= self.engine.0.options.batch_attempts {
                        return Err(reason);
                    }
                }
                Err(ApplyError::Interrupted(reason)) => {
                    self.connection = None;
                    return Err(reason);
                }
                Err(ApplyError::Poisoned(reason)) => {
                    tracing::error!(
                        service = D::SERVICE,
                        feed = F::FEED,
                        reason,
                        "an event makes its batch fail"
                    );
                    return self.apply_singly(events, cursor).await;
                }
            }
        }
    }

    async fn apply_singly(&mut self, events: &[Event], cursor: &Cursor) -> Result<Option<Cursor>, String> {
        let mut cursor = cursor.clone();
        for event in events {
            let one = std::slice::from_ref(event);
            let applied = match self.apply_once(one, &cursor, false).await {
                Err(ApplyError::Poisoned(_)) => self.apply_once(one, &cursor, true).await,
                other => other,
            };
            match applied {
                Ok(moved) => cursor = moved,
                Err(ApplyError::CursorMoved) => return Ok(None),
                Err(
                    ApplyError::Again(reason)
                    | ApplyError::Interrupted(reason)
                    | ApplyError::Poisoned(reason),
                ) => {
                    self.connection = None;
                    return Err(reason);
                }
            }
        }
        Ok(Some(cursor))
    }

    async fn apply_once(
        &mut self,
        events: &[Event],
        cursor: &Cursor,
        park: bool,
    ) -> Result<Cursor, ApplyError> {
        // An event that makes its translation panic must not end the following of all others.
        let translated = AssertUnwindSafe(self.translate(events, park)).catch_unwind().await;
        let Translated { submissions, sources, of_event, parked } =
            translated.unwrap_or_else(|_| Err(ApplyError::Poisoned("the follower panicked".to_owned())))?;
        let last = events.last().and_then(|event| event.cursor.clone()).unwrap_or_else(|| cursor.clone());
        if self.connection.is_none() {
            self.connection = Some(self.engine.connect().await.map_err(|error| interrupted(&error))?);
        }
        let Some(connection) = self.connection.as_mut() else { return Err(ApplyError::Again(String::new())) };
        match raise_fences(&self.engine, &*self.follow, connection, events).await.map_err(ApplyError::from) {
            // The event is parked all the same; its fence is raised when an operator retries it.
            Err(ApplyError::Poisoned(reason)) if park => {
                tracing::error!(service = D::SERVICE, feed = F::FEED, reason, "a fence could not be raised");
            }
            raised => raised?,
        }
        let members: Vec<&Submission<D::Command>> = submissions.iter().collect();
        let step = FeedStep {
            feed: F::FEED,
            moves: Some(Moves { incarnation: &last.incarnation, from: cursor.position, to: last.position }),
            aggregates: events.iter().map(|event| event.aggregate.as_str()).collect(),
            sources,
            effect: Effect { follow: &*self.follow, feed: F::FEED, events, of_event, parked, failed: park },
        };
        let begun = Instant::now();
        let done = batch::run(&self.engine.setting(), connection, &members, Some(step)).await;
        if matches!(done, Err(BatchError::Panicked)) {
            self.connection = None;
        }
        let committed = done?;
        self.engine.after_commit(&committed);
        self.engine.0.metrics.committed(Some(F::FEED), events.len(), begun.elapsed());
        let happened = events.last().and_then(|event| event.time).and_then(time);
        self.progress.applied(last.position, happened);
        Ok(last)
    }

    /// The commands that events stand for, and the events that are parked whatever is decided.
    async fn translate(&self, events: &[Event], park: bool) -> Result<Translated<D::Command>, ApplyError> {
        let mut translated = Translated {
            submissions: Vec::new(),
            sources: Vec::new(),
            of_event: Vec::new(),
            parked: Vec::new(),
        };
        let mut faulty: HashSet<&str> = HashSet::new();
        for (index, event) in events.iter().enumerate() {
            if park {
                translated.parked.push((index, FAILED.to_owned()));
                continue;
            }
            match self.follow.command(event).await {
                Ok(Some(submission)) => {
                    translated.submissions.push(caused(submission, F::FEED, event));
                    let waits = faulty.contains(event.aggregate.as_str());
                    translated.sources.push(Source { aggregate: event.aggregate.clone(), waits });
                    translated.of_event.push(index);
                }
                Ok(None) => {}
                Err(FollowError::Unavailable(reason)) => return Err(ApplyError::Interrupted(reason)),
                Err(FollowError::Malformed(reason)) => {
                    translated.parked.push((index, malformed(&reason)));
                    faulty.insert(&event.aggregate);
                }
            }
        }
        Ok(translated)
    }
}

/// Raises the fences that events tell of, in a transaction of their own.
pub(crate) async fn raise_fences<D: Domain, F: Follow<D>>(
    engine: &Engine<D>,
    follow: &F,
    connection: &mut PgConnection,
    events: &[Event],
) -> Result<(), BatchError> {
    // As for commands: an event that makes the follower panic must not end the following of all others.
    let raise = panic::catch_unwind(AssertUnwindSafe(|| fences::<D, F>(follow, events)));
    let raise: Vec<(String, i64)> = raise.map_err(|_| BatchError::Panicked)?.into_iter().collect();
    if raise.is_empty() {
        return Ok(());
    }
    batch::within(engine.options(), store::raise_fences(connection, &raise)).await?;
    Ok(())
}

/// The highest epoch of each case that events tell of.
fn fences<D: Domain, F: Follow<D>>(follow: &F, events: &[Event]) -> BTreeMap<String, i64> {
    let mut fences: BTreeMap<String, i64> = BTreeMap::new();
    for (case, epoch) in events.iter().filter_map(|event| follow.fence(event)) {
        let highest = fences.entry(case).or_insert(epoch);
        *highest = epoch.max(*highest);
    }
    fences
}

/// Events in order, cut so that no part but one of a single event carries more bytes.
fn parts(events: &[Event], most_bytes: usize) -> impl Iterator<Item = &[Event]> {
    let mut rest = events;
    std::iter::from_fn(move || {
        let mut room = most_bytes;
        let fitting = rest.iter().take_while(|event| {
            let left = room.checked_sub(event.encoded_len());
            room = left.unwrap_or_default();
            left.is_some()
        });
        let part = fitting.count().max(1).min(rest.len());
        (part > 0).then(|| rest.split_off(..part)).flatten()
    })
}

/// A chunk of events as commands.
struct Translated<C> {
    submissions: Vec<Submission<C>>,
    /// Where each command comes from.
    sources: Vec<Source>,
    /// Index of the event behind each command.
    of_event: Vec<usize>,
    /// Index and reason of the events that are parked whatever is decided.
    parked: Vec<(usize, String)>,
}

/// A command with its cause; clocks that it starts begin at the event's time.
pub(crate) fn caused<C>(mut submission: Submission<C>, feed: &str, event: &Event) -> Submission<C> {
    submission.cause = format!("{feed}:{}", position(event));
    submission.at = event.time.and_then(time);
    submission.bytes = event.encoded_len();
    submission
}

enum ApplyError {
    Again(String),
    CursorMoved,
    Interrupted(String),
    Poisoned(String),
}

impl From<BatchError> for ApplyError {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Moved => Self::Again("what the events touch keeps changing".to_owned()),
            BatchError::CursorMoved => Self::CursorMoved,
            BatchError::Panicked => Self::Poisoned("the domain or the follower panicked".to_owned()),
            BatchError::Failed(error) if is_transient(&error) => Self::Again(error.to_string()),
            BatchError::Failed(error) if is_outage(&error) => interrupted(&error),
            BatchError::Failed(error) => Self::Poisoned(error.to_string()),
            BatchError::CommitUnknown(error) => interrupted(&error),
            BatchError::Died(step) => Self::Interrupted(format!("died at {step:?}")),
        }
    }
}

fn interrupted(error: &sqlx::Error) -> ApplyError {
    ApplyError::Interrupted(error.to_string())
}

/// Writes parked events and projections.
struct Effect<'a, F> {
    follow: &'a F,
    feed: &'static str,
    events: &'a [Event],
    /// Index of the event behind each command.
    of_event: Vec<usize>,
    /// Index and reason of the events that are parked whatever is decided.
    parked: Vec<(usize, String)>,
    /// Nothing of the events is applied.
    failed: bool,
}

impl<D: Domain, F: Follow<D>> FeedEffect<D> for Effect<'_, F> {
    async fn write(
        &mut self,
        connection: &mut PgConnection,
        verdicts: &[Option<Verdict<D>>],
        parked: &HashSet<String>,
        now: DateTime<Utc>,
    ) -> Result<(), BatchError> {
        let mut reasons: BTreeMap<usize, String> = self.parked.iter().cloned().collect();
        for (verdict, index) in verdicts.iter().zip(&self.of_event) {
            let reason = verdict.as_ref().map_or_else(|| Some(WAITING.to_owned()), refusal);
            reasons.extend(reason.map(|reason| (*index, reason)));
        }
        let mut projected = Vec::new();
        if !self.failed {
            let behind = unprojected(connection, self.feed, parked).await?;
            for (index, event) in self.events.iter().enumerate() {
                if behind.contains(&event.aggregate) {
                    reasons.insert(index, BEHIND_FAILED.to_owned());
                } else {
                    projected.push(event);
                }
            }
        }
        for (index, reason) in reasons {
            let event = &self.events[index];
            tracing::error!(
                service = D::SERVICE,
                feed = self.feed,
                position = position(event),
                event = event.r#type,
                reason,
                "an event is parked"
            );
            park(connection, self.feed, event, &reason, now).await?;
        }
        // All of them, but for what is rare.
        let projected: Cow<'_, [Event]> = if projected.len() == self.events.len() {
            Cow::Borrowed(self.events)
        } else {
            Cow::Owned(projected.into_iter().cloned().collect())
        };
        self.follow.project(connection, &projected).await?;
        Ok(())
    }
}

/// Where a follower of this service stands.
pub async fn cursor<D: Domain>(engine: &Engine<D>, feed: &str) -> sqlx::Result<Cursor> {
    let row = sqlx::query!("select incarnation, position from feed_cursor where feed = $1", feed)
        .fetch_optional(engine.pool())
        .await?;
    Ok(row
        .map_or_else(Cursor::default, |row| Cursor { incarnation: row.incarnation, position: row.position }))
}

pub(crate) fn position(event: &Event) -> i64 {
    event.cursor.as_ref().map_or(0, |cursor| cursor.position)
}

fn time(time: prost_types::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_the_order_and_the_bound_and_leave_nothing_out() {
        let sizes = [10, 20, 30, 70, 5, 100, 1, 60, 60];
        // Two bytes are the field's key and length.
        let event = |bytes: usize| Event { case: "c".repeat(bytes - 2), ..Event::default() };
        let events: Vec<Event> = sizes.map(|bytes| event(bytes + 2)).into();
        assert_eq!(events[0].encoded_len(), 12);
        let lengths = |most: usize| parts(&events, most).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(80), [3, 2, 1, 2, 1]);
        assert_eq!(lengths(0), [1; 9]);
        assert_eq!(lengths(usize::MAX), [9]);
        assert_eq!(parts(&events, 80).collect::<Vec<_>>().concat(), events);
        assert_eq!(parts(&[], 80).count(), 0);
    }
}
