//! When the firm works (S1).

use serde::{Deserialize, Serialize};
use shouwen_calendar::WorkingHours;

use super::intervals;
use crate::document::{Field, PolicyDocument};
use crate::kind::Kind;

/// Kind `hours`: when the firm works (S1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoursPolicy {
    /// On working days, Shanghai time.
    pub working_hours: WorkingHours,
}

impl PolicyDocument for HoursPolicy {
    const KIND: Kind = Kind::Hours;
    const FIELDS: &'static [Field] = &[intervals("working_hours")];
}
