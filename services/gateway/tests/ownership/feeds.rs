//! The feeds of the other services as tests write them: a tiny `EventFeed` in the same process that serves what was pushed, in order, from any
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
        CallAnswered, CallEnded, CallMissed, CallOutcome, CallbackCancelled, CallbackCompleted,
        CallbackLimitMoved, CallbackResultSuperseded, CallbackScheduled, CallbacksEvent, CallsEvent,
        ClientsEvent, ComplaintClosed, ComplaintDeclined, ComplaintEnd, ComplaintFiled, ComplaintReopened,
        ComplaintsEvent, Cursor, Event, WatchRequest, WatchResponse, callbacks_event, calls_event,
        clients_event, complaints_event, event::Body, event_feed_client::EventFeedClient, event_feed_server,
        watch_response::Item,
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

    pub(crate) fn service(&self) -> &'static str {
        self.0.service
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

    /// Anything else that happened to a callback.
    pub(crate) fn callback(
        &self,
        at: DateTime<Utc>,
        r#type: &str,
        id: &str,
        case: &str,
        event: callbacks_event::Event,
    ) {
        let body = Body::Callbacks(CallbacksEvent { event: Some(event) });
        self.push(at, r#type, format!("callbacks/{id}"), case, body);
    }

    /// Calls took zhang's first touch of `contacts/{call}`.
    pub(crate) fn answered(&self, at: DateTime<Utc>, call: &str, case: &str) {
        let answered = CallAnswered {
            employee: "employees/zhang".to_owned(),
            case: case.to_owned(),
            ..CallAnswered::default()
        };
        self.call(at, "call_answered", call, case, calls_event::Event::CallAnswered(answered));
    }

    /// Nobody answered the call.
    pub(crate) fn missed(&self, at: DateTime<Utc>, call: &str) {
        self.call(at, "call_missed", call, "", calls_event::Event::CallMissed(CallMissed::default()));
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

    /// The limit of a callback was recomputed.
    pub(crate) fn moved(&self, at: DateTime<Utc>, id: &str, case: &str, due: DateTime<Utc>) {
        let moved = CallbackLimitMoved { due: Some(to_proto(due)), ..CallbackLimitMoved::default() };
        let event = callbacks_event::Event::CallbackLimitMoved(moved);
        self.callback(at, "callback_limit_moved", id, case, event);
    }

    /// Another result stands from now on.
    pub(crate) fn superseded(&self, at: DateTime<Utc>, id: &str, case: &str, overall: Satisfaction) {
        self.corrected((at, None), id, case, overall);
    }

    /// As [`Feed::superseded`], with the time of the talk.
    pub(crate) fn corrected(
        &self,
        (at, talk): (DateTime<Utc>, Option<DateTime<Utc>>),
        id: &str,
        case: &str,
        overall: Satisfaction,
    ) {
        let result = CallbackCompleted {
            case: case.to_owned(),
            solved: true,
            overall: overall.into(),
            talk_time: talk.map(to_proto),
            ..CallbackCompleted::default()
        };
        let superseded = CallbackResultSuperseded { reason: "wrong client".to_owned(), result: Some(result) };
        let event = callbacks_event::Event::CallbackResultSuperseded(superseded);
        self.callback(at, "callback_result_superseded", id, case, event);
    }

    /// A complaint is to be verified: named below the unit that does it, and of no case but by the event.
    pub(crate) fn verification(&self, at: DateTime<Utc>, id: &str, case: &str, due: DateTime<Utc>) {
        let scheduled = CallbackScheduled {
            callback: format!("branches/b1/callbacks/{id}"),
            kind: CallbackKind::Verification.into(),
            case: case.to_owned(),
            due: Some(to_proto(due)),
            complaint: format!("{case}/complaints/cp-1"),
            round: 1,
            ..CallbackScheduled::default()
        };
        let event = callbacks_event::Event::CallbackScheduled(scheduled);
        self.callback(at, "callback_scheduled", id, "", event);
    }

    /// The client said at the verification of a complaint whether they are satisfied.
    pub(crate) fn verified(&self, at: DateTime<Utc>, id: &str, case: &str, overall: Satisfaction) {
        let completed = CallbackCompleted {
            case: case.to_owned(),
            solved: true,
            overall: overall.into(),
            complaint: format!("{case}/complaints/cp-1"),
            round: 1,
            ..CallbackCompleted::default()
        };
        let event = callbacks_event::Event::CallbackCompleted(completed);
        self.callback(at, "callback_completed", id, "", event);
    }

    /// The verification of a complaint was given up.
    pub(crate) fn unverified(&self, at: DateTime<Utc>, id: &str, case: &str) {
        let complaint = format!("{case}/complaints/cp-1");
        let cancelled = CallbackCancelled { complaint, round: 1, ..CallbackCancelled::default() };
        let event = callbacks_event::Event::CallbackCancelled(cancelled);
        self.callback(at, "callback_cancelled", id, "", event);
    }

    /// Anything else that happened to a complaint.
    pub(crate) fn complaint(
        &self,
        at: DateTime<Utc>,
        r#type: &str,
        complaint: &str,
        event: complaints_event::Event,
    ) {
        let (case, id) = complaint.split_once("/complaints/").unwrap();
        let body = Body::Complaints(ComplaintsEvent { event: Some(event) });
        self.push(at, r#type, format!("complaints/{id}"), case, body);
    }

    /// A complaint about these employees was filed; `complaint` is the full name.
    pub(crate) fn filed(&self, at: DateTime<Utc>, complaint: &str, about: &[&str]) {
        let filed = ComplaintFiled {
            complaint: complaint.to_owned(),
            case: case_of(complaint),
            complained_about: about.iter().map(|id| format!("employees/{id}")).collect(),
            ..ComplaintFiled::default()
        };
        self.complaint(at, "complaint_filed", complaint, complaints_event::Event::ComplaintFiled(filed));
    }

    pub(crate) fn declined(&self, at: DateTime<Utc>, complaint: &str) {
        let declined = ComplaintDeclined { case: case_of(complaint), ..ComplaintDeclined::default() };
        let event = complaints_event::Event::ComplaintDeclined(declined);
        self.complaint(at, "complaint_declined", complaint, event);
    }

    pub(crate) fn handled_anew(&self, at: DateTime<Utc>, complaint: &str, reason: &str) {
        let reopened = ComplaintReopened {
            reason: reason.to_owned(),
            case: case_of(complaint),
            ..ComplaintReopened::default()
        };
        let event = complaints_event::Event::ComplaintReopened(reopened);
        self.complaint(at, "complaint_reopened", complaint, event);
    }

    pub(crate) fn complaint_closed(
        &self,
        at: DateTime<Utc>,
        complaint: &str,
        end: ComplaintEnd,
        reason: &str,
    ) {
        let closed = ComplaintClosed {
            end: end.into(),
            reason: reason.to_owned(),
            case: case_of(complaint),
            ..ComplaintClosed::default()
        };
        self.complaint(at, "complaint_closed", complaint, complaints_event::Event::ComplaintClosed(closed));
    }

    /// What happened to a client's file.
    pub(crate) fn client(&self, at: DateTime<Utc>, client: &str, case: &str, event: clients_event::Event) {
        let body = Body::Clients(ClientsEvent { event: Some(event) });
        self.push(at, "client_saved", format!("clients/{client}"), case, body);
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

/// `cases/{case}` of a complaint's name.
fn case_of(complaint: &str) -> String {
    complaint.split_once("/complaints/").unwrap().0.to_owned()
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
