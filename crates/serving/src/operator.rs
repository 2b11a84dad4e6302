//! `OperatorService` over a service's engine.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::future::BoxFuture;
use shouwen_access::{Caller, Failure};
use shouwen_engine::{
    Domain, Engine, FeedSource, Follow,
    clock::ClockError,
    parked::{Parked, ParkedError},
};
use shouwen_proto::{
    events::v1::Cursor,
    operator::v1::{
        Follower, GetStatusRequest, ListParkedEventsRequest, ListParkedEventsResponse, ParkedEvent,
        RetryParkedEventRequest, RetryParkedEventResponse, SkipParkedEventRequest, SkipParkedEventResponse,
        Status, StepClockRequest, StepClockResponse, operator_service_server,
    },
};
use tonic::{Code, Request, Response};

use crate::{page, refusal, timestamps};

/// One followed feed, as operators handle its parked events.
pub trait ParkedFeed: Send + Sync {
    fn feed(&self) -> &'static str;
    fn retry<'a>(&'a self, position: i64, actor: &'a str) -> BoxFuture<'a, Result<i32, ParkedError>>;
    fn skip<'a>(
        &'a self,
        position: i64,
        reason: &'a str,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<i32, ParkedError>>;
}

/// A follower with the feed it reads.
pub struct Followed<D: Domain, F> {
    pub engine: Engine<D>,
    pub follow: Arc<F>,
    pub source: FeedSource,
}

impl<D: Domain, F: Follow<D>> ParkedFeed for Followed<D, F> {
    fn feed(&self) -> &'static str {
        F::FEED
    }

    fn retry<'a>(&'a self, position: i64, actor: &'a str) -> BoxFuture<'a, Result<i32, ParkedError>> {
        Box::pin(self.engine.retry_parked(&self.follow, &self.source, position, actor))
    }

    fn skip<'a>(
        &'a self,
        position: i64,
        reason: &'a str,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<i32, ParkedError>> {
        Box::pin(self.engine.skip_parked(&self.follow, &self.source, position, reason, actor))
    }
}

/// The calendar in force: version and the last day it covers.
pub type CalendarState = Arc<dyn Fn(DateTime<Utc>) -> (String, NaiveDate) + Send + Sync>;

/// Serves one service's operators.
pub struct OperatorServer<D: Domain> {
    pub engine: Engine<D>,
    pub feeds: Vec<Box<dyn ParkedFeed>>,
    pub calendar: CalendarState,
}

impl<D: Domain> OperatorServer<D> {
    fn named(service: &str) -> Result<(), Failure> {
        if service == D::SERVICE {
            return Ok(());
        }
        let (english, chinese) =
            (format!("must be `{}` here", D::SERVICE), format!("此处必须为 `{}`", D::SERVICE));
        Err(Failure::field_invalid("service", english, chinese))
    }

    fn feed(&self, feed: &str) -> Result<&dyn ParkedFeed, Failure> {
        let found = self.feeds.iter().find(|known| known.feed() == feed);
        found.map(AsRef::as_ref).ok_or_else(|| {
            let known: Vec<&str> = self.feeds.iter().map(|known| known.feed()).collect();
            Failure::field_invalid(
                "feed",
                format!("this service follows: {}", known.join(", ")),
                format!("本服务跟随的事件流：{}", known.join("、")),
            )
        })
    }
}

#[tonic::async_trait]
impl<D: Domain> operator_service_server::OperatorService for OperatorServer<D> {
    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<Status>, tonic::Status> {
        Self::named(&request.get_ref().service)?;
        let reached: Vec<(String, i64)> = request
            .into_inner()
            .idle_after
            .into_iter()
            .map(|follower| (follower.feed, follower.cursor.map_or(0, |cursor| cursor.position)))
            .collect();
        let status = if reached.is_empty() {
            self.engine.status().await
        } else {
            self.engine.status_when_idle(&reached).await
        }
        .map_err(|error| refusal::database(&error))?;
        let (calendar_version, covered_until) = (self.calendar)(status.now);
        let covered_until = end_of_day(covered_until);
        Ok(Response::new(Status {
            service: D::SERVICE.to_owned(),
            head: Some(Cursor {
                incarnation: status.head.incarnation.to_string(),
                position: status.head.position,
            }),
            followers: status
                .followers
                .into_iter()
                .map(|(feed, cursor)| Follower { feed, cursor: Some(cursor) })
                .collect(),
            time: Some(timestamps::to_proto(status.now)),
            simulated: status.simulated,
            next_due_time: status.next_due.map(timestamps::to_proto),
            deadlines: status.deadlines,
            outstanding: status.outstanding,
            parked: status.parked,
            calendar_version,
            calendar_covered_until: Some(timestamps::to_proto(covered_until)),
        }))
    }

    async fn list_parked_events(
        &self,
        request: Request<ListParkedEventsRequest>,
    ) -> Result<Response<ListParkedEventsResponse>, tonic::Status> {
        let request = request.into_inner();
        Self::named(&request.service)?;
        let (feed, after) = match request.page_token.split_once(':') {
            _ if request.page_token.is_empty() => ("", 0),
            Some((feed, position)) => (feed, position.parse().map_err(|_| Failure::page_token_invalid())?),
            None => return Err(Failure::page_token_invalid().into()),
        };
        let size = page::size(request.page_size, 50, 500)?;
        let parked =
            self.engine.parked(feed, after, size).await.map_err(|error| refusal::database(&error))?;
        let full = parked.len() == usize::try_from(size).unwrap_or_default();
        let next_page_token = parked
            .last()
            .filter(|_| full)
            .map_or_else(String::new, |last| format!("{}:{}", last.feed, last.position));
        let parked_events = parked.into_iter().map(shown).collect();
        Ok(Response::new(ListParkedEventsResponse { parked_events, next_page_token }))
    }

