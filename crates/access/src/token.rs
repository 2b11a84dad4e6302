//! Tokens of the edge: who a bearer token (JWT) speaks for, or why it speaks for nobody. Keys come from a JWKS in a file or behind a URL and
//! are kept fresh; verified tokens are remembered until they expire or their key is withdrawn.
//!
//! A token says who somebody is and nothing else: roles, branches and everything that can change while a token lives stand in the roster.

mod issuer;
mod jwks;
mod keyring;
mod refusal;
mod source;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jsonwebtoken::Algorithm;
use quick_cache::sync::Cache;
use ring::digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shouwen_runtime::clock::MachineClock;

pub use issuer::{Issuer, IssuerError, TokenClaims};
pub use jwks::KeySetInvalid;
pub use keyring::{KeysCause, KeysUnavailable};
pub use source::{FetchError, KeySource, KeySourceInvalid};

use crate::identity::Principal;
use crate::status::Failure;
use jwks::{KeySet, Lookup};
use keyring::Keyring;
use refusal::Refusal;

/// Longer ones are not read: no issuer needs them, and headers are bounded anyway.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// What a token must say, and how its keys and itself are kept.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The only accepted `iss`, to the letter.
    pub issuer: String,
    /// Must be `aud` or among them.
    pub audience: String,
    /// By how much the issuer's clock may differ, in both directions. Default 5 s.
    pub leeway: Duration,
    /// How often keys behind a URL are fetched. Default 5 min. Files are looked at every second.
    pub refresh_interval: Duration,
    /// How soon after the last attempt an unknown key may cause another. Default 10 s.
    pub min_refresh_interval: Duration,
    /// How many verified tokens are remembered. Default 10,000.
    pub cached_tokens: usize,
}

impl TokenSettings {
    /// With the defaults.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            leeway: Duration::from_secs(5),
            refresh_interval: Duration::from_secs(300),
            min_refresh_interval: Duration::from_secs(10),
            cached_tokens: 10_000,
        }
    }
}

/// What a token says once it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// An employee or a service account.
    pub principal: Principal,
    /// From this moment on the token is refused (its `exp` and the leeway). Streams end then.
    pub expires_at: DateTime<Utc>,
}

/// Verifies tokens of one issuer. Clones share keys and cache.
#[derive(Clone, Debug)]
pub struct TokenVerifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: TokenSettings,
    keyring: Arc<Keyring>,
    clock: MachineClock,
    /// By generation of the key set and SHA-256 of the token: a new key set ends every entry.
    verified: Cache<(u64, [u8; 32]), VerifiedToken>,
}

impl TokenVerifier {
    /// Reads the keys for the first time; nothing is served with keys that were never seen.
    pub async fn open(
        source: KeySource,
        settings: TokenSettings,
        clock: MachineClock,
    ) -> Result<Self, KeysUnavailable> {
        let keyring = Keyring::open(source, settings.min_refresh_interval, clock.clone()).await?;
        let verified = Cache::new(settings.cached_tokens);
        Ok(Self(Arc::new(Inner { settings, keyring: Arc::new(keyring), clock, verified })))
    }

    /// Verifies the token in `authorization: Bearer <token>`. Reasons, all UNAUTHENTICATED: `TOKEN_MISSING`, `TOKEN_MALFORMED`,
    /// `TOKEN_ALGORITHM_REFUSED`, `TOKEN_KEY_UNKNOWN`, `TOKEN_SIGNATURE_INVALID`, `TOKEN_ISSUER_WRONG`, `TOKEN_AUDIENCE_WRONG`,
    /// `TOKEN_NOT_YET_VALID`, `TOKEN_EXPIRED`, `TOKEN_SUBJECT_INVALID`.
    pub async fn verify_headers(&self, headers: &HeaderMap) -> Result<VerifiedToken, Failure> {
        self.verify(bearer(headers).map_err(|refusal| self.tell(refusal))?).await
    }

