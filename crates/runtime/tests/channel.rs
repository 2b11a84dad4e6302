//! The balanced channel against real servers that come and go.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use shouwen_runtime::channel::{Channel, ChannelOptions, ResponseBody, connect};
use shouwen_runtime::config::Period;
use shouwen_runtime::cores::Cores;
use shouwen_runtime::server::{ServerOptions, serve};
use shouwen_runtime::tls::{ClientTls, ServerTls, TlsReloader};
use shouwen_testkit::TestCa;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::service_fn;

struct Server {
    addr: SocketAddr,
    shutdown: CancellationToken,
    running: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(name: &'static str, addr: &str) -> Self {
        Self::with(name, addr, ServerOptions::default(), None).await
    }

    async fn with(name: &'static str, addr: &str, options: ServerOptions, tls: Option<TlsReloader>) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let service = service_fn(move |request: Request<Incoming>| async move {
            if request.uri().path() == "/never" {
                std::future::pending::<()>().await;
            }
            if request.uri().path() == "/length" {
                let length = request.into_body().collect().await.unwrap().to_bytes().len();
                return Ok(Response::new(Full::new(Bytes::from(length.to_string()))));
            }
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(name))))
        });
        let running =
            tokio::spawn(serve(Cores::default(), listener, tls, service, options, shutdown.clone()));
        Self { addr, shutdown, running }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
    }
}

fn request(path: &str) -> Request<Body> {
    Request::builder().uri(path).body(Body::empty()).unwrap()
}

async fn ask(channel: &Channel) -> String {
    text(channel.send(request("/")).await.unwrap()).await
}

async fn text(response: Response<ResponseBody>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn ask_often(channel: &Channel) -> Vec<String> {
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(ask(channel).await);
    }
    answers
}

fn share(answers: &[String], name: &str) -> usize {
    answers.iter().filter(|answer| *answer == name).count()
}

#[tokio::test]
async fn calls_alternate_survive_a_lost_address_and_come_back_to_it() {
    let (one, two) = (Server::start("one", "127.0.0.1:0").await, Server::start("two", "127.0.0.1:0").await);
    let channel =
        connect(&[format!("{},http://{}", one.addr, two.addr)], &ChannelOptions::default()).unwrap();
    channel.wait_connected(2).await;
    let answers = ask_often(&channel).await;
    assert_eq!((share(&answers, "one"), share(&answers, "two")), (5, 5), "{answers:?}");

    let addr = one.addr.to_string();
    one.stop().await;
    assert_eq!(share(&ask_often(&channel).await, "two"), 10);

    let _one = Server::start("one", &addr).await;
    channel.wait_connected(2).await;
    assert_eq!(share(&ask_often(&channel).await, "one"), 5);
}

#[tokio::test]
async fn a_name_leads_to_its_addresses() {
    let server = Server::start("one", "127.0.0.1:0").await;
    let channel =
        connect(&[format!("localhost:{}", server.addr.port())], &ChannelOptions::default()).unwrap();
    assert_eq!(ask(&channel).await, "one");
}

#[tokio::test]
async fn no_call_is_lost_while_connections_age() {
    let options = ServerOptions { connection_age: Period::millis(5), ..ServerOptions::default() };
    let server = Server::with("one", "127.0.0.1:0", options, None).await;
    let channel = connect(&[server.addr.to_string()], &ChannelOptions::default()).unwrap();
    for _ in 0..200 {
        assert_eq!(ask(&channel).await, "one");
    }
}

#[tokio::test]
async fn an_unreachable_backend_is_unavailable_and_the_call_may_be_repeated() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let options = ChannelOptions { connect_timeout: Period::millis(100), ..ChannelOptions::default() };
    let channel = connect(&[format!("127.0.0.1:{port}")], &options).unwrap();
    let error = channel.send(request("/")).await.unwrap_err();
    assert!(!error.may_have_arrived());
    let status = error.into_status();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains(&port.to_string()), "{status}");
}

#[tokio::test]
async fn a_connection_that_nobody_has_taken_on_is_offered_no_call() {
    // The kernel completes it. What is sent over it cannot be told from what arrived once the listener leaves.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let options = ChannelOptions { connect_timeout: Period::millis(200), ..ChannelOptions::default() };
    let channel = connect(&[address], &options).unwrap();
    let asked = tokio::time::timeout(Duration::from_secs(10), channel.send(request("/"))).await;
    let error = asked.unwrap().unwrap_err();
    assert!(!error.may_have_arrived(), "{error}");
}

