//! The write path that all services share: batches, locks, idempotency, fences, unique keys, counters, the ledger, feeds, followers, deadlines and
//! time.
//!
//! A service adds its [`Domain`] and gets correctness under concurrency, audit and speed from here. The engine knows no rule of the business, and
//! nothing of a caller's rights beyond the epoch on which a command rests.

pub mod audit;
mod batch;
pub mod clock;
mod committer;
pub mod domain;
mod engine;
pub mod feed;
pub mod follower;
pub mod ledger;
pub mod metrics;
pub mod operations;
pub mod options;
pub mod parked;
mod parts;
pub mod provision;
pub mod states;
mod store;
pub mod submission;
mod sweeper;

pub use domain::{
    Actor, AggregateId, Deadline, DecideContext, Decision, Domain, DueDeadline, Footprint, Key, Loaded,
    Recorded, Refusal, Saved, World,
};
pub use engine::Engine;
pub use follower::{FeedSource, Follow, FollowError};
pub use metrics::{Gauge, Reading};
pub use options::Options;
pub use parts::Broken;
pub use submission::{Fence, FingerprintKey, Outcome, RequestKey, Submission, SubmitError};
