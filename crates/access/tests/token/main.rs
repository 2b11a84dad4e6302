//! Tokens at the edge: what is believed, every way in which it is not, and keys that come and go.

mod sources;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use shouwen_access::token::{Issuer, KeySource, TokenClaims, TokenSettings, TokenVerifier, VerifiedToken};
use shouwen_access::{Failure, Principal};
use shouwen_runtime::clock::MachineClock;
use tempfile::TempDir;
use tonic::Code;

const START: i64 = 1_700_000_000;
const LEEWAY: i64 = 5;

/// A key that signs tokens of any shape.
enum Key {
    Es256(Box<EcdsaKeyPair>),
    Rs256(Box<RsaKeyPair>),
}

impl Key {
    fn es256() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self::Es256(Box::new(
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap(),
        ))
    }

    fn rs256() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rs256-key.pem");
        let der = PrivatePkcs8KeyDer::from_pem_file(path).unwrap();
        Self::Rs256(Box::new(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap()))
    }

    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Es256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256", "x": b64(x), "y": b64(y)})
            }
            Self::Rs256(key) => {
                let modulus = PublicKeyComponents::<Vec<u8>>::from(key.public()).n;
                json!({"kty": "RSA", "kid": kid, "use": "sig", "n": b64(modulus), "e": "AQAB"})
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let signature = b64(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", b64(header.to_string()), b64(claims.to_string()))
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example", "aud": "shouwen", "sub": "employees/zhang",
        "exp": START + 600, "nbf": START, "iat": START,
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut changed = claims();
    changed[key] = value;
    changed
}

fn without(key: &str) -> Value {
    let mut changed = claims();
    changed.as_object_mut().unwrap().remove(key);
    changed
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(START, 0).unwrap()
}

fn settings() -> TokenSettings {
    TokenSettings::new("https://id.example", "shouwen")
}

/// A verifier over a key set in a file, with one key of each external algorithm.
struct Edge {
    dir: TempDir,
    clock: MachineClock,
    es256: Key,
    rs256: Key,
    verifier: TokenVerifier,
}

impl Edge {
    async fn new() -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), MachineClock::manual(start()));
        let (es256, rs256) = (Key::es256(), Key::rs256());
        write_keys(dir.path(), &[es256.jwk("e1"), rs256.jwk("r1")]);
        let source = KeySource::file(dir.path().join("jwks.json"));
        let verifier = TokenVerifier::open(source, settings(), clock.clone()).await.unwrap();
        Self { dir, clock, es256, rs256, verifier }
    }

    async fn verify(&self, token: &str) -> Result<VerifiedToken, Failure> {
        self.verifier.verify(token).await
    }

    async fn refusal(&self, token: &str) -> String {
        let failure = self.verify(token).await.unwrap_err();
        assert_eq!(failure.code(), Code::Unauthenticated);
        failure.reason().to_owned()
    }

    fn token(&self, claims: &Value) -> String {
        self.es256.token(&json!({"alg": "ES256", "kid": "e1", "typ": "JWT"}), claims)
    }
}

fn write_keys(dir: &Path, keys: &[Value]) {
    fs::write(dir.join("jwks.json"), json!({ "keys": keys }).to_string()).unwrap();
}

#[tokio::test]
async fn tokens_of_all_three_algorithms_are_believed() {
    let edge = Edge::new().await;
    let es256 = edge.token(&claims());
    let verified = edge.verify(&es256).await.unwrap();
    assert_eq!(verified.principal, Principal::of_subject("employees/zhang").unwrap());
    assert_eq!(verified.expires_at.timestamp(), START + 600 + LEEWAY);

    let service = with("sub", json!("serviceAccounts/crm"));
    let rs256 = edge.rs256.token(&json!({"alg": "RS256", "kid": "r1"}), &service);
    assert_eq!(edge.verify(&rs256).await.unwrap().principal.to_string(), "serviceAccounts/crm");

    let issuer = issuer(edge.dir.path());
    fs::write(edge.dir.path().join("jwks.json"), issuer.jwks()).unwrap();
    edge.verifier.refresh_keys().await.unwrap();
    let subject = Principal::of_subject("employees/li").unwrap();
    assert_eq!(edge.verify(&eddsa(&issuer, &subject)).await.unwrap().principal, subject);
}

