//! The accept loop over real sockets: drain, age, limits, TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use shouwen_runtime::config::Period;
use shouwen_runtime::cores::Cores;
use shouwen_runtime::server::{ServerOptions, serve};
use shouwen_runtime::tls::{ClientTls, ServerTls, TlsReloader, client_config};
use shouwen_testkit::{TestCa, TestCertificate};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(20);

/// A server that answers `/` at once, and `/hold` when it is let go.
struct Server {
    addr: SocketAddr,
    shutdown: CancellationToken,
    running: JoinHandle<std::io::Result<()>>,
    held: mpsc::UnboundedReceiver<()>,
    let_go: Arc<Notify>,
}

async fn start(options: ServerOptions, tls: Option<TlsReloader>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (holding, held) = mpsc::unbounded_channel();
    let let_go = Arc::new(Notify::new());
    let gate = Arc::clone(&let_go);
    let service = service_fn(move |request: Request<Incoming>| {
        let (gate, holding) = (Arc::clone(&gate), holding.clone());
        async move {
            if request.uri().path() == "/hold" {
                holding.send(()).unwrap();
                gate.notified().await;
            }
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        }
    });
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(serve(Cores::default(), listener, tls, service, options, shutdown.clone()));
    Server { addr, shutdown, running, held, let_go }
}

type Client = SendRequest<Empty<Bytes>>;