    /// Verifies a bare token; reasons as above. An unknown key is asked for at the source first, if that was not done just before.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken, Failure> {
        let keys = self.0.keyring.current();
        let mut verdict = self.judge(token, &keys);
        // Boxed, because it is rare.
        if verdict == Err(Refusal::KeyUnknown)
            && Box::pin(self.0.keyring.refresh_for_unknown_key(keys.generation)).await
        {
            verdict = self.judge(token, &self.0.keyring.current());
        }
        verdict.map_err(|refusal| self.tell(refusal))
    }

    /// Fetches the keys now. If that fails, or what comes is no key set, the old ones stay.
    pub async fn refresh_keys(&self) -> Result<(), KeysUnavailable> {
        self.0.keyring.refresh().await.map(|_| ())
    }

    /// Keeps the keys fresh for as long as it is polled: spawn it, abort it at shutdown.
    pub async fn keep_keys_fresh(self) {
        self.0.keyring.keep_fresh(self.0.settings.refresh_interval).await;
    }

    fn judge(&self, token: &str, keys: &KeySet) -> Result<VerifiedToken, Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::Malformed);
        }
        let now = self.0.clock.unix_seconds();
        let mut key = (keys.generation, [0; 32]);
        key.1.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        if let Some(token) = self.0.verified.get(&key) {
            return if now < token.expires_at.timestamp() { Ok(token) } else { Err(Refusal::Expired) };
        }
        let claims = signed_claims(token, keys)?;
        let token = self.accept(&claims, now)?;
        self.0.verified.insert(key, token.clone());
        Ok(token)
    }

    fn accept(&self, claims: &Claims, now: i64) -> Result<VerifiedToken, Refusal> {
        let settings = &self.0.settings;
        let leeway = i64::try_from(settings.leeway.as_secs()).unwrap_or(i64::MAX);
        if claims.iss.as_deref() != Some(&*settings.issuer) {
            return Err(Refusal::IssuerWrong);
        }
        if !claims.aud.as_ref().is_some_and(|audience| audience.contains(&settings.audience)) {
            return Err(Refusal::AudienceWrong);
        }
        if claims.nbf.is_some_and(|NumericDate(not_before)| now.saturating_add(leeway) < not_before) {
            return Err(Refusal::NotYetValid);
        }
        let NumericDate(expires) = claims.exp.ok_or(Refusal::ExpiryMissing)?;
        let expires = expires.saturating_add(leeway);
        if now >= expires {
            return Err(Refusal::Expired);
        }
        let principal =
            claims.sub.as_deref().and_then(Principal::of_subject).ok_or(Refusal::SubjectInvalid)?;
        let expires_at = DateTime::from_timestamp(expires, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Ok(VerifiedToken { principal, expires_at })
    }

    fn tell(&self, refusal: Refusal) -> Failure {
        refusal.tell(&self.0.settings)
    }
}

/// The token of `authorization: Bearer <token>`.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let (scheme, token) =
        value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(Refusal::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Refusal::Malformed) }
}

/// The claims of a token whose signature holds.
fn signed_claims(token: &str, keys: &KeySet) -> Result<Claims, Refusal> {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Malformed);
    };
    let Header { alg, kid, crit } = json(header)?;
    if crit.is_some() {
        return Err(Refusal::Malformed);
    }
    let algorithm = match alg.as_str() {
        "EdDSA" => Algorithm::EdDSA,
        "ES256" => Algorithm::ES256,
        "RS256" => Algorithm::RS256,
        // `none`, and HMAC under a public key, among others.
        _ => return Err(Refusal::AlgorithmRefused),
    };
    let key = match keys.find(kid.as_deref(), algorithm) {
        Lookup::Found(key) => key,
        Lookup::OtherAlgorithm => return Err(Refusal::AlgorithmRefused),
        Lookup::Unknown => return Err(Refusal::KeyUnknown),
    };
    let signed = &token.as_bytes()[..header.len() + 1 + claims.len()];
    match jsonwebtoken::crypto::verify(signature, signed, key, algorithm) {
        Ok(true) => json(claims),
        Ok(false) | Err(_) => Err(Refusal::SignatureInvalid),
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Result<T, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood. None is.
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    sub: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// Whole seconds since 1970; fractions are cut off.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "serde_json::Number")]
struct NumericDate(i64);

impl TryFrom<serde_json::Number> for NumericDate {
    type Error = &'static str;

    fn try_from(number: serde_json::Number) -> Result<Self, Self::Error> {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a float beyond i64 saturates, which is what a far future means"
        )]
        let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64));
        seconds.filter(|seconds| *seconds >= 0).map(Self).ok_or("not a time")
    }
}
