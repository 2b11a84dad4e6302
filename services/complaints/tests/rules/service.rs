//! The service under test: a database of its own, a clock that is moved by hand, feeds that the test writes.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt as _, future::BoxFuture, stream};
use shouwen_access::PageTokens;
use shouwen_complaints::{ComplaintsDomain, Dependencies, Feeds, Mutants, Service};
use shouwen_engine::{Domain as _, FeedSource, Options, clock, feed::FeedItem, ledger::LedgerRow};
use shouwen_proto::{
    complaints::v1::complaint_service_client::ComplaintServiceClient,
    events::v1::{
        CallbacksEvent, CaseOpened, ClientMarked, ClientsEvent, Cursor, EmployeeSaved, Event, OwnershipEvent,
        WatchRequest, WatchResponse, callbacks_event, clients_event, complaints_event, event::Body,
        event_feed_client::EventFeedClient, event_feed_server, ownership_event, watch_response::Item,
    },
};
use shouwen_runtime::{clock::MachineClock, postgres::DatabaseConfig};
use shouwen_serving::timestamps;
use shouwen_testkit::TestDatabase;
use shouwen_vault::{Keyring, Vault};
use sqlx::{PgConnection, PgPool, postgres::PgPoolOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, service::Routes};

pub(crate) use crate::{bench::at, people::BRANCH};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everybody whom tests name, in the roster before anything happens.
const ROSTER: [&str; 10] = ["zhang", "li", "wu", "zhao", "sun", "officer", "lead", "leads", "hq", "leader"];

/// A feed that the test writes.
#[derive(Clone)]
pub(crate) struct TestFeed(Arc<Written>);

struct Written {
    service: &'static str,
    events: Mutex<Vec<Event>>,
    count: watch::Sender<usize>,
}

impl TestFeed {
    fn new(service: &'static str) -> Self {
        Self(Arc::new(Written { service, events: Mutex::default(), count: watch::Sender::new(0) }))
    }

    pub(crate) fn push(&self, aggregate: &str, time: DateTime<Utc>, body: Body) {
        let mut events = self.0.events.lock().unwrap();
        let position = i64::try_from(events.len()).unwrap() + 1;
        events.push(Event {
            cursor: Some(Cursor { incarnation: "here".into(), position }),
            service: self.0.service.to_owned(),
            aggregate: aggregate.to_owned(),
            version: 1,
            time: Some(timestamps::to_proto(time)),
            branch: BRANCH.into(),
            body: Some(body),
            ..Event::default()
        });
        self.0.count.send_replace(events.len());
    }

    fn head(&self) -> (String, i64) {
        (self.0.service.to_owned(), i64::try_from(*self.0.count.borrow()).unwrap())
    }

    fn source(&self) -> FeedSource {
        let feed = self.clone();
        Arc::new(move |request: WatchRequest| {
            let client = EventFeedClient::new(event_feed_server::EventFeedServer::new(feed.clone()));
            let watching: BoxFuture<'static, _> = Box::pin(async move {
                let mut client = client;
                client.watch(request).await.map(Response::into_inner)
            });
            watching
        })
    }
}

#[tonic::async_trait]
impl event_feed_server::EventFeed for TestFeed {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let after = request.into_inner().after.unwrap_or_default().position;
        let reader = (self.clone(), self.0.count.subscribe(), usize::try_from(after).unwrap());
        let items = stream::unfold(reader, |(feed, mut written, position)| async move {
            written.wait_for(|written| *written > position).await.ok()?;
            let event = feed.0.events.lock().unwrap()[position].clone();
            let item = WatchResponse { item: Some(Item::Event(event)) };
            Some((Ok(item), (feed, written, position + 1)))
        });
        Ok(Response::new(Box::pin(items)))
    }
}

/// A replica of the service.
pub(crate) struct Replica {
    pub(crate) service: Service,
    pub(crate) client: ComplaintServiceClient<Routes>,
    stop: CancellationToken,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The feeds that the service follows.
struct Followed {
    ownership: TestFeed,
    clients: TestFeed,
    callbacks: TestFeed,
}

/// The service with everything around it.
pub(crate) struct Bed {
    pub(crate) first: Replica,
    pub(crate) pool: PgPool,
    followed: Followed,
    keyring: String,
    config: DatabaseConfig,
    mutants: Mutants,
    /// Events of the service's own ledger that the test has not seen yet.
    own: Pin<Box<dyn Stream<Item = sqlx::Result<FeedItem>> + Send>>,
    unseen: VecDeque<LedgerRow>,
    database: TestDatabase,
}

impl Bed {
    /// A service on an empty ledger, at a simulated time.
    pub(crate) async fn at(start: &str) -> Self {
        Self::broken(start, Mutants::default()).await
    }

