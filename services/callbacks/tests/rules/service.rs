//! The service under test: a database of its own, a clock that is moved by hand, feeds that the test writes, and callers with contexts.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt as _, future::BoxFuture, stream};
use prost::Message;
use shouwen_access::{Caller, Failure, PageTokens, context::body_digest, status::reason_of};
use shouwen_callbacks::{CallbacksDomain, Dependencies, Feeds, Service};
use shouwen_engine::{Domain as _, FeedSource, Options, clock, feed::FeedItem, ledger::LedgerRow};
use shouwen_proto::{
    access::v1::{CallContext, Capacity, Role},
    callbacks::v1::{
        Callback, LeaseCallbackRequest, LeaseCallbackResponse, callback_service_client::CallbackServiceClient,
    },
    events::v1::{
        CallsEvent, ComplaintsEvent, Cursor, Event, OwnershipEvent, WatchRequest, WatchResponse,
        callbacks_event, calls_event, complaints_event, event::Body, event_feed_client::EventFeedClient,
        event_feed_server, ownership_event, watch_response::Item,
    },
    r#type::v1::{Private, private::Form},
};
use shouwen_runtime::{clock::MachineClock, ids, postgres::DatabaseConfig};
use shouwen_serving::timestamps;
use shouwen_testkit::TestDatabase;
use shouwen_vault::{Keyring, Vault};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, service::Routes};

pub(crate) use crate::bench::at;

