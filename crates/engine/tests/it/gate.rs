//! A probe that stops a batch at a step until the test says how it goes on.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
    mpsc,
};

use shouwen_engine::options::{Probe, Step};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task,
};

/// Stops the first batch that comes to the step after the gate was closed.
pub(crate) struct Gate {
    closed: Arc<AtomicBool>,
    reached: UnboundedReceiver<()>,
    answer: mpsc::Sender<bool>,
}

impl Gate {
    pub(crate) fn at(step: Step) -> (Probe, Self) {
        let (reach, reached) = unbounded_channel();
        let (answer, answers) = mpsc::channel();
        let closed = Arc::new(AtomicBool::new(false));
        let answers = Mutex::new(answers);
        let probe = Probe::new({
            let closed = Arc::clone(&closed);
            move |at| {
                if at != step || !closed.swap(false, Ordering::SeqCst) {
                    return false;
                }
                let _nobody_waits = reach.send(());
                // A test that failed meanwhile has dropped the gate: go on.
                let wait = || answers.lock().unwrap().recv().unwrap_or(false);
                match Handle::current().runtime_flavor() {
                    // A follower shares its threads, the committer has its own.
                    RuntimeFlavor::MultiThread => task::block_in_place(wait),
                    _ => wait(),
                }
            }
        });
        (probe, Self { closed, reached, answer })
    }

    /// The next batch stops here.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Waits until a batch has come to the gate.
    pub(crate) async fn reached(&mut self) {
        self.reached.recv().await.unwrap();
    }

    /// The batch goes on.
    pub(crate) fn open(&self) {
        self.answer.send(false).unwrap();
    }

    /// The process dies at the gate.
    pub(crate) fn kill(&self) {
        self.answer.send(true).unwrap();
    }
}

/// Dies once, the `nth` time (from 1) that the step is reached after arming.
#[derive(Clone)]
pub(crate) struct Death(Arc<AtomicUsize>);

impl Death {
    pub(crate) fn at(step: Step) -> (Probe, Self) {
        let left = Arc::new(AtomicUsize::new(0));
        let death = Self(Arc::clone(&left));
        let probe = Probe::new(move |at| {
            at == step && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) == Ok(1)
        });
        (probe, death)
    }

    pub(crate) fn arm(&self, nth: usize) {
        self.0.store(nth, Ordering::SeqCst);
    }
}