fn issuer(dir: &Path) -> Issuer {
    Issuer::open_or_create(&dir.join("token-key.pem"), &dir.join("own-jwks.json")).unwrap()
}

fn eddsa(issuer: &Issuer, subject: &Principal) -> String {
    issuer.token(&TokenClaims {
        issuer: "https://id.example",
        audience: "shouwen",
        subject,
        issued_at: start(),
        lifetime: TimeDelta::minutes(10),
    })
}

#[tokio::test]
async fn a_call_without_a_token_or_with_another_scheme_is_told_so() {
    let edge = Edge::new().await;
    let reason = async |value: Option<&str>| {
        let headers: HeaderMap =
            value.map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap())).into_iter().collect();
        edge.verifier.verify_headers(&headers).await.map_err(|failure| failure.reason().to_owned())
    };
    assert_eq!(reason(None).await.unwrap_err(), "TOKEN_MISSING");
    assert_eq!(reason(Some("Basic emhhbmc6MQ==")).await.unwrap_err(), "TOKEN_MALFORMED");
    assert_eq!(reason(Some("Bearer")).await.unwrap_err(), "TOKEN_MALFORMED");
    assert!(reason(Some(&format!("bearer {}", edge.token(&claims())))).await.is_ok());
}

#[tokio::test]
async fn what_is_not_a_signed_jwt_is_malformed() {
    let edge = Edge::new().await;
    let good = edge.token(&claims());
    let not_json = format!("{}.{}.{}", b64("x"), b64("y"), b64("z"));
    let critical = json!({"alg": "ES256", "kid": "e1", "crit": ["b64"], "b64": false});
    for token in [
        "",
        "abc",
        "a.b.c",
        &not_json,
        &format!("{good}.more"),
        &good.replace('.', "!"),
        &"a".repeat(9000),
        &edge.es256.token(&critical, &claims()),
        &edge.token(&json!(["claims"])),
        &edge.token(&with("exp", json!("soon"))),
        &edge.token(&with("nbf", json!(-1))),
        &edge.token(&without("exp")),
    ] {
        assert_eq!(edge.refusal(token).await, "TOKEN_MALFORMED", "{token}");
    }
}

#[tokio::test]
async fn none_and_confused_algorithms_are_refused() {
    let edge = Edge::new().await;
    for alg in ["none", "None", "HS256", "ES384", "PS256", "RS512"] {
        let token = format!("{}.", unsigned(&json!({"alg": alg, "kid": "e1"}), &claims()));
        assert_eq!(edge.refusal(&token).await, "TOKEN_ALGORITHM_REFUSED", "{alg}");
    }
    // The header asks for an algorithm that is not the key's.
    for (alg, kid) in [("RS256", "e1"), ("EdDSA", "e1"), ("ES256", "r1")] {
        let token = edge.es256.token(&json!({"alg": alg, "kid": kid}), &claims());
        assert_eq!(edge.refusal(&token).await, "TOKEN_ALGORITHM_REFUSED", "{alg} {kid}");
    }
}

