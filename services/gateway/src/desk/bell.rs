//! Wakes watchers of desks. One task looks what has changed, for all of the process; only those whose desk it is read it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use shouwen_engine::Engine;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::OwnershipDomain,
    store::desk::read::{self, Reader},
};

/// Who is to be woken.
#[derive(Default)]
pub(crate) struct Bell {
    /// By recipient.
    listeners: Mutex<HashMap<String, Vec<Arc<Notify>>>>,
    /// Somebody listens.
    heard: Notify,
}

/// Hears of changes of one desk until it is dropped. What happened since the last hearing is not missed.
pub(crate) struct Ear {
    bell: Arc<Bell>,
    recipients: Vec<String>,
    rung: Arc<Notify>,
}

impl Bell {
    pub(crate) fn listen(self: &Arc<Self>, reader: &Reader) -> Ear {
        let rung = Arc::new(Notify::new());
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for recipient in &reader.recipients {
            listeners.entry(recipient.clone()).or_default().push(Arc::clone(&rung));
        }
        self.heard.notify_one();
        Ear { bell: Arc::clone(self), recipients: reader.recipients.clone(), rung }
    }

    /// Waits until somebody listens; answers whether nobody did.
    async fn listened(&self) -> bool {
        let silent = || self.listeners.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if !silent() {
            return false;
        }
        while silent() {
            self.heard.notified().await;
        }
        true
    }

    fn ring(&self, recipients: &[String]) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for rung in recipients.iter().filter_map(|recipient| listeners.get(recipient)).flatten() {
            rung.notify_one();
        }
    }

    fn ring_all(&self) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for rung in listeners.values().flatten() {
            rung.notify_one();
        }
    }
}

impl Ear {
    pub(crate) async fn rung(&self) {
        self.rung.notified().await;
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut listeners = self.bell.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for recipient in &self.recipients {
            if let Some(list) = listeners.get_mut(recipient) {
                list.retain(|other| !Arc::ptr_eq(other, &self.rung));
                if list.is_empty() {
                    listeners.remove(recipient);
                }
            }
        }
    }
}

/// Rings whenever desks change, as long as somebody listens: at once for what this process wrote, after a poll for what others did. Where it cannot look, all look for themselves.
pub(crate) async fn ring(engine: Engine<OwnershipDomain>, bell: Arc<Bell>, stop: CancellationToken) {
    let options = engine.options();
    let mut woken = engine.head_watch();
    let mut roster = engine.domain().roster();
    let mut after = None;
    let work = async {
        loop {
            if bell.listened().await {
                after = None;
            }
            match look(&engine, after).await {
                Ok((position, recipients)) => {
                    match after.replace(position) {
                        Some(_) => bell.ring(&recipients),
                        // Somebody may have looked before this first look.
                        None => bell.ring_all(),
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "what changed on desks cannot be read");
                    bell.ring_all();
                }
            }
            // Who is somebody else by role or branch now has another desk.
            let known = engine.domain().roster();
            if !Arc::ptr_eq(&known, &roster) {
                roster = known;
                bell.ring_all();
            }
            tokio::time::sleep(options.feed_rest).await;
            tokio::select! {
                changed = woken.changed() => if changed.is_err() {
                    return;
                },
                () = tokio::time::sleep(options.feed_poll) => {}
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Number of the last change, and whose desks changed after one.
async fn look(engine: &Engine<OwnershipDomain>, after: Option<i64>) -> sqlx::Result<(i64, Vec<String>)> {
    let position = read::head(engine.pool()).await?.position;
    match after.filter(|after| *after < position) {
        Some(after) => Ok((position, read::touched(engine.pool(), after, position).await?)),
        None => Ok((position, Vec::new())),
    }
}
