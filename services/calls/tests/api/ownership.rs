//! Ownership's feed as far as a test lets it speak.

use std::{pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt as _, stream};
use shouwen_engine::FeedSource;
use shouwen_proto::events::v1::{
    Cursor, Event, OwnershipEvent, WatchRequest, WatchResponse,
    event::Body,
    event_feed_client::EventFeedClient,
    event_feed_server::{EventFeed, EventFeedServer},
    ownership_event,
    watch_response::Item,
};
use shouwen_serving::timestamps::to_proto;
use tokio::sync::watch;
use tonic::{Request, Response, Status, service::Routes};

use crate::harness::at;

/// The events said so far.
#[derive(Clone)]
pub(crate) struct Ownership(Arc<watch::Sender<Vec<Event>>>);

impl Default for Ownership {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Vec::new())))
    }
}

impl Ownership {
    /// Says that something happened to an aggregate, at a time of day.
    pub(crate) fn says(&self, aggregate: &str, case: &str, time: &str, event: ownership_event::Event) {
        self.0.send_modify(|events| {
            let position = i64::try_from(events.len()).unwrap() + 1;
            events.push(Event {
                cursor: Some(Cursor { incarnation: "i1".into(), position }),
                service: "ownership".into(),
                aggregate: aggregate.into(),
                case: case.into(),
                time: Some(to_proto(at(time))),
                body: Some(Body::Ownership(OwnershipEvent { event: Some(event) })),
                ..Event::default()
            });
        });
    }

    pub(crate) fn source(&self) -> FeedSource {
        let routes = Routes::new(EventFeedServer::new(self.clone()));
        Arc::new(move |request: WatchRequest| {
            let mut client = EventFeedClient::new(routes.clone());
            Box::pin(async move { client.watch(request).await.map(Response::into_inner) })
        })
    }
}

#[tonic::async_trait]
impl EventFeed for Ownership {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let after = request.into_inner().after.unwrap_or_default().position;
        let after = usize::try_from(after).unwrap();
        let items = stream::unfold((self.0.subscribe(), after), |(mut said, after)| async move {
            let events = said.wait_for(|events| events.len() > after).await.ok()?[after..].to_vec();
            let next = after + events.len();
            Some((stream::iter(events), (said, next)))
        });
        let responses = items.flatten().map(|event| Ok(WatchResponse { item: Some(Item::Event(event)) }));
        Ok(Response::new(Box::pin(responses)))
    }
}