#[tokio::test]
async fn a_foreign_or_altered_signature_is_refused() {
    let edge = Edge::new().await;
    let stranger = Key::es256().token(&json!({"alg": "ES256", "kid": "e1"}), &claims());
    assert_eq!(edge.refusal(&stranger).await, "TOKEN_SIGNATURE_INVALID");

    let good = edge.token(&claims());
    let (_, signature) = good.rsplit_once('.').unwrap();
    let header = json!({"alg": "ES256", "kid": "e1", "typ": "JWT"});
    let promoted = format!("{}.{signature}", unsigned(&header, &with("sub", json!("employees/boss"))));
    assert_eq!(edge.refusal(&promoted).await, "TOKEN_SIGNATURE_INVALID");
    let (signed, _) = good.rsplit_once('.').unwrap();
    assert_eq!(edge.refusal(&format!("{signed}.")).await, "TOKEN_SIGNATURE_INVALID");
    assert_eq!(edge.refusal(&format!("{signed}.{}", b64([0; 64]))).await, "TOKEN_SIGNATURE_INVALID");
}

#[tokio::test]
async fn an_unknown_key_is_refused_and_no_id_will_do_if_only_one_key_fits() {
    let edge = Edge::new().await;
    let unknown = edge.es256.token(&json!({"alg": "ES256", "kid": "e2"}), &claims());
    assert_eq!(edge.refusal(&unknown).await, "TOKEN_KEY_UNKNOWN");
    let nameless = edge.es256.token(&json!({"alg": "ES256"}), &claims());
    assert!(edge.verify(&nameless).await.is_ok());

    write_keys(edge.dir.path(), &[edge.es256.jwk("e1"), Key::es256().jwk("e2")]);
    edge.verifier.refresh_keys().await.unwrap();
    assert_eq!(edge.refusal(&nameless).await, "TOKEN_KEY_UNKNOWN");
}

#[tokio::test]
async fn issuer_and_audience_must_be_named_and_ours() {
    let edge = Edge::new().await;
    for (claims, reason) in [
        (with("iss", json!("https://evil.example")), "TOKEN_ISSUER_WRONG"),
        (without("iss"), "TOKEN_ISSUER_WRONG"),
        (with("aud", json!("crm")), "TOKEN_AUDIENCE_WRONG"),
        (with("aud", json!(["crm", "bi"])), "TOKEN_AUDIENCE_WRONG"),
        (with("aud", json!([])), "TOKEN_AUDIENCE_WRONG"),
        (without("aud"), "TOKEN_AUDIENCE_WRONG"),
    ] {
        assert_eq!(edge.refusal(&edge.token(&claims)).await, reason, "{claims}");
    }
    assert!(edge.verify(&edge.token(&with("aud", json!(["crm", "shouwen"])))).await.is_ok());
}

#[tokio::test]
async fn a_subject_is_an_employee_or_a_service_account() {
    let edge = Edge::new().await;
    for subject in [json!("zhang"), json!("services/calls"), json!("employees/Zhang"), json!("")] {
        assert_eq!(edge.refusal(&edge.token(&with("sub", subject))).await, "TOKEN_SUBJECT_INVALID");
    }
    assert_eq!(edge.refusal(&edge.token(&without("sub"))).await, "TOKEN_SUBJECT_INVALID");
}

#[tokio::test]
async fn a_token_holds_from_nbf_until_exp_give_or_take_the_leeway() {
    let edge = Edge::new().await;
    let early = edge.token(&with("nbf", json!(START + LEEWAY + 1)));
    assert_eq!(edge.refusal(&early).await, "TOKEN_NOT_YET_VALID");
    edge.clock.advance(TimeDelta::seconds(1));
    assert!(edge.verify(&early).await.is_ok());
    assert!(edge.verify(&edge.token(&without("nbf"))).await.is_ok());

    let late = edge.token(&with("exp", json!(START + 1 - LEEWAY)));
    assert_eq!(edge.refusal(&late).await, "TOKEN_EXPIRED");
    let just = edge.token(&with("exp", json!(1_699_999_997.9)));
    assert!(edge.verify(&just).await.is_ok());
    let never = edge.token(&with("exp", json!(u64::MAX)));
    assert!(edge.verify(&never).await.is_ok());
}

