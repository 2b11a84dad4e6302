//! W3C trace context (`traceparent`, `tracestate`) between HTTP headers and spans.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Without it there is no trace to continue.
const TRACEPARENT: &str = "traceparent";

/// Makes `span`, not entered yet, part of the trace that the request's headers name, if they name one.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    if !headers.contains_key(TRACEPARENT) {
        return;
    }
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    if context.span().span_context().is_valid() {
        // A span that traces do not record has no parent to set.
        let _ = span.set_parent(context);
    }
}

/// Writes the trace of `span` into the headers of an outgoing request. Without trace export the headers stay as they
/// are, so a trace context passed through by hand survives.
pub fn inject(span: &Span, headers: &mut HeaderMap) {
    let context = span.context();
    if context.span().span_context().is_valid() {
        TraceContextPropagator::new().inject_context(&context, &mut HeadersMut(headers));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(key.as_bytes()), HeaderValue::from_str(&value))
        {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    const INCOMING: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn incoming() -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static("traceparent"), HeaderValue::from_static(INCOMING))])
    }

    #[test]
    fn a_trace_goes_on_from_incoming_to_outgoing_headers() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("call");
            continue_trace(&span, &incoming());
            let mut outgoing = HeaderMap::new();
            inject(&span, &mut outgoing);
            let traceparent = outgoing["traceparent"].to_str().unwrap();
            assert!(traceparent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{traceparent}");
            assert_ne!(traceparent, INCOMING);
        });
    }

    #[test]
    fn without_export_headers_stay_as_they_are() {
        let span = tracing::info_span!("call");
        let mut headers = incoming();
        continue_trace(&span, &headers);
        inject(&span, &mut headers);
        assert_eq!(headers, incoming());
    }
}
