//! The committer: one thread per service process that turns waiting commands into batches on a connection of its own.
//!
//! What arrives while one transaction commits goes into the next together. Nothing waits when the committer is idle.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    io, thread,
};

use sqlx::PgConnection;
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    batch::{self, BatchError, NoEffect, Verdict},
    domain::Domain,
    engine::{Answer, Engine, is_lost, is_outage, is_transient},
    store,
    submission::{Outcome, Submission, SubmitError},
};

pub(crate) type Reply<D> = Result<Answer<<D as Domain>::State>, SubmitError<<D as Domain>::Rejection>>;

/// A waiting command.
pub(crate) struct Job<D: Domain> {
    pub(crate) submission: Submission<D::Command>,
    pub(crate) reply: oneshot::Sender<Reply<D>>,
}

/// Fences known to be in the table with at least this epoch; bounded by starting over.
const KNOWN_FENCES: usize = 100_000;

pub(crate) struct Committer<D: Domain> {
    engine: Engine<D>,
    connection: Option<PgConnection>,
    known_fences: HashMap<String, i64>,
}

impl<D: Domain> Committer<D> {
    /// Starts the committer on a thread with a scheduler of its own: between two round trips to the database it waits for nobody's turn, and no other
    /// thread is woken. It ends when the engine is closed, or with the scheduler on which it was started.
    pub(crate) fn start(engine: Engine<D>, jobs: mpsc::Receiver<Job<D>>) -> io::Result<()> {
        let scheduler = Builder::new_current_thread().enable_all().build()?;
        let (mut lives, ended) = oneshot::channel::<()>();
        engine.0.parts.run(async move { lives.closed().await });
        let watch = engine.0.parts.watch();
        thread::Builder::new().name(format!("commit-{}", D::SERVICE)).spawn(move || {
            let _watch = watch;
            let committer = Self { engine, connection: None, known_fences: HashMap::new() };
            scheduler.block_on(async {
                tokio::select! {
                    () = committer.run(jobs) => {}
                    _ = ended => {}
                }
            });
        })?;
        Ok(())
    }

    async fn run(mut self, mut jobs: mpsc::Receiver<Job<D>>) {
        let closing = self.engine.0.closing.clone();
        let mut waiting: VecDeque<Job<D>> = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let next = tokio::select! {
                    biased;
                    job = jobs.recv() => job,
                    () = closing.cancelled() => {
                        jobs.close();
                        jobs.recv().await
                    }
                };
                match next {
                    Some(job) => waiting.push_back(job),
                    None => return,
                }
            }
            while waiting.len() < self.engine.0.options.batch_commands {
                match jobs.try_recv() {
                    Ok(job) => waiting.push_back(job),
                    Err(_) => break,
                }
            }
            let batch = take_batch(&mut waiting, self.engine.0.options.batch_bytes);
            if !self.commit(batch).await {
                return;
            }
        }
    }

    /// Runs a batch to its answers. False when the process was made to die (tests).
    async fn commit(&mut self, mut jobs: Vec<Job<D>>) -> bool {
        let mut attempts = 0;
        loop {
            jobs.retain(|job| !job.reply.is_closed());
            if jobs.is_empty() {
                return true;
            }
            let reused = self.connection.is_some();
            let begun = Instant::now();
            match self.attempt(&jobs).await {
                Ok(committed) => {
                    self.engine.after_commit(&committed);
                    self.engine.0.metrics.committed(None, jobs.len(), begun.elapsed());
                    for (job, verdict) in jobs.into_iter().zip(committed.verdicts) {
                        let _gone = job.reply.send(answer(verdict));
                    }
                    return true;
                }
                Err(BatchError::Died(_)) => return false,
                Err(BatchError::CommitUnknown(error)) => {
                    tracing::warn!(service = D::SERVICE, %error, "a commit was not answered");
                    self.connection = None;
                    answer_all(jobs, &SubmitError::OutcomeUnknown);
                    return true;
                }
                Err(BatchError::Failed(error)) if reused && is_lost(&error) => {
                    // It may have been lost while nothing was to be done. Nothing was applied, so a new one may begin anew.
                    tracing::info!(service = D::SERVICE, %error, "the write path's connection was lost");
                    self.connection = None;
                }
                Err(BatchError::Failed(error)) if is_outage(&error) => {
                    tracing::warn!(service = D::SERVICE, %error, "the database is not available to the write path");
                    self.connection = None;
                    answer_all(jobs, &SubmitError::Unavailable);
                    return true;
                }
                Err(BatchError::Panicked) => {
                    self.connection = None;
                    if jobs.len() == 1 {
                        tracing::error!(service = D::SERVICE, "a command makes the domain panic");
                        answer_all(jobs, &SubmitError::Internal);
                        return true;
                    }
                    tracing::error!(
                        service = D::SERVICE,
                        "the domain panicked; its batch is tried one by one"
                    );
                    return self.one_by_one(jobs).await;
                }
                Err(BatchError::Failed(error)) if !is_transient(&error) => {
                    if jobs.len() == 1 {
                        tracing::error!(service = D::SERVICE, %error, "a command makes a statement fail");
                        answer_all(jobs, &SubmitError::Internal);
                        return true;
                    }
                    tracing::warn!(service = D::SERVICE, %error, "a statement failed; its batch is tried one by one");
                    return self.one_by_one(jobs).await;
                }
                Err(BatchError::Moved | BatchError::CursorMoved | BatchError::Failed(_)) => {
                    attempts += 1;
                    if attempts < self.engine.0.options.batch_attempts {
                        continue;
                    }
                    if jobs.len() == 1 {
                        answer_all(jobs, &SubmitError::Contention);
                        return true;
                    }
                    return self.one_by_one(jobs).await;
                }
            }
        }
    }

    async fn one_by_one(&mut self, jobs: Vec<Job<D>>) -> bool {
        for job in jobs {
            if !Box::pin(self.commit(vec![job])).await {
                return false;
            }
        }
        true
    }

    async fn attempt(&mut self, jobs: &[Job<D>]) -> Result<batch::Committed<D>, BatchError> {
        let inner = &self.engine.0;
        if self.connection.is_none() {
            self.connection = Some(self.engine.connect().await?);
        }
        let Some(connection) = self.connection.as_mut() else { return Err(BatchError::Moved) };
        let members: Vec<&Submission<D::Command>> = jobs.iter().map(|job| &job.submission).collect();
        batch::within(&inner.options, raise_fences(connection, &mut self.known_fences, &members)).await?;
        batch::run::<D, NoEffect>(&self.engine.setting(), connection, &members, None).await
    }
}

