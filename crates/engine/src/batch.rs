//! One batch: one transaction that locks, decides and writes for many commands.
//!
//! The order of locks is always the same (cursor, requests, fences, keys, aggregates, counters, head), each a statement of its own with sorted
//! keys, all in one round trip with BEGIN; state and time are read after the locks; all writing is one round trip with COMMIT. What goes wrong before
//! COMMIT has no effect; where that is not answered nobody knows, and it is reported so.

mod locks;
mod work;

use std::{
    collections::{BTreeSet, HashSet},
    future::Future,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use shouwen_runtime::clock::MachineClock;
use sqlx::PgConnection;
use tokio::time::Instant;

use self::work::Work;
use crate::{
    domain::{AggregateId, Domain, Footprint},
    engine::is_outage,
    options::{Options, Step},
    store::{self, Done, Ending, FIRST, LockedRows, NewCursor, Writes},
    submission::Submission,
};

/// What a batch found for one command.
#[derive(Debug)]
pub(crate) enum Verdict<D: Domain> {
    Accepted {
        primary: AggregateId,
        version: i64,
        state: Option<D::State>,
    },
    /// The result of an earlier call: rebuild the aggregate at this version.
    Replay {
        aggregate: AggregateId,
        version: i64,
    },
    Rejected(D::Rejection),
    RequestReused,
    Stale,
    /// The decision touches what its footprint did not name.
    Internal,
}

/// Why a batch as a whole had no effect.
#[derive(Debug)]
pub(crate) enum BatchError {
    /// Start again.
    Moved,
    /// The follower's cursor stands elsewhere: another replica was faster.
    CursorMoved,
    /// The domain or the follower panicked before COMMIT. The connection may be in the middle of anything.
    Panicked,
    /// A statement failed before COMMIT.
    Failed(sqlx::Error),
    /// The last writing was sent with COMMIT and not answered.
    CommitUnknown(sqlx::Error),
    /// A probe ended the process's life here.
    Died(Step),
}

impl From<sqlx::Error> for BatchError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// What a batch needs of its engine.
pub(crate) struct Setting<'a, D> {
    pub(crate) domain: &'a D,
    pub(crate) options: &'a Options,
    pub(crate) machine: &'a MachineClock,
    pub(crate) observed: &'a Observed,
}

/// Position up to which [`Domain::refresh`] has seen the ledger; before the first batch nothing.
pub(crate) struct Observed(AtomicI64);

impl Default for Observed {
    fn default() -> Self {
        Self(AtomicI64::new(-1))
    }
}

/// What a follower adds to its batch.
pub(crate) struct FeedStep<'a, P> {
    pub(crate) feed: &'a str,
    /// How the cursor moves; `None` where it has passed the events before. It is locked all the same.
    pub(crate) moves: Option<Moves<'a>>,
    /// What the events are about: parked events of these aggregates are looked for.
    pub(crate) aggregates: BTreeSet<&'a str>,
    /// Where each command comes from, by index. One that comes from nowhere waits behind nothing.
    pub(crate) sources: Vec<Source>,
    /// Writes projections and parked events, inside the transaction.
    pub(crate) effect: P,
}

/// How a follower's cursor moves.
#[derive(Clone, Copy)]
pub(crate) struct Moves<'a> {
    pub(crate) incarnation: &'a str,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Where a follower's command comes from: later events of a parked aggregate wait.
pub(crate) struct Source {
    pub(crate) aggregate: String,
    /// It comes after an event of the same chunk and aggregate that is parked before anything is decided.
    pub(crate) waits: bool,
}

/// A feed batch's own writes.
pub(crate) trait FeedEffect<D: Domain>: Send {
    /// `parked`: the aggregates of the events that have parked ones, before this batch or by it.
    fn write(
        &mut self,
        connection: &mut PgConnection,
        verdicts: &[Option<Verdict<D>>],
        parked: &HashSet<String>,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), BatchError>> + Send;
}

/// The effect of batches that do not come from a feed.
pub(crate) struct NoEffect;

impl<D: Domain> FeedEffect<D> for NoEffect {
    async fn write(
        &mut self,
        _: &mut PgConnection,
        _: &[Option<Verdict<D>>],
        _: &HashSet<String>,
        _: DateTime<Utc>,
    ) -> Result<(), BatchError> {
        Ok(())
    }
}

