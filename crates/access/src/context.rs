//! The signed call context: what the gateway found out about a caller, or which service of the suite acts and why, told to a backend
//! so that it need not believe anybody on the network. The format is that of `shouwen/access/v1/context.proto`.
//!
//! A context says who calls; whether the call is allowed in the state things are in remains the domain's decision.

pub mod caller;
mod sign;
mod verify;

use ring::{digest, hmac};

pub use sign::{ContextSigner, SystemCall};
pub use verify::{ContextVerifier, KeysInvalid, RequestBody};

/// The metadata that carries the context.
pub const HEADER: &str = "x-shouwen-context-bin";

/// The only issuer that may speak for employees and service accounts.
pub const GATEWAY: &str = "gateway";

/// The first byte of the header's value.
const FORMAT: u8 = 1;

/// Bytes in front of the message: format and HMAC-SHA-256.
const PREFIX: usize = 1 + 32;

/// The secret of one pair of issuer and audience.
#[derive(Clone, Debug)]
pub struct ContextKey {
    id: String,
    key: hmac::Key,
}

impl ContextKey {
    /// A key with its id. The secret has 32 or more random bytes; `None` if it is shorter or the id is empty.
    pub fn new(id: impl Into<String>, secret: &[u8]) -> Option<Self> {
        let id = id.into();
        (secret.len() >= 32 && !id.is_empty())
            .then(|| Self { id, key: hmac::Key::new(hmac::HMAC_SHA256, secret) })
    }

    /// The id, as the context names it.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The digest of a request message (without the five bytes of its frame), as a context carries it and the engine
/// recognises repetitions by.
pub fn body_digest(message: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, message).as_ref());
    bytes
}
