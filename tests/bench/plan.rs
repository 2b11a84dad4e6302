//! How much is measured.

use std::time::Duration;

/// Closed-loop clients of the product and of proxies, and of pgbench.
pub(crate) const CLIENTS: usize = 64;
pub(crate) const BASELINE_CLIENTS: usize = 32;
/// How long idle processes are watched, for the processor time that is subtracted, and before their memory is looked at.
pub(crate) const IDLE: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Interleaved rounds.
    pub(crate) rounds: usize,
    /// One side's turn in a round.
    pub(crate) slice: Duration,
    pub(crate) warm_up: Duration,
}

impl Plan {
    /// Seven rounds of four seconds, or a short version; either number can be given.
    pub(crate) fn new(fast: bool, rounds: Option<usize>, seconds: Option<u64>) -> Self {
        Self {
            rounds: rounds.unwrap_or(if fast { 3 } else { 7 }).max(1),
            slice: Duration::from_secs(seconds.unwrap_or(if fast { 1 } else { 4 }).max(1)),
            warm_up: Duration::from_secs(if fast { 1 } else { 5 }),
        }
    }

    /// As much time in shorter turns. For medians of latencies: what disturbs the machine for some seconds then falls on all sides, and on few of many rounds.
    pub(crate) fn in_short_turns(self) -> Self {
        let times = u32::try_from(self.slice.as_secs()).unwrap_or(1);
        Self { rounds: self.rounds * times as usize, slice: self.slice / times, ..self }
    }
}
