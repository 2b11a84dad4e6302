//! Machine time: tokens, signed contexts, timeouts and log lines. Business time is not here; it is Postgres's clock,
//! read by the engine. This is the only module that may ask the operating system for the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// The machine's time now, UTC.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Microseconds since the Unix epoch by the machine's clock.
pub fn unix_micros() -> i64 {
    now().timestamp_micros()
}

/// A source of machine time to pass in: the system's, or one that a test moves by hand. Clones share the same time.
#[derive(Clone, Debug, Default)]
pub struct MachineClock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl MachineClock {
    /// The machine's own clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `start` until [`advance`](Self::advance) moves it; microsecond resolution.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.timestamp_micros()))))
    }

    /// Now, UTC.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => now(),
            Source::Manual(micros) => {
                DateTime::from_timestamp_micros(micros.load(Ordering::SeqCst)).unwrap_or(DateTime::UNIX_EPOCH)
            }
        }
    }

    /// Microseconds since the Unix epoch.
    pub fn unix_micros(&self) -> i64 {
        self.now().timestamp_micros()
    }

    /// Whole seconds since the Unix epoch, as in a token's `exp`.
    pub fn unix_seconds(&self) -> i64 {
        self.now().timestamp()
    }

    /// Moves a manual clock on by `by` (back, if negative). The system's clock is nobody's to move: no effect.
    pub fn advance(&self, by: TimeDelta) {
        if let (Source::Manual(micros), Some(by)) = (&self.0, by.num_microseconds()) {
            micros.fetch_add(by, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_for_all_its_clones() {
        let clock = MachineClock::manual(DateTime::UNIX_EPOCH);
        let clone = clock.clone();
        clone.advance(TimeDelta::seconds(90));
        assert_eq!(clock.unix_seconds(), 90);
        assert_eq!(clock.unix_micros(), 90_000_000);
    }

    #[test]
    fn the_system_clock_cannot_be_moved() {
        let clock = MachineClock::system();
        clock.advance(TimeDelta::days(1000));
        assert!(clock.now() - now() < TimeDelta::days(1));
    }
}
