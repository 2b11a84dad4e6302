//! Opening another service's feed: over its channel, with a context signed as this service.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chrono::TimeDelta;
use shouwen_access::context::{ContextSigner, HEADER, SystemCall};
use shouwen_engine::FeedSource;
use shouwen_proto::events::v1::{WatchRequest, event_feed_client::EventFeedClient};
use shouwen_runtime::{channel::Channel, clock::MachineClock};
use tonic::{Request, metadata::MetadataValue};

/// The path of the feed's only method.
pub const WATCH: &str = "/shouwen.events.v1.EventFeed/Watch";

/// The feed behind `channel`.
pub fn feed_source(channel: Channel, signer: ContextSigner, clock: MachineClock) -> FeedSource {
    let signer = Arc::new(signer);
    Arc::new(move |watch: WatchRequest| {
        let (channel, signer, clock) = (channel.clone(), Arc::clone(&signer), clock.clone());
        Box::pin(async move {
            let mut request = Request::new(watch);
            let header = signer.sign_system(&SystemCall {
                method: WATCH,
                body_digest: None,
                cause: "follow",
                now: clock.now(),
                lifetime: LIFETIME,
            });
            // The client encodes binary metadata itself.
            let bytes = STANDARD_NO_PAD
                .decode(header.as_bytes())
                .map_err(|_| tonic::Status::internal("the context does not fit a header"))?;
            request.metadata_mut().insert_bin(HEADER, MetadataValue::from_bytes(&bytes));
            EventFeedClient::new(channel).watch(request).await.map(tonic::Response::into_inner)
        })
    })
}

/// How long a context of a stream may take to arrive.
const LIFETIME: TimeDelta = TimeDelta::seconds(30);
