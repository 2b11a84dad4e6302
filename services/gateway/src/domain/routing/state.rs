//! The state of a routing, and the deadlines and the key that follow from it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::{AggregateId, Deadline, Key};
use shouwen_proto::events::v1::ReservationEnd;

use super::candidates::Considered;
use crate::domain::presence;

/// The state of a routing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingState {
    pub branch: String,
    /// The line that was dialled; empty where none was.
    pub line: String,
    /// A number of `shouwen.type.v1.Channel`.
    pub channel: i32,
    pub client: Option<String>,
    pub topic: String,
    pub skills: Vec<String>,
    /// VIP or core client (L12).
    pub vip: bool,
    /// The client's open case when the contact came (O6).
    pub case: Option<String>,
    /// Who looks after the client (L8).
    pub service_manager: Option<String>,
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub begun: DateTime<Utc>,
    pub phase: Phase,
    /// Who was considered at the last decision.
    pub considered: Vec<Considered>,
    /// Reservations that came to nothing.
    pub past: Vec<Past>,
    /// Since when it has waited, until it rings.
    pub queued: Option<DateTime<Utc>>,
    /// Seconds for which it has waited in the queue, once it rang after that.
    pub waited: Option<i64>,
    /// Version of the policy behind the running limit.
    pub policy: String,
    /// The transfer that rings at its target's desk (K5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// Transfers that are over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfers: Vec<PastTransfer>,
    /// Who took the call over and is on it; `None` where it is who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_call: Option<String>,
    /// When a call ended that was transferred, or was about to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<DateTime<Utc>>,
}

/// A running call that rings at a colleague's desk (转接, K5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Who is on the call.
    pub from: String,
    pub to: String,
    pub since: DateTime<Utc>,
    pub expires: DateTime<Utc>,
}

/// A transfer that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastTransfer {
    pub from: String,
    pub to: String,
    pub since: DateTime<Utc>,
    pub at: DateTime<Utc>,
    /// A number of `shouwen.events.v1.ReservationEnd`; `None` where it was accepted.
    pub end: Option<i32>,
}

/// Where a contact is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Phase {
    /// It rings at somebody's desk.
    Reserved {
        employee: String,
        /// A number of `shouwen.events.v1.CandidateRank`.
        rank: i32,
        since: DateTime<Utc>,
        expires: DateTime<Utc>,
    },
    /// It waits, and is looked at again at `check` at the latest.
    Queued { check: DateTime<Utc> },
    /// Nobody on duty outside working hours (O5).
    AfterHours {
        next_working: DateTime<Utc>,
        due: DateTime<Utc>,
        /// It is routed again when working hours begin.
        resumes: bool,
    },
    Answered {
        employee: String,
        for_colleague: bool,
        at: DateTime<Utc>,
        /// The client was gone before the backend had taken the answer: if it refuses it, nobody waits.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        gone: bool,
    },
    /// The client is gone.
    Abandoned { at: DateTime<Utc> },
    /// The client will be called back.
    Callback { at: DateTime<Utc> },
}

/// A reservation that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    pub employee: String,
    pub since: DateTime<Utc>,
    pub at: DateTime<Utc>,
    /// A number of `shouwen.events.v1.ReservationEnd`.
    pub end: i32,
}

/// `routings/{contact}` of `contacts/{contact}`.
pub fn id(contact: &AggregateId) -> AggregateId {
    AggregateId(format!("routings/{}", contact.0.trim_start_matches("contacts/")))
}

/// `contacts/{contact}` of `routings/{contact}`.
pub fn contact(routing: &AggregateId) -> AggregateId {
    AggregateId(format!("contacts/{}", routing.0.trim_start_matches("routings/")))
}

impl Phase {
    /// Nobody has answered, and the client is still to be served.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Reserved { .. } | Self::Queued { .. } | Self::AfterHours { .. })
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Reserved { .. } => "reserved",
            Self::Queued { .. } => "queued",
            Self::AfterHours { .. } => "after hours",
            Self::Answered { .. } => "answered",
            Self::Abandoned { .. } => "abandoned",
            Self::Callback { .. } => "callback",
        }
    }
}

impl RoutingState {
    /// The key that the routing holds: of whom it has reserved, or rings for with a transfer.
    pub fn key(&self) -> Option<Key> {
        match &self.phase {
            Phase::Reserved { employee, .. } => Some(presence::reserved_key(employee)),
            _ => self.transfer.as_ref().map(|transfer| presence::reserved_key(&transfer.to)),
        }
    }

    /// Who missed or declined it, ever or after a moment, and who may not answer it at all. Who could not answer because of another call, a pause or a
    /// lost desk was not asked.
    pub fn tried(&self, after: Option<DateTime<Utc>>) -> BTreeSet<String> {
        let tried = self.past.iter().filter(|past| match ReservationEnd::try_from(past.end) {
            Ok(ReservationEnd::Withdrawn | ReservationEnd::Lost) => false,
            Ok(ReservationEnd::Refused) => true,
            _ => after.is_none_or(|after| past.at > after),
        });
        tried.map(|past| past.employee.clone()).collect()
    }

    /// Something is known of transfers of a call that goes on.
    pub fn is_transferred(&self) -> bool {
        self.over.is_none() && (self.transfer.is_some() || !self.transfers.is_empty())
    }

    /// Who has the call back from a transfer that came to nothing, unless they took it back themselves.
    pub fn returned(&self) -> Option<&PastTransfer> {
        let last = self.transfers.last().filter(|_| self.is_transferred() && self.transfer.is_none())?;
        let end = last.end.filter(|end| *end != i32::from(ReservationEnd::TakenBack));
        end.map(|_| last)
    }
}

/// When something has to happen by itself.
pub fn deadlines(routing: &RoutingState) -> Vec<Deadline> {
    let at = |step, due| {
        let policy = routing.policy.clone();
        vec![Deadline { step, due, policy, calendar: String::new(), provisional: false }]
    };
    if let Some(transfer) = &routing.transfer {
        return at("transfer", transfer.expires);
    }
    match &routing.phase {
        Phase::Reserved { expires, .. } => at("reservation", *expires),
        Phase::Queued { check } => at("queue", *check),
        Phase::AfterHours { next_working, resumes: true, .. } => at("morning", *next_working),
        Phase::AfterHours { .. }
        | Phase::Answered { .. }
        | Phase::Abandoned { .. }
        | Phase::Callback { .. } => Vec::new(),
    }
}
