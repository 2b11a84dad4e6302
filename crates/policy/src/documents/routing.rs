//! Presence, reservations and the queue (K2).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::whole;
use crate::document::{Field, PolicyDocument};
use crate::kind::Kind;

/// Kind `routing`: presence, reservations and the queue. How long a reservation rings is that of kind `calls` (K2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoutingPolicy {
    /// Clock seconds after which a desk that is not heard of is lost.
    pub session_seconds: u32,
    /// Reservations missed one after the other that pause an employee (K2).
    pub missed_before_pause: u32,
    /// Clock minutes after which a waiting contact is looked at again.
    pub queue_minutes: u32,
}

impl RoutingPolicy {
    /// How long a desk may be silent.
    pub fn session_length(&self) -> TimeDelta {
        TimeDelta::seconds(self.session_seconds.into())
    }

    /// How long a contact waits before it is looked at again.
    pub fn queue_check(&self) -> TimeDelta {
        TimeDelta::minutes(self.queue_minutes.into())
    }
}

impl Default for RoutingPolicy {
    fn default() -> Self {
        RoutingPolicy { session_seconds: 45, missed_before_pause: 2, queue_minutes: 5 }
    }
}

impl PolicyDocument for RoutingPolicy {
    const KIND: Kind = Kind::Routing;
    const FIELDS: &'static [Field] = &[
        whole("session_seconds", 5, 3_600, "seconds"),
        whole("missed_before_pause", 1, 100, "reservations"),
        whole("queue_minutes", 1, 240, "minutes"),
    ];
}
