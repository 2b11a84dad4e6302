//! A suite that tests use together when they do not disturb each other: five processes are dear to start.

use std::{
    ops::Deref,
    sync::{Arc, Weak},
};

use tokio::sync::Mutex;

use super::{Suite, policies, process::Process};

/// One process of each service, with clients called at any hour. It ends with the last test that holds it.
pub(crate) struct Shared(Arc<Suite>);

impl Shared {
    /// The suite that others use at this moment, or a new one.
    pub(crate) async fn suite() -> Self {
        static RUNNING: Mutex<Weak<Suite>> = Mutex::const_new(Weak::new());
        let mut running = RUNNING.lock().await;
        if let Some(suite) = running.upgrade() {
            return Self(suite);
        }
        let suite = Arc::new(Suite::start().await);
        policies::clients_are_called_at_any_hour(&suite).await;
        *running = Arc::downgrade(&suite);
        Self(suite)
    }
}

impl Deref for Shared {
    type Target = Suite;

    fn deref(&self) -> &Suite {
        &self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Another test may hold the suite for longer, and its processes say nothing until they end.
        if std::thread::panicking() {
            self.0.processes().for_each(Process::show_log);
        }
    }
}