    /// The same with rules switched off.
    pub(crate) async fn broken(start: &str, mutants: Mutants) -> Self {
        let schema = shouwen_complaints::schema();
        let database = TestDatabase::create("complaints", async |url: &str| {
            let admin = DatabaseConfig::at(url).connect_options().unwrap();
            shouwen_complaints::schema().provision(&admin, None).await.unwrap();
        })
        .await;
        let config = DatabaseConfig::at(database.url_as(&schema.runtime_role()));
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .connect_with(config.connect_options().unwrap())
            .await
            .unwrap();
        clock::simulate_from(&pool, at(start)).await.unwrap();
        let followed = Followed {
            ownership: TestFeed::new("ownership"),
            clients: TestFeed::new("clients"),
            callbacks: TestFeed::new("callbacks"),
        };
        for employee in ROSTER {
            let name = format!("employees/{employee}");
            followed.ownership.push(&name, at(start), Body::Ownership(entered(&name, true)));
        }
        let rng = ring::rand::SystemRandom::new();
        let keyring = Keyring::generate(&rng).unwrap().to_file_text().to_string();
        let first = replica(&pool, &config, &keyring, &followed, mutants).await;
        let own = Box::pin(shouwen_engine::feed::watch(&first.service.engine, 0));
        Self { first, pool, followed, keyring, config, mutants, own, unseen: VecDeque::new(), database }
    }

    /// Another replica over the same schema, following the same feeds.
    pub(crate) async fn another(&self) -> Replica {
        replica(&self.pool, &self.config, &self.keyring, &self.followed, self.mutants).await
    }

    pub(crate) fn client(&self) -> ComplaintServiceClient<Routes> {
        self.first.client.clone()
    }

    /// Past every grant.
    pub(crate) async fn superuser(&self) -> PgConnection {
        self.database.connect().await
    }

    /// Business time.
    pub(crate) async fn now(&self) -> DateTime<Utc> {
        self.first.service.engine.now().await.unwrap()
    }

    /// An event of ownership, now.
    pub(crate) async fn ownership_event(&self, aggregate: &str, event: ownership_event::Event) {
        let body = Body::Ownership(OwnershipEvent { event: Some(event) });
        self.followed.ownership.push(aggregate, self.now().await, body);
    }

    /// An employee's entry in the roster, active or not, now.
    pub(crate) async fn enter(&self, employee: &str, active: bool) {
        let body = Body::Ownership(entered(employee, active));
        self.followed.ownership.push(employee, self.now().await, body);
    }

    /// A case that a client's contact opened; the client may be unknown.
    pub(crate) async fn open_case(&self, case: &str, client: &str) {
        let opened = CaseOpened {
            case: case.into(),
            contact: format!("contacts/of-{}", case.trim_start_matches("cases/")),
            branch: BRANCH.into(),
            client: client.into(),
            epoch: 1,
            ..CaseOpened::default()
        };
        self.ownership_event(case, ownership_event::Event::CaseOpened(opened)).await;
    }

    /// Marks of a client (L12), taken in.
    pub(crate) async fn mark(&self, client: &str, vip: bool, core: bool) {
        let marked = ClientMarked { vip, core, policy_version: "clients@default".into() };
        let event = ClientsEvent { event: Some(clients_event::Event::ClientMarked(marked)) };
        self.followed.clients.push(&format!("clients/{client}"), self.now().await, Body::Clients(event));
        self.caught_up().await;
    }

    /// An event of callbacks, at a time at most now.
    pub(crate) fn callback_event_at(
        &self,
        callback: &str,
        time: DateTime<Utc>,
        event: callbacks_event::Event,
    ) {
        let body = Body::Callbacks(CallbacksEvent { event: Some(event) });
        self.followed.callbacks.push(callback, time, body);
    }

    /// Waits until everything that the feeds hold was taken in.
    pub(crate) async fn caught_up(&self) {
        let feeds = &self.followed;
        let heads = [feeds.ownership.head(), feeds.clients.head(), feeds.callbacks.head()];
        tokio::time::timeout(PATIENCE, async {
            loop {
                let status = self.first.service.engine.status_when_idle(&heads).await.unwrap();
                let there = |(feed, head): &(String, i64)| {
                    let cursor = status.followers.iter().find(|(name, _)| name == feed);
                    *head == 0 || cursor.is_some_and(|(_, cursor)| cursor.position >= *head)
                };
                if heads.iter().all(there) {
                    return;
                }
            }
        })
        .await
        .expect("the feeds were awaited");
    }

