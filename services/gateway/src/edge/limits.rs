//! How much the edge takes on: a rate per principal, and a bounded number of calls at once with a bounded wait before them.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use shouwen_access::{Failure, Principal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::config::EdgeLimits;
use super::refusal;

/// A place among the calls under way; given back when it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

pub(super) struct Limits {
    clock: DefaultClock,
    employees: Option<DefaultKeyedRateLimiter<Principal>>,
    accounts: Option<DefaultKeyedRateLimiter<Principal>>,
    calls: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    max_queue_time: std::time::Duration,
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

    /// A place for a unary call, after a bounded wait; `OVERLOADED` if none becomes free.
    pub(super) async fn call(&self) -> Result<Place, Failure> {
        if let Ok(place) = Arc::clone(&self.calls).try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = self.queue.try_acquire().map_err(|_| refusal::overloaded())?;
        match timeout(self.max_queue_time, Arc::clone(&self.calls).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(refusal::overloaded()),
        }
    }

    /// A place for a stream; streams last, so nobody waits for one. `OVERLOADED` if there is none.
    pub(super) fn stream(&self) -> Result<Place, Failure> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| refusal::overloaded())
    }

    /// Forgets principals that have been quiet for as long as their burst takes to refill.
    pub(super) fn forget_quiet(&self) {
        for limiter in [&self.employees, &self.accounts].into_iter().flatten() {
            limiter.retain_recent();
        }
    }
}

fn limiter(rate: u32, burst: u32) -> Option<DefaultKeyedRateLimiter<Principal>> {
    let rate = NonZeroU32::new(rate)?;
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Some(RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)))
}
