//! Threads that serve connections: one for every two cores, each with a scheduler of its own.
//!
//! A call then stays on one thread from its first byte to its last: nobody steals it, no other thread is woken for it, and what it writes goes out together.
//! The busier a thread, the more it reads and writes at once, so few are better than many. Everything else (databases, followers, timers of services) stays
//! on the process's common scheduler, and has the other cores.

use std::{
    cell::Cell,
    io,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

thread_local! {
    static CORE: Cell<usize> = const { Cell::new(0) };
}

/// The threads; none by default, and then everything runs on the common scheduler. They end with the last clone.
#[derive(Clone, Debug, Default)]
pub struct Cores(Option<Arc<Threads>>);

#[derive(Debug)]
struct Threads {
    handles: Vec<Handle>,
    turn: AtomicUsize,
    _stop: DropGuard,
}

impl Cores {
    /// Starts the threads, for the cores that the process may use.
    pub fn start() -> io::Result<Self> {
        let stop = CancellationToken::new();
        let count = thread::available_parallelism().map_or(1, NonZeroUsize::get).div_ceil(2);
        let mut handles = Vec::with_capacity(count);
        for number in 1..=count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            handles.push(runtime.handle().clone());
            let stop = stop.clone();
            thread::Builder::new().name(format!("core-{number}")).spawn(move || {
                CORE.set(number);
                runtime.block_on(stop.cancelled());
            })?;
        }
        Ok(Self(Some(Arc::new(Threads { handles, turn: AtomicUsize::new(0), _stop: stop.drop_guard() }))))
    }

    /// The schedulers, in the order of their numbers, which begin with 1.
    pub(crate) fn handles(&self) -> &[Handle] {
        self.0.as_ref().map_or(&[], |threads| &threads.handles)
    }

    /// The scheduler whose turn it is; `None` without threads.
    pub(crate) fn next(&self) -> Option<&Handle> {
        let threads = self.0.as_ref()?;
        threads.handles.get(threads.turn.fetch_add(1, Ordering::Relaxed) % threads.handles.len())
    }
}

/// Number of the thread that asks; 0 on the common scheduler.
pub(crate) fn current() -> usize {
    CORE.get()
}
