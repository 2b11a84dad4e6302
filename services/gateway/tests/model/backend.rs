//! The backends: fences, request rows and batches of the engine. A batch raises its fence first, in a transaction of its own, then inserts its request
//! row, share-locks the fence and looks at epoch and age, then commits. Raising waits for whoever share-locks.

use crate::edge::{Answer, Context};
use crate::ownership::Set;
use crate::protocol::{CONTEXT_AGE, Flaw, WRITE_TIMEOUT};

/// A schema: what survives a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    /// The newest epoch known; 0 while there is no row.
    pub(crate) fence: u8,
    /// The calls whose request rows are committed.
    pub(crate) done: Set,
}

/// One process of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Backend {
    /// By how many ticks its clock is ahead of the slowest one.
    pub(crate) ahead: u8,
    pub(crate) batch: Batch,
}

/// Its one committer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Batch {
    Idle,
    /// In the queue, for however long; the fence is raised.
    Queued(Job),
    /// Under the fence's lock, checked, not committed.
    Locked {
        job: Job,
        held: u8,
    },
}

/// One call as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(crate) call: usize,
    pub(crate) gateway: usize,
    pub(crate) sending: usize,
    pub(crate) context: Context,
    /// By how many ticks the gateway's clock, which dated the reading, is ahead of the slowest one.
    pub(crate) dated_ahead: u8,
}

impl Backend {
    pub(crate) fn new(ahead: u8) -> Self {
        Self { ahead, batch: Batch::Idle }
    }

    /// The age that this host's clock shows for what the job rests on; a reading from the future is new.
    fn shown_age(&self, job: &Job) -> u8 {
        (job.context.age + self.ahead).saturating_sub(job.dated_ahead)
    }

    /// Whether the job is fresh enough on arrival. Not asked by the engine, which asks later, under the lock.
    pub(crate) fn is_fresh(&self, job: &Job) -> bool {
        self.shown_age(job) <= CONTEXT_AGE
    }

    /// What is said under the fence's lock: `None` where the batch may go on.
    pub(crate) fn check(&self, job: &Job, store: Store, flaw: Option<Flaw>) -> Option<Answer> {
        if store.done.contains(job.call) && flaw != Some(Flaw::ForgetsRequests) {
            return Some(Answer::Done);
        }
        let old = job.context.epoch < store.fence;
        let aged = !self.is_fresh(job) && flaw != Some(Flaw::AgeOnArrivalOnly);
        ((old || aged) && flaw != Some(Flaw::NoFence)).then_some(Answer::Stale)
    }

    /// Whether a batch here holds the fence's share lock.
    pub(crate) fn holds_fence(&self) -> bool {
        matches!(self.batch, Batch::Locked { .. })
    }

    /// Whether a batch here has inserted the call's request row and not committed it.
    pub(crate) fn holds_request(&self, call: usize) -> bool {
        matches!(self.batch, Batch::Locked { job, .. } if job.call == call)
    }

    pub(crate) fn tick(&mut self) {
        match &mut self.batch {
            Batch::Idle => {}
            Batch::Queued(job) => job.context.tick(),
            // Given up: rolled back, and nobody hears of it.
            Batch::Locked { held, .. } if *held == WRITE_TIMEOUT => self.batch = Batch::Idle,
            Batch::Locked { job, held } => {
                job.context.tick();
                *held += 1;
            }
        }
    }
}
