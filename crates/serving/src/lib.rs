//! Between a service's API and its engine: callers become actors, request ids become keys, refusals become statuses, ledgers become feeds.
//!
//! What every service's `api` needs and no service's rules: it knows the contract's shared messages and nothing of cases, calls or callbacks.

pub mod call;
pub mod event_feed;
pub mod feed_source;
pub mod operator;
pub mod ownership_feed;
pub mod page;
pub mod private;
pub mod refusal;
pub mod timestamps;

pub use call::Call;
pub use event_feed::{EventFeedServer, FeedEvents};
pub use feed_source::feed_source;
pub use operator::{OperatorServer, ParkedFeed};
pub use private::Sealer;