/// What a committed batch leaves.
pub(crate) struct Committed<D: Domain> {
    pub(crate) verdicts: Vec<Verdict<D>>,
    pub(crate) head: i64,
    pub(crate) events: Vec<(AggregateId, D::Event)>,
}

/// A batch that only lacks its ending.
struct Prepared<D: Domain> {
    committed: Committed<D>,
    /// Without it there is nothing to keep: rolling back takes out whatever the locks inserted.
    ending: Option<Ending>,
    /// Head before the batch, and whether it wrote an observed event.
    before: i64,
    observed: bool,
}

/// Runs one batch. Whatever it answers, no lock outlives it; after an outage, a panic or an unanswered COMMIT the connection is of no more use.
pub(crate) async fn run<D: Domain, P: FeedEffect<D>>(
    setting: &Setting<'_, D>,
    connection: &mut PgConnection,
    members: &[&Submission<D::Command>],
    mut feed: Option<FeedStep<'_, P>>,
) -> Result<Committed<D>, BatchError> {
    let options = setting.options;
    let end = Instant::now() + options.write_timeout;
    // What one command makes panic must not end the write path of all.
    let preparing = AssertUnwindSafe(prepare(setting, connection, members, feed.as_mut())).catch_unwind();
    let preparing = preparing.map(|caught| caught.unwrap_or(Err(BatchError::Panicked)));
    let prepared = match until(end, preparing).await {
        Ok(prepared) => prepared,
        Err(error) => return Err(undone(options, connection, error).await),
    };
    let Some(ending) = prepared.ending else {
        within(options, store::rollback(connection)).await?;
        return Ok(prepared.committed);
    };
    match until(end, store::commit(connection, ending)).await {
        Ok(()) => {}
        // Postgres refuses to write: it has not come to COMMIT.
        Err(error @ sqlx::Error::Database(_)) if !is_outage(&error) => {
            return Err(undone(options, connection, error.into()).await);
        }
        Err(error) => return Err(BatchError::CommitUnknown(error)),
    }
    if options.probe.dies(Step::Committed) {
        return Err(BatchError::Died(Step::Committed));
    }
    if !prepared.observed {
        // Fails where another batch of this process went on from here meanwhile; that one has looked for itself.
        let seen = &setting.observed.0;
        let _ = seen.compare_exchange(
            prepared.before,
            prepared.committed.head,
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
    }
    if let Some(step) = feed.filter(|_| options.mutants.cursor_outside)
        && let Some(moves) = step.moves
    {
        store::move_cursor(&mut *connection, step.feed, moves.incarnation, moves.to).await?;
    }
    Ok(prepared.committed)
}

/// Takes back what a batch did before it failed, where its connection is still of use. Answers why it failed.
async fn undone(options: &Options, connection: &mut PgConnection, error: BatchError) -> BatchError {
    let lost = matches!(&error, BatchError::Died(_) | BatchError::Panicked)
        || matches!(&error, BatchError::Failed(error) if is_outage(error));
    if lost {
        return error;
    }
    match within(options, store::rollback(connection)).await {
        Ok(()) => error,
        Err(failure) => BatchError::Failed(failure),
    }
}

/// Bounds the time that a batch may take from BEGIN to the answer to COMMIT: a former handler's last write ends with it.
async fn until<T, E: From<sqlx::Error>>(
    end: Instant,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let timed = tokio::time::timeout_at(end, work).await;
    timed.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()))
}

/// Bounds the time that other work on the write path may take.
pub(crate) async fn within<T, E: From<sqlx::Error>>(
    options: &Options,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    until(Instant::now() + options.write_timeout, work).await
}

