//! Simulated time over all services: it is moved on only when everything is idle, never past a deadline, and all services confirm a step before
//! any of them does what has become due. It decides nothing about what happens at a time.
//!
//! Most of a play's time is spent here, so nobody is asked what is known. Once everything is idle, a service does something only because it was called,
//! because something of its own became due, or because a ledger that it follows has moved. So after a call only the called service and ownership, in which
//! the edge records first touches, are looked at; after a step those that had something due; and then, as long as ledgers move, whoever follows them.
//!
//! Who plays says whom a step gives anything to do. All others, ownership apart, are held where they stand, time, followers and all, until somebody is about
//! to give them something or something of theirs is due: they would only remember what the others record, and catch up with that in one go first. Now and
//! then, and in the end, nobody is held and everybody is looked at ([`Simulation::doubt`]).

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

/// One of [`SERVICES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Ownership,
    Calls,
    Callbacks,
    Clients,
    Complaints,
}

impl Service {
    const ALL: [Self; 5] = [Self::Ownership, Self::Calls, Self::Callbacks, Self::Clients, Self::Complaints];

    fn name(self) -> &'static str {
        match self {
            Self::Ownership => "ownership",
            Self::Calls => "calls",
            Self::Callbacks => "callbacks",
            Self::Clients => "clients",
            Self::Complaints => "complaints",
        }
    }

    /// Whose feeds it follows.
    fn follows(self) -> &'static [Self] {
        match self {
            Self::Ownership => &[Self::Calls, Self::Callbacks, Self::Clients, Self::Complaints],
            Self::Calls | Self::Clients => &[Self::Ownership],
            Self::Callbacks => &[Self::Ownership, Self::Calls, Self::Complaints],
            Self::Complaints => &[Self::Ownership, Self::Clients, Self::Callbacks],
        }
    }
}

/// How long everything may take to become idle without anything moving.
const PATIENCE: Duration = Duration::from_secs(60);

/// The clock of all services.
pub(super) struct Simulation<'a> {
    api: &'a Api,
    administrator: Who,
    now: DateTime<Utc>,
    /// Services that may be doing something.
    suspects: Vec<Service>,
    /// At the next step nobody rests, and everybody is looked at.
    doubtful: bool,
    known: [Known; 5],
}

/// What is known of a service.
#[derive(Clone, Copy, Debug)]
struct Known {
    head: i64,
    next_due: Option<DateTime<Utc>>,
    /// Where its clock stands.
    at: DateTime<Utc>,
    /// It neither follows nor sweeps.
    held: bool,
}

