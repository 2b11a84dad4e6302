//! Streams that a caller cancelled are told apart from streams that ended. tonic gives both to a handler as an end, but an import that was cut off is
//! not complete.

use http_body_util::BodyExt as _;
use tonic::{Code, Status, body::Body};

/// The request, with the cancellation of its stream as an error that reaches the handler.
pub(crate) fn with_cuts(request: http::Request<Body>) -> http::Request<Body> {
    request.map(|body| Body::new(body.map_err(cut)))
}

fn cut(status: Status) -> Status {
    match status.code() {
        Code::Cancelled => Status::aborted("the caller is gone"),
        _ => status,
    }
}