#[tokio::test]
async fn a_remembered_token_still_expires_to_the_second() {
    let edge = Edge::new().await;
    let token = edge.token(&claims());
    assert!(edge.verify(&token).await.is_ok());
    edge.clock.advance(TimeDelta::seconds(600 + LEEWAY - 1));
    assert!(edge.verify(&token).await.is_ok());
    edge.clock.advance(TimeDelta::seconds(1));
    assert_eq!(edge.refusal(&token).await, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn a_withdrawn_key_ends_its_tokens_also_remembered_ones() {
    let edge = Edge::new().await;
    let token = edge.token(&claims());
    assert!(edge.verify(&token).await.is_ok());
    write_keys(edge.dir.path(), &[edge.rs256.jwk("r1")]);
    edge.verifier.refresh_keys().await.unwrap();
    assert_eq!(edge.refusal(&token).await, "TOKEN_KEY_UNKNOWN");
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_at_the_source_but_not_at_every_call() {
    let edge = Edge::new().await;
    let next = Key::es256();
    let token = next.token(&json!({"alg": "ES256", "kid": "e2"}), &claims());
    write_keys(edge.dir.path(), &[edge.es256.jwk("e1"), next.jwk("e2")]);
    assert_eq!(edge.refusal(&token).await, "TOKEN_KEY_UNKNOWN");
    edge.clock.advance(TimeDelta::seconds(10));
    assert!(edge.verify(&token).await.is_ok());
    assert!(edge.verify(&edge.token(&claims())).await.is_ok());
}

#[tokio::test]
async fn a_bad_key_set_leaves_the_former_one_in_force() {
    let edge = Edge::new().await;
    let weak = json!({"kty": "RSA", "kid": "w", "n": b64([0xff; 128]), "e": "AQAB"});
    let off_the_curve =
        json!({"kty": "EC", "crv": "P-256", "kid": "o", "x": b64([1; 32]), "y": b64([1; 32])});
    let short = json!({"kty": "OKP", "crv": "Ed25519", "kid": "s", "x": b64([1; 16])});
    let secret = json!({"kty": "oct", "kid": "h", "alg": "HS256", "k": b64([1; 32])});
    let encryption =
        json!({"kty": "EC", "crv": "P-256", "kid": "e", "use": "enc", "x": b64([1; 32]), "y": b64([1; 32])});
    for bad in ["", "{}", "[]", r#"{"keys": []}"#, "<html>"] {
        fs::write(edge.dir.path().join("jwks.json"), bad).unwrap();
        assert!(edge.verifier.refresh_keys().await.is_err(), "{bad}");
    }
    for bad in [weak, off_the_curve, short, secret, encryption] {
        write_keys(edge.dir.path(), std::slice::from_ref(&bad));
        assert!(edge.verifier.refresh_keys().await.is_err(), "{bad}");
    }
    fs::remove_file(edge.dir.path().join("jwks.json")).unwrap();
    assert!(edge.verifier.refresh_keys().await.is_err());
    assert!(edge.verify(&edge.token(&claims())).await.is_ok());
}

#[tokio::test]
async fn keys_of_other_kinds_beside_ours_are_passed_over() {
    let edge = Edge::new().await;
    let others =
        [json!({"kty": "oct", "k": b64([1; 32])}), json!({"kty": "future", "kid": "f"}), json!({"kid": 7})];
    write_keys(edge.dir.path(), &[&others[..], &[edge.es256.jwk("e1")]].concat());
    edge.verifier.refresh_keys().await.unwrap();
    assert!(edge.verify(&edge.token(&claims())).await.is_ok());
}

#[tokio::test]
async fn without_keys_there_is_no_verifier() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    let opened = TokenVerifier::open(KeySource::file(&path), settings(), MachineClock::system()).await;
    let error = opened.unwrap_err();
    assert!(
        error.to_string().contains("jwks.json") && error.to_string().contains("cannot be read"),
        "{error}"
    );
}
