//! How long clients wait until somebody answers (K2), in numbers.

use opentelemetry::{
    KeyValue,
    metrics::{Histogram, Meter},
};
use shouwen_proto::{events::v1::Direction, r#type::v1::Channel};

use crate::domain::CallState;

/// Bucket bounds in seconds: a ring lasts five.
const BOUNDS: [f64; 10] = [5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 600.0];

/// The figure `shouwen.calls.time_to_answer`; without a meter nothing is measured.
#[derive(Clone)]
pub(crate) struct TimeToAnswer(Option<Histogram<f64>>);

impl TimeToAnswer {
    pub(crate) fn new(meter: Option<&Meter>) -> Self {
        let histogram = meter.map(|meter| {
            meter
                .f64_histogram("shouwen.calls.time_to_answer")
                .with_unit("s")
                .with_description("From the registration of an inbound call to its answer")
                .with_boundaries(BOUNDS.to_vec())
                .build()
        });
        Self(histogram)
    }

    /// Counts an answer, once: by the request that gave it. What was entered from paper did not ring.
    pub(crate) fn answered(&self, call: &CallState, request_id: &str) {
        let rang =
            call.channel == Channel::Phone && call.direction == Direction::Inbound && !call.entered_later;
        let answer = call.answer().filter(|answer| answer.request_id == request_id);
        let (Some(histogram), Some(answer), true) = (&self.0, answer, rang) else { return };
        let waited = (answer.at - call.registered_at).as_seconds_f64();
        histogram.record(waited, &[KeyValue::new("shouwen.late", answer.late)]);
    }
}
