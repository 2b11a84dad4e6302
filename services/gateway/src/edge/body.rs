//! Bodies on their way through the edge. Bytes and trailers pass as they are; what is added is an end: when the time or the token has
//! run out, or a message grows too large, the call ends with a status of its own instead of a broken stream.

use std::convert::Infallible;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use shouwen_access::{Failure, Language};
use shouwen_runtime::channel::ResponseBody;
use tokio::sync::oneshot;
use tokio::task::coop::{Unconstrained, unconstrained};
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

/// When a call ends whatever its backend and its caller do, and what the caller is told then.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) at: Instant,
    pub(super) failure: fn(mutation: bool) -> Failure,
}

/// What the bytes of one call are held to.
pub(super) struct Bounds {
    pub(super) max_message_bytes: usize,
    pub(super) end: End,
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

/// What a call holds as long as its answer goes on. Dropping it cancels the call at its backend.
struct Held {
    answer: Answer,
    /// Of the caller's own stream.
    leash: Option<Leash>,
    _place: Place,
}

/// A call that goes on, shared with the alarm that ends it: the answer of a caller who has no room for more of it is not polled, so it does not see its
/// time pass.
struct Ongoing(Mutex<State>);

#[derive(Default)]
struct State {
    /// `None` once the call is over.
    held: Option<Held>,
    /// Who waits for more of the answer.
    reader: Option<Waker>,
}

/// Ends a call at its time, until it is dropped.
type Alarm = Pin<Box<Unconstrained<Sleep>>>;

impl Ongoing {
    fn alarm(self: &Arc<Self>, at: Instant) -> Alarm {
        // A task that has used up its budget would have its waker called at once, and no timer set.
        let mut alarm = Box::pin(unconstrained(sleep_until(at)));
        let waker = Waker::from(Arc::clone(self));
        if alarm.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.stop();
        }
        alarm
    }

    /// Gives back what is held; returns who waits for more of the answer.
    fn stop(&self) -> Option<Waker> {
        let State { held, reader } = mem::take(&mut *self.lock());
        drop(held);
        reader
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Ongoing {
    /// The time is over.
    fn wake(self: Arc<Self>) {
        if let Some(reader) = self.stop() {
            reader.wake();
        }
    }
}

/// An answer within its bounds. The place of the call is given back when the answer ends, when its time is over, whether it is read or not, or when it is
/// dropped.
pub(super) struct Bounded {
    ongoing: Arc<Ongoing>,
    meter: FrameMeter,
    bounds: Bounds,
    /// Whether its end was passed on.
    ended: bool,
    _alarm: Alarm,
}

impl Bounded {
    /// With the place of the call, and the leash of the caller's stream if it has one.
    pub(super) fn new(answer: Answer, leash: Option<Leash>, bounds: Bounds, place: Place) -> Self {
        let held = Some(Held { answer, leash, _place: place });
        let ongoing = Arc::new(Ongoing(Mutex::new(State { held, reader: None })));
        let alarm = ongoing.alarm(bounds.end.at);
        let meter = FrameMeter::answers(bounds.max_message_bytes);
        Self { ongoing, meter, bounds, ended: false, _alarm: alarm }
    }

    /// The next frame, `None` at the end, or why the call is cut off.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Failure>> {
        let bounds = &self.bounds;
        let mut state = self.ongoing.lock();
        let Some(held) = state.held.as_mut().filter(|_| Instant::now() < bounds.end.at) else {
            return Poll::Ready(Err((bounds.end.failure)(bounds.mutation)));
        };
        if let Some(leash) = &mut held.leash
            && let Poll::Ready(failure) = leash.poll_breach(context)
        {
            return Poll::Ready(Err(failure));
        }
        let Poll::Ready(answered) = held.answer.poll(context) else {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(match answered {
            None => Ok(None),
            Some(Ok(frame)) => match frame.data_ref().map(|data| self.meter.pass(data)) {
                None | Some(Ok(())) => Ok(Some(frame)),
                Some(Err(_)) => Err(refusal::answer_too_large(bounds.max_message_bytes)),
            },
            Some(Err(error)) => {
                tracing::debug!(service = %bounds.service, error = %error, "an answer broke off");
                Err(lost(&bounds.service, bounds.mutation))
            }
        })
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let last = match ready!(this.poll_next(context)) {
            Ok(Some(frame)) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
            // Nothing follows trailers. What is held goes before they do: a caller who has read to the end may come again at once.
            Ok(last) => last.map(Ok),
            Err(failure) => Some(Ok(Frame::trailers(trailers(&failure, this.bounds.language)))),
        };
        this.ended = true;
        this.ongoing.stop();
        Poll::Ready(last)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.ongoing.lock().held.as_ref().is_some_and(|held| held.answer.is_end_stream())
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
