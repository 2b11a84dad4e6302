//! The feeds of calls and callbacks as tests write them: a tiny `EventFeed` in the same process that serves what was pushed, in order, from any
//! position.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt as _, stream};
use shouwen_engine::FeedSource;
use shouwen_proto::{
    events::v1::{
        CallAnswered, CallEnded, CallOutcome, CallbackCancelled, CallbackCompleted, CallbackScheduled,
        CallbacksEvent, CallsEvent, Cursor, Event, WatchRequest, WatchResponse, callbacks_event, calls_event,
        event::Body, event_feed_client::EventFeedClient, event_feed_server, watch_response::Item,
    },
    r#type::v1::{CallbackKind, Satisfaction},
};
use shouwen_serving::timestamps::to_proto;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

/// A feed; clones share it.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Pushed>);

struct Pushed {
    service: &'static str,
    events: Mutex<Vec<Event>>,
    length: watch::Sender<usize>,
}

impl Feed {
    pub(crate) fn new(service: &'static str) -> Self {
        Self(Arc::new(Pushed { service, events: Mutex::default(), length: watch::Sender::new(0) }))
    }

    /// How a follower opens it.
    pub(crate) fn source(&self) -> FeedSource {
        let feed = self.clone();
        Arc::new(move |request| {
            let server = event_feed_server::EventFeedServer::new(feed.clone());
            Box::pin(async move { Ok(EventFeedClient::new(server).watch(request).await?.into_inner()) })
        })
    }

    /// The position of the last event.
    pub(crate) fn head(&self) -> i64 {
        i64::try_from(*self.0.length.borrow()).unwrap()
    }

    fn push(&self, at: DateTime<Utc>, r#type: &str, aggregate: String, case: &str, body: Body) {
        let mut events = self.0.events.lock().unwrap();
        let position = i64::try_from(events.len()).unwrap() + 1;
        events.push(Event {
            cursor: Some(Cursor { incarnation: "1".to_owned(), position }),
            service: self.0.service.to_owned(),
            r#type: r#type.to_owned(),
            aggregate,
            version: position,
            time: Some(to_proto(at)),
            actor: "serviceAccounts/crm".to_owned(),
            on_behalf: "employees/zhang".to_owned(),
            capacity: "handler".to_owned(),
            case: case.to_owned(),
            branch: "branches/b1".to_owned(),
            body: Some(body),
            ..Event::default()
        });
        self.0.length.send_replace(events.len());
    }

    fn call(&self, at: DateTime<Utc>, r#type: &str, call: &str, case: &str, event: calls_event::Event) {
        let body = Body::Calls(CallsEvent { event: Some(event) });
        self.push(at, r#type, format!("calls/{call}"), case, body);
    }

    fn callback(&self, at: DateTime<Utc>, r#type: &str, id: &str, case: &str, event: callbacks_event::Event) {
        let body = Body::Callbacks(CallbacksEvent { event: Some(event) });
        self.push(at, r#type, format!("callbacks/{id}"), case, body);
    }

    /// Calls took the first touch of `contacts/{call}`.
    pub(crate) fn answered(&self, at: DateTime<Utc>, call: &str, case: &str) {
        let answered = CallAnswered { case: case.to_owned(), ..CallAnswered::default() };
        self.call(at, "call_answered", call, case, calls_event::Event::CallAnswered(answered));
    }

    /// `employee` ended the call.
    pub(crate) fn ended(&self, at: DateTime<Utc>, call: &str, employee: &str, outcome: CallOutcome) {
        let ended = CallEnded {
            outcome: outcome.into(),
            employee: format!("employees/{employee}"),
            ..CallEnded::default()
        };
        self.call(at, "call_ended", call, "", calls_event::Event::CallEnded(ended));
    }

    /// A callback was scheduled under the case.
    pub(crate) fn scheduled(&self, at: DateTime<Utc>, id: &str, case: &str, due: DateTime<Utc>) {
        let scheduled = CallbackScheduled {
            callback: format!("{case}/callbacks/{id}"),
            kind: CallbackKind::Promised.into(),
            case: case.to_owned(),
            due: Some(to_proto(due)),
            ..CallbackScheduled::default()
        };
        let event = callbacks_event::Event::CallbackScheduled(scheduled);
        self.callback(at, "callback_scheduled", id, case, event);
    }

    /// The client was reached.
    pub(crate) fn completed(
        &self,
        at: DateTime<Utc>,
        id: &str,
        case: &str,
        solved: bool,
        overall: Satisfaction,
    ) {
        let completed = CallbackCompleted {
            case: case.to_owned(),
            solved,
            overall: overall.into(),
            ..CallbackCompleted::default()
        };
        let event = callbacks_event::Event::CallbackCompleted(completed);
        self.callback(at, "callback_completed", id, case, event);
    }

    pub(crate) fn cancelled(&self, at: DateTime<Utc>, id: &str, case: &str) {
        let event = callbacks_event::Event::CallbackCancelled(CallbackCancelled::default());
        self.callback(at, "callback_cancelled", id, case, event);
    }

    /// What a follower may read at a position, or when there is more.
    async fn after(self, position: usize) -> Option<(Result<WatchResponse, Status>, usize)> {
        let mut length = self.0.length.subscribe();
        length.wait_for(|length| *length > position).await.ok()?;
        let event = self.0.events.lock().unwrap()[position].clone();
        Some((Ok(WatchResponse { item: Some(Item::Event(event)) }), position + 1))
    }
}

#[tonic::async_trait]
impl event_feed_server::EventFeed for Feed {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let after = request.into_inner().after.map_or(0, |cursor| cursor.position);
        let feed = self.clone();
        let from = usize::try_from(after).unwrap();
        let events = stream::unfold(from, move |position| feed.clone().after(position));
        Ok(Response::new(events.boxed()))
    }
}
