//! How much the edge takes on: a rate and a share per principal, and a bounded number of calls at once with a bounded wait before them.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use shouwen_access::{Failure, Principal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::config::EdgeLimits;
use super::refusal;
use super::shares::{Share, Shares};

/// A place among the calls under way, or among the streams, within its caller's share; given back when it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _share: Option<Share>,
}

pub(super) struct Limits {
    clock: DefaultClock,
    employees: Option<DefaultKeyedRateLimiter<Principal>>,
    accounts: Option<DefaultKeyedRateLimiter<Principal>>,
    calls: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    max_queue_time: std::time::Duration,
    shares_of_calls: Arc<Shares>,
    shares_of_streams: Arc<Shares>,
}

impl Limits {
    pub(super) fn new(limits: &EdgeLimits) -> Self {
        Self {
            clock: DefaultClock::default(),
            employees: limiter(limits.employee_rate, limits.employee_burst),
            accounts: limiter(limits.account_rate, limits.account_burst),
            calls: Arc::new(Semaphore::new(limits.max_calls)),
            queue: Arc::new(Semaphore::new(limits.max_queued)),
            streams: Arc::new(Semaphore::new(limits.max_streams)),
            max_queue_time: limits.max_queue_time.get(),
            shares_of_calls: Shares::new(
                limits.employee_calls,
                limits.account_calls,
                refusal::too_many_calls_at_once,
            ),
            shares_of_streams: Shares::new(
                limits.employee_streams,
                limits.account_streams,
                refusal::too_many_streams_at_once,
            ),
        }
    }

    /// Counts one call of `principal`; `RATE_LIMITED` if that is too many.
    pub(super) fn count(&self, principal: &Principal) -> Result<(), Failure> {
        let limiter = match principal {
            Principal::ServiceAccount(_) => &self.accounts,
            Principal::Employee(_) | Principal::Service(_) => &self.employees,
        };
        let Some(limiter) = limiter else { return Ok(()) };
        limiter
            .check_key(principal)
            .map_err(|early| refusal::rate_limited(early.wait_time_from(self.clock.now())))
    }

    /// A place for a unary call of `principal` (nobody, for public methods), after a bounded wait. `TOO_MANY_AT_ONCE` if its share is taken, `OVERLOADED` if
    /// no place becomes free. Who waits has a part of the share already, so nobody fills the queue either.
    pub(super) async fn call(&self, principal: Option<&Principal>) -> Result<Place, Failure> {
        let share = share_of(&self.shares_of_calls, principal)?;
        if let Ok(permit) = Arc::clone(&self.calls).try_acquire_owned() {
            return Ok(Place { _permit: permit, _share: share });
        }
        let _waiting = self.queue.try_acquire().map_err(|_| refusal::overloaded())?;
        match timeout(self.max_queue_time, Arc::clone(&self.calls).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Place { _permit: permit, _share: share }),
            Ok(Err(_)) | Err(_) => Err(refusal::overloaded()),
        }
    }

    /// The same for a stream; streams last, so nobody waits for a place.
    pub(super) fn stream(&self, principal: Option<&Principal>) -> Result<Place, Failure> {
        let share = share_of(&self.shares_of_streams, principal)?;
        match Arc::clone(&self.streams).try_acquire_owned() {
            Ok(permit) => Ok(Place { _permit: permit, _share: share }),
            Err(_) => Err(refusal::overloaded()),
        }
    }

    /// Forgets principals that have been quiet for as long as their burst takes to refill.
    pub(super) fn forget_quiet(&self) {
        for limiter in [&self.employees, &self.accounts].into_iter().flatten() {
            limiter.retain_recent();
        }
    }
}

fn share_of(shares: &Arc<Shares>, principal: Option<&Principal>) -> Result<Option<Share>, Failure> {
    principal.map(|principal| shares.take(principal)).transpose().map(Option::flatten)
}

fn limiter(rate: u32, burst: u32) -> Option<DefaultKeyedRateLimiter<Principal>> {
    let rate = NonZeroU32::new(rate)?;
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Some(RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)))
}
