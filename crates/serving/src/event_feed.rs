//! `EventFeed.Watch` over a service's ledger.
//!
//! Services of the suite get private content in clear over their authenticated channel; everybody else gets it empty, and only the events of
//! branches in reach.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use shouwen_access::{Caller, Failure, Reach};
use shouwen_engine::{
    Domain, Engine,
    feed::{self, CursorError, FeedItem},
    ledger::{Head, LedgerRow},
};
use shouwen_proto::{
    events::v1::{
        Cursor, Event, Heartbeat, WatchRequest, WatchResponse, event::Body, event_feed_server,
        watch_response::Item,
    },
    r#type::v1::{Private, private::Form},
};
use shouwen_vault::{Vault, VaultError};
use tonic::{Code, Request, Response, Status};

use crate::{private, refusal, timestamps};

/// A domain whose events can be shown.
pub trait FeedEvents: Domain {
    /// As the body of a feed's event.
    fn body(event: Self::Event) -> Body;

    /// Every private field of an event.
    fn privates(event: &mut Self::Event) -> Vec<&mut Option<Private>>;
}

/// Serves the feed of one service.
pub struct EventFeedServer<D: Domain> {
    engine: Engine<D>,
    vault: Vault,
}

impl<D: Domain> EventFeedServer<D> {
    pub fn new(engine: Engine<D>, vault: Vault) -> Self {
        Self { engine, vault }
    }
}

#[tonic::async_trait]
impl<D: FeedEvents> event_feed_server::EventFeed for EventFeedServer<D> {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let watch = request.into_inner();
        if watch.service != D::SERVICE {
            return Err(Failure::field_invalid(
                "service",
                format!("must be `{}` here", D::SERVICE),
                format!("此处必须为 `{}`", D::SERVICE),
            )
            .into());
        }
        let after = watch.after.unwrap_or_default();
        feed::check_cursor(&self.engine, &after.incarnation, after.position)
            .await
            .map_err(|error| refusal::database(&error))?
            .map_err(|error| cursor_failure(&error))?;
        let incarnation = shouwen_engine::ledger::head(self.engine.pool())
            .await
            .map_err(|error| refusal::database(&error))?
            .incarnation;
        let viewer = Viewer { caller, vault: self.vault.clone(), incarnation: incarnation.to_string() };
        let items = feed::watch(&self.engine, after.position)
            .then(move |item| {
                let viewer = viewer.clone();
                async move {
                    match item {
                        Ok(FeedItem::Events(rows)) => viewer.show::<D>(rows).await,
                        Ok(FeedItem::Head(head)) => vec![Ok(heartbeat(&head))],
                        Err(error) => vec![Err(refusal::database(&error).into())],
                    }
                }
            })
            .flat_map(stream::iter)
            .take_until(Box::pin(self.engine.stopping()));
        Ok(Response::new(Box::pin(items)))
    }
}

fn cursor_failure(error: &CursorError) -> Failure {
    match error {
        CursorError::BeyondHead => Failure::new(
            Code::OutOfRange,
            "CURSOR_BEYOND_HEAD",
            "The cursor lies beyond the ledger's head; resume from a cursor that was received.",
            "游标超出账本末尾，请使用曾收到的游标。",
        ),
        CursorError::BelowRetention => Failure::new(
            Code::OutOfRange,
            "CURSOR_BELOW_RETENTION",
            "Events after the cursor are no longer kept; read the present state and resume from the head.",
            "游标之后的事件已不再保留，请读取当前状态后从末尾继续。",
        ),
        CursorError::IncarnationChanged => Failure::new(
            Code::FailedPrecondition,
            "INCARNATION_CHANGED",
            "The ledger was restored or moved; read the present state and resume without a cursor.",
            "账本已恢复或迁移，请读取当前状态后重新开始。",
        ),
    }
}

fn heartbeat(head: &Head) -> WatchResponse {
    let head = Cursor { incarnation: head.incarnation.to_string(), position: head.position };
    WatchResponse { item: Some(Item::Heartbeat(Heartbeat { head: Some(head) })) }
}

#[derive(Clone)]
struct Viewer {
    caller: Caller,
    vault: Vault,
    incarnation: String,
}

impl Viewer {
    async fn show<D: FeedEvents>(&self, rows: Vec<LedgerRow>) -> Vec<Result<WatchResponse, Status>> {
        let visible = rows.into_iter().filter(|row| self.sees(row)).collect();
        match self.events::<D>(visible).await {
            Ok(events) => {
                events.into_iter().map(|event| Ok(WatchResponse { item: Some(Item::Event(event)) })).collect()
            }
            Err(failure) => vec![Err(failure.into())],
        }
    }

    fn sees(&self, row: &LedgerRow) -> bool {
        match &self.caller.reach {
            Reach::All => true,
            Reach::Branches(branches) => branches.iter().any(|branch| branch.as_str() == row.branch),
        }
    }

    async fn events<D: FeedEvents>(&self, rows: Vec<LedgerRow>) -> Result<Vec<Event>, Failure> {
        let mut decoded = Vec::with_capacity(rows.len());
        for row in rows {
            let event = D::decode(&row.payload).map_err(|error| {
                tracing::error!(service = D::SERVICE, position = row.position, %error, "an event cannot be decoded");
                Failure::internal()
            })?;
            decoded.push((row, event));
        }
        if self.caller.is_system() {
            self.open::<D>(&mut decoded).await?;
        } else {
            for (_, event) in &mut decoded {
                for field in D::privates(event) {
                    *field = None;
                }
            }
        }
        Ok(decoded.into_iter().map(|(row, event)| self.event(row, D::SERVICE, D::body(event))).collect())
    }

    /// Puts the texts in clear where they are sealed. What was erased stays empty.
    async fn open<D: FeedEvents>(&self, decoded: &mut [(LedgerRow, D::Event)]) -> Result<(), Failure> {
        let mut fields: Vec<&mut Option<Private>> = Vec::new();
        for (_, event) in decoded {
            fields.extend(
                D::privates(event).into_iter().filter(|field| private::sealed(field.as_ref()).is_some()),
            );
        }
        if fields.is_empty() {
            return Ok(());
        }
        let sealed: Vec<_> = fields.iter().filter_map(|field| private::sealed(field.as_ref())).collect();
        let texts = self.vault.unseal_many(&sealed).await.map_err(|error| refusal::vault(&error))?;
        for (field, text) in fields.into_iter().zip(texts) {
            *field = match text {
                Ok(text) => Some(Private { form: Some(Form::Clear(text)) }),
                Err(VaultError::Erased { .. }) => None,
                Err(error) => return Err(refusal::vault(&error)),
            };
        }
        Ok(())
    }

    fn event(&self, row: LedgerRow, service: &str, body: Body) -> Event {
        Event {
            cursor: Some(Cursor { incarnation: self.incarnation.clone(), position: row.position }),
            service: service.to_owned(),
            r#type: row.r#type,
            aggregate: row.aggregate,
            version: row.version,
            time: Some(timestamps::to_proto(row.time)),
            actor: row.actor,
            on_behalf: row.on_behalf,
            capacity: row.capacity,
            case: row.case_name,
            branch: row.branch,
            request_id: row.request_id,
            cause: row.cause,
            body: Some(body),
        }
    }
}
