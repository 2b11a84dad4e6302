//! Simulated time over all services: it is moved on only when everything is idle, never past a deadline, and all services confirm a step before
//! any of them does what has become due. It decides nothing about what happens at a time.
//!
//! Most of a play's time is spent here, so no round of calls is made that says nothing new: a step to a time at which nothing is due needs no second
//! word to let services go on, since none has anything to go on with; and everything is idle as soon as no head has moved while every service has read
//! all others up to those very heads. Whoever wrote something after that would have had a cause, and there is none: an event further on would have moved
//! a head, what is due or being worked on would have been seen.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use shouwen_proto::{
    events::v1::Cursor,
    operator::v1::{
        Follower, GetStatusRequest, Status, StepClockRequest, operator_service_client::OperatorServiceClient,
    },
};
use shouwen_serving::timestamps::{from_proto, to_proto};

use super::{
    DemoError,
    api::{Api, Who},
};

/// Services with a clock of their own.
pub(super) const SERVICES: [&str; 5] = ["ownership", "calls", "callbacks", "clients", "complaints"];

/// Positions of ledgers, in the order of [`SERVICES`].
pub(super) type Heads = [i64; 5];

/// Which feeds each of them follows.
const FOLLOWS: [(&str, &[&str]); 5] = [
    ("ownership", &["calls", "callbacks", "clients", "complaints"]),
    ("calls", &["ownership"]),
    ("callbacks", &["ownership", "calls", "complaints"]),
    ("clients", &["ownership"]),
    ("complaints", &["ownership", "clients", "callbacks"]),
];

/// How long everything may take to become idle without anything moving.
const PATIENCE: Duration = Duration::from_secs(60);

/// The clock of all services.
pub(super) struct Simulation<'a> {
    api: &'a Api,
    administrator: Who,
    now: DateTime<Utc>,
    /// Set while everything is known to be idle.
    settled: Option<Settled>,
    heads: Heads,
}

/// Everything is idle.
#[derive(Clone, Copy)]
struct Settled {
    /// What is due next in any service.
    next_due: Option<DateTime<Utc>>,
}

impl<'a> Simulation<'a> {
    pub(super) fn new(api: &'a Api, administrator: Who, start: DateTime<Utc>) -> Self {
        Self { api, administrator, now: start, settled: None, heads: Heads::default() }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Heads of the ledgers, in the order of [`SERVICES`], when everything was idle last.
    pub(super) fn heads(&self) -> Heads {
        self.heads
    }

    /// Somebody called: nothing is known to be idle any more.
    pub(super) fn stirred(&mut self) {
        self.settled = None;
    }

    /// Lets the time come, with everything that is due until then and at it. A time that has passed is now.
    pub(super) async fn advance(&mut self, to: DateTime<Utc>) -> Result<(), DemoError> {
        loop {
            let due = self.settle().await?;
            if self.now >= to {
                return Ok(());
            }
            let next = due.map_or(to, |due| due.min(to));
            if due.is_some_and(|due| due <= next) {
                self.step(self.now, next, false).await?;
                self.step(next, next, true).await?;
                self.settled = None;
            } else {
                self.step(self.now, next, true).await?;
            }
            self.now = next;
        }
    }

    /// Waits until everything is idle and nothing is due, and returns what is due next.
    pub(super) async fn settle(&mut self) -> Result<Option<DateTime<Utc>>, DemoError> {
        if let Some(settled) = self.settled {
            return Ok(settled.next_due);
        }
        let mut former: Option<Reading> = None;
        let mut still_since = Instant::now();
        loop {
            // What was read of a ledger once stays; services wait until they have followed it there.
            let known = self.heads;
            let reading = Reading::of(&self.statuses(Some(known)).await?, self.now)?;
            self.heads = reading.heads;
            if reading.busy.is_none() && reading.heads == known {
                self.settled = Some(Settled { next_due: reading.next_due });
                return Ok(reading.next_due);
            }
            if former.as_ref() != Some(&reading) {
                still_since = Instant::now();
            } else if still_since.elapsed() > PATIENCE {
                let why = reading.busy.unwrap_or_default();
                return Err(DemoError::Stuck { at: self.now, seconds: PATIENCE.as_secs(), why });
            }
            former = Some(reading);
        }
    }

    /// How every service stands, in the order of [`SERVICES`]; with heads, once it is idle and has followed the others up to them.
    pub(super) async fn statuses(&self, heads: Option<Heads>) -> Result<Vec<Status>, DemoError> {
        let statuses = FOLLOWS.map(|(service, feeds)| {
            let idle_after = heads.map_or_else(Vec::new, |heads| {
                SERVICES.iter().zip(heads).filter(|(feed, _)| feeds.contains(*feed)).map(follower).collect()
            });
            let request = GetStatusRequest { service: service.to_owned(), idle_after };
            self.api.send(&self.administrator, request, |channel, request| async move {
                OperatorServiceClient::new(channel).get_status(request).await
            })
        });
        try_join_all(statuses).await.map_err(|refused| DemoError::call("GetStatus", refused))
    }

    /// Sets the time of all services; they go on where that is said.
    async fn step(&self, from: DateTime<Utc>, to: DateTime<Utc>, release: bool) -> Result<(), DemoError> {
        let steps = SERVICES.map(|service| {
            let request = StepClockRequest {
                service: service.to_owned(),
                from: Some(to_proto(from)),
                to: Some(to_proto(to)),
                release,
            };
            self.api.send(&self.administrator, request, |channel, request| async move {
                OperatorServiceClient::new(channel).step_clock(request).await
            })
        });
        try_join_all(steps).await.map_err(|refused| DemoError::call("StepClock", refused))?;
        Ok(())
    }
}

/// A feed read up to a position.
fn follower((feed, position): (&&str, i64)) -> Follower {
    Follower { feed: (*feed).to_owned(), cursor: Some(Cursor { incarnation: String::new(), position }) }
}

/// How all services stand.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reading {
    heads: Heads,
    next_due: Option<DateTime<Utc>>,
    /// What is still going on; `None` for nothing.
    busy: Option<String>,
}

impl Reading {
    fn of(statuses: &[Status], now: DateTime<Utc>) -> Result<Self, DemoError> {
        let head = |service: &str| {
            let status = statuses.iter().find(|status| status.service == service);
            status.and_then(|status| status.head.as_ref()).map_or(0, |head| head.position)
        };
        let mut reading = Self { heads: SERVICES.map(head), next_due: None, busy: None };
        for status in statuses {
            let service = &status.service;
            let time = status.time.as_ref().and_then(from_proto);
            if !status.simulated || time != Some(now) {
                let time = time.map_or_else(|| "nowhere".to_owned(), |time| time.to_rfc3339());
                return Err(DemoError::ClockElsewhere { service: service.clone(), time, wanted: now });
            }
            let due = status.next_due_time.as_ref().and_then(from_proto);
            reading.next_due = [reading.next_due, due].into_iter().flatten().min();
            if let Some(due) = due.filter(|due| *due <= now) {
                reading.busy = Some(format!("{service} has not done what was due at {due}"));
            }
            if status.outstanding > 0 {
                reading.busy = Some(format!("{service} works on {} commands", status.outstanding));
            }
            for follower in &status.followers {
                let (feed, head) = (&follower.feed, head(&follower.feed));
                let position = follower.cursor.as_ref().map_or(0, |cursor| cursor.position);
                if position != head {
                    reading.busy = Some(format!("{service} follows {feed} at {position} of {head}"));
                }
            }
        }
        Ok(reading)
    }
}