async fn handshake(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> (Client, JoinHandle<()>) {
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    let ended = tokio::spawn(async move {
        let _ = connection.await;
    });
    (client, ended)
}

async fn open(addr: SocketAddr) -> (Client, JoinHandle<()>) {
    handshake(TcpStream::connect(addr).await.unwrap()).await
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::builder().uri(format!("http://server{path}")).body(Empty::new()).unwrap()
}

/// Calls until the connection takes no more calls, which is when the server's GOAWAY is there.
async fn refused(client: &mut Client) {
    while client.send_request(request("/")).await.is_ok() {}
}

#[tokio::test]
async fn a_drain_lets_a_running_call_end_and_takes_no_new_connection() {
    let mut server = start(ServerOptions::default(), None).await;
    let (mut client, _ended) = open(server.addr).await;
    let call = tokio::spawn(client.send_request(request("/hold")));
    server.held.recv().await.unwrap();
    server.shutdown.cancel();
    refused(&mut client).await;
    assert!(!server.running.is_finished());
    server.let_go.notify_one();
    assert_eq!(call.await.unwrap().unwrap().status(), StatusCode::OK);
    server.running.await.unwrap().unwrap();
    assert!(TcpStream::connect(server.addr).await.is_err());
}

#[tokio::test]
async fn a_drain_ends_at_its_limit() {
    let options = ServerOptions { drain: Period::millis(50), ..ServerOptions::default() };
    let mut server = start(options, None).await;
    let (mut client, _ended) = open(server.addr).await;
    let call = tokio::spawn(client.send_request(request("/hold")));
    server.held.recv().await.unwrap();
    server.shutdown.cancel();
    server.running.await.unwrap().unwrap();
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn an_aged_connection_ends_and_its_running_call_does_not() {
    let options = ServerOptions { connection_age: Period::millis(50), ..ServerOptions::default() };
    let mut server = start(options, None).await;
    let (mut client, _ended) = open(server.addr).await;
    let call = tokio::spawn(client.send_request(request("/hold")));
    server.held.recv().await.unwrap();
    refused(&mut client).await;
    server.let_go.notify_one();
    assert_eq!(call.await.unwrap().unwrap().status(), StatusCode::OK);
    let (mut client, _ended) = open(server.addr).await;
    assert_eq!(client.send_request(request("/")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn an_aged_connection_is_cut_after_its_grace() {
    let (age, grace) = (Period::millis(30), Period::millis(30));
    let options = ServerOptions { connection_age: age, connection_grace: grace, ..ServerOptions::default() };
    let mut server = start(options, None).await;
    let (mut client, _ended) = open(server.addr).await;
    let call = tokio::spawn(client.send_request(request("/hold")));
    server.held.recv().await.unwrap();
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let server = start(ServerOptions::default(), None).await;
    let (mut client, _ended) = open(server.addr).await;
    let mut large = request("/");
    large.headers_mut().insert("x-large", "x".repeat(17 * 1024).parse().unwrap());
    let refused = client.send_request(large).await.unwrap();
    assert_eq!(refused.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn http1_is_spoken_where_it_is_allowed() {
    use hyper::client::conn::http1;
    let server = start(ServerOptions { http1: true, ..ServerOptions::default() }, None).await;
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder().uri("/").header("host", "server").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), StatusCode::OK);
}

/// Returns when the server has ended the connection.
async fn ended(stream: &mut (impl AsyncRead + Unpin)) {
    // Whether it says goodbye is its own affair.
    let _ =
        timeout(LIMIT, stream.read_to_end(&mut Vec::new())).await.expect("the server ends the connection");
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[tokio::test]
async fn a_connection_that_brings_no_request_gives_its_place_to_the_next() {
    let handshake_timeout = Period::secs(1);
    let options = ServerOptions { max_connections: 1, handshake_timeout, ..ServerOptions::default() };
    for http1 in [false, true] {
        let server = start(ServerOptions { http1, ..options.clone() }, None).await;
        for said in [b"".as_slice(), &PREFACE[..PREFACE.len() - 1]] {
            let mut stream = TcpStream::connect(server.addr).await.unwrap();
            stream.write_all(said).await.unwrap();
            ended(&mut stream).await;
        }
        let (mut client, _ended) = open(server.addr).await;
        let answer = timeout(LIMIT, client.send_request(request("/"))).await.expect("a place is free");
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_connection_that_brings_no_request_does_not_hold_up_a_shutdown() {
    let (drain, handshake_timeout) = (Period::secs(3600), Period::secs(3600));
    let options = ServerOptions { drain, handshake_timeout, http1: true, ..ServerOptions::default() };
    let server = start(options, None).await;
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    let mut hesitant = TcpStream::connect(server.addr).await.unwrap();
    hesitant.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    // Connections are accepted in their order.
    let (mut client, _ended) = open(server.addr).await;
    client.send_request(request("/")).await.unwrap();
    server.shutdown.cancel();
    timeout(LIMIT, server.running).await.expect("the drain ends").unwrap().unwrap();
    ended(&mut silent).await;
    ended(&mut hesitant).await;
}

#[tokio::test]
async fn a_connection_on_which_http_has_begun_may_be_quiet_and_its_requests_may_take_their_time() {
    use hyper::client::conn::http1;
    let handshake_timeout = Period::secs(1);
    let options = ServerOptions { handshake_timeout, http1: true, ..ServerOptions::default() };
    let mut server = start(options, None).await;
    let (mut quiet, _ended) = open(server.addr).await;
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let (mut waiting, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let hold = Request::builder().uri("/hold").header("host", "server").body(Empty::<Bytes>::new()).unwrap();
    let call = tokio::spawn(waiting.send_request(hold));
    server.held.recv().await.unwrap();

    // The time of those before it is over when its own is.
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    ended(&mut silent).await;
    assert_eq!(quiet.send_request(request("/")).await.unwrap().status(), StatusCode::OK);
    server.let_go.notify_one();
    assert_eq!(call.await.unwrap().unwrap().status(), StatusCode::OK);
}

fn files(certificate: &TestCertificate, client_ca: Option<&TestCa>) -> ServerTls {
    ServerTls {
        certificate: certificate.certificate.clone(),
        key: certificate.key.clone(),
        client_ca: client_ca.map(TestCa::ca_file),
    }
}

type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

async fn open_tls(addr: SocketAddr, tls: &ClientTls) -> std::io::Result<TlsStream> {
    let connector = TlsConnector::from(client_config(tls, &["h2"]).unwrap());
    let stream = TcpStream::connect(addr).await.unwrap();
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
}

fn shown(stream: &TlsStream) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test]
async fn new_connections_get_a_replaced_certificate_and_old_ones_go_on() {
    let ca = TestCa::new();
    let reloader = TlsReloader::with_interval(
        files(&ca.server("server", &["localhost"]), None),
        Duration::from_millis(5),
    )
    .unwrap();
    let mut generation = reloader.generation();
    let server = start(ServerOptions::default(), Some(reloader)).await;
    let tls = ClientTls { ca: Some(ca.ca_file()), ..ClientTls::default() };
    let old = open_tls(server.addr, &tls).await.unwrap();
    let old_certificate = shown(&old);
    let (mut old, _ended) = handshake(old).await;
    old.send_request(request("/")).await.unwrap();

    ca.server("server", &["localhost"]);
    generation.wait_for(|generation| *generation > 1).await.unwrap();
    let new = open_tls(server.addr, &tls).await.unwrap();
    assert_ne!(shown(&new), old_certificate);
    assert_eq!(old.send_request(request("/")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_connection_that_is_silent_after_its_tls_handshake_ends() {
    let ca = TestCa::new();
    let reloader = TlsReloader::start(files(&ca.server("server", &["localhost"]), None)).unwrap();
    let tls = ClientTls { ca: Some(ca.ca_file()), ..ClientTls::default() };
    let options = ServerOptions { handshake_timeout: Period::secs(1), ..ServerOptions::default() };
    let server = start(options, Some(reloader)).await;
    let mut silent = open_tls(server.addr, &tls).await.unwrap();
    ended(&mut silent).await;
}

#[tokio::test]
async fn mtls_refuses_a_client_without_a_certificate_or_with_a_strangers() {
    let ca = TestCa::new();
    let reloader = TlsReloader::start(files(&ca.server("server", &["localhost"]), Some(&ca))).unwrap();
    let server = start(ServerOptions::default(), Some(reloader)).await;
    let without = ClientTls { ca: Some(ca.ca_file()), ..ClientTls::default() };
    let other_ca = TestCa::new();
    let stranger = other_ca.client("client", "stranger");
    let foreign =
        ClientTls { certificate: Some(stranger.certificate), key: Some(stranger.key), ..without.clone() };
    for refused in [&without, &foreign] {
        // TLS 1.3 tells the client only when it reads.
        let Ok(stream) = open_tls(server.addr, refused).await else { continue };
        let (mut client, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        assert!(client.send_request(request("/")).await.is_err());
        assert!(connection.await.unwrap().is_err());
    }

    let own = ca.client("client", "crm-east");
    let with = ClientTls { certificate: Some(own.certificate), key: Some(own.key), ..without };
    let (mut client, _ended) = handshake(open_tls(server.addr, &with).await.unwrap()).await;
    assert_eq!(client.send_request(request("/")).await.unwrap().status(), StatusCode::OK);
}
