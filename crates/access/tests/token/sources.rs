//! Where keys come from: a server, and an issuer of our own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, io};

use chrono::TimeDelta;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use shouwen_access::Principal;
use shouwen_access::token::{Issuer, KeySource, TokenSettings, TokenVerifier};
use shouwen_runtime::clock::MachineClock;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::{Key, claims, eddsa, issuer, settings, start};

/// Answers every request with `status` and `body`, counting them.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    status: &str,
    body: &str,
    requests: &AtomicUsize,
) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// A server of one document; gives its port.
async fn server(
    tls: Option<TlsAcceptor>,
    status: &'static str,
    body: String,
    requests: Arc<AtomicUsize>,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust the certificate hangs up; the next one may.
            let _ = match &tls {
                None => serve(stream, status, &body, &requests).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, status, &body, &requests).await,
                    Err(error) => Err(error),
                },
            };
        }
    });
    port
}

#[tokio::test]
async fn keys_come_from_a_url_and_unknown_ones_do_not_flood_it() {
    let (key, requests) = (Key::es256(), Arc::new(AtomicUsize::new(0)));
    let port =
        server(None, "200 OK", json!({"keys": [key.jwk("e1")]}).to_string(), Arc::clone(&requests)).await;
    let clock = MachineClock::manual(start());
    let source = KeySource::parse(&format!("http://127.0.0.1:{port}/jwks"), None).unwrap();
    let verifier = TokenVerifier::open(source, settings(), clock.clone()).await.unwrap();
    let token = |kid: &str| key.token(&json!({"alg": "ES256", "kid": kid}), &claims());
    assert!(verifier.verify(&token("e1")).await.is_ok());
    assert_eq!(requests.load(Ordering::SeqCst), 1);

    clock.advance(TimeDelta::seconds(10));
    for _ in 0..20 {
        assert_eq!(verifier.verify(&token("e2")).await.unwrap_err().reason(), "TOKEN_KEY_UNKNOWN");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn new_keys_arrive_though_the_caller_that_asked_for_them_gives_up() {
    let (key, requests) = (Key::es256(), AtomicUsize::new(0));
    let document = |kid: &str| json!({"keys": [key.jwk(kid)]}).to_string();
    let documents = [document("e1"), document("e2")];
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (asking, answering) = (Arc::clone(&asked), Arc::clone(&answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for document in documents {
            let (stream, _) = listener.accept().await.unwrap();
            asking.notify_one();
            answering.notified().await;
            serve(stream, "200 OK", &document, &requests).await.unwrap();
        }
    });
    let clock = MachineClock::manual(start());
    let source = KeySource::parse(&format!("http://127.0.0.1:{port}/jwks"), None).unwrap();
    answer.notify_one();
    let verifier = TokenVerifier::open(source, settings(), clock.clone()).await.unwrap();
    asked.notified().await;

    clock.advance(TimeDelta::seconds(10));
    let token = key.token(&json!({"alg": "ES256", "kid": "e2"}), &claims());
    tokio::select! {
        verdict = verifier.verify(&token) => panic!("the keys are not there yet: {verdict:?}"),
        () = asked.notified() => {}
    }
    answer.notify_one();
    let verdict = timeout(Duration::from_secs(20), verifier.verify(&token)).await.unwrap();
    assert!(verdict.is_ok(), "{verdict:?}");
}

#[tokio::test]
async fn a_url_without_keys_is_reported_with_its_address() {
    let requests = Arc::new(AtomicUsize::new(0));
    let port = server(None, "503 Service Unavailable", String::new(), requests).await;
    let source = KeySource::parse(&format!("http://127.0.0.1:{port}/jwks"), None).unwrap();
    let error =
        TokenVerifier::open(source, settings(), MachineClock::system()).await.unwrap_err().to_string();
    assert!(error.contains("/jwks") && error.contains("503"), "{error}");
}

#[tokio::test]
async fn https_is_trusted_by_the_given_ca_only() {
    let dir = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca_file = dir.path().join("ca.pem");
    fs::write(&ca_file, certified.cert.pem()).unwrap();
    let private = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], private)
        .unwrap();
    let key = Key::es256();
    let document = json!({"keys": [key.jwk("e1")]}).to_string();
    let requests = Arc::new(AtomicUsize::new(0));
    let port =
        server(Some(TlsAcceptor::from(Arc::new(tls))), "200 OK", document, Arc::clone(&requests)).await;
    let url = format!("https://localhost:{port}/jwks");

    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other_ca = dir.path().join("other.pem");
    fs::write(&other_ca, stranger.cert.pem()).unwrap();
    let source = KeySource::parse(&url, Some(&other_ca)).unwrap();
    assert!(TokenVerifier::open(source, settings(), MachineClock::system()).await.is_err());
    assert_eq!(requests.load(Ordering::SeqCst), 0);

    let source = KeySource::parse(&url, Some(&ca_file)).unwrap();
    assert!(TokenVerifier::open(source, settings(), MachineClock::system()).await.is_ok());
}

#[test]
fn a_source_is_a_path_or_a_url_of_a_known_scheme() {
    for good in ["keys/jwks.json", "/etc/jwks.json", "file:///etc/jwks.json", "http://id.example/jwks"] {
        assert!(KeySource::parse(good, None).is_ok(), "{good}");
    }
    for bad in ["", "ftp://id.example/jwks", "http://", "https:// space"] {
        assert!(KeySource::parse(bad, None).is_err(), "{bad}");
    }
    assert!(KeySource::parse("https://id.example", Some(Path::new("/nonexistent.pem"))).is_err());
    assert_eq!(KeySource::parse("file:///etc/jwks.json", None).unwrap().to_string(), "/etc/jwks.json");
}

#[tokio::test]
async fn an_own_issuer_keeps_its_key_to_itself_and_over_restarts() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let token = eddsa(&issuer(dir.path()), &Principal::of_subject("employees/li").unwrap());
    let mode = fs::metadata(dir.path().join("token-key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let jwks = fs::read_to_string(dir.path().join("own-jwks.json")).unwrap();
    fs::write(dir.path().join("own-jwks.json"), "damaged").unwrap();
    assert_eq!(issuer(dir.path()).jwks(), jwks);
    assert_eq!(fs::read_to_string(dir.path().join("own-jwks.json")).unwrap(), jwks);
    assert!(!jwks.contains("\"d\""));

    let source = KeySource::file(dir.path().join("own-jwks.json"));
    let settings = TokenSettings { leeway: Duration::ZERO, ..settings() };
    let verifier = TokenVerifier::open(source, settings, MachineClock::manual(start())).await.unwrap();
    assert_eq!(verifier.verify(&token).await.unwrap().expires_at, start() + TimeDelta::minutes(10));
}

#[test]
fn a_file_that_is_no_key_is_not_an_issuer_and_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token-key.pem");
    fs::write(&path, "not a key").unwrap();
    let opened = Issuer::open_or_create(&path, &dir.path().join("own-jwks.json"));
    assert!(opened.err().unwrap().to_string().contains("not an Ed25519 private key"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "not a key");
}
