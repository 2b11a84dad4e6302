//! Bodies on their way through the edge. Bytes and trailers pass as they are; what is added is an end: when the time or the token has
//! run out, or a message grows too large, the call ends with a status of its own instead of a broken stream.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use shouwen_access::{Failure, Language};
use shouwen_runtime::channel::ResponseBody;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;
use tower::BoxError;

use super::frames::{Breach, FrameMeter};
use super::limits::Place;
use super::refusal;

/// What a backend answers.
pub(super) enum Answer {
    /// Over the network.
    Remote(ResponseBody),
    /// In this process.
    Local(tonic::body::Body),
}

impl Answer {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Remote(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Local(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Remote(body) => body.is_end_stream(),
            Self::Local(body) => body.is_end_stream(),
        }
    }
}

/// When a call ends whatever its backend does, and what the caller is told then.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) at: Instant,
    pub(super) failure: fn(mutation: bool) -> Failure,
}

/// What the bytes of one call are held to.
pub(super) struct Bounds {
    pub(super) max_message_bytes: usize,
    pub(super) end: Option<End>,
    /// Of the caller's own stream.
    pub(super) leash: Option<Leash>,
    pub(super) mutation: bool,
    pub(super) service: Arc<str>,
    pub(super) language: Language,
}

/// Holds the caller's stream as long as its call goes on: it ends when this is dropped.
pub(super) struct Leash {
    /// What goes wrong with the stream; closed when it has passed whole.
    breach: Option<oneshot::Receiver<Failure>>,
    _open: oneshot::Sender<Infallible>,
}

impl Leash {
    /// What has gone wrong, if anything has.
    fn poll_breach(&mut self, context: &mut Context<'_>) -> Poll<Failure> {
        let Some(breach) = &mut self.breach else { return Poll::Pending };
        if let Ok(failure) = ready!(Pin::new(breach).poll(context)) {
            return Poll::Ready(failure);
        }
        self.breach = None;
        Poll::Pending
    }

    /// What goes wrong; pending as long as nothing does.
    pub(super) async fn breach(&mut self) -> Failure {
        poll_fn(|context| self.poll_breach(context)).await
    }
}

pin_project! {
    /// An answer within its bounds. The place of the call is given back when it ends or is dropped.
    pub(super) struct Bounded {
        answer: Option<(Answer, Place)>,
        meter: FrameMeter,
        bounds: Bounds,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Bounded {
    pub(super) fn new(answer: Answer, bounds: Bounds, place: Place) -> Self {
        let meter = FrameMeter::answers(bounds.max_message_bytes);
        Self { answer: Some((answer, place)), meter, bounds, sleep: None }
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut this = self.project();
        let Some((answer, _)) = this.answer else { return Poll::Ready(None) };
        let failure = match this.bounds.cut(context) {
            Some(failure) => failure,
            None => match answer.poll(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.data_ref().map(|data| this.meter.pass(data)) {
                    None | Some(Ok(())) => return Poll::Ready(Some(Ok(frame))),
                    Some(Err(_)) => refusal::answer_too_large(this.bounds.max_message_bytes),
                },
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(service = %this.bounds.service, error = %error, "an answer broke off");
                    lost(&this.bounds.service, this.bounds.mutation)
                }
                Poll::Ready(None) => {
                    *this.answer = None;
                    this.bounds.leash = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    let Some(end) = this.bounds.end else { return Poll::Pending };
                    if this.sleep.is_none() {
                        this.sleep.set(Some(sleep_until(end.at)));
                    }
                    match this.sleep.as_pin_mut().map(|sleep| sleep.poll(context)) {
                        Some(Poll::Ready(())) => (end.failure)(this.bounds.mutation),
                        Some(Poll::Pending) | None => return Poll::Pending,
                    }
                }
            },
        };
        // Dropping the backend's answer and the caller's stream cancels the call there.
        *this.answer = None;
        this.bounds.leash = None;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&failure, this.bounds.language)))))
    }

    fn is_end_stream(&self) -> bool {
        self.answer.as_ref().is_none_or(|(answer, _)| answer.is_end_stream())
    }
}

impl Bounds {
    /// Why the call is over already, if it is.
    fn cut(&mut self, context: &mut Context<'_>) -> Option<Failure> {
        if let Some(leash) = &mut self.leash
            && let Poll::Ready(failure) = leash.poll_breach(context)
        {
            return Some(failure);
        }
        // A stream that is always ready never gets to the timer.
        self.end.filter(|end| Instant::now() >= end.at).map(|end| (end.failure)(self.mutation))
    }
}

/// The failure of a call whose backend went away in the midst of it.
pub(super) fn lost(service: &str, mutation: bool) -> Failure {
    if mutation { Failure::outcome_unknown() } else { refusal::backend_unavailable(service) }
}

fn trailers(failure: &Failure, language: Language) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if failure.to_status(language).add_header(&mut trailers).is_err() {
        trailers.insert(Status::GRPC_STATUS, http::HeaderValue::from(i32::from(failure.code())));
    }
    trailers
}

/// A caller's stream on its way in: first what was read of it already, then the rest.
pub(super) struct Inbound<B> {
    opening: Option<Bytes>,
    rest: B,
    meter: FrameMeter,
    limit: usize,
    breach: Option<oneshot::Sender<Failure>>,
    /// `None` once the call is over.
    over: Option<oneshot::Receiver<Infallible>>,
}

impl<B> Inbound<B> {
    /// With the leash that ends it and learns what is wrong with it.
    pub(super) fn new(opening: Bytes, rest: B, limit: usize) -> (Self, Leash) {
        let (breach, told) = oneshot::channel();
        let (open, over) = oneshot::channel();
        let opening = Some(opening).filter(|bytes| !bytes.is_empty());
        let meter = FrameMeter::requests(limit);
        let inbound = Self { opening, rest, meter, limit, breach: Some(breach), over: Some(over) };
        (inbound, Leash { breach: Some(told), _open: open })
    }
}

impl<B> Body for Inbound<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.over.as_mut().is_none_or(|over| Pin::new(over).poll(context).is_ready()) {
            this.over = None;
            return Poll::Ready(Some(Err(Status::cancelled("the call is over"))));
        }
        let frame = match this.opening.take() {
            Some(opening) => Frame::data(opening),
            None => match ready!(Pin::new(&mut this.rest).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(Status::from_error(error.into())))),
                None => return Poll::Ready(None),
            },
        };
        let failure = match frame.data_ref().map(|data| this.meter.pass(data)) {
            None | Some(Ok(())) => return Poll::Ready(Some(Ok(frame))),
            Some(Err(Breach::TooLarge)) => Failure::message_too_large(this.limit),
            Some(Err(Breach::Compressed)) => refusal::compression_unsupported(),
        };
        if let Some(breach) = this.breach.take() {
            // Nobody listens any more if the answer has ended.
            let _ = breach.send(failure.clone());
        }
        Poll::Ready(Some(Err(failure.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.opening.is_none() && self.rest.is_end_stream()
    }
}
