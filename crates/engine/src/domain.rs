//! What a service gives to the engine: its commands, states, events and decisions, how its states are kept, and how many of them are loaded.
//!
//! Everything else of the write path is the engine's. A domain is pure but for reading what a command will touch ([`Domain::footprints`]).

mod world;

use std::{collections::BTreeSet, fmt, future::Future};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::PgConnection;

pub(crate) use self::world::Slot;
pub use self::world::World;
use crate::{metrics::Reading, store::call::micros};

/// Resource name of an aggregate: `cases/0198…`, `calls/abc`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AggregateId(pub String);

impl AggregateId {
    /// The collection: `cases` of `cases/0198…`.
    pub fn collection(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl fmt::Display for AggregateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T: Into<String>> From<T> for AggregateId {
    fn from(name: T) -> Self {
        Self(name.into())
    }
}

/// A unique key, e.g. kind `open_case`, key `client|topic`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Key {
    pub kind: &'static str,
    pub key: String,
}

/// A time limit that an aggregate holds while its state says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Deadline {
    /// What happens then; unique within the aggregate.
    pub step: &'static str,
    #[serde(serialize_with = "micros")]
    pub due: DateTime<Utc>,
    /// Version of the policy it was computed from.
    pub policy: String,
    /// Version of the calendar it was computed from; empty where no calendar is involved.
    pub calendar: String,
    /// Lies beyond the imported calendar (S3).
    pub provisional: bool,
}

/// A deadline that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDeadline {
    pub aggregate: AggregateId,
    pub step: String,
    pub due: DateTime<Utc>,
}

/// What a command may touch, known before anything is locked.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    pub aggregates: Vec<AggregateId>,
    pub keys: Vec<Key>,
    pub counters: Vec<String>,
    /// The aggregate that the command makes and answers with, unless it is refused or finds something that is there already. Where it does as expected,
    /// its request is written but once.
    pub makes: Option<AggregateId>,
}

/// Who acts, as it goes on the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// Who authenticated: `employees/…`, `serviceAccounts/…`, `services/…`.
    pub principal: String,
    /// The employee for whom; empty for systems.
    pub on_behalf: String,
    /// `handler`, `accountable`, `override`, `assisting`, `system`, …; empty where none is needed.
    pub capacity: String,
}

/// What a decision may know beside the states.
#[derive(Clone, Debug)]
pub struct DecideContext<'a> {
    /// Business time.
    pub now: DateTime<Utc>,
    /// When the cause happened: the time of the causing event or deadline, otherwise `now`. Clocks start here.
    pub at: DateTime<Utc>,
    pub actor: &'a Actor,
}

/// What was decided. No events mean: accepted, and nothing changes.
#[derive(Clone, Debug)]
pub struct Decision<E> {
    pub events: Vec<(AggregateId, E)>,
    /// New values of counters of the footprint.
    pub counters: Vec<(String, i64)>,
    /// The aggregate that the answer shows.
    pub primary: AggregateId,
}

impl<E> Decision<E> {
    /// Events on one aggregate.
    pub fn on(primary: AggregateId, events: impl IntoIterator<Item = E>) -> Self {
        let events = events.into_iter().map(|event| (primary.clone(), event)).collect();
        Self { events, counters: Vec::new(), primary }
    }

    /// Accepted without a change.
    pub fn nothing(primary: AggregateId) -> Self {
        Self { events: Vec::new(), counters: Vec::new(), primary }
    }
}

/// Why a command has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal<R> {
    /// An answer, not an error; not remembered.
    Rejected(R),
    /// What was read without locks turned out otherwise under them: the batch starts again.
    Moved,
}

impl<R> From<R> for Refusal<R> {
    fn from(rejection: R) -> Self {
        Self::Rejected(rejection)
    }
}

/// An event with what the ledger knows about it.
#[derive(Clone, Debug)]
pub struct Recorded<'a, E> {
    pub event: &'a E,
    pub aggregate: &'a AggregateId,
    /// Version of the aggregate after the event.
    pub version: i64,
    pub time: DateTime<Utc>,
    /// Who authenticated, and for whom.
    pub principal: &'a str,
    pub on_behalf: &'a str,
}

/// An aggregate that was there before its batch.
#[derive(Clone, Debug)]
pub struct Loaded<S> {
    pub id: AggregateId,
    pub version: i64,
    pub state: S,
}

/// An aggregate that is saved: inserted where `before` is 0, otherwise updated if it still has that version.
#[derive(Clone, Debug)]
pub struct Saved<S> {
    pub id: AggregateId,
    pub before: i64,
    pub after: i64,
    pub state: S,
}

