//! A JSON Web Key Set, reduced to the keys that may verify tokens. Keys for other purposes or of other kinds are passed over; a set
//! without a usable key, or with a broken one, is not accepted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use ring::digest;
use serde::Deserialize;

#[derive(Debug)]
pub(super) struct KeySet {
    /// Rises with every change of the set.
    pub(super) generation: u64,
    /// SHA-256 of the document.
    pub(super) digest: [u8; 32],
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    verifying: DecodingKey,
}

pub(super) enum Lookup<'a> {
    Found(&'a DecodingKey),
    /// The key exists, for another algorithm.
    OtherAlgorithm,
    Unknown,
}

/// Why a document is not a set of keys.
#[derive(Debug, thiserror::Error)]
pub enum KeySetInvalid {
    /// It is not JSON of the right shape.
    #[error("it is not a JSON Web Key Set")]
    Json(#[from] serde_json::Error),
    /// A key that claims to be usable is not.
    #[error("the key {0} is broken or too weak")]
    Key(String),
    /// Nothing in it verifies `EdDSA`, ES256 or RS256.
    #[error("it holds no key for EdDSA (Ed25519), ES256 or RS256")]
    Empty,
}

impl KeySet {
    pub(super) fn parse(document: &[u8], generation: u64) -> Result<Self, KeySetInvalid> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        let document_keys = serde_json::from_slice::<Document>(document)?.keys;
        // Kinds of keys that the library does not know are none of ours.
        let readable =
            document_keys.into_iter().filter_map(|value| serde_json::from_value::<Jwk>(value).ok());
        let keys = readable.filter_map(|jwk| usable(&jwk).transpose()).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(KeySetInvalid::Empty);
        }
        Ok(Self { generation, digest: digest_of(document), keys })
    }

    /// The key with this id; without an id the only key of the algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Lookup<'_> {
        let mut named = self.keys.iter().filter(|key| id.is_none() || key.id.as_deref() == id).peekable();
        let known = named.peek().is_some();
        let mut fitting = named.filter(|key| key.algorithm == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Lookup::Found(&key.verifying),
            (None, _) if known && id.is_some() => Lookup::OtherAlgorithm,
            _ => Lookup::Unknown,
        }
    }
}

pub(super) fn digest_of(document: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, document).as_ref());
    bytes
}

/// `None` for keys that are not ours to use.
fn usable(jwk: &Jwk) -> Result<Option<Key>, KeySetInvalid> {
    let common = &jwk.common;
    let signs = common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let verifies =
        common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let (algorithm, sound) = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, bytes(&key.x) == Some(32))
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, bytes(&key.x) == Some(32) && bytes(&key.y) == Some(32))
        }
        // At least 2048 bits; at most 8192, or checking becomes a burden.
        AlgorithmParameters::RSA(key) => {
            (Algorithm::RS256, bytes(&key.n).is_some_and(|modulus| (256..=1024).contains(&modulus)))
        }
        _ => return Ok(None),
    };
    let meant_for = common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
    if !(signs && verifies && meant_for) {
        return Ok(None);
    }
    let broken = || KeySetInvalid::Key(common.key_id.clone().unwrap_or_else(|| "without id".to_owned()));
    if !sound {
        return Err(broken());
    }
    let verifying = DecodingKey::from_jwk(jwk).map_err(|_| broken())?;
    // Wrong for any key, but an error only for one that is none, e.g. a point off the curve.
    jsonwebtoken::crypto::verify("AAAA", b"", &verifying, algorithm).map_err(|_| broken())?;
    Ok(Some(Key { id: common.key_id.clone(), algorithm, verifying }))
}

/// The length of a base64url value.
fn bytes(encoded: &str) -> Option<usize> {
    URL_SAFE_NO_PAD.decode(encoded).ok().map(|bytes| bytes.len())
}
