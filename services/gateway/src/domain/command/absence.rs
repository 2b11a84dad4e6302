//! Commands about absences, and about cases that move from one employee to others (O9).

use chrono::{DateTime, Utc};
use shouwen_engine::AggregateId;
use shouwen_proto::r#type::v1::Private;

use crate::domain::absence::Naming;

/// What happens to an absence (O9).
#[derive(Clone, Debug)]
pub struct AbsenceCommand {
    pub absence: AggregateId,
    pub action: AbsenceAction,
}

#[derive(Clone, Debug)]
pub enum AbsenceAction {
    Enter(Box<Enter>),
    End {
        by: Arranger,
        etag: Option<i64>,
    },
    Cancel {
        by: Arranger,
        etag: Option<i64>,
    },
    Change {
        by: Arranger,
        etag: Option<i64>,
        naming: Naming,
    },
    /// The time of one of its deadlines has come.
    Due(AbsenceStep),
}

/// An absence to enter. Without a start it begins now.
#[derive(Clone, Debug)]
pub struct Enter {
    pub by: Arranger,
    pub employee: String,
    /// A number of `shouwen.events.v1.AbsenceKind`.
    pub kind: i32,
    pub start: Option<DateTime<Utc>>,
    pub end: Option<DateTime<Utc>>,
    pub reason: Option<Private>,
    pub naming: Naming,
}

/// Who arranges an absence or hands cases over.
#[derive(Clone, Debug)]
pub struct Arranger {
    pub employee: String,
    /// As a lead or HQ.
    pub leads: bool,
    /// Branches in reach; `None` for all.
    pub branches: Option<Vec<String>>,
}

/// What a deadline of an absence stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbsenceStep {
    Begin,
    End,
    /// Another round over the cases.
    Apply,
}

/// Open cases that move from one employee to others (O9).
#[derive(Clone, Debug)]
pub struct Reassign {
    pub reassignment: AggregateId,
    pub by: Arranger,
    pub from: String,
    pub to: Vec<String>,
    /// Empty: all that are theirs.
    pub cases: Vec<AggregateId>,
    pub reason: String,
}

/// The most cases to which one command carries an absence.
pub const CHUNK: usize = 100;

/// The most cases that one act moves.
pub const REASSIGNED: usize = 1000;
