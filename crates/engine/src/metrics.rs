//! What the engine tells of itself in numbers, under OpenTelemetry's naming: sizes and durations of batches, the queue, the ledger's head,
//! followers, parked events, overdue deadlines, and what a domain adds of its own.
//!
//! Nothing is asked of the database on the write path: instruments show what committer and followers know anyway, and what the [`sampler`] has read
//! last. Attributes are names of services, feeds and steps, and never anything of a client, an employee or a case.

mod progress;
mod sampler;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{Histogram, Meter},
};
use shouwen_runtime::clock::MachineClock;
use tokio::sync::{mpsc, watch};

pub(crate) use self::progress::Progress;
use self::sampler::Sample;
use crate::options::Options;

/// A gauge that a domain adds, e.g. `shouwen.ownership.cases.open` in `{case}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gauge {
    /// Dotted, lower case, beginning with `shouwen.` and the service.
    pub name: &'static str,
    /// As UCUM writes it: `s`, `By`, or what is counted in braces, singular.
    pub unit: &'static str,
    pub description: &'static str,
}

impl Gauge {
    /// A reading of this gauge without attributes.
    pub fn reads(self, value: i64) -> Reading {
        Reading { gauge: self, attributes: Vec::new(), value }
    }
}

/// Names and values that tell readings of one gauge apart: few, and fixed by the code, such as a state's or a kind's name.
pub type Attributes = Vec<(&'static str, String)>;

/// One value of a domain's gauge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub gauge: Gauge,
    pub attributes: Attributes,
    pub value: i64,
}

impl Reading {
    /// The same reading with one more attribute.
    #[must_use]
    pub fn of(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }
}

/// Bucket bounds of batch sizes, in commands or events.
const SIZES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Bucket bounds of batch durations, in seconds.
const DURATIONS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The numbers of one engine. Without a meter nothing is shown, and followers only note where they stand.
pub(crate) struct Metrics {
    service: &'static str,
    machine: MachineClock,
    feeds: Arc<Mutex<BTreeMap<&'static str, Arc<Progress>>>>,
    instruments: Option<Instruments>,
}

struct Instruments {
    meter: Meter,
    sizes: Histogram<u64>,
    durations: Histogram<f64>,
    sample: Arc<Mutex<Sample>>,
}

impl Metrics {
    pub(crate) fn new(service: &'static str, options: &Options, machine: &MachineClock) -> Self {
        let metrics = Self {
            service,
            machine: machine.clone(),
            feeds: Arc::default(),
            instruments: options.meter.clone().map(Instruments::new),
        };
        if let Some(instruments) = &metrics.instruments {
            metrics.show_feeds(instruments);
            metrics.show_sample(instruments);
        }
        metrics
    }

    /// Notes a batch that was committed or answered: commands of callers, or a follower's events.
    pub(crate) fn committed(&self, feed: Option<&'static str>, members: usize, took: Duration) {
        let Some(instruments) = &self.instruments else { return };
        let mut attributes = vec![of_service(self.service)];
        attributes.extend(feed.map(of_feed));
        instruments.sizes.record(members as u64, &attributes);
        instruments.durations.record(took.as_secs_f64(), &attributes);
    }

    /// Where the follower of a feed stands, to be kept up by it.
    pub(crate) fn follow(&self, feed: &'static str) -> Arc<Progress> {
        let progress = Arc::new(Progress::new(self.machine.clone()));
        held(&self.feeds).insert(feed, Arc::clone(&progress));
        progress
    }

