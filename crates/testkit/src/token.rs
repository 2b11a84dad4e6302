//! Tokens as an identity provider would issue them, and as nobody should: any claims, any header, any key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};

/// The kind of signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKey {
    /// Ed25519, `EdDSA`.
    EdDsa,
    /// P-256, `ES256`.
    Es256,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

/// An identity provider with one signing key.
pub struct TestIssuer {
    key_id: String,
    pair: Pair,
}

impl TestIssuer {
    /// A provider with a new Ed25519 key that is published under `key_id`.
    pub fn new(key_id: &str) -> Self {
        Self::with_key(key_id, TokenKey::EdDsa)
    }

    /// A provider with a new key of this kind.
    pub fn with_key(key_id: &str, kind: TokenKey) -> Self {
        let random = SystemRandom::new();
        let pair = match kind {
            TokenKey::EdDsa => Ed25519KeyPair::generate_pkcs8(&random)
                .ok()
                .and_then(|der| Ed25519KeyPair::from_pkcs8(der.as_ref()).ok())
                .map(Pair::Ed25519),
            TokenKey::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                .ok()
                .and_then(|der| {
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).ok()
                })
                .map(Pair::P256),
        };
        let pair = pair.unwrap_or_else(|| panic!("cannot make a {kind:?} key"));
        Self { key_id: key_id.to_owned(), pair }
    }

    /// The public key as one JWK.
    pub fn jwk(&self) -> Value {
        let (mut jwk, algorithm) = match &self.pair {
            Pair::Ed25519(pair) => {
                let x = URL_SAFE_NO_PAD.encode(pair.public_key());
                (json!({"kty": "OKP", "crv": "Ed25519", "x": x}), "EdDSA")
            }
            Pair::P256(pair) => {
                // Uncompressed point: 04, x, y.
                let point = pair.public_key().as_ref();
                let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
                (json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}), "ES256")
            }
        };
        jwk["kid"] = json!(self.key_id);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(algorithm);
        jwk
    }

    /// The key set with this key alone, as JSON.
    pub fn jwks(&self) -> String {
        json!({"keys": [self.jwk()]}).to_string()
    }

    /// A token with exactly these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let algorithm = match self.pair {
            Pair::Ed25519(_) => "EdDSA",
            Pair::P256(_) => "ES256",
        };
        self.sign_with_header(&json!({"typ": "JWT", "alg": algorithm, "kid": self.key_id}), claims)
    }

    /// A token with exactly this header and these claims, signed with this key whatever the header says.
    pub fn sign_with_header(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = match &self.pair {
            Pair::Ed25519(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
            Pair::P256(pair) => pair
                .sign(&SystemRandom::new(), signed.as_bytes())
                .unwrap_or_else(|_| panic!("cannot sign"))
                .as_ref()
                .to_vec(),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token with `alg: none` and an empty signature.
    pub fn unsigned(claims: &Value) -> String {
        format!("{}.{}.", encode(&json!({"typ": "JWT", "alg": "none"})), encode(claims))
    }

    /// Whether a token's signature is by this key.
    pub fn has_signed(&self, token: &str) -> bool {
        let Some((signed, signature)) = token.rsplit_once('.') else { return false };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        match &self.pair {
            Pair::Ed25519(pair) => UnparsedPublicKey::new(&ring::signature::ED25519, pair.public_key())
                .verify(signed.as_bytes(), &signature),
            Pair::P256(pair) => {
                UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, pair.public_key())
                    .verify(signed.as_bytes(), &signature)
            }
        }
        .is_ok()
    }
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_signed_by_the_key_that_is_published() {
        for kind in [TokenKey::EdDsa, TokenKey::Es256] {
            let (issuer, other) = (TestIssuer::with_key("k1", kind), TestIssuer::with_key("k1", kind));
            let token = issuer.sign(&json!({"sub": "E1001"}));
            assert!(issuer.has_signed(&token));
            assert!(!other.has_signed(&token));
            assert!(issuer.jwks().contains("\"kid\":\"k1\""));
        }
    }
}
