//! What operators need: status, parked events, and the upkeep that runs by itself.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use shouwen_proto::events::v1::{Cursor, Event, WatchRequest, watch_response::Item};
use sqlx::types::Json;

use crate::{
    domain::Domain,
    engine::Engine,
    follower::{FAILED, FeedSource, Follow, FollowError, caused},
    ledger::Head,
    store,
    submission::SubmitError,
};

/// How a service stands.
#[derive(Clone, Debug)]
pub struct Status {
    pub head: Head,
    /// Feed and cursor of each follower.
    pub followers: Vec<(String, Cursor)>,
    pub now: DateTime<Utc>,
    pub simulated: bool,
    pub next_due: Option<DateTime<Utc>>,
    pub deadlines: i64,
    pub outstanding: i64,
    pub parked: i64,
}

impl Status {
    fn is_idle(&self, reached: &[(String, i64)]) -> bool {
        let followed = |feed: &String| self.followers.iter().find(|(name, _)| name == feed);
        self.outstanding == 0
            && self.next_due.is_none_or(|due| due > self.now)
            && reached.iter().all(|(feed, position)| {
                followed(feed).map_or(*position == 0, |(_, cursor)| cursor.position >= *position)
            })
    }
}

/// A follower's cursor as the database tells it.
#[derive(Debug, serde::Deserialize)]
struct FollowerRow {
    feed: String,
    incarnation: String,
    position: i64,
}

/// How long a status waits for idleness.
const IDLE_PATIENCE: Duration = Duration::from_secs(1);

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
    #[error("the other service cannot be read: {0}")]
    Feed(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// How often upkeep runs.
const UPKEEP: Duration = Duration::from_secs(60);

/// How many requests are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 5_000;

impl<D: Domain> Engine<D> {
    pub async fn status(&self) -> sqlx::Result<Status> {
        let mut connection = self.pool().acquire().await?;
        let row = sqlx::query!(
            r#"select coalesce((select simulated_at from clock), clock_timestamp()) as "now!",
                      (select simulated_at from clock) is not null as "simulated!",
                      (select min(due) from deadline) as next_due,
                      (select count(*) from deadline) as "deadlines!",
                      (select count(*) from parked_event) as "parked!",
                      (select coalesce(json_agg(c order by c.feed), '[]') from feed_cursor c)
                          as "followers!: Json<Vec<FollowerRow>>",
                      h.incarnation, h.position, h.hash, nullif(h.time, '-infinity') as "time?"
               from ledger_head h"#
        )
        .fetch_one(&mut *connection)
        .await?;
        // What came with a cursor's move is owed once that move is seen.
        let owed = self.domain().owed(&mut connection).await?;
        let followers = row
            .followers
            .0
            .into_iter()
            .map(|row| (row.feed, Cursor { incarnation: row.incarnation, position: row.position }))
            .collect();
        Ok(Status {
            head: Head {
                incarnation: row.incarnation,
                position: row.position,
                hash: row.hash,
                time: row.time,
            },
            followers,
            now: row.now,
            simulated: row.simulated,
            next_due: row.next_due,
            deadlines: row.deadlines,
            outstanding: self.outstanding_count() + owed,
            parked: row.parked,
        })
    }

    /// The status once the service is idle: followers have read their feeds up to the positions given, nothing is due, no command is being worked
    /// on. The present status when that takes longer than a second.
    pub async fn status_when_idle(&self, reached: &[(String, i64)]) -> sqlx::Result<Status> {
        let patience = tokio::time::Instant::now() + IDLE_PATIENCE;
        loop {
            let progress = self.0.progress.notified();
            let status = self.status().await?;
            let idle = status.is_idle(reached) && self.pending().await?.is_empty();
            if idle || tokio::time::timeout_at(patience, progress).await.is_err() {
                return Ok(status);
            }
        }
    }

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

    /// Applies a parked event and those waiting behind it, until one is rejected again.
    pub async fn retry_parked<F: Follow<D>>(
        &self,
        follow: &Arc<F>,
        source: &FeedSource,
        position: i64,
    ) -> Result<i32, ParkedError> {
        let aggregate = self.parked_aggregate(F::FEED, position).await?;
        let mut applied = 0;
        self.drain(follow, source, &aggregate, &mut applied).await?;
        Ok(applied)
    }

    /// Gives a parked event up for good, and applies those waiting behind it.
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
        unpark(&mut tx, F::FEED, position).await?;
        tx.commit().await?;
        let mut applied = 0;
        match self.drain(follow, source, &aggregate, &mut applied).await {
            Ok(()) | Err(ParkedError::NotFound | ParkedError::StillRejected(_)) => Ok(applied),
            Err(other) => Err(other),
        }
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
        follow: &Arc<F>,
        source: &FeedSource,
        aggregate: &str,
        applied: &mut i32,
    ) -> Result<(), ParkedError> {
        loop {
            let first = sqlx::query!(
                "select position, reason from parked_event where feed = $1 and aggregate = $2 order by position limit 1",
                F::FEED,
                aggregate
            )
            .fetch_optional(self.pool())
            .await?;
            let Some(first) = first else { return Ok(()) };
            let event = read_event(source, F::FEED, first.position).await?;
            if let Err(error) = self.apply_parked(follow, &event, first.position).await {
                if let ParkedError::StillRejected(reason) = &error
                    && first.reason != FAILED
                {
                    self.parked_again(F::FEED, first.position, reason).await?;
                }
                return Err(error);
            }
            // The follower parks what waits under the cursor's lock, so nothing comes to wait behind an event that is gone.
            let mut tx = self.pool().begin().await?;
            store::lock_cursor(&mut tx, F::FEED).await?;
            if first.reason == FAILED {
                follow.project(&mut tx, std::slice::from_ref(&event)).await?;
            }
            unpark(&mut tx, F::FEED, first.position).await?;
            tx.commit().await?;
            *applied += 1;
        }
    }

    async fn apply_parked<F: Follow<D>>(
        &self,
        follow: &Arc<F>,
        event: &Event,
        position: i64,
    ) -> Result<(), ParkedError> {
        let command = follow.command(event).await.map_err(|error| match error {
            FollowError::Unavailable(reason) => ParkedError::Feed(reason),
            FollowError::Malformed(reason) => ParkedError::StillRejected(format!("MALFORMED: {reason}")),
        })?;
        let Some(submission) = command else { return Ok(()) };
        let mut submission = caused(submission, F::FEED, event);
        submission.request = Some(parked_request(D::SERVICE, F::FEED, position));
        match self.submit(submission).await {
            Ok(_) => Ok(()),
            Err(SubmitError::Rejected(rejection)) => Err(ParkedError::StillRejected(rejection.to_string())),
            Err(other) => Err(ParkedError::Feed(other.to_string())),
        }
    }

    async fn parked_again(&self, feed: &str, position: i64, reason: &str) -> sqlx::Result<()> {
        sqlx::query!(
            "update parked_event set reason = $3 where feed = $1 and position = $2",
            feed,
            position,
            reason
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Keeps the ledger's next ranges in being, forgets old request ids, and reads for [`metrics`](crate::metrics) what only the database knows,
    /// until the engine stops.
    pub fn keep_up(&self) {
        self.keep_sampling();
        let engine = self.clone();
        self.0.parts.run(async move {
            let stop = engine.0.stop.clone();
            loop {
                if let Err(error) = engine.upkeep().await {
                    tracing::warn!(service = D::SERVICE, %error, "upkeep could not run");
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(UPKEEP) => {}
                }
            }
        });
    }

    async fn upkeep(&self) -> sqlx::Result<()> {
        sqlx::query_scalar!("select ensure_ledger_ranges()").fetch_one(self.pool()).await?;
        let retention = self.options().request_retention.as_secs_f64();
        loop {
            // A stable time, which the index can be asked for.
            let gone = sqlx::query!(
                "delete from request where ctid = any(array(
                     select ctid from request where created_at < statement_timestamp() - make_interval(secs => $1)
                     order by created_at limit $2))",
                retention,
                FORGOTTEN_AT_ONCE
            )
            .execute(self.pool())
            .await?;
            if gone.rows_affected() < FORGOTTEN_AT_ONCE.unsigned_abs() {
                return Ok(());
            }
        }
    }
}

