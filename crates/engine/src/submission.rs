//! What is handed to the engine, and what it answers.

use std::fmt;

use chrono::{DateTime, Utc};
use ring::hmac;
use serde::Serialize;

use crate::{
    domain::{Actor, AggregateId},
    store::call::bytes,
};

/// Identity of a request: repeating it returns the former result.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct RequestKey {
    pub principal: String,
    pub method: String,
    pub id: String,
    /// SHA-256 of what was asked. Not part of the identity: the same id with another fingerprint is an error.
    #[serde(serialize_with = "bytes")]
    pub fingerprint: Vec<u8>,
}

/// Under which fingerprints are stored: what was asked may be short enough to be guessed from a digest that anybody can compute (L10). All replicas of a
/// service need the same; another one makes requests that were answered before look reused.
#[derive(Clone)]
pub struct FingerprintKey(hmac::Key);

impl FingerprintKey {
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(crate) fn sealed(&self, request: RequestKey) -> RequestKey {
        let fingerprint = hmac::sign(&self.0, &request.fingerprint).as_ref().to_vec();
        RequestKey { fingerprint, ..request }
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

/// The ownership that a command rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    pub case: String,
    pub epoch: i64,
    /// When ownership was read, on the machine's clock.
    pub read_at: DateTime<Utc>,
}

/// A command with everything the ledger wants to know about it.
#[derive(Clone, Debug)]
pub struct Submission<C> {
    pub command: C,
    pub actor: Actor,
    pub request: Option<RequestKey>,
    pub fence: Option<Fence>,
    /// Case and branch concerned, for the ledger; empty for none.
    pub case: String,
    pub branch: String,
    /// The event or deadline that caused it; empty for none.
    pub cause: String,
    /// When the cause happened.
    pub at: Option<DateTime<Utc>>,
    /// Set by the sweeper: the command counts only while the aggregate still holds this deadline.
    pub deadline: Option<(AggregateId, String, DateTime<Utc>)>,
    /// Encoded size of what the command came from: the request or the event. A batch is bounded by the sum
    /// ([`Options::batch_bytes`](crate::Options::batch_bytes)); 0 where it is small by its nature, as that of a deadline.
    pub bytes: usize,
}

impl<C> Submission<C> {
    /// A command of a person, without the rest.
    pub fn new(command: C, actor: Actor) -> Self {
        Self {
            command,
            actor,
            request: None,
            fence: None,
            case: String::new(),
            branch: String::new(),
            cause: String::new(),
            at: None,
            deadline: None,
            bytes: 0,
        }
    }
}

/// The answer to an accepted command.
#[derive(Clone, Debug)]
pub struct Outcome<S> {
    pub primary: AggregateId,
    pub version: i64,
    /// State of the primary aggregate at that version.
    pub state: Option<S>,
    /// It is the result of an earlier call with the same request id.
    pub replayed: bool,
}

/// Why a command was not applied.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError<R> {
    /// The domain's answer.
    #[error("{0}")]
    Rejected(R),
    /// The request id was used for something else.
    #[error("the request id was used before for another request")]
    RequestReused,
    /// The context's epoch is older than the newest known, or its ownership read is too old.
    #[error("the responsibility for the case has changed or was read too long ago")]
    Stale,
    /// A replay was asked for, and there was no such request.
    #[error("there was no earlier call with this request id")]
    NotAReplay,
    /// What the batch read kept changing.
    #[error("too many changes at once; try again")]
    Contention,
    /// The queue is full.
    #[error("too many commands are waiting")]
    Overloaded,
    /// Postgres cannot be reached; nothing was applied.
    #[error("the database cannot be reached")]
    Unavailable,
    /// COMMIT was sent and not answered: it may or may not have happened.
    #[error("the outcome of the commit is not known")]
    OutcomeUnknown,
    /// A statement failed because of this command; the cause is in the log.
    #[error("internal error")]
    Internal,
}
