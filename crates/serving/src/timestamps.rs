//! Times between protobuf and chrono, whole microseconds: Postgres keeps no more.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;

/// As protobuf.
pub fn to_proto(time: DateTime<Utc>) -> Timestamp {
    Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_micros() * 1000).unwrap_or_default(),
    }
}

/// From protobuf; `None` where it is out of range.
pub fn from_proto(time: &Timestamp) -> Option<DateTime<Utc>> {
    let micros = u32::try_from(time.nanos).ok()? / 1000;
    DateTime::from_timestamp(time.seconds, micros * 1000)
}
