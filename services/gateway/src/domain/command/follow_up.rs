//! Commands that nobody gives: what follows from deadlines and from other services' events.

use chrono::{DateTime, Utc};
use shouwen_engine::AggregateId;
use shouwen_proto::{
    events::v1::{CallOutcome, ComplaintEnd},
    r#type::v1::CallbackKind,
};

/// What follows by itself from deadlines and from other services' events.
#[derive(Clone, Debug)]
pub enum FollowUp {
    /// The time of a deadline has come.
    Due {
        case: AggregateId,
        step: Step,
    },
    /// By the roster or the absences others may act on the case than it says (O7, O9).
    Attend(AggregateId),
    /// Recompute the running clock after a change of calendar (S3).
    Recompute(AggregateId),
    CallEnded {
        contact: AggregateId,
        by: String,
        outcome: CallOutcome,
    },
    /// `callback` is the full name.
    Promised {
        case: AggregateId,
        callback: String,
        kind: CallbackKind,
        due: DateTime<Utc>,
    },
    /// The time of a promise was recomputed (S3), agreed anew (B3) or set by a lead (B6). Here and below, callbacks are meant by the part behind `callbacks/`.
    PromiseMoved {
        case: AggregateId,
        callback: String,
        due: DateTime<Utc>,
    },
    /// A callback has its result, also in place of a former one (B5, C11).
    CallbackCompleted {
        case: AggregateId,
        callback: String,
        satisfied: bool,
        /// When the client said so, where that was before the event that tells of it.
        said: Option<DateTime<Utc>>,
    },
    /// A promise was kept or given up, and nothing else follows from it here: what a verification means is said by its complaint.
    PromiseOver {
        case: AggregateId,
        callback: String,
    },
    /// A complaint was filed about these employees, and received by this unit.
    ComplaintOpened {
        case: AggregateId,
        complaint: String,
        about: Vec<String>,
        unit: String,
    },
    /// A complaint is handled anew (C10).
    ComplaintReopened {
        case: AggregateId,
        complaint: String,
        reason: String,
    },
    ComplaintEnded {
        case: AggregateId,
        complaint: String,
        end: ComplaintEnd,
        reason: String,
    },
}

/// What a deadline of a case stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The offer expires (O4).
    Offer,
    /// The override ends (O7).
    Override,
    /// The answer's limit has passed (K15).
    Answer,
    /// A missed limit goes one level higher (O10).
    Escalation,
}
