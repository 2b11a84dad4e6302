//! The engine of one service process: takes commands, gives answers, tells watchers of new positions.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use shouwen_runtime::{clock::MachineClock, postgres::BY_INDEX};
use sqlx::{
    ConnectOptions as _, Connection as _, Executor as _, PgConnection, PgPool, postgres::PgConnectOptions,
};
use tokio::sync::{Notify, RwLock, RwLockReadGuard, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    batch,
    committer::{Committer, Job},
    domain::{AggregateId, Domain, Recorded},
    ledger,
    metrics::Metrics,
    options::Options,
    parts::{Broken, Parts},
    store,
    submission::{Outcome, RequestKey, Submission, SubmitError},
};

/// The engine. Clones share it.
pub struct Engine<D: Domain>(pub(crate) Arc<Inner<D>>);

impl<D: Domain> Clone for Engine<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

pub(crate) struct Inner<D: Domain> {
    pub(crate) domain: Arc<D>,
    pub(crate) options: Options,
    pub(crate) pool: PgPool,
    connect: PgConnectOptions,
    pub(crate) machine: MachineClock,
    queue: mpsc::Sender<Job<D>>,
    head: watch::Sender<i64>,
    outstanding: AtomicI64,
    pub(crate) observed: batch::Observed,
    pub(crate) metrics: Metrics,
    /// Followers and sweepers keep still while a simulated clock is being moved.
    paused: AtomicBool,
    /// Shared by followers and sweepers while they work; taken alone by whoever moves the clock.
    working: RwLock<()>,
    pub(crate) resumed: Notify,
    /// Something was applied, or a command was answered.
    pub(crate) progress: Notify,
    /// Wakes the sweeper: time was moved on.
    pub(crate) sweep: Notify,
    /// Followers, sweepers and upkeep end.
    pub(crate) stop: CancellationToken,
    /// No further command is taken in.
    pub(crate) closing: CancellationToken,
    pub(crate) parts: Parts,
}

impl<D: Domain> Engine<D> {
    /// Starts the engine on a schema that is migrated; `connect` must choose the schema as the pool does. With `stop` it ceases to do anything by
    /// itself; commands of calls that still run are taken until [`stopped`](Self::stopped) is called.
    pub async fn start(
        domain: Arc<D>,
        pool: PgPool,
        connect: PgConnectOptions,
        machine: MachineClock,
        options: Options,
        stop: CancellationToken,
    ) -> sqlx::Result<Self> {
        let head = ledger::head(&pool).await?.position;
        let (queue, jobs) = mpsc::channel(options.queue);
        let head = watch::Sender::new(head);
        let metrics = Metrics::new(D::SERVICE, &options, &machine);
        metrics.show_queue(queue.downgrade());
        metrics.show_head(head.subscribe());
        let engine = Self(Arc::new(Inner {
            domain,
            options,
            pool,
            // What a batch writes goes as text, and is nobody's to log.
            connect: connect.disable_statement_logging(),
            machine,
            queue,
            head,
            outstanding: AtomicI64::new(0),
            observed: batch::Observed::default(),
            metrics,
            paused: AtomicBool::new(false),
            working: RwLock::new(()),
            resumed: Notify::new(),
            progress: Notify::new(),
            sweep: Notify::new(),
            parts: Parts::new(stop.clone()),
            stop,
            closing: CancellationToken::new(),
        }));
        Committer::start(engine.clone(), jobs)?;
        Ok(engine)
    }

    /// Runs work of the service that lasts, as a part of the engine: [`stopped`](Self::stopped) waits for it, so it has to end when
    /// [`stopping`](Self::stopping) completes; where it panics, the engine fails.
    pub fn run_part(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.parts.run(work);
    }