impl<'a> Simulation<'a> {
    pub(super) fn new(api: &'a Api, administrator: Who, start: DateTime<Utc>) -> Self {
        let known = Known { head: 0, next_due: None, at: start, held: false };
        let suspects = Service::ALL.to_vec();
        Self { api, administrator, now: start, suspects, doubtful: false, known: [known; 5] }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Heads of the ledgers, in the order of [`SERVICES`], as they were read last.
    pub(super) fn heads(&self) -> Heads {
        self.known.map(|known| known.head)
    }

    /// Somebody calls a method of a service, through the gateway.
    pub(super) fn called(&mut self, service: Service) {
        self.suspect(Service::Ownership);
        self.suspect(service);
    }

    /// Lets everybody come along at the next step and looks at them, whatever is known.
    pub(super) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Who is held does nothing.
    fn suspect(&mut self, service: Service) {
        if !self.read(service).held && !self.suspects.contains(&service) {
            self.suspects.push(service);
        }
    }

    fn suspect_all(&mut self, services: &[Service]) {
        for service in services {
            self.suspect(*service);
        }
    }

    /// Lets the time come, with everything that is due until then and at it, and wakes those who are about to get something to do. A time that has passed is now.
    pub(super) async fn advance(&mut self, to: DateTime<Utc>, about_to: &[Service]) -> Result<(), DemoError> {
        loop {
            let due = self.settle().await?;
            if self.now >= to {
                break;
            }
            let next = due.map_or(to, |due| due.min(to));
            self.step_to(next, if next == to { about_to } else { &[] }).await?;
        }
        if self.doubtful {
            self.doubtful = false;
            self.suspect_all(&Service::ALL);
            self.wake(&Service::ALL).await?;
        } else {
            self.wake(about_to).await?;
        }
        self.settle().await.map(drop)
    }

    /// Moves the clocks of ownership, of those named and of those who have something due, in two phases where anything is.
    async fn step_to(&mut self, next: DateTime<Utc>, about_to: &[Service]) -> Result<(), DemoError> {
        let has_due = |known: &Known| known.next_due.is_some_and(|due| due <= next);
        let wanted = |service: &Service| {
            *service == Service::Ownership || about_to.contains(service) || has_due(self.read(*service))
        };
        let (awake, resting): (Vec<_>, Vec<_>) = Service::ALL.into_iter().partition(wanted);
        let tired: Vec<_> = resting.into_iter().filter(|service| !self.read(*service).held).collect();
        // Whom something is due for looks for it, and who was held has to catch up.
        let busy: Vec<_> = awake
            .iter()
            .copied()
            .filter(|service| self.read(*service).held || has_due(self.read(*service)))
            .collect();
        // Where nothing is due there is nothing that could go on too early.
        let at_once = !self.known.iter().any(has_due);
        tokio::try_join!(self.step(&awake, next, at_once), self.step(&tired, next, false))?;
        self.stands(&tired, next, true);
        self.stands(&awake, next, false);
        self.now = next;
        if !at_once {
            self.step(&awake, next, true).await?;
        }
        self.suspect_all(&busy);
        Ok(())
    }

    /// Lets services that were held come to the present and catch up.
    async fn wake(&mut self, services: &[Service]) -> Result<(), DemoError> {
        let held: Vec<_> = services.iter().copied().filter(|service| self.read(*service).held).collect();
        self.step(&held, self.now, true).await?;
        self.stands(&held, self.now, false);
        self.suspect_all(&held);
        Ok(())
    }

    /// Waits until everything that is not held is idle and nothing is due, and returns what is due next.
    pub(super) async fn settle(&mut self) -> Result<Option<DateTime<Utc>>, DemoError> {
        let mut waiting = false;
        let mut last_move = Instant::now();
        while !self.suspects.is_empty() {
            let suspects = std::mem::take(&mut self.suspects);
            let statuses = self.statuses_of(&suspects, waiting).await?;
            waiting = true;
            for (service, status) in suspects.iter().zip(&statuses) {
                if self.take(*service, status)? {
                    last_move = Instant::now();
                    for follower in Service::ALL {
                        if follower.follows().contains(service) {
                            self.suspect(follower);
                        }
                    }
                }
            }
            let mut why = None;
            for (service, status) in suspects.iter().zip(&statuses) {
                if let Some(busy) = self.busy(*service, status) {
                    why = Some(busy);
                    self.suspect(*service);
                    // It may have read further than what is known of a ledger.
                    self.suspect_all(service.follows());
                }
            }
            let overdue = |service: &Service| self.read(*service).next_due.is_some_and(|due| due <= self.now);
            let overdue: Vec<_> = Service::ALL.into_iter().filter(overdue).collect();
            // It became due after the clock was moved, so that nobody looks for it.
            self.step(&overdue, self.now, true).await?;
            if let Some(why) = why.filter(|_| last_move.elapsed() > PATIENCE) {
                return Err(DemoError::Stuck { at: self.now, seconds: PATIENCE.as_secs(), why });
            }
        }
        Ok(self.known.iter().filter_map(|known| known.next_due).min())
    }

    /// How every service stands, in the order of [`SERVICES`].
    pub(super) async fn statuses(&self) -> Result<Vec<Status>, DemoError> {
        self.statuses_of(&Service::ALL, false).await
    }

    fn read(&self, service: Service) -> &Known {
        let [ownership, calls, callbacks, clients, complaints] = &self.known;
        match service {
            Service::Ownership => ownership,
            Service::Calls => calls,
            Service::Callbacks => callbacks,
            Service::Clients => clients,
            Service::Complaints => complaints,
        }
    }

    fn read_mut(&mut self, service: Service) -> &mut Known {
        let [ownership, calls, callbacks, clients, complaints] = &mut self.known;
        match service {
            Service::Ownership => ownership,
            Service::Calls => calls,
            Service::Callbacks => callbacks,
            Service::Clients => clients,
            Service::Complaints => complaints,
        }
    }

    /// Notes where the clocks of services stand.
    fn stands(&mut self, services: &[Service], at: DateTime<Utc>, held: bool) {
        for service in services {
            let known = self.read_mut(*service);
            (known.at, known.held) = (at, held);
        }
    }

    /// Keeps what was read, and answers whether the service's ledger has moved.
    fn take(&mut self, service: Service, status: &Status) -> Result<bool, DemoError> {
        let time = status.time.as_ref().and_then(from_proto);
        let known = self.read_mut(service);
        if !status.simulated || time != Some(known.at) {
            let time = time.map_or_else(|| "nowhere".to_owned(), |time| time.to_rfc3339());
            return Err(DemoError::ClockElsewhere {
                service: service.name().to_owned(),
                time,
                wanted: known.at,
            });
        }
        let head = status.head.as_ref().map_or(0, |head| head.position);
        let moved = known.head != head;
        (known.head, known.next_due) = (head, status.next_due_time.as_ref().and_then(from_proto));
        Ok(moved)
    }

    /// What is still going on in a service; `None` for nothing.
    fn busy(&self, service: Service, status: &Status) -> Option<String> {
        let name = service.name();
        if let Some(due) = self.read(service).next_due.filter(|due| *due <= self.now) {
            return Some(format!("{name} has not done what was due at {due}"));
        }
        if status.outstanding > 0 {
            return Some(format!("{name} works on {} commands", status.outstanding));
        }
        service.follows().iter().find_map(|feed| {
            let (feed, head) = (feed.name(), self.read(*feed).head);
            let follower = status.followers.iter().find(|follower| follower.feed == feed);
            let position = follower.and_then(|it| it.cursor.as_ref()).map_or(0, |cursor| cursor.position);
            (position != head).then(|| format!("{name} follows {feed} at {position} of {head}"))
        })
    }

    /// How services stand: at once, or once they are idle and have read what they follow as far as it is known.
    async fn statuses_of(&self, services: &[Service], waiting: bool) -> Result<Vec<Status>, DemoError> {
        let statuses = services.iter().map(|service| {
            let follower = |feed: &Service| Follower {
                feed: feed.name().to_owned(),
                cursor: Some(Cursor { incarnation: String::new(), position: self.read(*feed).head }),
            };
            let idle_after =
                if waiting { service.follows().iter().map(follower).collect() } else { Vec::new() };
            let request = GetStatusRequest { service: service.name().to_owned(), idle_after };
            self.api.send(&self.administrator, request, |channel, request| async move {
                OperatorServiceClient::new(channel).get_status(request).await
            })
        });
        try_join_all(statuses).await.map_err(|refused| DemoError::call("GetStatus", refused))
    }

    /// Sets the time of services; they go on where that is said.
    async fn step(&self, services: &[Service], to: DateTime<Utc>, release: bool) -> Result<(), DemoError> {
        let steps = services.iter().map(|service| {
            let request = StepClockRequest {
                service: service.name().to_owned(),
                from: Some(to_proto(self.read(*service).at)),
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
