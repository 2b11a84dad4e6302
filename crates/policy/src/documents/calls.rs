//! Ringing and missed calls (K2, K14).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::whole;
use crate::document::{Field, PolicyDocument};
use crate::kind::Kind;

/// Kind `calls`: ringing and missed calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallsPolicy {
    /// How long one ring takes, in seconds (K2).
    pub ring_seconds: u32,
    /// Rings within which a call is answered in time (K2).
    pub rings: u32,
    /// Working minutes within which a call that nobody answered is called back (K14).
    pub missed_callback_working_minutes: u32,
}

impl CallsPolicy {
    /// How long a call may ring and still be answered in time (K2).
    pub fn answer_within(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.ring_seconds) * i64::from(self.rings))
    }
}

impl Default for CallsPolicy {
    fn default() -> Self {
        CallsPolicy { ring_seconds: 5, rings: 3, missed_callback_working_minutes: 30 }
    }
}

impl PolicyDocument for CallsPolicy {
    const KIND: Kind = Kind::Calls;
    const FIELDS: &'static [Field] = &[
        whole("ring_seconds", 1, 60, "seconds"),
        whole("rings", 1, 20, "rings"),
        whole("missed_callback_working_minutes", 1, 2_400, "working minutes"),
    ];
}
