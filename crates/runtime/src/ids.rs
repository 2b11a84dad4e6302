//! Random and time-ordered ids. Domains do not make ids; whoever calls them passes ids in, and gets them here.

use uuid::Uuid;

/// A time-ordered id (UUID version 7, millisecond prefix by the machine's clock) for a new resource.
#[allow(clippy::disallowed_methods, reason = "the one place that makes ids")]
pub fn new_v7() -> Uuid {
    Uuid::now_v7()
}

/// A random id (UUID version 4), as a client makes for `request_id`.
#[allow(clippy::disallowed_methods, reason = "the one place that makes ids")]
pub fn new_v4() -> Uuid {
    Uuid::new_v4()
}
