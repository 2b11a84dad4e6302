//! Settings of the engine, and the switches by which tests break it on purpose.

use std::{fmt, sync::Arc, time::Duration};

use opentelemetry::metrics::Meter;

use crate::submission::FingerprintKey;

/// How old the ownership read behind a command may be, unless a test says otherwise ([`Options::context_age`]).
pub const CONTEXT_AGE: Duration = Duration::from_secs(2);

/// Bounds and intervals.
#[derive(Clone, Debug)]
pub struct Options {
    /// Commands that may wait; beyond it `Overloaded`.
    pub queue: usize,
    /// Most commands in one batch.
    pub batch_commands: usize,
    /// Most bytes that the commands of one batch carry ([`Submission::bytes`](crate::Submission::bytes)), and the events that a follower applies at
    /// once. One that is larger is taken all the same, as the first of its batch.
    pub batch_bytes: usize,
    /// How often a batch starts again when what it read has moved.
    pub batch_attempts: u32,
    /// How old the ownership read behind a command may be: the bound of a former handler's last write.
    pub context_age: Duration,
    /// How long a batch may take, from BEGIN to the answer to COMMIT.
    pub write_timeout: Duration,
    /// How often due deadlines are looked for.
    pub sweep_interval: Duration,
    /// Most deadlines of one sweep.
    pub sweep_commands: i64,
    /// How often a feed looks for what other processes wrote.
    pub feed_poll: Duration,
    /// How long a feed that has read all there was waits before it reads again.
    pub feed_rest: Duration,
    /// How often a feed that has nothing new sends its head.
    pub feed_heartbeat: Duration,
    /// Most events that a feed reads, and a follower applies, at once.
    pub feed_events: usize,
    /// How long request ids are remembered.
    pub request_retention: Duration,
    /// Under which requests' fingerprints are stored. The default is nobody's secret: a service sets its own.
    pub fingerprint_key: FingerprintKey,
    /// Makes the instruments of [`metrics`](crate::metrics); without it nothing is measured.
    pub meter: Option<Meter>,
    /// How often metrics ask the database for what only it knows.
    pub sample_interval: Duration,
    /// Tests only: what to break.
    pub mutants: Mutants,
    /// Tests only: where to stop.
    pub probe: Probe,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: 4096,
            batch_commands: 256,
            batch_bytes: 4 * 1024 * 1024,
            batch_attempts: 8,
            context_age: CONTEXT_AGE,
            write_timeout: Duration::from_secs(5),
            sweep_interval: Duration::from_millis(500),
            sweep_commands: 500,
            feed_poll: Duration::from_millis(250),
            feed_rest: Duration::from_millis(50),
            feed_heartbeat: Duration::from_secs(5),
            feed_events: 256,
            request_retention: Duration::from_secs(7 * 24 * 3600),
            fingerprint_key: FingerprintKey::new(&[0; 32]),
            meter: None,
            sample_interval: Duration::from_secs(15),
            mutants: Mutants::default(),
            probe: Probe::default(),
        }
    }
}

/// Mechanisms that a test switches off to see its own check turn red. All off in the product: no configuration reaches them.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct Mutants {
    /// Request rows are not looked at.
    pub dedupe_off: bool,
    /// Fences are not checked.
    pub fence_off: bool,
    /// Aggregates are not locked and their version is not guarded.
    pub locks_off: bool,
    /// Positions come from a sequence (`mutant_position`) and the head is not locked.
    pub positions_from_sequence: bool,
    /// A follower's cursor moves outside the transaction of the effect.
    pub cursor_outside: bool,
    /// Request rows of rejected commands stay.
    pub keep_rejected: bool,
}

/// The steps of a batch at which a test may cut the process's life short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Nothing is locked yet.
    Begun,
    Locked,
    Loaded,
    Decided,
    /// What hangs on the states is written, and what a follower projects.
    Attached,
    /// What remains to be written goes with COMMIT.
    BeforeCommit,
    /// COMMIT was sent; its answer is lost.
    Committed,
}

impl Step {
    pub const ALL: [Step; 7] = [
        Step::Begun,
        Step::Locked,
        Step::Loaded,
        Step::Decided,
        Step::Attached,
        Step::BeforeCommit,
        Step::Committed,
    ];
}

/// Answers at each step whether the process dies there.
#[derive(Clone, Default)]
pub struct Probe(Option<Arc<dyn Fn(Step) -> bool + Send + Sync>>);

impl Probe {
    pub fn new(dies: impl Fn(Step) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(dies)))
    }

    pub(crate) fn dies(&self, step: Step) -> bool {
        self.0.as_ref().is_some_and(|probe| probe(step))
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Probe(set)" } else { "Probe(none)" })
    }
}
