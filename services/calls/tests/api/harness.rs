//! A running calls service in a database of its own, callers as the layer in front of it would put them, and short ways to call it.

use std::str::FromStr as _;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, TimeDelta, Utc};
use prost::Message;
use shouwen_access::{
    BranchName, Caller, EmployeeName, Language, PageTokens, Principal, Reach, Roles, ServiceAccountName,
    context::{body_digest, caller::CaseInView},
    status::reason_of,
};
use shouwen_calls::{Dependencies, Feeds, Service, schema};
use shouwen_engine::{Options, clock};
use shouwen_proto::{
    access::v1::{Capacity, Role},
    calls::v1::{Call, RegisterCallRequest, call_service_client::CallServiceClient},
    r#type::v1::Channel,
};
use shouwen_runtime::{clock::MachineClock, ids, telemetry::Metrics};
use shouwen_serving::timestamps::to_proto;
use shouwen_testkit::TestDatabase;
use shouwen_vault::{Keyring, Vault};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, service::Routes};

use crate::ownership::Ownership;

pub(crate) const BRANCH: &str = "branches/b1";
pub(crate) const CASE: &str = "cases/k1";
pub(crate) const PHONE: &str = "138-1234 5678";

pub(crate) type Answer<T> = Result<Response<T>, Status>;

/// A running service.
pub(crate) struct Running {
    pub(crate) service: Service,
    pub(crate) pool: PgPool,
    pub(crate) vault: Vault,
    pub(crate) ownership: Ownership,
    pub(crate) metrics: Metrics,
    stop: CancellationToken,
    _database: TestDatabase,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Shanghai time of Monday, 22 September 2025, a working day.
pub(crate) fn at(time: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(&format!("2025-09-22T{time}+08:00")).unwrap().to_utc()
}

impl Running {
    /// At ten in the morning.
    pub(crate) async fn start() -> Self {
        Self::start_at(at("10:00:00")).await
    }

    pub(crate) async fn start_at(time: DateTime<Utc>) -> Self {
        let database = TestDatabase::create("calls", async |url: &str| {
            schema().provision(&PgConnectOptions::from_str(url).unwrap(), Some("test")).await.unwrap();
        })
        .await;
        let connect = PgConnectOptions::from_str(&database.url_as(&schema().runtime_role())).unwrap();
        let pool = PgPoolOptions::new().max_connections(8).connect_with(connect.clone()).await.unwrap();
        clock::simulate_from(&pool, time).await.unwrap();
        let ownership = Ownership::default();
        let vault = Vault::new(pool.clone(), keyring(), "calls", 1_000);
        let stop = CancellationToken::new();
        let metrics = Metrics::new("calls").unwrap();
        let service = Service::start(Dependencies {
            pool: pool.clone(),
            connect,
            vault: vault.clone(),
            pages: PageTokens::new(&[5; 32]).unwrap(),
            clock: machine(),
            options: Options { meter: Some(metrics.meter("calls")), ..Options::default() },
            stop: stop.clone(),
            feeds: Feeds { ownership: ownership.source() },
        })
        .await
        .unwrap();
        Self { service, pool, vault, ownership, metrics, stop, _database: database }
    }

    pub(crate) fn client(&self) -> CallServiceClient<Routes> {
        CallServiceClient::new(self.service.routes())
    }

    /// Moves the business clock on.
    pub(crate) async fn advance(&self, by: TimeDelta) {
        let now = self.service.engine.now().await.unwrap();
        self.service.engine.step_clock(now, now + by, true).await.unwrap();
    }

    /// Registers an inbound phone call from a known number.
    pub(crate) async fn ring(&self, id: &str) -> Call {
        self.register(telephony(), call_from(id)).await.unwrap().into_inner()
    }

    pub(crate) async fn register(&self, who: Caller, request: RegisterCallRequest) -> Answer<Call> {
        self.client().register_call(by(who, request)).await
    }
}

/// A registration by telephony.
pub(crate) fn call_from(id: &str) -> RegisterCallRequest {
    RegisterCallRequest {
        parent: BRANCH.into(),
        call_id: id.into(),
        channel: Channel::Phone.into(),
        line: "lines/l1".into(),
        caller: PHONE.into(),
        request_id: request_id(),
        ..RegisterCallRequest::default()
    }
}

pub(crate) fn request_id() -> String {
    ids::new_v4().to_string()
}

/// The machine's clock of the service and of the contexts: no context ages.
fn machine() -> MachineClock {
    MachineClock::manual(at("10:00:00"))
}

fn keyring() -> Keyring {
    let secret = |byte: u8| BASE64.encode([byte; 32]);
    let (index, key) = (secret(1), secret(2));
    let text =
        format!("current = \"k1\"\nindex_key = \"{index}\"\n[[key]]\nid = \"k1\"\nsecret = \"{key}\"\n");
    Keyring::parse(&text).unwrap()
}

/// A request as it arrives behind the layer that verified its context.
pub(crate) fn by<T: Message>(mut caller: Caller, message: T) -> Request<T> {
    caller.body_digest = Some(body_digest(&message.encode_to_vec()));
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller);
    request
}

/// An employee of the branch, without a case.
pub(crate) fn employee(id: &str) -> Caller {
    let name = EmployeeName::parse(&format!("employees/{id}")).unwrap();
    let branch = BranchName::parse(BRANCH).unwrap();
    Caller {
        principal: Principal::Employee(name.clone()),
        employee: Some(name),
        branch: Some(branch.clone()),
        roles: Roles::NONE.with(Role::Staff),
        reach: Reach::Branches([branch].into()),
        capacity: Capacity::Unspecified,
        case: None,
        joined: false,
        language: Language::En,
        cause: None,
        body_digest: None,
    }
}

/// An employee as the handler of a case, at its first epoch.
pub(crate) fn handler(id: &str, case: &str) -> Caller {
    on_case(id, case, 1, Capacity::Handler)
}

pub(crate) fn on_case(id: &str, case: &str, epoch: i64, capacity: Capacity) -> Caller {
    let read_at = machine().unix_micros();
    let case = CaseInView { name: case.into(), named: case.into(), epoch, read_at };
    Caller { case: Some(case), capacity, ..employee(id) }
}

/// Telephony of the branch.
pub(crate) fn telephony() -> Caller {
    let account = ServiceAccountName::parse("serviceAccounts/telephony").unwrap();
    Caller {
        principal: Principal::ServiceAccount(account),
        employee: None,
        branch: None,
        roles: Roles::NONE.with(Role::ServiceAccount),
        ..employee("nobody")
    }
}

/// Somebody of another branch.
pub(crate) fn stranger() -> Caller {
    let branch = BranchName::parse("branches/b2").unwrap();
    Caller { branch: Some(branch.clone()), reach: Reach::Branches([branch].into()), ..employee("wang") }
}

/// A service of the suite.
pub(crate) fn system() -> Caller {
    Caller {
        principal: Principal::Service("callbacks".into()),
        employee: None,
        branch: None,
        roles: Roles::NONE.with(Role::System),
        reach: Reach::All,
        capacity: Capacity::System,
        ..employee("nobody")
    }
}

/// The reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Answer<T>) -> String {
    reason_of(&answer.unwrap_err()).unwrap()
}

/// A value of a refusal's metadata.
pub(crate) fn metadata(status: &Status, key: &str) -> String {
    use tonic_types::StatusExt as _;
    status.get_details_error_info().unwrap().metadata.get(key).cloned().unwrap_or_default()
}

pub(crate) fn proto_time(time: &str) -> prost_types::Timestamp {
    to_proto(at(time))
}
