//! Making contexts: the gateway for callers, services for themselves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderValue;
use prost::Message as _;
use ring::hmac;
use shouwen_proto::access::v1::{CallContext, Capacity, Role};

use super::{ContextKey, FORMAT, PREFIX};
use crate::language::Language;

/// Signs contexts of one issuer for one audience.
#[derive(Clone, Debug)]
pub struct ContextSigner {
    issuer: String,
    audience: String,
    key: ContextKey,
}

/// A call that a service makes for itself: a follower, a sweeper.
#[derive(Clone, Copy, Debug)]
pub struct SystemCall<'a> {
    /// The gRPC path.
    pub method: &'a str,
    /// [`super::body_digest`] of the request if the method is unary; `None` for streams.
    pub body_digest: Option<[u8; 32]>,
    /// The event or deadline behind the call, e.g. `calls:381`; may be empty.
    pub cause: &'a str,
    /// Machine time.
    pub now: DateTime<Utc>,
    /// How long the context holds.
    pub lifetime: TimeDelta,
}

impl ContextSigner {
    /// A signer with the key that `audience` knows as `issuer`'s.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, key: ContextKey) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), key }
    }

    /// The service for which the contexts are made.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Signs: sets issuer, audience and key id of `context` and returns the value of the header [`super::HEADER`].
    pub fn sign(&self, context: CallContext) -> HeaderValue {
        let context = CallContext {
            key_id: self.key.id.clone(),
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            ..context
        };
        let mut bytes = Vec::with_capacity(PREFIX + context.encoded_len());
        bytes.push(FORMAT);
        bytes.resize(PREFIX, 0);
        context.encode_raw(&mut bytes);
        let tag = hmac::sign(&self.key.key, &bytes[PREFIX..]);
        bytes[1..PREFIX].copy_from_slice(tag.as_ref());
        // Base64 is always a valid header value.
        let mut value = HeaderValue::try_from(STANDARD_NO_PAD.encode(bytes))
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        // No two are alike: in HPACK's table each would push out the headers that do come again.
        value.set_sensitive(true);
        value
    }

    /// Signs a call of the issuer itself: capacity SYSTEM, principal `services/{issuer}`.
    pub fn sign_system(&self, call: &SystemCall<'_>) -> HeaderValue {
        self.sign(CallContext {
            method: call.method.to_owned(),
            body_digest: call.body_digest.map(Vec::from).unwrap_or_default(),
            principal: format!("services/{}", self.issuer),
            roles: vec![Role::System.into()],
            all_branches: true,
            capacity: Capacity::System.into(),
            read_at: call.now.timestamp_micros(),
            expires_at: (call.now + call.lifetime).timestamp_micros(),
            cause: call.cause.to_owned(),
            language: Language::En.tag().to_owned(),
            ..CallContext::default()
        })
    }
}