    /// Shows how many commands wait. Does not keep the queue open.
    pub(crate) fn show_queue<J: Send + 'static>(&self, queue: mpsc::WeakSender<J>) {
        let Some(Instruments { meter, .. }) = &self.instruments else { return };
        let service = [of_service(self.service)];
        meter
            .u64_observable_gauge("shouwen.engine.queue.length")
            .with_unit("{command}")
            .with_description("Commands that wait for the next batch")
            .with_callback(move |observer| {
                let waiting = queue.upgrade().map_or(0, |queue| queue.max_capacity() - queue.capacity());
                observer.observe(waiting as u64, &service);
            })
            .build();
    }

    /// Shows the ledger's head: the newest that this process has written, heard of or read.
    pub(crate) fn show_head(&self, head: watch::Receiver<i64>) {
        let Some(Instruments { meter, sample, .. }) = &self.instruments else { return };
        let (sample, service) = (Arc::clone(sample), [of_service(self.service)]);
        meter
            .i64_observable_gauge("shouwen.engine.ledger.head")
            .with_unit("{event}")
            .with_description("Position of the ledger's last event")
            .with_callback(move |observer| {
                let head = (*head.borrow()).max(held(&sample).head);
                observer.observe(head, &service);
            })
            .build();
    }

    fn show_feeds(&self, Instruments { meter, .. }: &Instruments) {
        let each = |show: fn(&Progress) -> i64| {
            let (feeds, service) = (Arc::clone(&self.feeds), self.service);
            move |observer: &dyn opentelemetry::metrics::AsyncInstrument<i64>| {
                for (feed, progress) in held(&feeds).iter() {
                    observer.observe(show(progress), &[of_service(service), of_feed(feed)]);
                }
            }
        };
        meter
            .i64_observable_gauge("shouwen.engine.feed.position")
            .with_unit("{event}")
            .with_description("Position up to which another service's feed has been applied")
            .with_callback(each(Progress::position))
            .build();
        meter
            .i64_observable_gauge("shouwen.engine.feed.lag")
            .with_unit("{event}")
            .with_description("Events of the feed that have arrived and are not applied")
            .with_callback(each(Progress::lag))
            .build();
        let (feeds, service) = (Arc::clone(&self.feeds), self.service);
        meter
            .f64_observable_gauge("shouwen.engine.feed.delay")
            .with_unit("s")
            .with_description(
                "Age of the moment up to which all of the feed is known to be applied; 0 at its head",
            )
            .with_callback(move |observer| {
                for (feed, progress) in held(&feeds).iter() {
                    observer.observe(progress.delay().as_secs_f64(), &[of_service(service), of_feed(feed)]);
                }
            })
            .build();
    }
}

impl Instruments {
    fn new(meter: Meter) -> Self {
        let sizes = meter
            .u64_histogram("shouwen.engine.batch.size")
            .with_unit("{command}")
            .with_description("Commands, or a follower's events, of one batch")
            .with_boundaries(SIZES.to_vec())
            .build();
        let durations = meter
            .f64_histogram("shouwen.engine.batch.duration")
            .with_unit("s")
            .with_description("From the first lock of a batch to its commit")
            .with_boundaries(DURATIONS.to_vec())
            .build();
        Self { meter, sizes, durations, sample: Arc::default() }
    }
}

fn of_service(service: &'static str) -> KeyValue {
    KeyValue::new("shouwen.service", service)
}

fn of_feed(feed: &'static str) -> KeyValue {
    KeyValue::new("shouwen.feed", feed)
}

/// What a mutex guards; nobody can leave it half written.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_that_share_a_process_are_told_apart() {
        let shown = shouwen_runtime::telemetry::Metrics::new("test").unwrap();
        let options = || Options { meter: Some(shown.meter("shouwen")), ..Options::default() };
        let machine = MachineClock::system();
        let [calls, callbacks] = ["calls", "callbacks"].map(|service| {
            let metrics = Metrics::new(service, &options(), &machine);
            metrics.follow("ownership");
            metrics
        });
        calls.show_head(watch::Sender::new(7).subscribe());
        callbacks.show_head(watch::Sender::new(9).subscribe());
        calls.committed(None, 3, Duration::from_millis(1));
        callbacks.committed(Some("ownership"), 5, Duration::from_millis(1));
        let text = shown.render().unwrap();
        let found = |name: &str, service: &str, value: &str| {
            let service = format!("shouwen_service=\"{service}\"");
            text.lines().filter(|line| line.starts_with(name) && line.contains(&service)).count() == 1
                && text
                    .lines()
                    .any(|line| line.starts_with(name) && line.contains(&service) && line.ends_with(value))
        };
        assert!(found("shouwen_engine_ledger_head{", "calls", " 7"), "{text}");
        assert!(found("shouwen_engine_ledger_head{", "callbacks", " 9"), "{text}");
        assert!(found("shouwen_engine_batch_size_sum{", "calls", " 3"), "{text}");
        assert!(found("shouwen_engine_batch_size_sum{", "callbacks", " 5"), "{text}");
        assert!(found("shouwen_engine_feed_position{", "callbacks", " 0"), "{text}");
    }
}