    /// Completes when `stop` was cancelled: long streams end then, so that nothing but short calls holds up the end of the process.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + use<D> {
        self.0.stop.clone().cancelled_owned()
    }

    /// Takes no further command and waits until what was taken in is answered, after `stop` was cancelled; by the engine itself where it fails.
    pub async fn stopped(&self) -> Result<(), Broken> {
        self.0.closing.cancel();
        self.0.parts.ended().await
    }

    pub fn domain(&self) -> &D {
        &self.0.domain
    }

    pub fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Applies a command, together with what else arrives meanwhile.
    pub async fn submit(
        &self,
        mut submission: Submission<D::Command>,
    ) -> Result<Outcome<D::State>, SubmitError<D::Rejection>> {
        submission.request = submission.request.map(|request| self.0.options.fingerprint_key.sealed(request));
        let (reply, answer) = oneshot::channel();
        let _outstanding = self.outstanding();
        self.0.queue.try_send(Job { submission, reply }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => SubmitError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Unavailable,
        })?;
        // A committer that ends without answering may have committed.
        match answer.await.unwrap_or(Err(SubmitError::OutcomeUnknown))? {
            Answer::Fresh(outcome) => Ok(outcome),
            Answer::Former { aggregate, version } => self.former(aggregate, version).await,
        }
    }

    /// Answers with the result of an earlier call, for a caller who may not make it any more. Waits for a first attempt still in flight.
    pub async fn replay(&self, request: &RequestKey) -> Result<Outcome<D::State>, SubmitError<D::Rejection>> {
        let unavailable = |error: sqlx::Error| {
            tracing::warn!(service = D::SERVICE, %error, "replay could not be looked up");
            SubmitError::Unavailable
        };
        let request = &self.0.options.fingerprint_key.sealed(request.clone());
        let mut tx = self.0.pool.begin().await.map_err(unavailable)?;
        if store::insert_request(&mut tx, request).await.map_err(unavailable)? {
            tx.rollback().await.map_err(unavailable)?;
            return Err(SubmitError::NotAReplay);
        }
        let former = store::former_request(&mut tx, request).await.map_err(unavailable)?;
        tx.rollback().await.map_err(unavailable)?;
        match former {
            Some((fingerprint, aggregate, version)) if fingerprint == request.fingerprint => {
                self.former(aggregate, version).await
            }
            Some(_) => Err(SubmitError::RequestReused),
            None => Err(SubmitError::NotAReplay),
        }
    }

    /// An aggregate as it was at a version, rebuilt from the ledger.
    async fn former(
        &self,
        aggregate: AggregateId,
        version: i64,
    ) -> Result<Outcome<D::State>, SubmitError<D::Rejection>> {
        let rows = ledger::history(&self.0.pool, &aggregate.0, version).await.map_err(|error| {
            tracing::warn!(service = D::SERVICE, %error, "a former result could not be read");
            SubmitError::Unavailable
        })?;
        let state = self.rebuild(&aggregate, &rows).map_err(|error| {
            tracing::error!(service = D::SERVICE, %aggregate, %error, "an event of the ledger cannot be decoded");
            SubmitError::Internal
        })?;
        Ok(Outcome { primary: aggregate, version, state, replayed: true })
    }

    /// Folds events of one aggregate.
    pub fn rebuild(
        &self,
        aggregate: &AggregateId,
        rows: &[ledger::LedgerRow],
    ) -> Result<Option<D::State>, prost::DecodeError> {
        let mut state = None;
        for row in rows {
            let event = D::decode(&row.payload)?;
            let recorded = Recorded {
                event: &event,
                aggregate,
                version: row.version,
                time: row.time,
                principal: &row.actor,
                on_behalf: &row.on_behalf,
            };
            state = Some(self.0.domain.evolve(state, &recorded));
        }
        Ok(state)
    }

    /// Business time.
    pub async fn now(&self) -> sqlx::Result<DateTime<Utc>> {
        store::business_time(&self.0.pool).await
    }

    /// Tells of every position written by this process, and of others when a feed has noticed them.
    pub fn head_watch(&self) -> watch::Receiver<i64> {
        self.0.head.subscribe()
    }

    pub(crate) fn after_commit(&self, committed: &batch::Committed<D>) {
        if !committed.events.is_empty() {
            self.ask("committed", |domain| domain.committed(&committed.events));
            let stirs = |(_, event): &(AggregateId, D::Event)| D::STIRRING.contains(&D::encode(event).0);
            if !D::STIRRING.is_empty() && committed.events.iter().any(stirs) {
                self.0.sweep.notify_one();
            }
        }
        self.0.head.send_if_modified(|head| {
            let newer = committed.head > *head;
            *head = (*head).max(committed.head);
            newer
        });
        self.0.progress.notify_waiters();
    }

    /// Asks the domain something beside the batches. Nothing where it panics: that is logged, and everything else goes on.
    pub(crate) fn ask<T>(&self, what: &'static str, question: impl FnOnce(&D) -> T) -> Option<T> {
        answered::<D, T>(what, panic::catch_unwind(AssertUnwindSafe(|| question(self.domain()))))
    }

    /// As [`ask`](Self::ask), where the answer takes its time.
    pub(crate) async fn await_answer<T>(
        &self,
        what: &'static str,
        answer: impl Future<Output = T>,
    ) -> Option<T> {
        answered::<D, T>(what, AssertUnwindSafe(answer).catch_unwind().await)
    }

    /// A connection of the write path's own.
    pub(crate) async fn connect(&self) -> sqlx::Result<PgConnection> {
        let timeout = self.0.options.write_timeout;
        let connecting = async {
            let mut connection = PgConnection::connect_with(&self.0.connect).await?;
            connection.execute(BY_INDEX).await?;
            Ok(connection)
        };
        tokio::time::timeout(timeout.max(Duration::from_secs(1)), connecting)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    /// Commands of callers that are being worked on.
    pub(crate) fn outstanding(&self) -> Outstanding<'_> {
        self.0.outstanding.fetch_add(1, Ordering::SeqCst);
        Outstanding { count: &self.0.outstanding, progress: &self.0.progress }
    }

    pub(crate) fn outstanding_count(&self) -> i64 {
        self.0.outstanding.load(Ordering::SeqCst)
    }

    /// Completes when this process has written something, or has answered a command.
    pub fn progress(&self) -> tokio::sync::futures::Notified<'_> {
        self.0.progress.notified()
    }

    /// Tells those who wait until the service is idle that work which it owed ([`Domain::owed`]) is done.
    pub fn progressed(&self) {
        self.0.progress.notify_waiters();
    }

    /// What a batch needs of this engine.
    pub(crate) fn setting(&self) -> batch::Setting<'_, D> {
        let inner = &self.0;
        batch::Setting {
            domain: &inner.domain,
            options: &inner.options,
            machine: &inner.machine,
            observed: &inner.observed,
        }
    }

    /// Makes followers and sweepers keep still, and waits until what they are at is done. Answers whether they kept still before.
    pub(crate) async fn pause(&self) -> bool {
        let before = self.0.paused.swap(true, Ordering::SeqCst);
        let _nobody_works = self.0.working.write().await;
        before
    }

    pub(crate) fn resume(&self) {
        self.0.paused.store(false, Ordering::SeqCst);
        self.0.resumed.notify_waiters();
        self.0.sweep.notify_one();
    }

    /// Waits while followers and sweepers must keep still. While the guard lives the clock is not moved.
    pub(crate) async fn unpaused(&self) -> RwLockReadGuard<'_, ()> {
        loop {
            let resumed = self.0.resumed.notified();
            let working = self.0.working.read().await;
            if !self.0.paused.load(Ordering::SeqCst) {
                return working;
            }
            drop(working);
            resumed.await;
        }
    }
}