#[tokio::test]
async fn a_call_on_a_connection_that_breaks_may_have_arrived() {
    let options = ServerOptions {
        connection_age: Period::millis(50),
        connection_grace: Period::millis(20),
        ..ServerOptions::default()
    };
    let server = Server::with("one", "127.0.0.1:0", options, None).await;
    let channel = connect(&[server.addr.to_string()], &ChannelOptions::default()).unwrap();
    let error = channel.send(request("/never")).await.unwrap_err();
    assert!(error.may_have_arrived());
    assert_eq!(error.into_status().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_body_beyond_the_windows_arrives_whether_it_is_there_at_once_or_comes_in_pieces() {
    const PIECE: usize = 50_000;
    const PIECES: usize = 20;
    let options =
        ServerOptions { stream_window: 65_535, connection_window: 65_535, ..ServerOptions::default() };
    let server = Server::with("one", "127.0.0.1:0", options, None).await;
    let channel = connect(&[server.addr.to_string()], &ChannelOptions::default()).unwrap();
    let (pieces, coming) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Status>>(1);
    let at_once = Body::new(Full::new(Bytes::from(vec![7; PIECE * PIECES])));
    let in_pieces = stream::unfold(coming, async |mut coming| Some((coming.recv().await?, coming)));
    let in_pieces = Body::new(StreamBody::new(in_pieces));
    let giving = tokio::spawn(async move {
        for _ in 0..PIECES {
            pieces.send(Ok(Frame::data(Bytes::from(vec![7; PIECE])))).await.unwrap();
        }
    });
    for body in [at_once, in_pieces] {
        let request = Request::builder().uri("/length").body(body).unwrap();
        let length = text(channel.send(request).await.unwrap()).await;
        assert_eq!(length, (PIECE * PIECES).to_string());
    }
    giving.await.unwrap();
}

#[tokio::test]
async fn a_connection_on_which_pings_are_not_answered_is_dialled_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (keepalive, keepalive_timeout) = (Period::millis(20), Period::millis(20));
    let options = ChannelOptions { keepalive, keepalive_timeout, ..ChannelOptions::default() };
    let channel = connect(&[listener.local_addr().unwrap().to_string()], &options).unwrap();
    let (first, _) = listener.accept().await.unwrap();
    // It takes the connection on, and is silent from then on.
    let mut taken = h2::server::handshake(first).await.unwrap();
    tokio::select! {
        _call = taken.accept() => panic!("nobody calls"),
        () = channel.wait_connected(1) => {}
    }
    tokio::time::timeout(Duration::from_secs(10), listener.accept()).await.unwrap().unwrap();
}

#[tokio::test]
async fn tls_is_spoken_with_https_targets() {
    let ca = TestCa::new();
    let files = ca.server("server", &["localhost"]);
    let tls = ServerTls { certificate: files.certificate, key: files.key, client_ca: None };
    let reloader = TlsReloader::start(tls).unwrap();
    let server = Server::with("one", "127.0.0.1:0", ServerOptions::default(), Some(reloader)).await;
    let tls = ClientTls { ca: Some(ca.ca_file()), ..ClientTls::default() };
    let options = ChannelOptions { tls: Some(tls), ..ChannelOptions::default() };
    let channel = connect(&[format!("https://localhost:{}", server.addr.port())], &options).unwrap();
    assert_eq!(ask(&channel).await, "one");
}

/// Puts a client's files of this authority there.
fn put(dir: &Path, ca: &TestCa) {
    let client = ca.client("client", "gateway");
    let files = [(ca.ca_file(), "ca.pem"), (client.certificate, "client.pem"), (client.key, "client.key")];
    for (from, to) in files {
        fs::copy(from, dir.join(to)).unwrap();
    }
}

#[tokio::test]
async fn replaced_tls_files_are_used_without_a_restart() {
    let (former, new) = (TestCa::new(), TestCa::new());
    let files = new.server("server", &["localhost"]);
    let tls = ServerTls { certificate: files.certificate, key: files.key, client_ca: Some(new.ca_file()) };
    let reloader = TlsReloader::start(tls).unwrap();
    let server = Server::with("one", "127.0.0.1:0", ServerOptions::default(), Some(reloader)).await;

    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| Some(dir.path().join(name));
    put(dir.path(), &former);
    let tls = ClientTls {
        ca: file("ca.pem"),
        certificate: file("client.pem"),
        key: file("client.key"),
        server_name: None,
    };
    let options =
        ChannelOptions { connect_timeout: Period::millis(500), tls: Some(tls), ..ChannelOptions::default() };
    let channel = connect(&[format!("https://localhost:{}", server.addr.port())], &options).unwrap();
    assert!(channel.send(request("/")).await.is_err());

    put(dir.path(), &new);
    tokio::time::timeout(Duration::from_secs(20), channel.wait_connected(1)).await.unwrap();
    assert_eq!(ask(&channel).await, "one");
}

#[tokio::test]
async fn generated_clients_use_the_channel_and_get_its_status() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("a", tonic_health::ServingStatus::Serving).await;
    let routes = tonic::service::Routes::new(health);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(serve(
        Cores::default(),
        listener,
        None,
        routes,
        ServerOptions::default(),
        shutdown.clone(),
    ));
    let options = ChannelOptions { connect_timeout: Period::millis(200), ..ChannelOptions::default() };
    let mut client = HealthClient::new(connect(&[addr.to_string()], &options).unwrap());
    let ask = || HealthCheckRequest { service: "a".to_owned() };
    assert_eq!(client.check(ask()).await.unwrap().into_inner().status, 1);
    shutdown.cancel();
    running.await.unwrap().unwrap();
    let status =
        tokio::time::timeout(Duration::from_secs(10), client.check(ask())).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_channel_needs_a_target() {
    assert!(connect::<&str>(&[], &ChannelOptions::default()).is_err());
    assert!(connect(&[" , "], &ChannelOptions::default()).is_err());
    assert!(connect(&["calls"], &ChannelOptions::default()).is_err());
}
