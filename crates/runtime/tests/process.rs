//! What a process shows of itself: pages for operators, the health service, traces, and its end on a signal.

use std::convert::Infallible;
use std::process::Command;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use shouwen_runtime::admin::serve_admin;
use shouwen_runtime::channel::{ChannelOptions, connect};
use shouwen_runtime::cores::Cores;
use shouwen_runtime::health::Readiness;
use shouwen_runtime::server::{ServerOptions, serve};
use shouwen_runtime::shutdown;
use shouwen_runtime::telemetry::{Metrics, Telemetry, TelemetryConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::service_fn;

const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;

async fn get(addr: std::net::SocketAddr, path: &str) -> (u16, String) {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder().uri(path).header("host", "admin").body(Empty::<Bytes>::new()).unwrap();
    let response = client.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn operators_get_their_pages_over_plain_http() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (metrics, readiness, stop) =
        (Metrics::new("calls").unwrap(), Readiness::new(), CancellationToken::new());
    metrics.meter("test").u64_counter("batches").build().add(3, &[]);
    let running = tokio::spawn(serve_admin(listener, metrics, readiness.clone(), stop.clone()));
    assert_eq!(get(addr, "/healthz").await.0, 200);
    assert_eq!(get(addr, "/readyz").await.0, 503);
    readiness.component("calls.schema").ready();
    assert_eq!(get(addr, "/readyz").await.0, 200);
    let (_, text) = get(addr, "/metrics").await;
    assert!(text.contains("batches_total{otel_scope_name=\"test\"} 3"), "{text}");
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_health_service_follows_readiness() {
    let readiness = Readiness::new();
    let schema = readiness.component("calls.schema");
    let routes =
        tonic::service::Routes::new(readiness.health_service(&["shouwen.calls.v1.CallService"]).await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(serve(
        Cores::default(),
        listener,
        None,
        routes,
        ServerOptions::default(),
        CancellationToken::new(),
    ));
    let mut client = HealthClient::new(connect(&[addr.to_string()], &ChannelOptions::default()).unwrap());
    for service in ["", "shouwen.calls.v1.CallService"] {
        schema.not_ready("schema calls is at 3, needs 5");
        let request = HealthCheckRequest { service: service.to_owned() };
        let mut statuses = client.watch(request).await.unwrap().into_inner();
        let mut seen = async |status: i32| {
            while statuses.message().await.unwrap().unwrap().status != status {}
        };
        seen(NOT_SERVING).await;
        schema.ready();
        seen(SERVING).await;
    }
    readiness.drain();
    let request = HealthCheckRequest { service: String::new() };
    let mut statuses = client.watch(request).await.unwrap().into_inner();
    while statuses.message().await.unwrap().unwrap().status != NOT_SERVING {}
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_reach_the_collector_before_the_process_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (received, mut exports) = mpsc::unbounded_channel();
    let collector = service_fn(move |request: Request<Incoming>| {
        let received = received.clone();
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            received.send((path, body)).unwrap();
            // An empty message and an OK.
            let answer =
                Response::builder().header("content-type", "application/grpc").header("grpc-status", "0");
            Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(&[0; 5]))).unwrap())
        }
    });
    tokio::spawn(serve(
        Cores::default(),
        listener,
        None,
        collector,
        ServerOptions::default(),
        CancellationToken::new(),
    ));
    let config =
        TelemetryConfig { otlp_endpoint: Some(format!("http://{addr}")), ..TelemetryConfig::default() };
    let telemetry = Telemetry::start(&config, "shouwen-calls").unwrap();
    tracing::info_span!("answering").in_scope(|| {});
    telemetry.flush().await;
    let (path, body) = exports.recv().await.unwrap();
    assert_eq!(path, "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(text.contains("shouwen-calls") && text.contains("answering"), "{text}");
    assert!(Telemetry::start(&TelemetryConfig::default(), "again").is_err());
}

#[tokio::test]
async fn a_termination_signal_cancels_the_token() {
    let token = shutdown::on_signals().unwrap();
    assert!(!token.is_cancelled());
    let pid = std::process::id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    token.cancelled().await;
}