/// A service's domain.
///
/// Its statements run on the engine's connections, on which Postgres reads no table as a whole where an index serves and joins by nested loops only:
/// they have to find their rows by key.
pub trait Domain: Send + Sync + 'static {
    /// Name of the service, its schema and its feed.
    const SERVICE: &'static str;
    type Command: Clone + fmt::Debug + Send + Sync;
    type State: Clone + Send + Sync;
    type Event: Clone + Send + Sync;
    type Rejection: std::error::Error + Clone + Send + Sync;

    /// What each command may touch. May read, without locks and before the transaction.
    fn footprints(
        &self,
        connection: &mut PgConnection,
        commands: &[&Self::Command],
    ) -> impl Future<Output = sqlx::Result<Vec<Footprint>>> + Send;

    /// Decides a command on the locked states. Pure.
    fn decide(
        &self,
        world: &World<'_, Self::State>,
        command: &Self::Command,
        context: &DecideContext<'_>,
    ) -> Result<Decision<Self::Event>, Refusal<Self::Rejection>>;

    /// As [`Domain::decide`], with the events of [`Domain::OBSERVED`] that earlier commands of the same batch decided, in order:
    /// [`Domain::refresh`] brings them only once they are committed. A domain overrides it where what one command makes known binds the next one
    /// of the batch.
    fn decide_after(
        &self,
        world: &World<'_, Self::State>,
        command: &Self::Command,
        context: &DecideContext<'_>,
        _earlier: &[Self::Event],
    ) -> Result<Decision<Self::Event>, Refusal<Self::Rejection>> {
        self.decide(world, command, context)
    }

    /// The state after an event. Pure, and total over what `decide` produced.
    fn evolve(&self, state: Option<Self::State>, event: &Recorded<'_, Self::Event>) -> Self::State;

    /// The deadlines that a state holds.
    fn deadlines(&self, state: &Self::State) -> Vec<Deadline>;

    /// The unique keys that a state holds; every one was in the footprint of the command that led to it.
    fn keys(&self, state: &Self::State) -> BTreeSet<Key>;

    /// The case and the branch to which an aggregate's events belong, for the ledger; what is left empty is taken from the submission.
    fn place(&self, _id: &AggregateId, _state: &Self::State) -> (String, String) {
        (String::new(), String::new())
    }

    /// The command that a deadline stands for.
    fn due(&self, deadline: &DueDeadline) -> Self::Command;

    /// Name and bytes of an event for the ledger.
    fn encode(event: &Self::Event) -> (&'static str, Vec<u8>);

    /// The event that the ledger holds.
    fn decode(payload: &[u8]) -> Result<Self::Event, prost::DecodeError>;

    /// A state as it is kept, in the table that the service's migrations gave to its collection (`keep_states_in`).
    fn kept(state: &Self::State) -> serde_json::Result<Box<RawValue>>;

    /// The state of an aggregate, from what is kept of it.
    fn restored(id: &AggregateId, kept: &RawValue) -> serde_json::Result<Self::State>;

    /// Adds what decisions need of these aggregates and their states do not hold, e.g. because it changes without events. Runs inside a batch under
    /// its locks, the head's included.
    fn complete(
        &self,
        _connection: &mut PgConnection,
        _loaded: &mut [Loaded<Self::State>],
    ) -> impl Future<Output = sqlx::Result<()>> + Send {
        async { Ok(()) }
    }

    /// Writes what hangs on states beside their own rows, e.g. by what they are found; those are written after it, in the same transaction. Where the batch
    /// comes from a feed, it follows what was projected of the feed's events.
    fn attach(
        &self,
        _connection: &mut PgConnection,
        _rows: &[Saved<Self::State>],
    ) -> impl Future<Output = sqlx::Result<()>> + Send {
        async { Ok(()) }
    }

    /// Names of the events after which [`Domain::refresh`] must run, whichever process committed them.
    const OBSERVED: &'static [&'static str] = &[];

    /// Loads what decisions use beside the locked states, e.g. policies. Runs inside a batch under the head's lock: before the first decision of
    /// this process, and before the first one after an event of [`Domain::OBSERVED`]. So every replica decides by the same policies.
    fn refresh(&self, _connection: &mut PgConnection) -> impl Future<Output = sqlx::Result<()>> + Send {
        async { Ok(()) }
    }

    /// Commands that are due by what no state holds: each is decided anew under its locks, and one that does not apply any more changes nothing. Read
    /// at each sweep, and a service with any is not idle. It should cost next to nothing where there is none.
    fn pending(
        &self,
        _connection: &mut PgConnection,
        _now: DateTime<Utc>,
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Command>>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Names of the events after which [`Domain::pending`] is asked at once, in the process that committed them. Where there are none it is never asked.
    const STIRRING: &'static [&'static str] = &[];

    /// After commit, in the process that committed. Batches of commands and of followers may tell in another order than that of the ledger: what
    /// decisions rest on belongs into [`Domain::refresh`].
    fn committed(&self, _events: &[(AggregateId, Self::Event)]) {}

    /// Version of the calendar in force, for deadlines that must be recomputed (S3).
    fn calendar_version(&self, _now: DateTime<Utc>) -> Option<String> {
        None
    }

    /// How many days after that of a moment the calendar in force has data: 0 on the last one, below 0 once they have ended (S3). Operators see it, and
    /// are told in the log when it ends. `None` where nothing is counted by a calendar.
    fn calendar_days_left(&self, _now: DateTime<Utc>) -> Option<i64> {
        None
    }

    /// The command that recomputes an aggregate's deadlines after a change of calendar (S3).
    fn recompute(&self, _aggregate: &AggregateId) -> Option<Self::Command> {
        None
    }

    /// How much work waits that is neither a command, an event of a followed feed nor a deadline, e.g. rows that a worker of the service's own works
    /// off: the service is not idle before that is done.
    fn owed(&self, _connection: &mut PgConnection) -> impl Future<Output = sqlx::Result<i64>> + Send {
        async { Ok(0) }
    }

    /// What the service shows in numbers beside the engine's own metrics, e.g. open cases: counts from the database, read every
    /// [`Options::sample_interval`](crate::Options::sample_interval) while there is a meter. They should be cheap: counts over indexes.
    fn readings(
        &self,
        _connection: &mut PgConnection,
    ) -> impl Future<Output = sqlx::Result<Vec<Reading>>> + Send {
        async { Ok(Vec::new()) }
    }
}
