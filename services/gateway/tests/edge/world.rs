//! A gateway with its backends, clients and tokens.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::DateTime;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use serde_json::{Value, json};
use shouwen_access::status::reason_of;
use shouwen_gateway::edge::{BackendConfig, Edge, EdgeConfig, EdgeParts, TokenConfig};
use shouwen_runtime::channel::{Channel, ChannelOptions, ResponseBody, connect};
use shouwen_runtime::clock::MachineClock;
use shouwen_runtime::config::Period;
use shouwen_runtime::cores::Cores;
use shouwen_runtime::health::Readiness;
use shouwen_runtime::server::{ServerOptions, serve};
use shouwen_runtime::telemetry::{Metrics, RpcMetrics};
use shouwen_testkit::TestIssuer;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Code, Extensions, Response, Status, Streaming};
use tonic_types::StatusExt as _;
use tower::Layer as _;

use crate::backend::{Act, Audience, Echo, KEY, KEY_ID, Seen, stage};
use crate::codec::Raw;
use crate::contract::{DESCRIPTORS, contract};
use crate::owners::Maps;

pub(crate) const NOW: i64 = 1_790_000_000;
pub(crate) const ISSUER: &str = "https://issuer.test";
pub(crate) const AUDIENCE: &str = "shouwen";

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) edge: Edge<Maps>,
    pub(crate) owners: Arc<Maps>,
    pub(crate) clock: MachineClock,
    pub(crate) issuer: TestIssuer,
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Metrics,
    /// The backend's own addresses.
    pub(crate) backends: Vec<SocketAddr>,
    pub(crate) channel: Channel,
    audience: Audience,
    _running: Vec<DropGuard>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With one backend and these settings.
    pub(crate) async fn with(change: impl FnOnce(&mut EdgeConfig)) -> Self {
        Self::of(&["one"], change).await
    }

    /// With these backends.
    pub(crate) async fn of(names: &[&'static str], change: impl FnOnce(&mut EdgeConfig)) -> Self {
        let clock = MachineClock::manual(DateTime::from_timestamp(NOW, 0).unwrap());
        let (stage, audience) = stage();
        let (mut backends, mut running) = (Vec::new(), Vec::new());
        for name in names {
            let (address, guard) = Echo::new(name, &stage).listen(clock.clone()).await;
            backends.push(address);
            running.push(guard);
        }
        let issuer = TestIssuer::new("k1");
        let keys = tempfile::tempdir().unwrap();
        let path = keys.path().join("jwks.json");
        fs::write(&path, issuer.jwks()).unwrap();
        let mut config = EdgeConfig {
            tokens: TokenConfig {
                issuer: ISSUER.to_owned(),
                audience: AUDIENCE.to_owned(),
                keys: path.display().to_string(),
                leeway: Period::secs(0),
                ..TokenConfig::default()
            },
            channel: ChannelOptions { connect_timeout: Period::millis(200), ..ChannelOptions::default() },
            ..EdgeConfig::default()
        };
        let echo = BackendConfig {
            addresses: backends.iter().map(ToString::to_string).collect(),
            key_id: KEY_ID.to_owned(),
            key: STANDARD.encode(KEY).into(),
        };
        config.backends.insert("echo".to_owned(), echo);
        change(&mut config);
        let owners = Arc::new(Maps::new(clock.clone()));
        let readiness = Readiness::new();
        let parts = EdgeParts {
            contract: contract(),
            descriptors: &DESCRIPTORS,
            owners: Arc::clone(&owners),
            services: vec![("inside".to_owned(), Routes::new(Echo::new("inside", &stage)))],
            readiness: &readiness,
            clock: clock.clone(),
            cores: Cores::default(),
        };
        let edge = Edge::new(config, parts).await.unwrap();

        let metrics = Metrics::new("gateway").unwrap();
        let service = RpcMetrics::new(&metrics.meter("edge"), contract().paths()).layer(edge.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        tokio::spawn(serve(
            Cores::default(),
            listener,
            None,
            service,
            ServerOptions::default(),
            shutdown.clone(),
        ));
        running.push(shutdown.drop_guard());
        let channel = connect(&[address.to_string()], &ChannelOptions::default()).unwrap();
        Self {
            edge,
            owners,
            clock,
            issuer,
            readiness,
            metrics,
            backends,
            channel,
            audience,
            _running: running,
        }
    }

    /// The claims of a good token.
    pub(crate) fn claims(subject: &str) -> Value {
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "nbf": NOW - 60, "exp": NOW + 600})
    }

    pub(crate) fn token(&self, subject: &str) -> String {
        self.issuer.sign(&Self::claims(subject))
    }

    /// What the backend does next, one call after the other.
    pub(crate) fn script(&self, acts: impl IntoIterator<Item = Act>) {
        self.audience.script.lock().unwrap().extend(acts);
    }

    /// The next call that a backend saw.
    pub(crate) async fn seen(&mut self) -> Seen {
        timeout(LIMIT, self.audience.seen.recv()).await.expect("a call reaches a backend").unwrap()
    }

    /// Whether a backend saw a call that the test has not looked at.
    pub(crate) fn nothing_seen(&mut self) -> bool {
        self.audience.seen.try_recv().is_err()
    }

    /// Returns when a hanging call is dropped by the backend.
    pub(crate) async fn ended(&self) {
        timeout(LIMIT, self.audience.ended.cancelled()).await.expect("the backend's call ends");
    }

    /// A call of a method of `Echo` by an employee.
    pub(crate) fn ask(&self, method: &str, who: &str) -> Ask {
        self.ask_at(&format!("/shouwen.echo.v1.Echo/{method}"), &format!("employees/{who}"))
    }

    /// A call of any method by anybody.
    pub(crate) fn ask_at(&self, path: &str, subject: &str) -> Ask {
        Ask::new(&self.channel, path).with("authorization", &format!("Bearer {}", self.token(subject)))
    }
}

