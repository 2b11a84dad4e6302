//! The ledgers as the gateway's feeds show them: read on from where they were, kept in order, and indexed by what the play needs to know,
//! the names of callbacks. What the events amount to is for [`super::figures`].

use std::collections::HashMap;

use futures_util::future::try_join_all;
use shouwen_proto::events::v1::{
    Cursor, Event, WatchRequest, WatchResponse, callbacks_event, event::Body,
    event_feed_client::EventFeedClient, watch_response::Item,
};
use tonic::Streaming;

use super::{
    DemoError,
    api::{Api, Refused, Who},
    input::{CallbackKind, CallbackRef},
    simulation::{Heads, SERVICES},
};

/// How often a feed that ended is opened again without one event between.
const REOPENINGS: u32 = 10;

/// All feeds.
pub(super) struct Feeds<'a> {
    each: [Feed<'a>; 5],
    callbacks: HashMap<CallbackRef, String>,
    /// The newest verification of each complaint.
    verifications: HashMap<String, String>,
    /// Events of callbacks that were looked at for that.
    indexed: usize,
}

impl<'a> Feeds<'a> {
    pub(super) fn new(api: &'a Api, reader: &Who) -> Self {
        let each = SERVICES.map(|service| Feed {
            api,
            reader: reader.clone(),
            service,
            stream: None,
            events: Vec::new(),
        });
        Self { each, callbacks: HashMap::new(), verifications: HashMap::new(), indexed: 0 }
    }

    /// Reads what names callbacks up to these positions.
    pub(super) async fn read_until(&mut self, heads: Heads) -> Result<(), DemoError> {
        let [_, to_calls, to_callbacks, ..] = heads;
        let [_, calls, callbacks, ..] = &mut self.each;
        tokio::try_join!(calls.read_until(to_calls), callbacks.read_until(to_callbacks))?;
        self.name_callbacks();
        Ok(())
    }

    /// Reads every feed up to these positions. A feed that is read all the time costs the services as much as a further follower, so the others wait for
    /// this.
    pub(super) async fn read_to_the_end(&mut self, heads: Heads) -> Result<(), DemoError> {
        try_join_all(self.each.iter_mut().zip(heads).map(|(feed, head)| feed.read_until(head))).await?;
        self.name_callbacks();
        Ok(())
    }

    fn name_callbacks(&mut self) {
        let [_, calls, callbacks, ..] = &self.each;
        for event in callbacks.events.iter().skip(self.indexed) {
            let scheduled = match &event.body {
                Some(Body::Callbacks(body)) => body.event.as_ref(),
                _ => None,
            };
            let Some(callbacks_event::Event::CallbackScheduled(scheduled)) = scheduled else { continue };
            if scheduled.kind() == CallbackKind::Verification {
                self.verifications.insert(scheduled.complaint.clone(), scheduled.callback.clone());
                continue;
            }
            let contact = calls.origin(&event.cause).unwrap_or_else(|| event.cause.clone());
            let kind = CallbackKind::try_from(scheduled.kind).unwrap_or_default();
            self.callbacks.insert(CallbackRef { contact, kind }, scheduled.callback.clone());
        }
        self.indexed = callbacks.events.len();
    }

    /// The full name of a callback, among what was read.
    pub(super) fn callback(&self, wanted: &CallbackRef) -> Option<&str> {
        self.callbacks.get(wanted).map(String::as_str)
    }

    /// The full name of the newest verification of a complaint (`cases/…/complaints/…`), among what was read.
    pub(super) fn verification(&self, complaint: &str) -> Option<&str> {
        self.verifications.get(complaint).map(String::as_str)
    }

    /// Any callback that a contact led to.
    pub(super) fn callback_of_contact(&self, contact: &str) -> Option<&str> {
        [CallbackKind::Promised, CallbackKind::MissedCall, CallbackKind::AfterHours]
            .into_iter()
            .find_map(|kind| self.callback(&CallbackRef { contact: contact.to_owned(), kind }))
    }

    /// What was read, feed by feed in the order of [`SERVICES`].
    pub(super) fn into_events(self) -> [Vec<Event>; 5] {
        self.each.map(|feed| feed.events)
    }
}

/// One feed.
struct Feed<'a> {
    api: &'a Api,
    reader: Who,
    service: &'static str,
    stream: Option<Streaming<WatchResponse>>,
    events: Vec<Event>,
}

impl Feed<'_> {
    async fn read_until(&mut self, head: i64) -> Result<(), DemoError> {
        let mut reopened = 0;
        while self.position() < head {
            match self.next().await {
                Ok(Some(event)) => {
                    self.events.push(event);
                    reopened = 0;
                }
                // It only says where the head is.
                Ok(None) => {}
                // Ended by the gateway: the connection's age, the token's end.
                Err(_) if reopened < REOPENINGS => {
                    self.stream = None;
                    reopened += 1;
                }
                Err(refused) => return Err(DemoError::call("Watch", refused)),
            }
        }
        Ok(())
    }

    /// The next item; `None` for a heartbeat.
    async fn next(&mut self) -> Result<Option<Event>, Refused> {
        let stream = if let Some(stream) = &mut self.stream {
            stream
        } else {
            let after = Cursor { incarnation: String::new(), position: self.position() };
            let watch = WatchRequest { service: self.service.to_owned(), after: Some(after) };
            let (channel, request) = self.api.request(&self.reader, watch)?;
            self.stream.insert(EventFeedClient::new(channel).watch(request).await?.into_inner())
        };
        match stream.message().await? {
            Some(WatchResponse { item: Some(Item::Event(event)) }) => Ok(Some(event)),
            Some(_) => Ok(None),
            None => Err(tonic::Status::unavailable("the feed ended").into()),
        }
    }

    fn position(&self) -> i64 {
        self.events.last().map_or(0, position)
    }

    /// The contact whose event caused something (`calls:381`).
    fn origin(&self, cause: &str) -> Option<String> {
        let wanted: i64 = cause.strip_prefix("calls:")?.parse().ok()?;
        let at = self.events.binary_search_by_key(&wanted, position).ok()?;
        self.events.get(at)?.aggregate.strip_prefix("calls/").map(str::to_owned)
    }
}

/// Where an event stands on its ledger.
pub(super) fn position(event: &Event) -> i64 {
    event.cursor.as_ref().map_or(0, |cursor| cursor.position)
}
