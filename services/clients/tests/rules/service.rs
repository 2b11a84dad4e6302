//! The service under test: a database of its own, a clock that is moved by hand, a roster that the test writes, and callers with contexts.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, FixedOffset, Utc};
use futures_util::{Stream, StreamExt as _, future::BoxFuture, stream};
use prost::Message;
use shouwen_access::{Caller, PageTokens, context::body_digest, status::reason_of};
use shouwen_clients::{ClientsDomain, Dependencies, Feeds, Service};
use shouwen_engine::{Domain as _, FeedSource, Options, clock, feed::FeedItem, ledger::LedgerRow};
use shouwen_policy::{Document, document_to_struct};
use shouwen_proto::{
    access::v1::{CallContext, Capacity, Role},
    clients::v1::{
        CapitalAccount, Client, ClientInput, GetClientRequest, ImportClientsRequest, SaveClientRequest,
        client_service_client::ClientServiceClient,
    },
    events::v1::{
        BranchSaved, Cursor, EmployeeSaved, Event, OwnershipEvent, PolicyApproved, WatchRequest,
        WatchResponse, clients_event, event::Body, event_feed_client::EventFeedClient, event_feed_server,
        ownership_event, watch_response::Item,
    },
    r#type::v1::Position,
};
use shouwen_runtime::{clock::MachineClock, ids, postgres::DatabaseConfig};
use shouwen_serving::timestamps;
use shouwen_testkit::{TestDatabase, until};
use shouwen_vault::{Keyring, Vault};
use sqlx::{PgConnection, PgPool, postgres::PgPoolOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, service::Routes};

/// The branch of all tests but those about reach.
pub(crate) const BRANCH: &str = "branches/b1";
pub(crate) const OTHER_BRANCH: &str = "branches/b2";
/// When most tests begin.
pub(crate) const MORNING: &str = "2026-05-06T09:00";
/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Business time from local time, as `2026-05-06T09:00`.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    format!("{text}:00+08:00").parse::<DateTime<FixedOffset>>().unwrap().to_utc()
}

/// Ownership's feed, which the test writes.
#[derive(Clone)]
pub(crate) struct TestFeed(Arc<Written>);

struct Written {
    events: Mutex<Vec<Event>>,
    count: watch::Sender<usize>,
}

impl TestFeed {
    fn new() -> Self {
        Self(Arc::new(Written { events: Mutex::default(), count: watch::Sender::new(0) }))
    }