    /// Waits until what of the roster was passed over has been read again, by this replica or by the first.
    pub(crate) async fn roster_read(&self, replica: &Replica) {
        let behind =
            "select r.position < c.position from roster_read r, feed_cursor c where c.feed = 'ownership'";
        tokio::time::timeout(PATIENCE, async {
            loop {
                let progress = replica.service.engine.progress();
                let of_first = self.first.service.engine.progress();
                tokio::pin!(progress, of_first);
                progress.as_mut().enable();
                of_first.as_mut().enable();
                if !sqlx::query_scalar::<_, bool>(behind).fetch_one(&self.pool).await.unwrap() {
                    return;
                }
                tokio::select! {
                    () = progress => {}
                    () = of_first => {}
                }
            }
        })
        .await
        .expect("the roster was awaited");
    }

    /// How many events are parked.
    pub(crate) async fn parked(&self) -> i64 {
        self.first.service.engine.status().await.unwrap().parked
    }

    /// Moves the clock, stopping at every deadline on the way.
    pub(crate) async fn advance(&self, to: &str) {
        let to = at(to);
        let engine = &self.first.service.engine;
        loop {
            let status = engine.status().await.unwrap();
            let next = status.next_due.filter(|due| *due <= to).unwrap_or(to).max(status.now);
            engine.step_clock(status.now, next, true).await.unwrap();
            engine.sweep_once().await.unwrap();
            if next == to && engine.status().await.unwrap().next_due.is_none_or(|due| due > to) {
                return;
            }
        }
    }

    /// Sets the clock as if nobody had been there meanwhile: nothing stops at a deadline.
    pub(crate) async fn outage_until(&self, to: &str) {
        let here = self.pool.clone();
        sqlx::query("update clock set simulated_at = $1").bind(at(to)).execute(&here).await.unwrap();
    }

    /// The next event of the service's ledger.
    pub(crate) async fn next(&mut self) -> (LedgerRow, complaints_event::Event) {
        let row = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(row) = self.unseen.pop_front() {
                    return row;
                }
                if let FeedItem::Events(rows) = self.own.next().await.unwrap().unwrap() {
                    self.unseen.extend(rows);
                }
            }
        })
        .await
        .expect("an event was awaited");
        let event = ComplaintsDomain::decode(&row.payload).unwrap();
        (row, event)
    }

    /// The next event of a type; what comes before it is of no interest.
    pub(crate) async fn next_of(&mut self, r#type: &str) -> (LedgerRow, complaints_event::Event) {
        loop {
            let next = self.next().await;
            if next.0.r#type == r#type {
                return next;
            }
        }
    }

    /// Names of all events on the ledger.
    pub(crate) async fn ledger(&self) -> Vec<String> {
        sqlx::query_scalar::<_, String>("select type from ledger order by position")
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    /// How often an event happened.
    pub(crate) async fn count(&self, r#type: &str) -> usize {
        self.ledger().await.iter().filter(|name| *name == r#type).count()
    }
}

/// The event by which an employee is entered.
fn entered(employee: &str, active: bool) -> OwnershipEvent {
    let saved = EmployeeSaved {
        employee: employee.into(),
        branch: BRANCH.into(),
        active,
        ..EmployeeSaved::default()
    };
    OwnershipEvent { event: Some(ownership_event::Event::EmployeeSaved(saved)) }
}

async fn replica(
    pool: &PgPool,
    config: &DatabaseConfig,
    keyring: &str,
    followed: &Followed,
    mutants: Mutants,
) -> Replica {
    let stop = CancellationToken::new();
    let service = Service::start(Dependencies {
        pool: pool.clone(),
        connect: config.connect_options().unwrap(),
        vault: Vault::new(pool.clone(), Keyring::parse(keyring).unwrap(), "complaints", 1000),
        pages: PageTokens::new(&[7; 32]).unwrap(),
        clock: MachineClock::system(),
        options: Options::default(),
        stop: stop.clone(),
        feeds: Feeds {
            ownership: followed.ownership.source(),
            clients: followed.clients.source(),
            callbacks: followed.callbacks.source(),
        },
        mutants,
    })
    .await
    .unwrap();
    let client = ComplaintServiceClient::new(service.routes());
    Replica { service, client, stop }
}
