//! Parked events: what a follower could not apply and what waits behind it, until an operator retries it or gives it up.
//!
//! A retry is a batch like the follower's own, under the same locks in the same order: that of the cursor, so that no other event of the feed and no other
//! operator comes in between, and that of the ledger's head, under which projections are written. Only the cursor stays where it is. So an event is applied,
//! projected and no longer parked in one transaction, or nothing of it is done.

use std::{
    collections::{BTreeSet, HashSet},
    panic::AssertUnwindSafe,
    slice,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures_util::{FutureExt as _, StreamExt as _};
use shouwen_proto::events::v1::{Cursor, Event, WatchRequest, watch_response::Item};
use sqlx::{PgConnection, PgExecutor};
use tokio::time::Instant;

use crate::{
    batch::{self, BatchError, FeedEffect, FeedStep, Verdict},
    domain::Domain,
    engine::{Engine, is_outage, is_transient},
    follower::{FeedSource, Follow, FollowError, caused, position, raise_fences},
    store,
    submission::Submission,
};

/// A parked event, or one that waits behind it.
#[derive(Clone, Debug)]
pub struct Parked {
    pub feed: String,
    pub position: i64,
    pub aggregate: String,
    pub r#type: String,
    pub reason: String,
    pub time: DateTime<Utc>,
}

/// Why a parked event was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    #[error("no such parked event")]
    NotFound,
    #[error("the event is rejected again: {0}")]
    StillRejected(String),
    /// It makes a statement fail or the code panic; nothing of it was applied.
    #[error("the event fails: {0}")]
    Failed(String),
    #[error("too many changes at once; try again")]
    Contention,
    #[error("it is not known whether the event was applied, or given up: {0}")]
    OutcomeUnknown(String),
    #[error("the event cannot be read from the other service: {0}")]
    Feed(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<BatchError> for ParkedError {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Moved | BatchError::CursorMoved => Self::Contention,
            BatchError::Panicked => Self::Failed("the code panicked".to_owned()),
            BatchError::Failed(error) if is_transient(&error) => Self::Contention,
            BatchError::Failed(error) if is_outage(&error) => Self::Database(error),
            BatchError::Failed(error) => Self::Failed(error.to_string()),
            BatchError::CommitUnknown(error) => Self::OutcomeUnknown(error.to_string()),
            BatchError::Died(step) => Self::OutcomeUnknown(format!("died at {step:?}")),
        }
    }
}

impl<D: Domain> Engine<D> {
    /// Parked events after one, oldest first.
    pub async fn parked(&self, feed: &str, after: i64, limit: i64) -> sqlx::Result<Vec<Parked>> {
        sqlx::query_as!(
            Parked,
            "select feed, position, aggregate, type as \"type\", reason, time from parked_event
             where (feed, position) > ($1, $2) order by feed, position limit $3",
            feed,
            after,
            limit
        )
        .fetch_all(self.pool())
        .await
    }

