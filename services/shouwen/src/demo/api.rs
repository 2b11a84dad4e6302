//! The public API as a firm's systems use it: generated clients over one channel to the gateway, a bearer token per caller, the CRM naming the
//! employee it acts for. Throttled or unanswered calls are repeated with the same request id; every other refusal goes back to the caller.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use shouwen_runtime::channel::{Channel, ChannelConfigError, ChannelOptions, connect};
use tonic::{
    Code, Request, Response, Status,
    metadata::{Ascii, MetadataMap, MetadataValue},
};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use super::Stack;

/// How often an unanswered or throttled call is repeated.
const ATTEMPTS: u32 = 100;
/// How long to wait before that where the answer does not say.
const PAUSE: Duration = Duration::from_millis(50);
/// Metadata in which a service account names the employee it acts for.
const EMPLOYEE: &str = "x-shouwen-employee";

/// In whose name a call is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    /// Subject of the token: `employees/x` or `serviceAccounts/x`.
    pub(super) subject: String,
    /// The employee for whom a service account acts: a name, or the CRM's id.
    pub(super) acting: Option<String>,
}

impl Who {
    pub(super) fn of(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), acting: None }
    }
}

/// The gateway, and the tokens for it.
pub(super) struct Api {
    channel: Channel,
    token: Box<dyn Fn(&str) -> String + Send + Sync>,
    known: Mutex<HashMap<String, MetadataValue<Ascii>>>,
}

impl Api {
    /// Opens the way to the stack's gateway.
    pub(super) fn open(stack: Stack) -> Result<Self, ChannelConfigError> {
        let channel = connect(&[&stack.address], &ChannelOptions::default())?;
        Ok(Self { channel, token: stack.token, known: Mutex::default() })
    }

    /// Makes a unary call.
    pub(super) async fn send<M, R, F>(
        &self,
        who: &Who,
        message: M,
        method: impl Fn(Channel, Request<M>) -> F,
    ) -> Result<R, Refused>
    where
        M: Clone,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let mut attempt = 0;
        loop {
            let mut request = Request::new(message.clone());
            self.sign(who, request.metadata_mut())?;
            let status = match method(self.channel.clone(), request).await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => status,
            };
            let refused = Refused::read(&status);
            attempt += 1;
            if attempt == ATTEMPTS || !self.may_be_repeated(who, &refused) {
                return Err(refused);
            }
            tokio::time::sleep(refused.retry_after.unwrap_or(PAUSE)).await;
        }
    }

    /// Sends a stream of messages, the same again where it may be repeated.
    pub(super) async fn stream<S, R, F>(
        &self,
        who: &Who,
        messages: impl Fn() -> S,
        method: impl Fn(Channel, Request<S>) -> F,
    ) -> Result<R, Refused>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let mut attempt = 0;
        loop {
            let (channel, request) = self.request(who, messages())?;
            let refused = match method(channel, request).await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => Refused::read(&status),
            };
            attempt += 1;
            if attempt == ATTEMPTS || !self.may_be_repeated(who, &refused) {
                return Err(refused);
            }
            tokio::time::sleep(refused.retry_after.unwrap_or(PAUSE)).await;
        }
    }

    /// A request for a stream.
    pub(super) fn request<M>(&self, who: &Who, message: M) -> Result<(Channel, Request<M>), Refused> {
        let mut request = Request::new(message);
        self.sign(who, request.metadata_mut())?;
        Ok((self.channel.clone(), request))
    }

    fn may_be_repeated(&self, who: &Who, refused: &Refused) -> bool {
        if refused.reason == "TOKEN_EXPIRED" {
            self.tokens().remove(&who.subject);
            return true;
        }
        // A gateway may learn a moment later what another one wrote into the roster.
        let unknown_yet = refused.code == Code::PermissionDenied
            && matches!(&*refused.reason, "ACCOUNT_UNKNOWN" | "EMPLOYEE_UNKNOWN");
        unknown_yet
            || refused.code == Code::Unavailable
            || refused.code == Code::ResourceExhausted && refused.retry_after.is_some()
    }

    fn sign(&self, who: &Who, metadata: &mut MetadataMap) -> Result<(), Refused> {
        let known = self.tokens().get(&who.subject).cloned();
        let token = if let Some(token) = known {
            token
        } else {
            let token = value(&format!("Bearer {}", (self.token)(&who.subject)))?;
            self.tokens().insert(who.subject.clone(), token.clone());
            token
        };
        metadata.insert("authorization", token);
        if let Some(employee) = &who.acting {
            metadata.insert(EMPLOYEE, value(employee)?);
        }
        Ok(())
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, HashMap<String, MetadataValue<Ascii>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("channel", &self.channel).finish_non_exhaustive()
    }
}

fn value(text: &str) -> Result<MetadataValue<Ascii>, Refused> {
    MetadataValue::try_from(text).map_err(|_| Refused {
        code: Code::InvalidArgument,
        reason: "NO_HEADER_VALUE".to_owned(),
        message: "a token or a name does not fit a header".to_owned(),
        metadata: HashMap::new(),
        retry_after: None,
    })
}

/// A call that was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code:?} {reason}: {message}")]
pub(super) struct Refused {
    pub(super) code: Code,
    /// `UPPER_SNAKE`; the code's name where the answer gives no reason.
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) metadata: HashMap<String, String>,
    retry_after: Option<Duration>,
}

impl Refused {
    fn read(status: &Status) -> Self {
        let info = status.get_details_error_info();
        let (reason, metadata) = info.map_or_else(
            || (format!("{:?}", status.code()), HashMap::new()),
            |info| (info.reason, info.metadata),
        );
        Self {
            code: status.code(),
            reason,
            message: status.message().to_owned(),
            metadata,
            retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay),
        }
    }

    /// The stack does not answer: going on makes no sense.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self.code, Code::Unavailable | Code::ResourceExhausted | Code::Unauthenticated)
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self::read(&status)
    }
}

/// The request id of a step: the same for the same step of the same line, so that a second run repeats instead of doing things twice.
pub(super) fn request_id(line: &str, step: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{line}\n{step}").as_bytes());
    let mut bytes = [0; 16];
    for (byte, digested) in bytes.iter_mut().zip(digest.as_ref()) {
        *byte = *digested;
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// An offer that never was: for answering an offer where the case has none.
pub(super) fn no_offer() -> String {
    Uuid::nil().to_string()
}
