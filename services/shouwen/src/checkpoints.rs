//! The checkpoints that a service writes while it runs, and how long ago it wrote the last one, as metrics show it: an export that fails must not be noticed
//! when it is needed.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use opentelemetry::{KeyValue, metrics::Meter};
use ring::signature::Ed25519KeyPair;
use shouwen_engine::audit::{self, Checkpoint};
use shouwen_runtime::clock::MachineClock;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{config::AuditConfig, serve::ServeError};

/// Writes and exports a checkpoint at the start, then one each interval, until `stop`: a process that lives shorter than that proves what it wrote, too.
pub(crate) async fn keep_writing(
    pool: PgPool,
    service: &'static str,
    key: Ed25519KeyPair,
    config: AuditConfig,
    age: CheckpointAge,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    loop {
        match audit::checkpoint(&pool, service, &key).await {
            Ok(Some(checkpoint)) => match export(config.export.clone(), checkpoint).await {
                Ok(()) => age.renewed(),
                Err(error) => tracing::error!(service, %error, "a checkpoint could not be exported"),
            },
            Ok(None) => age.renewed(),
            Err(error) => tracing::warn!(service, %error, "a checkpoint could not be written"),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(config.interval.get()) => {}
        }
    }
}

/// Appends to the export, where there is one. On a thread of its own: it waits for the disk.
async fn export(to: Option<PathBuf>, checkpoint: Checkpoint) -> io::Result<()> {
    let Some(path) = to else { return Ok(()) };
    tokio::task::spawn_blocking(move || crate::audit::append(&path, &[checkpoint])).await?
}

/// The age of a service's last checkpoint. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointAge {
    clock: MachineClock,
    written: Arc<Mutex<DateTime<Utc>>>,
}

impl CheckpointAge {
    /// Shows it from now on, as if one had just been written.
    pub(crate) fn shown(meter: &Meter, service: &'static str, clock: MachineClock) -> Self {
        let age = Self { written: Arc::new(Mutex::new(clock.now())), clock };
        let seen = age.clone();
        meter
            .f64_observable_gauge("shouwen.audit.checkpoint.age")
            .with_unit("s")
            .with_description("How long ago a checkpoint was last written, and exported where that is set")
            .with_callback(move |observer| {
                observer.observe(seen.seconds(), &[KeyValue::new("shouwen.service", service)]);
            })
            .build();
        age
    }

    /// One was written, or there is nothing to sign.
    pub(crate) fn renewed(&self) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = self.clock.now();
    }

    fn seconds(&self) -> f64 {
        let written = *self.written.lock().unwrap_or_else(PoisonError::into_inner);
        (self.clock.now() - written).to_std().unwrap_or_default().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use shouwen_runtime::telemetry::Metrics;

    use super::*;

    #[test]
    fn each_service_of_a_process_shows_how_old_its_last_checkpoint_is() {
        let metrics = Metrics::new("test").unwrap();
        let clock = MachineClock::manual(DateTime::UNIX_EPOCH);
        let [calls, _callbacks] = ["calls", "callbacks"]
            .map(|service| CheckpointAge::shown(&metrics.meter("shouwen"), service, clock.clone()));
        let shown = |service: &str| {
            let text = metrics.render().unwrap();
            let label = format!("shouwen_service=\"{service}\"");
            let of_service = |line: &&str| line.contains(&label);
            let mut lines =
                text.lines().filter(|line| line.starts_with("shouwen_audit_checkpoint_age_seconds{"));
            let value = lines.find(of_service).unwrap().rsplit(' ').next().unwrap();
            value.parse::<f64>().unwrap().round()
        };
        clock.advance(TimeDelta::seconds(300));
        calls.renewed();
        clock.advance(TimeDelta::seconds(60));
        assert_eq!((shown("calls"), shown("callbacks")), (60.0, 360.0));
    }
}