    /// Applies a parked event and those waiting behind it, until one is rejected again; of each applied one is kept who had it retried. Answers how many
    /// were applied; a rejection only where the event itself stays parked.
    pub async fn retry_parked<F: Follow<D>>(
        &self,
        follow: &Arc<F>,
        source: &FeedSource,
        position: i64,
        actor: &str,
    ) -> Result<i32, ParkedError> {
        let aggregate = self.parked_aggregate(F::FEED, position).await?;
        let mut applied = 0;
        match self.drain((&**follow, source), &aggregate, actor, &mut applied).await {
            Ok(()) => Ok(applied),
            Err(error @ (ParkedError::StillRejected(_) | ParkedError::Failed(_))) => {
                match self.parked_aggregate(F::FEED, position).await {
                    // It is one behind that is rejected, and stays parked with its own reason.
                    Err(ParkedError::NotFound) => Ok(applied),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Gives a parked event up for good, and applies those waiting behind it. Once it is given up the answer is how many were applied, whatever became of
    /// the rest: those stay parked.
    pub async fn skip_parked<F: Follow<D>>(
        &self,
        follow: &Arc<F>,
        source: &FeedSource,
        position: i64,
        reason: &str,
        actor: &str,
    ) -> Result<i32, ParkedError> {
        let aggregate = self.parked_aggregate(F::FEED, position).await?;
        let now = self.now().await?;
        let mut tx = self.pool().begin().await?;
        store::lock_cursor(&mut tx, F::FEED).await?;
        // While the cursor was waited for, a retry may have applied it: what is kept for good has to be true.
        if !unpark(&mut tx, F::FEED, position).await? {
            tx.rollback().await?;
            return Err(ParkedError::NotFound);
        }
        sqlx::query!(
            "insert into skipped_event (feed, position, reason, actor, time) values ($1, $2, $3, $4, $5)
             on conflict do nothing",
            F::FEED,
            position,
            reason,
            actor,
            now
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await.map_err(|error| {
            tracing::error!(
                service = D::SERVICE,
                feed = F::FEED,
                position,
                %error,
                "it is not known whether a parked event was given up"
            );
            ParkedError::OutcomeUnknown(error.to_string())
        })?;
        let mut applied = 0;
        match self.drain((&**follow, source), &aggregate, actor, &mut applied).await {
            // A rejection is kept with the event that it concerns.
            Ok(()) | Err(ParkedError::StillRejected(_)) => {}
            Err(error) => tracing::warn!(
                service = D::SERVICE,
                feed = F::FEED,
                position,
                %error,
                "a parked event is given up; those behind it wait to be retried"
            ),
        }
        Ok(applied)
    }

    async fn parked_aggregate(&self, feed: &str, position: i64) -> Result<String, ParkedError> {
        sqlx::query_scalar!(
            "select aggregate from parked_event where feed = $1 and position = $2",
            feed,
            position
        )
        .fetch_optional(self.pool())
        .await?
        .ok_or(ParkedError::NotFound)
    }

    /// Applies the parked events of an aggregate in order until none is left or one is rejected again.
    async fn drain<F: Follow<D>>(
        &self,
        (follow, source): (&F, &FeedSource),
        aggregate: &str,
        actor: &str,
        applied: &mut i32,
    ) -> Result<(), ParkedError> {
        let mut connection = self.connect().await?;
        let mut attempts = 0;
        while let Some((first, _)) = first_parked(self.pool(), F::FEED, aggregate).await? {
            let event = read_event(source, F::FEED, first).await?;
            // Boxed: a batch is large, and would lie in the future of every caller.
            match Box::pin(self.apply_parked(&mut connection, follow, &event, actor)).await {
                Ok(()) => {
                    *applied += 1;
                    attempts = 0;
                }
                Err(ParkedError::Contention) if attempts < self.options().batch_attempts => attempts += 1,
                Err(error) => {
                    if let ParkedError::Failed(reason) | ParkedError::OutcomeUnknown(reason) = &error {
                        tracing::error!(
                            service = D::SERVICE,
                            feed = F::FEED,
                            position = first,
                            reason,
                            "a parked event could not be applied"
                        );
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Does about a parked event what its follower would do about it now. After an error the connection may be of no more use, unless that is
    /// [`ParkedError::Contention`].
    async fn apply_parked<F: Follow<D>>(
        &self,
        connection: &mut PgConnection,
        follow: &F,
        event: &Event,
        actor: &str,
    ) -> Result<(), ParkedError> {
        let _outstanding = self.outstanding();
        // It may be what failed.
        raise_fences(self, follow, connection, slice::from_ref(event)).await?;
        // An event that makes its translation panic must not end the call without an answer.
        let translated = AssertUnwindSafe(follow.command(event)).catch_unwind().await;
        let (submission, malformed) = match translated {
            Ok(Ok(command)) => (command.map(|submission| caused(submission, F::FEED, event)), None),
            Ok(Err(FollowError::Malformed(reason))) => (None, Some(malformed(&reason))),
            Ok(Err(FollowError::Unavailable(reason))) => return Err(ParkedError::Feed(reason)),
            Err(_) => return Err(BatchError::Panicked.into()),
        };
        let members: Vec<&Submission<D::Command>> = submission.iter().collect();
        let effect = Retry { follow, feed: F::FEED, event, actor, malformed: malformed.clone() };
        let step =
            FeedStep { feed: F::FEED, moves: None, aggregates: BTreeSet::new(), sources: Vec::new(), effect };
        let begun = Instant::now();
        let committed = batch::run(&self.setting(), connection, &members, Some(step)).await?;
        self.after_commit(&committed);
        self.0.metrics.committed(None, 1, begun.elapsed());
        match malformed.or_else(|| committed.verdicts.first().and_then(refusal)) {
            Some(reason) => Err(ParkedError::StillRejected(reason)),
            None => Ok(()),
        }
    }
}

/// Takes a parked event out, or says why it stays; writes its projection where that was not done.
struct Retry<'a, F> {
    follow: &'a F,
    feed: &'static str,
    event: &'a Event,
    /// Who has it retried.
    actor: &'a str,
    /// Why it stays whatever is decided.
    malformed: Option<String>,
}

impl<D: Domain, F: Follow<D>> FeedEffect<D> for Retry<'_, F> {
    async fn write(
        &mut self,
        connection: &mut PgConnection,
        verdicts: &[Option<Verdict<D>>],
        _: &HashSet<String>,
        now: DateTime<Utc>,
    ) -> Result<(), BatchError> {
        let at = position(self.event);
        // Read anew under the cursor's lock: another operator may have come first.
        let first = first_parked(&mut *connection, self.feed, &self.event.aggregate).await?;
        let Some((_, before)) = first.filter(|(first, _)| *first == at) else {
            return Err(BatchError::Moved);
        };
        if before == FAILED || before == BEHIND_FAILED {
            self.follow.project(connection, slice::from_ref(self.event)).await?;
        }
        let refused = verdicts.first().and_then(Option::as_ref).and_then(refusal);
        if let Some(reason) = self.malformed.take().or(refused) {
            stay(connection, self.feed, at, &reason).await?;
        } else {
            unpark(connection, self.feed, at).await?;
            record(connection, self.feed, at, self.actor, now).await?;
        }
        Ok(())
    }
}

/// Reason of an event that made a statement fail or the code panic: neither its command nor its projection was applied.
pub(crate) const FAILED: &str = "FAILED";

/// Reason of an event that comes after one of its aggregate of which nothing was applied: nor is anything of it, lest what is projected late overwrite
/// what is newer.
pub(crate) const BEHIND_FAILED: &str = "BEHIND_FAILED";

/// Reason of an event that comes after a rejected one of its aggregate: its command waits, its projection does not.
pub(crate) const WAITING: &str = "WAITING";

/// Reason of an event that stands for no command because it is at fault itself.
pub(crate) fn malformed(reason: &str) -> String {
    format!("MALFORMED: {reason}")
}

/// Reason of an event whose command was not applied; `None` where it was.
pub(crate) fn refusal<D: Domain>(verdict: &Verdict<D>) -> Option<String> {
    match verdict {
        Verdict::Accepted { .. } | Verdict::Replay { .. } => None,
        Verdict::Rejected(rejection) => Some(rejection.to_string()),
        Verdict::Internal => Some("INTERNAL".to_owned()),
        Verdict::Stale => Some("STALE".to_owned()),
        Verdict::RequestReused => Some("REQUEST_REUSED".to_owned()),
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

/// Takes an event out of those that are parked. False where it is not among them.
async fn unpark(connection: &mut PgConnection, feed: &str, position: i64) -> sqlx::Result<bool> {
    let gone = sqlx::query!("delete from parked_event where feed = $1 and position = $2", feed, position)
        .execute(connection)
        .await?;
    Ok(gone.rows_affected() > 0)
}

/// Keeps who had a parked event applied.
async fn record(
    connection: &mut PgConnection,
    feed: &str,
    position: i64,
    actor: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into retried_event (feed, position, actor, time) values ($1, $2, $3, $4) on conflict do nothing",
        feed,
        position,
        actor,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The event stays parked, for this reason from now on.
async fn stay(connection: &mut PgConnection, feed: &str, position: i64, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update parked_event set reason = $3 where feed = $1 and position = $2",
        feed,
        position,
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Position and reason of an aggregate's first parked event.
async fn first_parked(
    executor: impl PgExecutor<'_>,
    feed: &str,
    aggregate: &str,
) -> sqlx::Result<Option<(i64, String)>> {
    let first = sqlx::query!(
        "select position, reason from parked_event where feed = $1 and aggregate = $2 order by position limit 1",
        feed,
        aggregate
    )
    .fetch_optional(executor)
    .await?;
    Ok(first.map(|row| (row.position, row.reason)))
}

/// Those of the aggregates behind whose parked events projections wait.
pub(crate) async fn unprojected(
    connection: &mut PgConnection,
    feed: &str,
    parked: &HashSet<String>,
) -> sqlx::Result<HashSet<String>> {
    if parked.is_empty() {
        return Ok(HashSet::new());
    }
    let parked: Vec<String> = parked.iter().cloned().collect();
    let unprojected = sqlx::query_scalar!(
        r#"select distinct aggregate as "aggregate!" from parked_event
           where feed = $1 and aggregate = any($2) and reason in ($3, $4)"#,
        feed,
        &parked,
        FAILED,
        BEHIND_FAILED
    )
    .fetch_all(connection)
    .await?;
    Ok(unprojected.into_iter().collect())
}

/// Reads one event again from the service that has it. It is parked here: where it is not shown there, the feed is at fault.
async fn read_event(source: &FeedSource, feed: &str, at: i64) -> Result<Event, ParkedError> {
    let after = Cursor { incarnation: String::new(), position: at - 1 };
    let request = WatchRequest { service: feed.to_owned(), after: Some(after) };
    let unreadable = |status: tonic::Status| ParkedError::Feed(status.message().to_owned());
    let mut stream = source(request).await.map_err(unreadable)?;
    while let Some(response) = stream.next().await {
        match response.map_err(unreadable)?.item {
            Some(Item::Event(event)) if position(&event) == at => return Ok(event),
            Some(Item::Event(_)) => break,
            Some(Item::Heartbeat(_)) | None => {}
        }
    }
    Err(ParkedError::Feed("the feed does not show it any more".to_owned()))
}
