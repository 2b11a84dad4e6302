//! Domain values from and to the messages of the contract that events are made of.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_serving::timestamps;

/// As the contract writes it.
pub fn timestamp(time: DateTime<Utc>) -> Option<Timestamp> {
    Some(timestamps::to_proto(time))
}

/// As the contract has it; `None` where it is absent or out of range.
pub fn time(timestamp: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    timestamp.and_then(timestamps::from_proto)
}

/// A policy's whole yuan as the fen that figures are in.
pub(super) fn fen(yuan: u32) -> i64 {
    i64::from(yuan) * 100
}