    async fn retry_parked_event(
        &self,
        request: Request<RetryParkedEventRequest>,
    ) -> Result<Response<RetryParkedEventResponse>, tonic::Status> {
        let actor = Caller::from_request(&request)?.principal.to_string();
        let request = request.into_inner();
        Self::named(&request.service)?;
        let feed = self.feed(&request.feed)?;
        let applied = feed.retry(request.position, &actor).await.map_err(parked_failure)?;
        Ok(Response::new(RetryParkedEventResponse { applied }))
    }

    async fn skip_parked_event(
        &self,
        request: Request<SkipParkedEventRequest>,
    ) -> Result<Response<SkipParkedEventResponse>, tonic::Status> {
        let actor = Caller::from_request(&request)?.principal.to_string();
        let request = request.into_inner();
        Self::named(&request.service)?;
        if request.reason.trim().is_empty() {
            return Err(Failure::field_invalid(
                "reason",
                "say why the event is given up",
                "请说明放弃该事件的原因",
            )
            .into());
        }
        let feed = self.feed(&request.feed)?;
        let applied = feed.skip(request.position, &request.reason, &actor).await.map_err(parked_failure)?;
        Ok(Response::new(SkipParkedEventResponse { applied }))
    }

    async fn step_clock(
        &self,
        request: Request<StepClockRequest>,
    ) -> Result<Response<StepClockResponse>, tonic::Status> {
        let request = request.into_inner();
        Self::named(&request.service)?;
        let from = time("from", request.from.as_ref())?;
        let to = time("to", request.to.as_ref())?;
        let here = self.engine.step_clock(from, to, request.release).await.map_err(clock_failure)?;
        Ok(Response::new(StepClockResponse { time: Some(timestamps::to_proto(here)) }))
    }
}

fn time(field: &'static str, value: Option<&prost_types::Timestamp>) -> Result<DateTime<Utc>, Failure> {
    value
        .and_then(timestamps::from_proto)
        .ok_or_else(|| Failure::field_invalid(field, "must be a valid time", "必须是有效的时间"))
}

/// The end of the last covered day, as a time.
fn end_of_day(day: NaiveDate) -> DateTime<Utc> {
    day.and_hms_opt(15, 59, 59).unwrap_or_default().and_utc()
}

fn shown(parked: Parked) -> ParkedEvent {
    ParkedEvent {
        feed: parked.feed,
        position: parked.position,
        aggregate: parked.aggregate,
        r#type: parked.r#type,
        reason: parked.reason,
        time: Some(timestamps::to_proto(parked.time)),
    }
}

fn parked_failure(error: ParkedError) -> Failure {
    match error {
        ParkedError::NotFound => Failure::new(
            Code::NotFound,
            "PARKED_EVENT_NOT_FOUND",
            "No such event is parked; list them to see which are.",
            "没有该搁置事件，请先列出。",
        ),
        ParkedError::StillRejected(reason) => Failure::new(
            Code::FailedPrecondition,
            "STILL_REJECTED",
            "The event is rejected again; remove the cause or skip it.",
            "该事件仍被拒绝，请排除原因或跳过。",
        )
        .with("cause", reason),
        // The engine has said in the log what failed.
        ParkedError::Failed(_) => Failure::internal(),
        ParkedError::Contention => Failure::contention(),
        // A repetition says nothing of what the first call did: what is listed does.
        ParkedError::OutcomeUnknown(_) => Failure::new(
            Code::Unavailable,
            "OUTCOME_UNKNOWN",
            "It is not known whether this took effect; list the parked events: what is not among them any more was applied or given up.",
            "尚不能确定操作是否已生效，请列出搁置事件；不在其中者已处理或已放弃。",
        ),
        ParkedError::Feed(error) => {
            tracing::warn!(error, "a parked event could not be read again");
            Failure::unavailable("FEED_UNAVAILABLE")
        }
        ParkedError::Database(error) => refusal::database(&error),
    }
}

fn clock_failure(error: ClockError) -> Failure {
    match error {
        ClockError::NotSimulated => Failure::new(
            Code::FailedPrecondition,
            "CLOCK_NOT_SIMULATED",
            "Time is real here and cannot be moved.",
            "此处使用真实时间，不能调整。",
        ),
        ClockError::Elsewhere(here) => Failure::new(
            Code::FailedPrecondition,
            "CLOCK_MOVED",
            "The clock stands elsewhere; read the status and step from there, forward only.",
            "时钟位置不符，请读取状态后从该处向前推进。",
        )
        .with("time", here.to_rfc3339()),
        ClockError::DeadlineBefore(due) => Failure::new(
            Code::FailedPrecondition,
            "DEADLINE_BEFORE",
            "A deadline is due before; step to it first.",
            "之前还有到期事项，请先推进到该时间。",
        )
        .with("due", due.to_rfc3339()),
        ClockError::LedgerNotEmpty => Failure::internal(),
        ClockError::Database(error) => refusal::database(&error),
    }
}
