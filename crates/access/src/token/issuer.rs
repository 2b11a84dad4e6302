//! A small issuer of tokens: for `up`, for `token`, and for whoever has no identity provider yet. One Ed25519 key in a file that only its owner
//! can read, and beside it the key set that verifies its tokens.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use ring::digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use crate::identity::Principal;

/// PKCS #8 of an Ed25519 key (RFC 8410) up to the 32 bytes of its seed.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Signs tokens with one key.
pub struct Issuer {
    key: Ed25519KeyPair,
    key_id: String,
}

/// What a token says.
#[derive(Clone, Copy, Debug)]
pub struct TokenClaims<'a> {
    /// `iss`
    pub issuer: &'a str,
    /// `aud`
    pub audience: &'a str,
    /// `sub`: an employee or a service account; a service of the suite has no tokens.
    pub subject: &'a Principal,
    /// `iat` and `nbf`, machine time.
    pub issued_at: DateTime<Utc>,
    /// Until `exp`; whole seconds.
    pub lifetime: TimeDelta,
}

/// The key could not be made, kept or read.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no Ed25519 private key.
    #[error("{0}: not an Ed25519 private key in PKCS #8 PEM")]
    NotAKey(PathBuf),
    /// The machine has no randomness to give.
    #[error("the system's random number generator failed")]
    Randomness,
}

impl Issuer {
    /// Reads the key in `key_file`, or makes one (mode 0600) where there is none, and brings the key set in `jwks_file` up to date.
    pub fn open_or_create(key_file: &Path, jwks_file: &Path) -> Result<Self, IssuerError> {
        let issuer = match Self::open(key_file) {
            Err(IssuerError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                create_key(key_file)?;
                Self::open(key_file)?
            }
            opened => opened?,
        };
        let jwks = issuer.jwks();
        if fs::read(jwks_file).is_ok_and(|present| present == jwks.as_bytes()) {
            return Ok(issuer);
        }
        replace(jwks_file, jwks.as_bytes()).map_err(|source| failed(jwks_file, source))?;
        Ok(issuer)
    }

    /// Reads the key in `key_file`.
    pub fn open(key_file: &Path) -> Result<Self, IssuerError> {
        let pem = fs::read(key_file).map_err(|source| failed(key_file, source))?;
        let not_a_key = || IssuerError::NotAKey(key_file.to_owned());
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| not_a_key())?;
        let key =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).map_err(|_| not_a_key())?;
        let key_id = thumbprint(&key);
        Ok(Self { key, key_id })
    }

    /// The key set (JWKS) with the public key.
    pub fn jwks(&self) -> String {
        let key = json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": self.key_id,
            "x": URL_SAFE_NO_PAD.encode(self.key.public_key()),
        });
        format!("{:#}\n", json!({ "keys": [key] }))
    }

    /// A signed token.
    pub fn token(&self, claims: &TokenClaims<'_>) -> String {
        let issued = claims.issued_at.timestamp();
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.key_id });
        let body = json!({
            "iss": claims.issuer,
            "aud": claims.audience,
            "sub": claims.subject.to_string(),
            "iat": issued,
            "nbf": issued,
            "exp": issued.saturating_add(claims.lifetime.num_seconds()),
        });
        let encode = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&body));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

fn failed(path: &Path, source: io::Error) -> IssuerError {
    IssuerError::File { path: path.to_owned(), source }
}

/// RFC 7638: the id of a key follows from the key.
fn thumbprint(key: &Ed25519KeyPair) -> String {
    let x = URL_SAFE_NO_PAD.encode(key.public_key());
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
}

fn create_key(path: &Path) -> Result<(), IssuerError> {
    let mut der = [0; 48];
    let (prefix, seed) = der.split_at_mut(PKCS8_PREFIX.len());
    prefix.copy_from_slice(&PKCS8_PREFIX);
    SystemRandom::new().fill(seed).map_err(|_| IssuerError::Randomness)?;
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(pem.as_bytes())).map_err(|source| failed(path, source))
}

/// Whole or not at all: verifiers watch the file.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, content)?;
    fs::rename(&beside, path)
}
