//! A feed to follow: a small gRPC server over canned events or another engine's ledger.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use prost::Message as _;
use shouwen_engine::{
    Actor, Engine, FeedSource, Follow, FollowError, Submission,
    feed::{FeedItem, watch},
};
use shouwen_proto::events::v1::{
    CallVoided, CallsEvent, Cursor, Event, Heartbeat, WatchRequest, WatchResponse, calls_event, event::Body,
    event_feed_client::EventFeedClient, event_feed_server, watch_response::Item,
};
use sqlx::PgConnection;
use tokio::sync::watch::{Receiver, Sender};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Server, server::TcpIncoming},
};

use crate::bank::{Bank, Command, Entry};

const INCARNATION: &str = "the-first";

/// An event of another service: something happened to `calls/{aggregate}`, worth an amount.
pub(crate) fn event(position: i64, aggregate: &str, amount: &str) -> Event {
    Event {
        cursor: Some(Cursor { incarnation: INCARNATION.to_owned(), position }),
        service: "shop".to_owned(),
        r#type: "call_voided".to_owned(),
        aggregate: format!("calls/{aggregate}"),
        time: Some(prost_types::Timestamp { seconds: 1_700_000_000 + position, nanos: 0 }),
        body: Some(Body::Calls(CallsEvent {
            event: Some(calls_event::Event::CallVoided(CallVoided { reason: amount.to_owned() })),
        })),
        ..Event::default()
    }
}

/// When the event of a position happened.
pub(crate) fn happened(position: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + position, 0).unwrap()
}

/// Serves events that the test adds.
pub(crate) struct Canned {
    events: Sender<Vec<Event>>,
    /// Streams that were opened.
    opened: Arc<AtomicUsize>,
    pub(crate) source: FeedSource,
}

impl Canned {
    /// `breaks`: each stream ends after so many events.
    pub(crate) async fn serve(events: Vec<Event>, breaks: Option<usize>) -> Self {
        let (events, known) = tokio::sync::watch::channel(events);
        let opened = Arc::new(AtomicUsize::new(0));
        let feed = CannedFeed { known, breaks, opened: Arc::clone(&opened) };
        Self { events, opened, source: serve(feed).await }
    }

    pub(crate) fn add(&self, more: impl IntoIterator<Item = Event>) {
        self.events.send_modify(|events| events.extend(more));
    }

    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

struct CannedFeed {
    known: Receiver<Vec<Event>>,
    breaks: Option<usize>,
    opened: Arc<AtomicUsize>,
}

type Responses = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

#[tonic::async_trait]
impl event_feed_server::EventFeed for CannedFeed {
    type WatchStream = Responses;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Responses>, Status> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let after = request.into_inner().after.unwrap_or_default().position;
        let items = stream::unfold((self.known.clone(), after), |(mut known, after)| async move {
            let ready =
                known.wait_for(|events| events.iter().any(|event| position(event) > after)).await.ok()?;
            let next = ready.iter().find(|event| position(event) > after).cloned()?;
            drop(ready);
            let reached = position(&next);
            Some((Ok(WatchResponse { item: Some(Item::Event(next)) }), (known, reached)))
        });
        Ok(Response::new(match self.breaks {
            Some(events) => Box::pin(items.take(events)),
            None => Box::pin(items),
        }))
    }
}

fn position(event: &Event) -> i64 {
    event.cursor.as_ref().map_or(0, |cursor| cursor.position)
}

/// Serves the ledger of an engine: deposits become events.
pub(crate) struct LedgerFeed(pub(crate) Engine<Bank>);

#[tonic::async_trait]
impl event_feed_server::EventFeed for LedgerFeed {
    type WatchStream = Responses;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Responses>, Status> {
        let after = request.into_inner().after.unwrap_or_default().position;
        let items =
            watch(&self.0, after).map_err(|error| Status::unavailable(error.to_string())).flat_map(|item| {
                stream::iter(match item {
                    Ok(FeedItem::Events(rows)) => rows
                        .into_iter()
                        .map(|row| {
                            let entry = Entry::decode(row.payload.as_slice()).unwrap();
                            let name = row.aggregate.split_once('/').unwrap().1;
                            Ok(WatchResponse {
                                item: Some(Item::Event(event(row.position, name, &entry.amount.to_string()))),
                            })
                        })
                        .collect(),
                    Ok(FeedItem::Head(head)) => {
                        let head = Cursor { incarnation: INCARNATION.to_owned(), position: head.position };
                        vec![Ok(WatchResponse {
                            item: Some(Item::Heartbeat(Heartbeat { head: Some(head) })),
                        })]
                    }
                    Err(status) => vec![Err(status)],
                })
            });
        Ok(Response::new(Box::pin(items)))
    }
}

/// Serves a feed on a port of its own for as long as the test runs.
pub(crate) async fn serve(feed: impl event_feed_server::EventFeed) -> FeedSource {
    let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = incoming.local_addr().unwrap();
    let service = event_feed_server::EventFeedServer::new(feed);
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    Arc::new(move |request| {
        let mut client = EventFeedClient::new(channel.clone());
        Box::pin(async move { client.watch(request).await.map(Response::into_inner) })
    })
}

/// Credits `accounts/{name}` with what happened to `calls/{name}`, and projects every event: that it was, and which was the latest of its aggregate.
pub(crate) struct Credit;

impl Follow<Bank> for Credit {
    const FEED: &'static str = "shop";

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        let Some(Body::Calls(CallsEvent { event: Some(calls_event::Event::CallVoided(voided)) })) =
            &event.body
        else {
            return Err(FollowError::Malformed("no body".to_owned()));
        };
        assert_ne!(voided.reason, "unspeakable");
        if voided.reason == "nothing" {
            return Ok(None);
        }
        let amount: i64 = voided
            .reason
            .parse()
            .map_err(|_| FollowError::Malformed("the amount is no number".to_owned()))?;
        let name = event.aggregate.split_once('/').unwrap().1;
        let actor = Actor { principal: "services/shop".to_owned(), ..Actor::default() };
        let command = Command::Receive { account: format!("accounts/{name}"), amount };
        Ok(Some(Submission::new(command, actor)))
    }

    fn fence(&self, event: &Event) -> Option<(String, i64)> {
        assert_ne!(event.case, "cases/unspeakable");
        Some((event.case.clone(), event.version)).filter(|(case, _)| !case.is_empty())
    }

    async fn project(&self, connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
        for event in events {
            if event.branch == "unprojectable" {
                // Fails until the test has made room for it.
                sqlx::query("select 1 / count(*) from counter").execute(&mut *connection).await?;
            }
            sqlx::query(
                "insert into projected (position, times) values ($1, 1)
                 on conflict (position) do update set times = projected.times + 1",
            )
            .bind(position(event))
            .execute(&mut *connection)
            .await?;
            sqlx::query(
                "insert into latest (aggregate, position) values ($1, $2)
                 on conflict (aggregate) do update set position = excluded.position",
            )
            .bind(&event.aggregate)
            .bind(position(event))
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }
}