/// A call to be made.
#[derive(Clone)]
pub(crate) struct Ask {
    channel: Channel,
    path: String,
    headers: HeaderMap,
}

impl Ask {
    pub(crate) fn new(channel: &Channel, path: &str) -> Self {
        Self { channel: channel.clone(), path: path.to_owned(), headers: HeaderMap::new() }
    }

    /// With one more header; the same name again is sent twice.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
        self
    }

    pub(crate) fn acting_for(self, employee: &str) -> Self {
        self.with("x-shouwen-employee", employee)
    }

    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let metadata = MetadataMap::from_headers(self.headers.clone());
        tonic::Request::from_parts(metadata, Extensions::default(), message)
    }

    fn grpc(&self) -> (tonic::client::Grpc<Channel>, http::uri::PathAndQuery) {
        (tonic::client::Grpc::new(self.channel.clone()), self.path.parse().unwrap())
    }

    pub(crate) async fn bytes(&self, message: impl Into<Bytes>) -> Result<Response<Bytes>, Status> {
        let (mut grpc, path) = self.grpc();
        timeout(LIMIT, grpc.unary(self.request(message.into()), path, Raw)).await.expect("an answer")
    }

    pub(crate) async fn send(&self, message: &impl Message) -> Result<Response<Bytes>, Status> {
        self.bytes(message.encode_to_vec()).await
    }

    /// The refusal of a call that must be refused.
    pub(crate) async fn refusal(&self, message: &impl Message) -> Refusal {
        Refusal(self.send(message).await.expect_err("a refusal"))
    }

    pub(crate) async fn watch(&self, message: &impl Message) -> Result<Streaming<Bytes>, Status> {
        let (mut grpc, path) = self.grpc();
        let request = self.request(Bytes::from(message.encode_to_vec()));
        Ok(grpc.server_streaming(request, path, Raw).await?.into_inner())
    }

    pub(crate) async fn upload(&self, messages: &[impl Message]) -> Result<Bytes, Status> {
        let (mut grpc, path) = self.grpc();
        let messages: Vec<_> = messages.iter().map(|it| Bytes::from(it.encode_to_vec())).collect();
        let request = self.request(stream::iter(messages));
        Ok(grpc.client_streaming(request, path, Raw).await?.into_inner())
    }

    pub(crate) async fn chat<S>(&self, messages: S) -> Result<Streaming<Bytes>, Status>
    where
        S: futures_util::Stream<Item = Bytes> + Send + 'static,
    {
        let (mut grpc, path) = self.grpc();
        Ok(grpc.streaming(self.request(messages), path, Raw).await?.into_inner())
    }

    /// Sends a body as it is, framed or not.
    pub(crate) async fn raw(&self, body: impl Into<Bytes>) -> http::Response<ResponseBody> {
        let body = tonic::body::Body::new(http_body_util::Full::new(body.into()));
        let mut request = http::Request::post(&self.path).body(body).unwrap();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().entry("content-type").or_insert(HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
        self.channel.send(request).await.unwrap()
    }

    /// The refusal of a raw body.
    pub(crate) async fn raw_refusal(&self, body: impl Into<Bytes>) -> Refusal {
        let response = self.raw(body).await;
        Refusal(Status::from_header_map(response.headers()).expect("a refusal in the head"))
    }
}

/// Tries until it is let in.
pub(crate) async fn comes_in<T, E>(mut attempt: impl AsyncFnMut() -> Result<T, E>) {
    let trying = async {
        while attempt().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, trying).await.expect("it comes in");
}

/// A status that must be one of ours.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Status);

impl Refusal {
    pub(crate) fn is(&self, code: Code, reason: &str) {
        assert_eq!((self.0.code(), self.reason().as_str()), (code, reason), "{:?}", self.0);
    }

    pub(crate) fn reason(&self) -> String {
        reason_of(&self.0).unwrap_or_else(|| panic!("no reason in {:?}", self.0))
    }

    pub(crate) fn metadata(&self, key: &str) -> String {
        let info = self.0.get_details_error_info().unwrap();
        info.metadata.get(key).cloned().unwrap_or_else(|| panic!("no {key} in {:?}", info.metadata))
    }

    pub(crate) fn retry_after(&self) -> Duration {
        self.0.get_details_retry_info().expect("RetryInfo").retry_delay.expect("a delay")
    }
}

/// A message in its frame.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}
