//! Watching a desk: first all that waits there, then each change as it is committed. Never skips, doubles or reorders.
//!
//! The bell wakes those whose desk has changed.

pub(crate) mod bell;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{Stream, stream};
use shouwen_engine::Engine;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::bell::{Bell, Ear};
use crate::{
    domain::{OwnershipDomain, desk::Recipient},
    store::desk::{
        self, Row,
        read::{self, Change, Reader},
    },
};

/// Where a reader stands: after a change, in a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) incarnation: String,
    pub(crate) position: i64,
}

/// What a watcher of a desk receives, with the number of the change behind which it goes on.
pub(crate) enum Seen {
    /// What waits, oldest first; complete with the last page.
    Waiting {
        rows: Vec<Row>,
        complete: bool,
        position: i64,
    },
    Changes {
        changes: Vec<Change>,
        position: i64,
    },
    /// Nothing new.
    Alive {
        position: i64,
    },
}

/// Why watching cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The cursor lies beyond the last change.
    #[error("the cursor lies beyond the last change")]
    BeyondHead,
    /// Changes after the cursor are no longer kept.
    #[error("changes after the cursor are no longer kept")]
    Forgotten,
    /// The employee is somebody else by role or branch now.
    #[error("roles or branch of the employee changed")]
    Changed,
}

/// All that an employee is, as the roster says at present, and who watches; `None` for who is not in it.
pub(crate) fn reader(engine: &Engine<OwnershipDomain>, employee: &str, watcher: &str) -> Option<Reader> {
    let roster = engine.domain().roster();
    let known = roster.employee(employee).filter(|known| known.active)?;
    let recipients = Recipient::of(known).iter().map(Recipient::name).collect();
    Some(Reader { employee: employee.to_owned(), recipients, watcher: watcher.to_owned() })
}

/// Checks that reading can go on after a change.
pub(crate) async fn check(engine: &Engine<OwnershipDomain>, position: i64) -> Result<(), Ended> {
    let head = read::head(engine.pool()).await?;
    if position > head.position || position < 0 {
        return Err(Ended::BeyondHead);
    }
    if position < head.forgotten {
        return Err(Ended::Forgotten);
    }
    Ok(())
}

enum Phase {
    /// Reading what waited at change `to`, after change `after`.
    Waiting { after: i64, to: Option<i64> },
    /// Reading changes after one.
    Changes { after: i64 },
}

struct Watcher {
    engine: Engine<OwnershipDomain>,
    reader: Reader,
    ear: Ear,
    phase: Phase,
    last_told: Instant,
}

/// Streams a desk, from the beginning or after a change.
pub(crate) fn watch(
    engine: &Engine<OwnershipDomain>,
    bell: &Arc<Bell>,
    reader: Reader,
    after: Option<i64>,
) -> impl Stream<Item = Result<Seen, Ended>> + Send + use<> {
    let phase = after.map_or(Phase::Waiting { after: 0, to: None }, |after| Phase::Changes { after });
    let ear = bell.listen(&reader);
    let watcher = Watcher { engine: engine.clone(), reader, ear, phase, last_told: Instant::now() };
    stream::try_unfold(watcher, |mut watcher| async move {
        let seen = watcher.next().await?;
        Ok(Some((seen, watcher)))
    })
}

impl Watcher {
    async fn next(&mut self) -> Result<Seen, Ended> {
        let seen = match self.phase {
            Phase::Waiting { after, to } => self.waiting(after, to).await?,
            Phase::Changes { after } => self.changed(after).await?,
        };
        self.last_told = Instant::now();
        Ok(seen)
    }

    fn limit(&self) -> i64 {
        i64::try_from(self.engine.options().feed_events).unwrap_or(i64::MAX)
    }

    async fn waiting(&mut self, after: i64, to: Option<i64>) -> Result<Seen, Ended> {
        let (pool, limit) = (self.engine.pool(), self.limit());
        let position = match to {
            Some(to) => to,
            None => read::head(pool).await?.position,
        };
        let rows = read::waiting(pool, &self.reader, after, position, limit).await?;
        let full = i64::try_from(rows.len()).is_ok_and(|read| read == limit);
        self.phase = match rows.last().filter(|_| full) {
            Some(last) => Phase::Waiting { after: last.since, to: Some(position) },
            None => Phase::Changes { after: position },
        };
        Ok(Seen::Waiting { rows, complete: !full, position })
    }

    async fn changed(&mut self, after: i64) -> Result<Seen, Ended> {
        let limit = self.limit();
        let mut after = after;
        loop {
            let Reader { employee, watcher, .. } = &self.reader;
            if reader(&self.engine, employee, watcher).as_ref() != Some(&self.reader) {
                return Err(Ended::Changed);
            }
            let (head, changes) = read::changes(self.engine.pool(), &self.reader, after, limit).await?;
            if head.forgotten > after {
                return Err(Ended::Forgotten);
            }
            let full = i64::try_from(changes.len()).is_ok_and(|read| read == limit);
            after = match changes.last() {
                Some(last) if full => last.number,
                _ => head.position,
            };
            self.phase = Phase::Changes { after };
            if !changes.is_empty() {
                return Ok(Seen::Changes { changes, position: after });
            }
            tokio::select! {
                () = self.ear.rung() => {}
                () = sleep_until(self.last_told + self.engine.options().feed_heartbeat) => {
                    return Ok(Seen::Alive { position: after });
                }
            }
        }
    }
}

/// Most sources that are looked at under one lock of the ledger's head.
const MENDED_AT_ONCE: i64 = 200;

/// Makes all desks what the states say; answers how many changes that took: none, unless a release that says otherwise, or nothing, wrote before.
pub async fn mend(engine: &Engine<OwnershipDomain>) -> sqlx::Result<i64> {
    let (mut behind, mut changes) = (String::new(), 0);
    loop {
        let mut tx = engine.pool().begin().await?;
        let mended = desk::mend(&mut tx, &behind, MENDED_AT_ONCE).await?;
        tx.commit().await?;
        let Some((last, mended)) = mended else { return Ok(changes) };
        behind = last;
        changes += mended;
    }
}

/// Forgets what was dealt with before a moment: cursors from before then are refused.
pub async fn forget(engine: &Engine<OwnershipDomain>, before: DateTime<Utc>) -> sqlx::Result<()> {
    let mut connection = engine.pool().acquire().await?;
    desk::forget(&mut connection, before).await
}

/// How often what was dealt with is looked through for what may be forgotten.
const UPKEEP: Duration = Duration::from_secs(600);

/// Mends all desks once, then forgets from time to time what was dealt with longer ago than request ids are remembered.
pub(crate) async fn keep_up(engine: Engine<OwnershipDomain>, stop: CancellationToken) {
    let work = async {
        match mend(&engine).await {
            Ok(0) => {}
            Ok(changes) => tracing::info!(changes, "desks were made what the states say"),
            Err(error) => tracing::warn!(%error, "desks could not be looked through"),
        }
        loop {
            tokio::time::sleep(UPKEEP).await;
            if let Err(error) = forget_old(&engine).await {
                tracing::warn!(%error, "what was dealt with long ago could not be forgotten");
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

async fn forget_old(engine: &Engine<OwnershipDomain>) -> sqlx::Result<()> {
    let kept = TimeDelta::from_std(engine.options().request_retention).unwrap_or(TimeDelta::MAX);
    let Some(before) = engine.now().await?.checked_sub_signed(kept) else { return Ok(()) };
    forget(engine, before).await
}