/// The branch of all tests but those about reach.
pub(crate) const BRANCH: &str = "branches/b1";
/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

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

    fn push(&self, aggregate: &str, time: DateTime<Utc>, body: Body) {
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
    pub(crate) client: CallbackServiceClient<Routes>,
    stop: CancellationToken,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The service with everything around it.
pub(crate) struct Bed {
    pub(crate) first: Replica,
    pub(crate) pool: PgPool,
    pub(crate) calls: TestFeed,
    pub(crate) ownership: TestFeed,
    pub(crate) complaints: TestFeed,
    keyring: String,
    config: DatabaseConfig,
    /// Events of the service's own ledger that the test has not seen yet.
    own: Pin<Box<dyn Stream<Item = sqlx::Result<FeedItem>> + Send>>,
    unseen: std::collections::VecDeque<LedgerRow>,
    _database: TestDatabase,
}

impl Bed {
    /// A service on an empty ledger, at a simulated time.
    pub(crate) async fn at(start: &str) -> Self {
        let database = TestDatabase::create("callbacks", async |url: &str| {
            let admin = DatabaseConfig::at(url).connect_options().unwrap();
            shouwen_callbacks::schema().provision(&admin, None).await.unwrap();
        })
        .await;
        let config = DatabaseConfig::at(database.url_as(&shouwen_callbacks::schema().runtime_role()));
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .connect_with(config.connect_options().unwrap())
            .await
            .unwrap();
        clock::simulate_from(&pool, at(start)).await.unwrap();
        let [calls, ownership, complaints] = ["calls", "ownership", "complaints"].map(TestFeed::new);
        let rng = ring::rand::SystemRandom::new();
        let keyring = Keyring::generate(&rng).unwrap().to_file_text().to_string();
        let first = replica(&pool, &config, &keyring, [&ownership, &calls, &complaints]).await;
        let own = Box::pin(shouwen_engine::feed::watch(&first.service.engine, 0));
        Self {
            first,
            pool,
            calls,
            ownership,
            complaints,
            keyring,
            config,
            own,
            unseen: [].into(),
            _database: database,
        }
    }

    /// Another replica over the same schema, following the same feeds.
    pub(crate) async fn another(&self) -> Replica {
        let feeds = [&self.ownership, &self.calls, &self.complaints];
        replica(&self.pool, &self.config, &self.keyring, feeds).await
    }

    pub(crate) fn client(&self) -> CallbackServiceClient<Routes> {
        self.first.client.clone()
    }

    /// Business time.
    pub(crate) async fn now(&self) -> DateTime<Utc> {
        self.first.service.engine.now().await.unwrap()
    }

    /// An event of the service that is followed for calls, now.
    pub(crate) async fn call_event(&self, call: &str, event: calls_event::Event) {
        self.calls.push(call, self.now().await, Body::Calls(CallsEvent { event: Some(event) }));
    }

    /// The same with an earlier time: the follower is late.
    pub(crate) fn call_event_at(&self, call: &str, time: &str, event: calls_event::Event) {
        self.calls.push(call, at(time), Body::Calls(CallsEvent { event: Some(event) }));
    }

    /// An event of ownership, now.
    pub(crate) async fn ownership_event(&self, aggregate: &str, event: ownership_event::Event) {
        let now = self.now().await;
        self.ownership.push(aggregate, now, Body::Ownership(OwnershipEvent { event: Some(event) }));
    }

    /// An event of complaints, now.
    pub(crate) async fn complaint_event(&self, complaint: &str, event: complaints_event::Event) {
        let now = self.now().await;
        self.complaints.push(complaint, now, Body::Complaints(ComplaintsEvent { event: Some(event) }));
    }

    /// The same with an earlier time: the follower is late.
    pub(crate) fn complaint_event_at(&self, complaint: &str, time: &str, event: complaints_event::Event) {
        self.complaints.push(complaint, at(time), Body::Complaints(ComplaintsEvent { event: Some(event) }));
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
            if next == to {
                return;
            }
        }
    }

    /// The next event of the service's ledger.
    pub(crate) async fn next(&mut self) -> (LedgerRow, callbacks_event::Event) {
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
        let event = CallbacksDomain::decode(&row.payload).unwrap();
        (row, event)
    }

    /// The next events, of which only the names are of interest.
    pub(crate) async fn next_types(&mut self, count: usize) -> Vec<String> {
        let mut types = Vec::new();
        for _ in 0..count {
            types.push(self.next().await.0.r#type);
        }
        types
    }

    /// Names of all events on the ledger.
    pub(crate) async fn ledger(&self) -> Vec<String> {
        sqlx::query_scalar::<_, String>("select type from ledger order by position")
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    /// A promise for a time, as calls tells it; answers the callback's name when it is scheduled.
    pub(crate) async fn promise(&mut self, case: &str, id: &str, agreed: &str) -> String {
        let name = format!("{case}/callbacks/{id}");
        let event = promised(case, id, agreed);
        self.call_event(&format!("calls/call-{id}"), calls_event::Event::CallbackPromised(event)).await;
        let (row, _) = self.next().await;
        assert_eq!(
            (row.r#type.as_str(), row.aggregate.as_str()),
            ("callback_scheduled", &*format!("callbacks/{id}"))
        );
        name
    }

    pub(crate) async fn lease(&self, who: &CallContext, name: &str) -> Result<LeaseCallbackResponse, Status> {
        let request = LeaseCallbackRequest { name: name.into(), request_id: request_id() };
        self.client().lease_callback(request_of(who, request)).await.map(Response::into_inner)
    }

    pub(crate) async fn get(&self, who: &CallContext, name: &str) -> Result<Callback, Status> {
        let request = shouwen_proto::callbacks::v1::GetCallbackRequest { name: name.into() };
        self.client().get_callback(request_of(who, request)).await.map(Response::into_inner)
    }
}

async fn replica(
    pool: &PgPool,
    config: &DatabaseConfig,
    keyring: &str,
    [ownership, calls, complaints]: [&TestFeed; 3],
) -> Replica {
    let stop = CancellationToken::new();
    let service = Service::start(Dependencies {
        pool: pool.clone(),
        connect: config.connect_options().unwrap(),
        vault: Vault::new(pool.clone(), Keyring::parse(keyring).unwrap(), "callbacks", 1000),
        pages: PageTokens::new(&[7; 32]).unwrap(),
        clock: MachineClock::system(),
        options: Options::default(),
        stop: stop.clone(),
        feeds: Feeds {
            ownership: ownership.source(),
            calls: calls.source(),
            complaints: complaints.source(),
        },
    })
    .await
    .unwrap();
    let client = CallbackServiceClient::new(service.routes());
    Replica { service, client, stop }
}

/// What calls tells of a promise.
pub(crate) fn promised(case: &str, id: &str, agreed: &str) -> shouwen_proto::events::v1::CallbackPromised {
    shouwen_proto::events::v1::CallbackPromised {
        callback: format!("{case}/callbacks/{id}"),
        case: case.into(),
        branch: BRANCH.into(),
        employee: "employees/zhang".into(),
        agreed_time: Some(timestamps::to_proto(at(agreed))),
        client_asked: false,
        phone: Some(clear("13812345678")),
        phone_masked: "138****5678".into(),
        subject: Some(clear("fund redemption")),
        client: "clients/7".into(),
    }
}

/// Personal data as it comes over a feed.
pub(crate) fn clear(text: &str) -> Private {
    Private { form: Some(Form::Clear(text.into())) }
}

/// An employee of the branch who handles a case, with the epoch that the gateway read.
pub(crate) fn handler(employee: &str, case: &str, epoch: i64) -> CallContext {
    CallContext {
        principal: format!("employees/{employee}"),
        employee: format!("employees/{employee}"),
        branch: BRANCH.into(),
        roles: vec![Role::Staff.into(), Role::Lead.into()],
        branches: vec![BRANCH.into()],
        capacity: Capacity::Handler.into(),
        case: case.into(),
        named_case: case.into(),
        epoch,
        ..CallContext::default()
    }
}

/// An employee of the branch, without a case.
pub(crate) fn colleague(employee: &str) -> CallContext {
    CallContext {
        capacity: Capacity::Branch.into(),
        case: String::new(),
        named_case: String::new(),
        ..handler(employee, "", 0)
    }
}

/// A request as the layer that verifies contexts hands it to the service.
pub(crate) fn request_of<T: Message>(who: &CallContext, message: T) -> Request<T> {
    let mut context = who.clone();
    context.body_digest = body_digest(&message.encode_to_vec()).to_vec();
    context.read_at = shouwen_runtime::clock::unix_micros();
    let caller = Caller::of_context(context).unwrap();
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller);
    request
}

pub(crate) fn request_id() -> String {
    ids::new_v4().to_string()
}

/// The reason of a refusal.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    reason_of(&answer.unwrap_err()).unwrap()
}

/// One metadata value of a refusal.
pub(crate) fn detail(status: &Status, key: &str) -> String {
    use tonic_types::StatusExt as _;
    status.get_details_error_info().unwrap().metadata[key].clone()
}

/// A failure's reason is a name, so that programs can rely on it.
#[test]
fn reasons_are_names() {
    let failure: Failure = shouwen_callbacks::domain::Rejection::NotLeased.into();
    assert_eq!(failure.reason(), "NOT_LEASED");
}
