//! Followers: what a service does about another service's events, exactly once.
//!
//! A follower's cursor moves in the transaction of the effect. An event whose command is rejected is parked for its aggregate: later events of
//! that aggregate wait behind it, others go on, and an operator decides.

use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, future::BoxFuture};
use shouwen_proto::events::v1::{Cursor, Event, WatchRequest, WatchResponse, watch_response::Item};
use sqlx::PgConnection;
use tonic::{Status, Streaming};

use crate::{
    batch::{self, BatchError, FeedEffect, FeedStep, Verdict},
    domain::Domain,
    engine::{Engine, is_outage},
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

    /// Writes projections of the events in the transaction that moves the cursor.
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
        let follower = Follower { engine: self.clone(), follow, connection: None };
        let stop = self.0.stop.clone();
        self.0.tasks.spawn(async move {
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
}

impl<D: Domain, F: Follow<D>> Follower<D, F> {
    async fn run(mut self, source: FeedSource) {
        let mut wait = Duration::from_millis(50);
        loop {
            match self.follow_once(&source, &mut wait).await {
                Ok(()) => tracing::debug!(service = D::SERVICE, feed = F::FEED, "the feed ended; resuming"),
                Err(reason) => {
                    tracing::warn!(service = D::SERVICE, feed = F::FEED, reason, "the feed is interrupted; resuming");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    async fn follow_once(&mut self, source: &FeedSource, wait: &mut Duration) -> Result<(), String> {
        let text = |error: sqlx::Error| error.to_string();
        let mut cursor = cursor(&self.engine, F::FEED).await.map_err(text)?;
        let request = WatchRequest { service: F::FEED.to_owned(), after: Some(cursor.clone()) };
        let stream = source(request).await.map_err(|status| status.message().to_owned())?;
        let mut chunks = stream.ready_chunks(self.engine.0.options.feed_events);
        while let Some(chunk) = chunks.next().await {
            let mut events = Vec::with_capacity(chunk.len());
            for item in chunk {
                match item.map_err(|status| status.message().to_owned())?.item {
                    Some(Item::Event(event)) => events.push(event),
                    Some(Item::Heartbeat(_)) | None => {}
                }
            }
            *wait = Duration::from_millis(50);
            if events.is_empty() {
                continue;
            }
            self.engine.unpaused().await;
            match self.apply(&events, &cursor).await? {
                Some(moved) => cursor = moved,
                // Another replica was faster: start from where it is.
                None => return Ok(()),
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
                    tracing::error!(service = D::SERVICE, feed = F::FEED, reason, "an event makes a statement fail");
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
                Err(ApplyError::Again(reason) | ApplyError::Interrupted(reason) | ApplyError::Poisoned(reason)) => {
                    self.connection = None;
                    return Err(reason);
                }
            }
        }
        Ok(Some(cursor))
    }

    async fn apply_once(&mut self, events: &[Event], cursor: &Cursor, park: bool) -> Result<Cursor, ApplyError> {
        let mut submissions = Vec::new();
        let mut sources = Vec::new();
        let mut of_event = Vec::new();
        let mut parked: Vec<(usize, String)> = Vec::new();
        for (index, event) in events.iter().enumerate() {
            if park {
                parked.push((index, "INTERNAL".to_owned()));
                continue;
            }
            match self.follow.command(event).await {
                Ok(Some(mut submission)) => {
                    submission.cause = format!("{}:{}", F::FEED, position(event));
                    submission.at = event.time.and_then(time);
                    submissions.push(submission);
                    sources.push(event.aggregate.clone());
                    of_event.push(index);
                }
                Ok(None) => {}
                Err(FollowError::Unavailable(reason)) => return Err(ApplyError::Interrupted(reason)),
                Err(FollowError::Malformed(reason)) => parked.push((index, format!("MALFORMED: {reason}"))),
            }
        }
        let last = events.last().and_then(|event| event.cursor.clone()).unwrap_or_else(|| cursor.clone());
        let aggregates: Vec<String> = sources.iter().cloned().collect::<HashSet<_>>().into_iter().collect();
        let mut parked_before =
            parked_aggregates(&self.engine, F::FEED, &aggregates).await.map_err(|error| interrupted(&error))?;
        parked_before.extend(parked.iter().map(|(index, _)| events[*index].aggregate.clone()));
        if self.connection.is_none() {
            self.connection = Some(self.engine.connect().await.map_err(|error| interrupted(&error))?);
        }
        let Some(connection) = self.connection.as_mut() else { return Err(ApplyError::Again(String::new())) };
        let inner = &self.engine.0;
        let members: Vec<&Submission<D::Command>> = submissions.iter().collect();
        let step = FeedStep {
            feed: F::FEED,
            incarnation: &last.incarnation,
            from: cursor.position,
            to: last.position,
            sources,
            parked_before,
            effect: Effect { follow: &*self.follow, feed: F::FEED, events, of_event, parked },
        };
        let now = inner.machine.now();
        match batch::run(&*inner.domain, &inner.options, connection, &members, Some(step), now).await {
            Ok(committed) => {
                self.engine.after_commit(&committed);
                Ok(last)
            }
            Err(BatchError::Moved) => Err(ApplyError::Again("what the events touch keeps changing".to_owned())),
            Err(BatchError::CursorMoved) => Err(ApplyError::CursorMoved),
            Err(BatchError::Failed(error)) if crate::engine::is_transient(&error) => {
                Err(ApplyError::Again(error.to_string()))
            }
            Err(BatchError::Failed(error)) if !is_outage(&error) => Err(ApplyError::Poisoned(error.to_string())),
            Err(BatchError::Failed(error) | BatchError::CommitUnknown(error)) => Err(interrupted(&error)),
            Err(BatchError::Died(step)) => Err(ApplyError::Interrupted(format!("died at {step:?}"))),
        }
    }
}

enum ApplyError {
    Again(String),
    CursorMoved,
    Interrupted(String),
    Poisoned(String),
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
    parked: Vec<(usize, String)>,
}

impl<D: Domain, F: Follow<D>> FeedEffect<D> for Effect<'_, F> {
    async fn write(
        &mut self,
        connection: &mut PgConnection,
        verdicts: &[Option<Verdict<D>>],
        now: DateTime<Utc>,
    ) -> sqlx::Result<()> {
        let mut parked = self.parked.clone();
        for (verdict, index) in verdicts.iter().zip(&self.of_event) {
            match verdict {
                None => parked.push((*index, "WAITING".to_owned())),
                Some(Verdict::Rejected(rejection)) => parked.push((*index, rejection.to_string())),
                Some(Verdict::Internal) => parked.push((*index, "INTERNAL".to_owned())),
                Some(_) => {}
            }
        }
        for (index, reason) in parked {
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
        self.follow.project(connection, self.events).await
    }
}

pub(crate) async fn park(
    connection: &mut PgConnection,
    feed: &str,
    event: &Event,
    reason: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into parked_event (feed, position, aggregate, type, reason, time) values ($1, $2, $3, $4, $5, $6)
         on conflict (feed, position) do update set reason = excluded.reason",
        feed,
        position(event),
        event.aggregate,
        event.r#type,
        reason,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Where a follower of this service stands.
pub async fn cursor<D: Domain>(engine: &Engine<D>, feed: &str) -> sqlx::Result<Cursor> {
    let row = sqlx::query!("select incarnation, position from feed_cursor where feed = $1", feed)
        .fetch_optional(engine.pool())
        .await?;
    Ok(row.map_or_else(Cursor::default, |row| Cursor { incarnation: row.incarnation, position: row.position }))
}

async fn parked_aggregates<D: Domain>(
    engine: &Engine<D>,
    feed: &str,
    aggregates: &[String],
) -> sqlx::Result<HashSet<String>> {
    if aggregates.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query_scalar!(
        "select distinct aggregate from parked_event where feed = $1 and aggregate = any($2)",
        feed,
        aggregates
    )
    .fetch_all(engine.pool())
    .await?;
    Ok(rows.into_iter().collect())
}

pub(crate) fn position(event: &Event) -> i64 {
    event.cursor.as_ref().map_or(0, |cursor| cursor.position)
}

fn time(time: prost_types::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?)
}

