//! Believing contexts: every check a backend makes before a handler sees the call.

use std::collections::HashMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use prost::Message as _;
use ring::hmac;
use shouwen_proto::access::v1::{CallContext, Capacity};
use tonic::Code;

use super::caller::Caller;
use super::{ContextKey, FORMAT, GATEWAY, HEADER, PREFIX, body_digest};
use crate::identity::Principal;
use crate::status::Failure;

/// gRPC sends binary metadata without padding and must accept it with.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What one audience accepts: keys by id, each bound to the issuer that may use it.
#[derive(Clone, Debug)]
pub struct ContextVerifier {
    audience: String,
    keys: HashMap<String, (String, hmac::Key)>,
}

/// Two keys of an audience share an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the context key id `{0}` is given twice")]
pub struct KeysInvalid(pub String);

/// The request that a context must have been made for.
#[derive(Clone, Copy, Debug)]
pub enum RequestBody<'a> {
    /// The one message of a unary call, without its frame.
    Unary(&'a [u8]),
    /// A stream: the context carries no digest.
    Stream,
}

impl ContextVerifier {
    /// A verifier for `audience` with the pairs of issuer and key that it accepts. An issuer may have several keys, so that they
    /// can be changed without a gap.
    pub fn new(
        audience: impl Into<String>,
        keys: impl IntoIterator<Item = (String, ContextKey)>,
    ) -> Result<Self, KeysInvalid> {
        let mut known = HashMap::new();
        for (issuer, ContextKey { id, key }) in keys {
            if known.insert(id.clone(), (issuer, key)).is_some() {
                return Err(KeysInvalid(id));
            }
        }
        Ok(Self { audience: audience.into(), keys: known })
    }

    /// All checks on the context in `headers`, but that of the body: so that nobody's body is read who is not believed.
    /// `now` is machine time in microseconds.
    ///
    /// Reasons, all UNAUTHENTICATED: `CONTEXT_MISSING`, `CONTEXT_MALFORMED`, `CONTEXT_SIGNATURE_INVALID` (also an unknown key
    /// and a key of another issuer), `CONTEXT_AUDIENCE_WRONG`, `CONTEXT_METHOD_WRONG`, `CONTEXT_EXPIRED`,
    /// `CONTEXT_CAPACITY_FORBIDDEN`.
    pub fn verify(&self, headers: &HeaderMap, method: &str, now: i64) -> Result<Caller, Failure> {
        let mut values = headers.get_all(HEADER).iter();
        let value = values.next().ok_or_else(missing)?;
        if values.next().is_some() {
            return Err(malformed());
        }
        let bytes = BASE64.decode(value.as_bytes()).map_err(|_| malformed())?;
        let (Some((&FORMAT, tag)), Some(payload)) =
            (bytes.get(..PREFIX).and_then(<[u8]>::split_first), bytes.get(PREFIX..))
        else {
            return Err(malformed());
        };
        let context = CallContext::decode(payload).map_err(|_| malformed())?;
        let (issuer, key) = self.keys.get(&context.key_id).ok_or_else(signature_invalid)?;
        hmac::verify(key, payload, tag).map_err(|_| signature_invalid())?;
        if *issuer != context.issuer {
            return Err(signature_invalid());
        }
        self.accept(context, method, now)
    }

    /// Checks the body against a context that was verified: `CONTEXT_BODY_WRONG`.
    pub fn verify_body(caller: &Caller, body: RequestBody<'_>) -> Result<(), Failure> {
        let digest = match body {
            RequestBody::Unary(message) => Some(body_digest(message)),
            RequestBody::Stream => None,
        };
        if caller.body_digest == digest { Ok(()) } else { Err(body_wrong()) }
    }

    fn accept(&self, context: CallContext, method: &str, now: i64) -> Result<Caller, Failure> {
        if context.audience != self.audience {
            return Err(audience_wrong(&self.audience));
        }
        if context.method != method {
            return Err(method_wrong(method));
        }
        if now >= context.expires_at {
            return Err(expired());
        }
        let issuer = context.issuer.clone();
        let caller = Caller::of_context(context).map_err(|_| malformed())?;
        if may_assert(&issuer, &caller) { Ok(caller) } else { Err(capacity_forbidden(&issuer)) }
    }
}

/// A service acts as SYSTEM in its own name and in no other; the gateway alone speaks for others, and never as SYSTEM for them.
fn may_assert(issuer: &str, caller: &Caller) -> bool {
    match &caller.principal {
        Principal::Service(service) => {
            service == issuer && caller.capacity == Capacity::System && caller.employee.is_none()
        }
        Principal::Employee(_) | Principal::ServiceAccount(_) => {
            issuer == GATEWAY && caller.capacity != Capacity::System
        }
    }
}

fn refused(reason: &'static str, english: &'static str, chinese: &'static str) -> Failure {
    Failure::new(Code::Unauthenticated, reason, english, chinese)
}

pub(crate) fn missing() -> Failure {
    refused(
        "CONTEXT_MISSING",
        "This service is called through the gateway only; send the call there with a token.",
        "本服务只能通过网关调用，请携带令牌访问网关。",
    )
}

fn malformed() -> Failure {
    refused(
        "CONTEXT_MALFORMED",
        "The call context cannot be read; caller and backend must run compatible versions.",
        "调用上下文无法解析，请确认调用方与服务端版本兼容。",
    )
}

fn signature_invalid() -> Failure {
    refused(
        "CONTEXT_SIGNATURE_INVALID",
        "The call context is not signed with a key that this service accepts from its issuer; check the context keys of both.",
        "调用上下文的签名不被本服务接受，请核对双方的上下文密钥。",
    )
}

fn audience_wrong(audience: &str) -> Failure {
    refused(
        "CONTEXT_AUDIENCE_WRONG",
        "The call context was made for another service; check the addresses of the backends.",
        "调用上下文是为其他服务签发的，请核对后端地址配置。",
    )
    .with("audience", audience)
}

fn method_wrong(method: &str) -> Failure {
    refused(
        "CONTEXT_METHOD_WRONG",
        "The call context was made for another method; each call needs its own.",
        "调用上下文是为其他方法签发的，每次调用须单独签发。",
    )
    .with("method", method)
}

fn body_wrong() -> Failure {
    refused(
        "CONTEXT_BODY_WRONG",
        "The call context was made for another request; each request needs its own.",
        "调用上下文与请求内容不符，每个请求须单独签发。",
    )
}

fn expired() -> Failure {
    refused(
        "CONTEXT_EXPIRED",
        "The call context has expired; repeat the call, and check the clocks of the hosts if this persists.",
        "调用上下文已过期，请重试；若持续出现，请检查各主机时钟。",
    )
}

fn capacity_forbidden(issuer: &str) -> Failure {
    refused(
        "CONTEXT_CAPACITY_FORBIDDEN",
        "The issuer may act in its own name as a system only; employees come through the gateway.",
        "该签发方只能以系统身份代表自身，员工请求须经由网关。",
    )
    .with("issuer", issuer)
}
