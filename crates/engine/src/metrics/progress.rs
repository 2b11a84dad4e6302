//! Where a follower stands in another service's feed, as far as it can know.

use std::{sync::Mutex, time::Duration};

use chrono::{DateTime, Utc};
use shouwen_runtime::clock::MachineClock;

use super::held;

/// Kept up by a follower, read by gauges.
pub(crate) struct Progress {
    machine: MachineClock,
    state: Mutex<State>,
}

struct State {
    /// Applied up to here.
    position: i64,
    /// The last position that has arrived.
    arrived: i64,
    /// The feed is open and has said that there is nothing more.
    at_head: bool,
    /// Everything that happened until then is applied.
    complete_until: DateTime<Utc>,
}

impl Progress {
    pub(crate) fn new(machine: MachineClock) -> Self {
        let state = State { position: 0, arrived: 0, at_head: false, complete_until: machine.now() };
        Self { machine, state: Mutex::new(state) }
    }

    /// Reading goes on after a position.
    pub(crate) fn resumed(&self, position: i64) {
        let mut state = held(&self.state);
        (state.position, state.arrived) = (position, position);
    }

    /// Events up to a position have arrived.
    pub(crate) fn arrived(&self, position: i64) {
        let mut state = held(&self.state);
        state.arrived = position;
        self.leave_head(&mut state);
    }

    /// Events up to a position that happened at `time` are applied.
    pub(crate) fn applied(&self, position: i64, time: Option<DateTime<Utc>>) {
        let mut state = held(&self.state);
        state.position = position;
        state.complete_until = time.unwrap_or(state.complete_until);
    }

    /// The feed has said that there is nothing more.
    pub(crate) fn at_head(&self) {
        held(&self.state).at_head = true;
    }

    /// The feed has ended, or what arrived could not be applied.
    pub(crate) fn interrupted(&self) {
        self.leave_head(&mut held(&self.state));
    }

    pub(super) fn position(&self) -> i64 {
        held(&self.state).position
    }

    pub(super) fn lag(&self) -> i64 {
        let state = held(&self.state);
        (state.arrived - state.position).max(0)
    }

    pub(super) fn delay(&self) -> Duration {
        let state = held(&self.state);
        if state.at_head {
            return Duration::ZERO;
        }
        (self.machine.now() - state.complete_until).to_std().unwrap_or_default()
    }

    fn leave_head(&self, state: &mut State) {
        if std::mem::take(&mut state.at_head) {
            state.complete_until = self.machine.now();
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    /// A clock that the test moves, and a follower that starts by it.
    fn begun() -> (MachineClock, Progress) {
        let machine = MachineClock::manual(DateTime::UNIX_EPOCH);
        (machine.clone(), Progress::new(machine))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_follower_at_the_head_has_no_delay_however_long_nothing_happens() {
        let (machine, progress) = begun();
        progress.resumed(7);
        machine.advance(TimeDelta::seconds(1));
        assert_eq!(progress.delay(), seconds(1), "nothing is known before the feed has answered");
        progress.at_head();
        machine.advance(TimeDelta::hours(1));
        assert_eq!((progress.position(), progress.lag(), progress.delay()), (7, 0, Duration::ZERO));
    }

    #[test]
    fn what_has_arrived_and_is_not_applied_is_the_lag() {
        let (machine, progress) = begun();
        progress.resumed(7);
        progress.at_head();
        progress.arrived(20);
        machine.advance(TimeDelta::seconds(3));
        assert_eq!((progress.lag(), progress.delay()), (13, seconds(3)));
        progress.applied(12, Some(machine.now() - TimeDelta::seconds(2)));
        assert_eq!((progress.position(), progress.lag(), progress.delay()), (12, 8, seconds(2)));
        progress.applied(20, None);
        progress.at_head();
        assert_eq!((progress.lag(), progress.delay()), (0, Duration::ZERO));
    }

    #[test]
    fn a_feed_that_is_away_ages_from_the_moment_it_was_lost() {
        let (machine, progress) = begun();
        progress.at_head();
        machine.advance(TimeDelta::seconds(60));
        progress.interrupted();
        machine.advance(TimeDelta::seconds(5));
        progress.interrupted();
        machine.advance(TimeDelta::seconds(5));
        assert_eq!(progress.delay(), seconds(10));
    }
}