/// Raises missing or lower fences before the batch, in a transaction of their own.
async fn raise_fences<C>(
    connection: &mut PgConnection,
    known: &mut HashMap<String, i64>,
    members: &[&Submission<C>],
) -> sqlx::Result<()> {
    let mut raise: BTreeMap<String, i64> = BTreeMap::new();
    for fence in members.iter().filter_map(|member| member.fence.as_ref()) {
        if known.get(&fence.case).is_none_or(|epoch| *epoch < fence.epoch) {
            let epoch = raise.entry(fence.case.clone()).or_insert(fence.epoch);
            *epoch = (*epoch).max(fence.epoch);
        }
    }
    if raise.is_empty() {
        return Ok(());
    }
    let raise: Vec<(String, i64)> = raise.into_iter().collect();
    store::raise_fences(connection, &raise).await?;
    if known.len() > KNOWN_FENCES {
        known.clear();
    }
    known.extend(raise);
    Ok(())
}

/// The commands of the next batch, in order of arrival, as many as have room in it. A second command with the same request id waits for the next
/// batch; what comes after a command that has no room waits with it, so that none overtakes another.
fn take_batch<D: Domain>(waiting: &mut VecDeque<Job<D>>, most_bytes: usize) -> Vec<Job<D>> {
    let mut taken: HashSet<(String, String, String)> = HashSet::new();
    let mut batch = Vec::with_capacity(waiting.len());
    let mut later = VecDeque::new();
    let mut room = most_bytes;
    while let Some(job) = waiting.pop_front() {
        let bytes = job.submission.bytes;
        if bytes > room && !batch.is_empty() {
            later.push_back(job);
            later.append(waiting);
            break;
        }
        let fresh = job
            .submission
            .request
            .as_ref()
            .is_none_or(|key| taken.insert((key.principal.clone(), key.method.clone(), key.id.clone())));
        if fresh {
            room = room.saturating_sub(bytes);
            batch.push(job);
        } else {
            later.push_back(job);
        }
    }
    *waiting = later;
    batch
}

fn answer<D: Domain>(verdict: Verdict<D>) -> Reply<D> {
    match verdict {
        Verdict::Accepted { primary, version, state } => {
            Ok(Answer::Fresh(Outcome { primary, version, state, replayed: false }))
        }
        Verdict::Replay { aggregate, version } => Ok(Answer::Former { aggregate, version }),
        Verdict::Rejected(rejection) => Err(SubmitError::Rejected(rejection)),
        Verdict::RequestReused => Err(SubmitError::RequestReused),
        Verdict::Stale => Err(SubmitError::Stale),
        Verdict::Internal => Err(SubmitError::Internal),
    }
}

fn answer_all<D: Domain>(jobs: Vec<Job<D>>, error: &SubmitError<D::Rejection>) {
    for job in jobs {
        // A caller that is gone needs no answer.
        let _gone = job.reply.send(Err(error.clone()));
    }
}