/// Applying a parked event twice has one effect: its position is the request id.
fn parked_request(service: &str, feed: &str, position: i64) -> crate::submission::RequestKey {
    crate::submission::RequestKey {
        principal: format!("services/{service}"),
        method: format!("parked/{feed}"),
        id: position.to_string(),
        fingerprint: Vec::new(),
    }
}

async fn unpark(connection: &mut sqlx::PgConnection, feed: &str, position: i64) -> sqlx::Result<()> {
    sqlx::query!("delete from parked_event where feed = $1 and position = $2", feed, position)
        .execute(connection)
        .await?;
    Ok(())
}

/// Reads one event again from the service that has it.
async fn read_event(source: &FeedSource, feed: &str, position: i64) -> Result<Event, ParkedError> {
    let after = Cursor { incarnation: String::new(), position: position - 1 };
    let request = WatchRequest { service: feed.to_owned(), after: Some(after) };
    let unreadable = |status: tonic::Status| ParkedError::Feed(status.message().to_owned());
    let mut stream = source(request).await.map_err(unreadable)?;
    while let Some(response) = stream.next().await {
        match response.map_err(unreadable)?.item {
            Some(Item::Event(event)) if crate::follower::position(&event) == position => return Ok(event),
            Some(Item::Event(_)) => break,
            Some(Item::Heartbeat(_)) | None => {}
        }
    }
    Err(ParkedError::NotFound)
}

/// Whether the ledger has room for what comes: at least one whole range beyond the head's.
pub async fn ranges_ready(pool: &sqlx::PgPool) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select 1 from pg_inherits i join pg_class c on c.oid = i.inhrelid, ledger_head h
               where i.inhparent = 'ledger'::regclass
                 and substring(pg_get_expr(c.relpartbound, c.oid) from 'FROM \(''?(\d+)')::bigint > h.position
           ) as "ready!""#
    )
    .fetch_one(pool)
    .await
}