async fn prepare<D: Domain, P: FeedEffect<D>>(
    setting: &Setting<'_, D>,
    connection: &mut PgConnection,
    members: &[&Submission<D::Command>],
    feed: Option<&mut FeedStep<'_, P>>,
) -> Result<Prepared<D>, BatchError> {
    let Setting { domain, options, .. } = *setting;
    let probe = |step| if options.probe.dies(step) { Err(BatchError::Died(step)) } else { Ok(()) };
    probe(Step::Begun)?;

    let commands: Vec<&D::Command> = members.iter().map(|member| &member.command).collect();
    let footprints = domain.footprints(connection, &commands).await?;
    let (locked, mut parked) =
        locks::take(setting, connection, members, &footprints, feed.as_deref()).await?;
    probe(Step::Locked)?;

    let mut verdicts: Vec<Option<Verdict<D>>> = members.iter().map(|_| None).collect();
    locks::repeats(&locked, members, &mut verdicts);
    locks::stale(setting, &locked, members, &mut verdicts);
    let keys = locks::keys(&locked, &footprints);
    let LockedRows { states, fresh, counters, head, now, .. } = locked;
    refresh(setting, connection, head.position).await?;
    let states = locks::states(domain, connection, states, &fresh).await?;
    let mut work = Work::new(states, keys, counters, &head, now);
    probe(Step::Loaded)?;

    for (index, member) in members.iter().enumerate() {
        let source = feed.as_deref().and_then(|step| step.sources.get(index));
        if let Some(verdict) = &verdicts[index] {
            if let (Some(source), Verdict::Stale | Verdict::RequestReused) = (source, verdict) {
                parked.insert(source.aggregate.clone());
            }
            continue;
        }
        if source.is_some_and(|source| source.waits || parked.contains(&source.aggregate)) {
            continue;
        }
        let verdict = work.decide(domain, member, &footprints[index], now)?;
        if let (Some(source), Verdict::Rejected(_) | Verdict::Internal) = (source, &verdict) {
            parked.insert(source.aggregate.clone());
        }
        verdicts[index] = Some(verdict);
    }
    probe(Step::Decided)?;

    let kept = verdicts.iter().any(|verdict| matches!(verdict, Some(Verdict::Accepted { .. })));
    let keep = kept || feed.is_some() || options.mutants.keep_rejected;
    let mut position = head.position;
    let mut ending = None;
    if keep {
        let changed = work.changed(domain)?;
        let mut writes = Writes::default();
        if let Some(FeedStep { feed, moves, effect, .. }) = feed {
            effect.write(connection, &verdicts, &parked, now).await?;
            if let Some(Moves { incarnation, to, .. }) = *moves
                && !options.mutants.cursor_outside
            {
                writes.cursor = Some(NewCursor { feed, incarnation, position: to });
            }
        }
        if !changed.rows.is_empty() {
            domain.attach(connection, &changed.rows).await?;
        }
        probe(Step::Attached)?;
        position = work.number(options, connection, &head).await?;
        settle(options, members, &footprints, &verdicts, &mut writes);
        work.writes(domain, &head, &fresh, &changed, &mut writes);
        if options.mutants.positions_from_sequence {
            writes.head = None;
        }
        ending = Some(writes.ending()?);
        probe(Step::BeforeCommit)?;
    }
    let observed = work.wrote_observed();
    // A follower leaves events waiting without a verdict; its effect has seen to them.
    let verdicts = verdicts.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Internal)).collect();
    let committed = Committed { verdicts, head: position, events: work.into_events() };
    Ok(Prepared { committed, ending, before: head.position, observed })
}

/// Lets the domain reload what it keeps beside the states, where a process has written an observed event since.
async fn refresh<D: Domain>(
    setting: &Setting<'_, D>,
    connection: &mut PgConnection,
    head: i64,
) -> Result<(), BatchError> {
    let seen = setting.observed.0.load(Ordering::SeqCst);
    if D::OBSERVED.is_empty() || seen == head {
        return Ok(());
    }
    if seen < 0 || store::any_of_types(connection, seen, head, D::OBSERVED).await? {
        setting.domain.refresh(connection).await?;
    }
    setting.observed.0.store(head, Ordering::SeqCst);
    Ok(())
}

/// What becomes of the rows of requests: those of rejected commands go, those of accepted ones say where the result is found, if they do not yet.
fn settle<'a, D: Domain>(
    options: &Options,
    members: &[&'a Submission<D::Command>],
    footprints: &[Footprint],
    verdicts: &'a [Option<Verdict<D>>],
    writes: &mut Writes<'a>,
) {
    for ((member, footprint), verdict) in members.iter().zip(footprints).zip(verdicts) {
        let Some(key) = &member.request else { continue };
        match verdict {
            Some(Verdict::Accepted { primary, version: FIRST, .. })
                if footprint.makes.as_ref() == Some(primary) => {}
            Some(Verdict::Accepted { primary, version, .. }) if !options.mutants.dedupe_off => {
                writes.done.push(Done { request: key.into(), aggregate: primary, version: *version });
            }
            Some(Verdict::Accepted { .. } | Verdict::Replay { .. } | Verdict::RequestReused) => {}
            _ if options.mutants.keep_rejected => {}
            _ => writes.rejected.push(key.into()),
        }
    }
}
