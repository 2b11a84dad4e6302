//! One call over a connection: what is sent, and what comes back. It speaks with h2 itself, because hyper's client leads each call through a queue and
//! a task of its own.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt as _;
use h2::client::SendRequest;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;

/// How many frames of a request are looked for before it counts as a stream: a unary call has its one message ready.
const READY: usize = 2;

/// Why there is no answer.
pub(super) enum Failed<R> {
    /// The connection takes no more calls; this one can go elsewhere.
    Unsent(R),
    Broken(h2::Error),
}

/// Sends a request that is there as a whole.
pub(super) async fn exchange(
    sender: &SendRequest<Bytes>,
    head: Request<()>,
    message: Bytes,
) -> Result<Response<ResponseBody>, Failed<()>> {
    let Ok(mut sender) = sender.clone().ready().await else { return Err(Failed::Unsent(())) };
    match send_whole(&mut sender, head, message).await {
        Ok(answer) => Ok(answer.map(|stream| ResponseBody::new(stream, None))),
        Err(error) if is_untouched(&error) => Err(Failed::Unsent(())),
        Err(error) => Err(Failed::Broken(error)),
    }
}

async fn send_whole(
    sender: &mut SendRequest<Bytes>,
    head: Request<()>,
    message: Bytes,
) -> Result<Response<RecvStream>, h2::Error> {
    let (answer, mut stream) = sender.send_request(head, message.is_empty())?;
    if !message.is_empty() {
        stream.send_data(message, true)?;
    }
    answer.await
}

/// Sends a request of which more may come, with a task of its own for that.
pub(super) async fn exchange_stream(
    sender: &SendRequest<Bytes>,
    head: Request<()>,
    content: Content,
) -> Result<Response<ResponseBody>, Failed<(Request<()>, Content)>> {
    let Ok(mut sender) = sender.clone().ready().await else { return Err(Failed::Unsent((head, content))) };
    let (answer, stream) = sender.send_request(head, false).map_err(Failed::Broken)?;
    let upload = AbortOnDropHandle::new(tokio::spawn(upload(content, stream)));
    let answer = answer.await.map_err(Failed::Broken)?;
    Ok(answer.map(|stream| ResponseBody::new(stream, Some(upload))))
}

/// Whether the other side has taken leave (GOAWAY) before it came to this call: only calls beyond the last that it processes end so.
fn is_untouched(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote()
}

/// What a request carries.
pub(super) struct Content {
    /// What of it is there at once.
    ready: Vec<Bytes>,
    /// What follows; `None` if that is all.
    rest: Option<Body>,
}

impl Content {
    pub(super) fn of(mut body: Body) -> Result<Self, Status> {
        let mut ready = Vec::with_capacity(1);
        let mut whole = body.is_end_stream();
        while !whole && ready.len() < READY {
            match body.frame().now_or_never() {
                None => break,
                Some(None) => whole = true,
                // Requests have no trailers.
                Some(Some(frame)) => ready.extend(frame?.into_data()),
            }
            whole |= body.is_end_stream();
        }
        Ok(Self { ready, rest: (!whole).then_some(body) })
    }

    /// The message of a request that is there as a whole.
    pub(super) fn whole(self) -> Result<Bytes, Self> {
        match (self.rest, &*self.ready) {
            (Some(rest), _) => Err(Self { ready: self.ready, rest: Some(rest) }),
            (None, [message]) => Ok(message.clone()),
            (None, several) => Ok(several.concat().into()),
        }
    }
}

/// Sends a stream's body as the other side has room for it, until it ends, the other side wants no more, or this is dropped.
async fn upload(content: Content, mut stream: SendStream<Bytes>) {
    for data in content.ready {
        if send(&mut stream, data).await.is_err() {
            return;
        }
    }
    let mut rest = content.rest.unwrap_or_default();
    loop {
        let frame = tokio::select! {
            frame = rest.frame() => frame,
            _ = poll_fn(|context| stream.poll_reset(context)) => return,
        };
        let sent = match frame {
            Some(Ok(frame)) => send(&mut stream, frame.into_data().unwrap_or_default()).await,
            Some(Err(_)) => return stream.send_reset(Reason::CANCEL),
            // The end of the stream is no news to a connection that has failed.
            None => return stream.send_data(Bytes::new(), true).unwrap_or_default(),
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = poll_fn(|context| stream.poll_capacity(context)).await;
        let room = room.unwrap_or(Err(Reason::STREAM_CLOSED.into()))?;
        stream.send_data(data.split_to(room.min(data.len())), false)?;
    }
    Ok(())
}

/// What a backend answers. The call ends when this is dropped.
#[derive(Debug)]
pub struct ResponseBody {
    stream: RecvStream,
    step: Step,
    _upload: Option<AbortOnDropHandle<()>>,
}

/// What comes next.
#[derive(Debug)]
enum Step {
    Data,
    Trailers,
    Nothing,
}

impl ResponseBody {
    fn new(stream: RecvStream, upload: Option<AbortOnDropHandle<()>>) -> Self {
        Self { stream, step: Step::Data, _upload: upload }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if matches!(self.step, Step::Data) {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // Fails only where there is no stream any more that could need it.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => {
                    self.step = Step::Nothing;
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.step = Step::Trailers,
            }
        }
        if matches!(self.step, Step::Nothing) {
            return Poll::Ready(None);
        }
        let trailers = ready!(self.stream.poll_trailers(context));
        self.step = Step::Nothing;
        Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.step, Step::Nothing) || self.stream.is_end_stream()
    }
}
