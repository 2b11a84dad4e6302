//! What this service does about the events of others: policies are adopted, epochs fence, a voided first touch counts as never made.

mod ownership;

pub(crate) use ownership::FollowOwnership;