    fn push(&self, aggregate: &str, time: DateTime<Utc>, event: ownership_event::Event) {
        let mut events = self.0.events.lock().unwrap();
        let position = i64::try_from(events.len()).unwrap() + 1;
        events.push(Event {
            cursor: Some(Cursor { incarnation: "here".into(), position }),
            service: "ownership".into(),
            aggregate: aggregate.to_owned(),
            version: 1,
            time: Some(timestamps::to_proto(time)),
            body: Some(Body::Ownership(OwnershipEvent { event: Some(event) })),
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
    pub(crate) client: ClientServiceClient<Routes>,
    pub(crate) stop: CancellationToken,
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
    pub(crate) database: TestDatabase,
    ownership: TestFeed,
    keyring: String,
    config: DatabaseConfig,
    /// Events of the service's own ledger that the test has not seen yet.
    own: Pin<Box<dyn Stream<Item = sqlx::Result<FeedItem>> + Send>>,
    unseen: VecDeque<LedgerRow>,
    markers: i64,
}

impl Bed {
    /// A service on an empty ledger, at a simulated time, that knows two branches; the first has one employee in each position, the second nobody.
    pub(crate) async fn at(start: &str) -> Self {
        let mut bed = Self::empty(start).await;
        for branch in [BRANCH, OTHER_BRANCH] {
            bed.tell(branch, branch_saved(branch)).await;
        }
        for (name, position) in STAFF {
            bed.employee(name, |saved| saved.position = position.into()).await;
        }
        bed.taken_in().await;
        bed
    }

    /// The same, knowing nothing.
    pub(crate) async fn empty(start: &str) -> Self {
        let database = TestDatabase::create("clients", async |url: &str| {
            let admin = DatabaseConfig::at(url).connect_options().unwrap();
            shouwen_clients::schema().provision(&admin, None).await.unwrap();
        })
        .await;
        let config = DatabaseConfig::at(database.url_as(&shouwen_clients::schema().runtime_role()));
        let pool = pool(&config).await;
        clock::simulate_from(&pool, at(start)).await.unwrap();
        let ownership = TestFeed::new();
        let keyring = Keyring::generate(&ring::rand::SystemRandom::new()).unwrap().to_file_text().to_string();
        let first = replica(&pool, &config, &keyring, &ownership).await;
        let own = Box::pin(shouwen_engine::feed::watch(&first.service.engine, 0));
        let unseen = VecDeque::new();
        Self { first, pool, database, ownership, keyring, config, own, unseen, markers: 0 }
    }

    /// Another replica over the same schema, following the same feed.
    pub(crate) async fn another(&self) -> Replica {
        replica(&self.pool, &self.config, &self.keyring, &self.ownership).await
    }

    pub(crate) fn client(&self) -> ClientServiceClient<Routes> {
        self.first.client.clone()
    }

    pub(crate) fn vault(&self) -> Vault {
        vault(&self.pool, &self.keyring)
    }

    /// Business time.
    pub(crate) async fn now(&self) -> DateTime<Utc> {
        self.first.service.engine.now().await.unwrap()
    }

    /// An event of ownership, now.
    pub(crate) async fn tell(&self, aggregate: &str, event: ownership_event::Event) {
        let now = self.now().await;
        self.ownership.push(aggregate, now, event);
    }

    /// An employee of the first branch, entered or changed.
    pub(crate) async fn employee(&self, name: &str, change: impl FnOnce(&mut EmployeeSaved)) {
        let mut saved = EmployeeSaved {
            employee: format!("employees/{name}"),
            display_name: name.to_owned(),
            branch: BRANCH.into(),
            roles: vec![Role::Staff.into()],
            active: true,
            ..EmployeeSaved::default()
        };
        change(&mut saved);
        self.tell(&saved.employee.clone(), ownership_event::Event::EmployeeSaved(saved)).await;
    }

    /// A version of the firm's policy for clients, from now on.
    pub(crate) async fn policy(&mut self, document: &serde_json::Value) {
        self.markers += 1;
        let policy = format!("policies/clients-{}", self.markers);
        let now = self.now().await;
        let event = approved(&policy, "clients", self.markers, document, now);
        self.tell(&policy, event).await;
        while self.next().await.0.aggregate != policy {}
    }

    /// Waits until everything told so far was taken in: what comes behind it on the feed shows in the ledger.
    pub(crate) async fn taken_in(&mut self) {
        self.markers += 1;
        let policy = format!("policies/marker-{}", self.markers);
        let document = serde_json::json!({"offer_minutes": 30});
        let event = approved(&policy, "ownership", self.markers, &document, self.now().await);
        self.tell(&policy, event).await;
        while self.next().await.0.aggregate != policy {}
    }

    /// Moves the clock.
    pub(crate) async fn advance(&self, to: &str) {
        let now = self.now().await;
        self.first.service.engine.step_clock(now, at(to), true).await.unwrap();
    }

    /// The next event of the service's ledger.
    pub(crate) async fn next(&mut self) -> (LedgerRow, clients_event::Event) {
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
        let event = ClientsDomain::decode(&row.payload).unwrap();
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

    /// Ends the service and every connection but the superuser's: each server process tells what it has read when it ends.
    pub(crate) async fn end(&self, superuser: &mut PgConnection) {
        self.first.stop.cancel();
        self.first.service.engine.stopped().await.unwrap();
        self.pool.close().await;
        let running = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
            and backend_type = 'client backend'";
        until("the connections are gone", PATIENCE, async || {
            let running: i64 = sqlx::query_scalar(running).fetch_one(&mut *superuser).await.unwrap();
            (running == 0).then_some(())
        })
        .await;
    }

    /// Starts the service again after its end.
    pub(crate) async fn begin(&mut self) {
        self.pool = pool(&self.config).await;
        self.first = replica(&self.pool, &self.config, &self.keyring, &self.ownership).await;
    }

    /// Names of the events on an aggregate.
    pub(crate) async fn ledger(&self, aggregate: &str) -> Vec<String> {
        sqlx::query_scalar::<_, String>("select type from ledger where aggregate = $1 order by position")
            .bind(aggregate)
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn save(&self, who: &CallContext, client: ClientInput) -> Result<Client, Status> {
        let request = SaveClientRequest {
            client: Some(client),
            request_id: request_id(),
            ..SaveClientRequest::default()
        };
        self.client().save_client(request_of(who, request)).await.map(Response::into_inner)
    }

    /// Saves as headquarters, which must go well.
    pub(crate) async fn saved(&self, client: ClientInput) -> Client {
        self.save(&hq(), client).await.unwrap()
    }

    pub(crate) async fn get(&self, name: &str) -> Result<Client, Status> {
        let request = GetClientRequest { name: name.into() };
        self.client().get_client(request_of(&staff("zhang"), request)).await.map(Response::into_inner)
    }
}

/// The first branch's employees: one in each position.
const STAFF: [(&str, Position); 4] = [
    ("an", Position::Unspecified),
    ("tan", Position::TeamLeader),
    ("ma", Position::Manager),
    ("head", Position::BranchHead),
];

async fn replica(pool: &PgPool, config: &DatabaseConfig, keyring: &str, ownership: &TestFeed) -> Replica {
    let stop = CancellationToken::new();
    let service = Service::start(Dependencies {
        pool: pool.clone(),
        connect: config.connect_options().unwrap(),
        vault: vault(pool, keyring),
        pages: PageTokens::new(&[7; 32]).unwrap(),
        clock: MachineClock::system(),
        // Whatever is done is done because of what was written.
        options: Options { sweep_interval: Duration::from_secs(3600), ..Options::default() },
        stop: stop.clone(),
        feeds: Feeds { ownership: ownership.source() },
    })
    .await
    .unwrap();
    let client = ClientServiceClient::new(service.routes());
    Replica { service, client, stop }
}

async fn pool(config: &DatabaseConfig) -> PgPool {
    PgPoolOptions::new().max_connections(8).connect_with(config.connect_options().unwrap()).await.unwrap()
}

fn vault(pool: &PgPool, keyring: &str) -> Vault {
    Vault::new(pool.clone(), Keyring::parse(keyring).unwrap(), "clients", 1000)
}

fn branch_saved(branch: &str) -> ownership_event::Event {
    ownership_event::Event::BranchSaved(BranchSaved { branch: branch.into(), ..BranchSaved::default() })
}

fn approved(
    policy: &str,
    kind: &str,
    revision: i64,
    document: &serde_json::Value,
    from: DateTime<Utc>,
) -> ownership_event::Event {
    let document: Document = document.as_object().unwrap().clone().into_iter().collect();
    ownership_event::Event::PolicyApproved(PolicyApproved {
        policy: policy.into(),
        kind: kind.into(),
        scope: "firm".into(),
        revision,
        document: Some(document_to_struct(&document).unwrap()),
        effective_time: Some(timestamps::to_proto(from)),
        proposer: "employees/hq1".into(),
        approver: "employees/hq2".into(),
    })
}

/// A client as it is entered: everything that a file can hold, nothing remarkable.
pub(crate) fn input(id: &str) -> ClientInput {
    let number: u32 =
        id.bytes().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()) % 9_000_000);
    ClientInput {
        name: format!("clients/{id}"),
        branch: BRANCH.into(),
        display_name: "王小明".into(),
        phone: format!("138{number:08}"),
        email: "wang@example.com".into(),
        address: "上海市浦东新区世纪大道 1 号".into(),
        capital_accounts: vec![account(&format!("1{number:08}"), true)],
        assets_fen: 1_000_000,
        turnover_percent: 100,
        holdings: vec!["600519".into(), "000001".into()],
        last_purchase: "300750".into(),
        ..ClientInput::default()
    }
}

pub(crate) fn account(number: &str, primary: bool) -> CapitalAccount {
    CapitalAccount { account: number.into(), custodian_bank: "工商银行".into(), primary }
}

/// A valid identity number with this sequence number.
pub(crate) fn identity_number(sequence: u32) -> String {
    let body = format!("11010519491231{sequence:03}");
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body.chars().zip(weights).map(|(c, weight)| c.to_digit(10).unwrap() * weight).sum();
    format!("{body}{}", "10X98765432".chars().nth((sum % 11) as usize).unwrap())
}

/// An employee of the first branch.
pub(crate) fn staff(employee: &str) -> CallContext {
    CallContext {
        principal: format!("employees/{employee}"),
        employee: format!("employees/{employee}"),
        branch: BRANCH.into(),
        roles: vec![Role::Staff.into(), Role::Lead.into()],
        branches: vec![BRANCH.into()],
        capacity: Capacity::Branch.into(),
        ..CallContext::default()
    }
}

/// Somebody of headquarters.
pub(crate) fn hq() -> CallContext {
    CallContext { all_branches: true, branches: Vec::new(), roles: vec![Role::Hq.into()], ..staff("hq") }
}

/// The CRM in its own name, for the first branch.
pub(crate) fn crm() -> CallContext {
    CallContext {
        principal: "serviceAccounts/crm".into(),
        employee: String::new(),
        branch: String::new(),
        roles: vec![Role::ServiceAccount.into()],
        ..staff("crm")
    }
}

/// Another service of the suite.
pub(crate) fn of_the_suite() -> CallContext {
    CallContext {
        principal: "services/ownership".into(),
        employee: String::new(),
        roles: vec![Role::System.into()],
        all_branches: true,
        capacity: Capacity::System.into(),
        ..staff("x")
    }
}

/// A request as the layer that verifies contexts hands it to the service.
pub(crate) fn request_of<T: Message>(who: &CallContext, message: T) -> Request<T> {
    let mut context = who.clone();
    context.body_digest = body_digest(&message.encode_to_vec()).to_vec();
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller::of_context(context).unwrap());
    request
}

/// The lines of an import as a stream of requests.
pub(crate) fn stream_of(
    who: &CallContext,
    messages: Vec<ImportClientsRequest>,
) -> Request<impl Stream<Item = ImportClientsRequest> + Send + 'static> {
    let mut request = Request::new(stream::iter(messages));
    request.extensions_mut().insert(Caller::of_context(who.clone()).unwrap());
    request
}

/// The messages of an import; the first carries the request id.
pub(crate) fn lines(id: &str, clients: impl IntoIterator<Item = ClientInput>) -> Vec<ImportClientsRequest> {
    let messages = clients.into_iter().enumerate().map(|(index, client)| ImportClientsRequest {
        request_id: if index == 0 { id.to_owned() } else { String::new() },
        line: 0,
        client: Some(client),
    });
    messages.collect()
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