fn answered<D: Domain, T>(what: &'static str, answer: thread::Result<T>) -> Option<T> {
    if answer.is_err() {
        tracing::error!(service = D::SERVICE, what, "the domain panicked");
    }
    answer.ok()
}

/// What the committer answers: a result, or where the former one is found.
pub(crate) enum Answer<S> {
    Fresh(Outcome<S>),
    Former { aggregate: AggregateId, version: i64 },
}

/// Counts one command while it lives.
pub(crate) struct Outstanding<'a> {
    count: &'a AtomicI64,
    progress: &'a Notify,
}

impl Drop for Outstanding<'_> {
    fn drop(&mut self) {
        if self.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.progress.notify_waiters();
        }
    }
}

/// Whether an error means that the connection is gone or Postgres is not to be had, and nothing was applied.
pub(crate) fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            // Class 57: operator intervention; 53: insufficient resources; 08: connection.
            error.code().is_some_and(|code| {
                code.starts_with("57") || code.starts_with("53") || code.starts_with("08")
            })
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Whether an error means that this connection is gone, whatever there is to be said of Postgres.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        // Ended by an administrator, a crash or a shutdown.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| matches!(&*code, "57P01" | "57P02" | "57P03" | "57P05"))
        }
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Deadlock or serialization failure: trying again helps.
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().is_some_and(|code| code == "40P01" || code == "40001"))
}
