//! What still keeps the process from serving. Each component says so itself, in words an operator understands; the
//! gRPC health service and `/readyz` repeat it. Liveness is not here: a process that waits for Postgres is alive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::watch;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::{HealthReporter, health_reporter};

/// The component that is not ready once the process shuts down.
const PROCESS: &str = "process";

/// The components of a process and what each lacks. Clones are the same registry.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Name → reason for not being ready.
    components: Mutex<BTreeMap<String, Option<String>>>,
    ready: watch::Sender<bool>,
}

/// One thing that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The component's name, such as `calls.schema`.
    pub component: String,
    /// What it lacks, such as `schema calls is at 3, needs 5`.
    pub reason: String,
}

/// One component's own voice.
#[derive(Clone, Debug)]
pub struct Component {
    readiness: Readiness,
    name: String,
}

impl Readiness {
    /// A registry without components, which is not ready before its first component is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a component, which is not ready until it says so.
    pub fn component(&self, name: impl Into<String>) -> Component {
        let component = Component { readiness: self.clone(), name: name.into() };
        component.not_ready("starting");
        component
    }

    /// Whether every component is ready.
    pub fn is_ready(&self) -> bool {
        *self.shared.ready.borrow()
    }

    /// What is missing, ordered by component.
    pub fn missing(&self) -> Vec<Missing> {
        let components = self.shared.components.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = components.iter().filter_map(|(component, reason)| {
            Some(Missing { component: component.clone(), reason: reason.clone()? })
        });
        missing.collect()
    }

    /// Follows [`is_ready`](Self::is_ready).
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.shared.ready.subscribe()
    }

    /// Not ready any more, for good: the first step of a shutdown.
    pub fn drain(&self) {
        self.set(PROCESS, Some("shutting down".to_owned()));
    }

    /// The gRPC health service (`grpc.health.v1`) for the whole server and for these full service names, which share
    /// one status. It follows this registry until the registry is gone.
    pub async fn health_service(&self, services: &[&str]) -> HealthServer<impl Health + use<>> {
        let (reporter, service) = health_reporter();
        let names: Vec<String> =
            std::iter::once("").chain(services.iter().copied()).map(str::to_owned).collect();
        let mut ready = self.watch();
        let now = *ready.borrow_and_update();
        report(&reporter, &names, now).await;
        tokio::spawn(async move {
            while ready.changed().await.is_ok() {
                let now = *ready.borrow_and_update();
                report(&reporter, &names, now).await;
            }
        });
        service
    }

    fn set(&self, component: &str, reason: Option<String>) {
        let mut components = self.shared.components.lock().unwrap_or_else(PoisonError::into_inner);
        components.insert(component.to_owned(), reason);
        let all = components.values().all(Option::is_none);
        // Still under the lock, so that the watched value is never older than the registry.
        self.shared.ready.send_if_modified(|ready| std::mem::replace(ready, all) != all);
    }
}

impl Component {
    /// Says that the component can do its work.
    pub fn ready(&self) {
        self.readiness.set(&self.name, None);
    }

    /// Says what the component lacks.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.readiness.set(&self.name, Some(reason.into()));
    }
}

async fn report(reporter: &HealthReporter, names: &[String], ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in names {
        reporter.set_service_status(name, status).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_all_its_components_are() {
        let readiness = Readiness::new();
        assert!(!readiness.is_ready());
        let (schema, feed) = (readiness.component("calls.schema"), readiness.component("calls.feed"));
        schema.not_ready("schema calls is at 3, needs 5");
        feed.ready();
        let missing = Missing {
            component: "calls.schema".to_owned(),
            reason: "schema calls is at 3, needs 5".to_owned(),
        };
        assert_eq!(readiness.missing(), [missing]);
        schema.ready();
        assert!(readiness.is_ready());
        schema.not_ready("database is away");
        assert!(!readiness.is_ready());
    }

    #[test]
    fn a_draining_process_is_not_ready_whatever_its_components_say() {
        let readiness = Readiness::new();
        readiness.component("calls.schema").ready();
        readiness.drain();
        assert_eq!(readiness.missing()[0].reason, "shutting down");
        assert!(!readiness.is_ready());
    }
}
