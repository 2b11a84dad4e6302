//! The parts of an engine that work by themselves: committer, followers, sweeper, upkeep, sampler, and what a service adds.
//!
//! What they are given to do contains its own failures. If one panics all the same, nobody does its work any more and the process would look well: so
//! the process is asked to stop, and whoever runs it starts it anew.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A part of the engine panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of the engine panicked")]
pub struct Broken;

pub(crate) struct Parts {
    running: TaskTracker,
    broken: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Parts {
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { running: TaskTracker::new(), broken: Arc::default(), stop }
    }

    /// Runs a part until it ends by itself.
    pub(crate) fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        let watch = self.watch();
        self.running.spawn(async move {
            let _watch = watch;
            work.await;
        });
    }

    /// To be held by a part that has a thread of its own.
    pub(crate) fn watch(&self) -> Watch {
        Watch { broken: Arc::clone(&self.broken), stop: self.stop.clone() }
    }

    /// Completes when all have ended.
    pub(crate) async fn ended(&self) -> Result<(), Broken> {
        self.running.close();
        self.running.wait().await;
        if self.broken.load(Ordering::SeqCst) { Err(Broken) } else { Ok(()) }
    }
}

/// Held by a part while it runs.
pub(crate) struct Watch {
    broken: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if thread::panicking() {
            self.broken.store(true, Ordering::SeqCst);
            self.stop.cancel();
        }
    }
}
