//! The operators' HTTP listener: `/metrics`, `/healthz`, `/readyz`. It is for the cluster's inside, answers GET only,
//! and shows no data of the business.

use std::convert::Infallible;
use std::io;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use crate::cores::Cores;
use crate::health::Readiness;
use crate::server::{ServerOptions, serve};
use crate::telemetry::Metrics;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The Prometheus text format.
const EXPOSITION: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Serves the pages until `shutdown`, which should come after the drain: probes want answers until the end.
pub async fn serve_admin(
    listener: TcpListener,
    metrics: Metrics,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let options = ServerOptions { max_connections: 64, http1: true, ..ServerOptions::default() };
    let service = service_fn(move |request: Request<Incoming>| {
        let page = page(request.method(), request.uri().path(), &metrics, &readiness);
        async move { Ok::<_, Infallible>(page) }
    });
    serve(Cores::default(), listener, None, service, options, shutdown).await
}

fn page(method: &Method, path: &str, metrics: &Metrics, readiness: &Readiness) -> Response<String> {
    if *method != Method::GET && *method != Method::HEAD {
        return answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n".to_owned());
    }
    match path {
        "/healthz" => answer(StatusCode::OK, TEXT, "alive\n".to_owned()),
        "/readyz" => {
            let missing = readiness.missing();
            let ready = readiness.is_ready();
            let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            answer(status, JSON, format!("{}\n", json!({"ready": ready, "missing": missing})))
        }
        "/metrics" => match metrics.render() {
            Ok(text) => answer(StatusCode::OK, EXPOSITION, text),
            Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        },
        _ => answer(StatusCode::NOT_FOUND, TEXT, "/metrics, /healthz, /readyz\n".to_owned()),
    }
}

fn answer(status: StatusCode, content_type: HeaderValue, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, readiness: &Readiness) -> (StatusCode, String) {
        let response = page(&Method::GET, path, &Metrics::new("test").unwrap(), readiness);
        (response.status(), response.into_body())
    }

    #[test]
    fn liveness_is_green_while_readiness_says_what_is_missing() {
        let readiness = Readiness::new();
        let schema = readiness.component("calls.schema");
        schema.not_ready("schema calls is at 3, needs 5");
        assert_eq!(get("/healthz", &readiness).0, StatusCode::OK);
        let (status, body) = get("/readyz", &readiness);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let expected = r#"{"missing":[{"component":"calls.schema","reason":"schema calls is at 3, needs 5"}],"ready":false}"#;
        assert_eq!(body.trim(), expected);
        schema.ready();
        assert_eq!(
            get("/readyz", &readiness),
            (StatusCode::OK, "{\"missing\":[],\"ready\":true}\n".to_owned())
        );
    }

    #[test]
    fn other_pages_and_methods_are_refused() {
        let readiness = Readiness::new();
        assert_eq!(get("/", &readiness).0, StatusCode::NOT_FOUND);
        let post = page(&Method::POST, "/healthz", &Metrics::new("test").unwrap(), &readiness);
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
