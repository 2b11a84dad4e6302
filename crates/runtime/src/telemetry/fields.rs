//! The fields of a span as JSON, for log lines. Every call has a span, so they are written straight away instead of being gathered in a map first.

use std::fmt;

use serde::Serializer as _;
use serde_json::{Map, Value};
use tracing::span::Record;
use tracing_serde::SerdeMapVisitor;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormattedFields;
use tracing_subscriber::fmt::format::{FormatFields, Writer};

pub(super) struct JsonFields;

impl<'w> FormatFields<'w> for JsonFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        writer.write_str(&object(fields)?)
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text).map_err(|_| fmt::Error);
        let mut all = read(&current.fields)?;
        all.extend(read(&object(fields)?)?);
        current.fields = Value::Object(all).to_string();
        Ok(())
    }
}

fn object(fields: impl RecordFields) -> Result<String, fmt::Error> {
    let mut bytes = Vec::with_capacity(128);
    let mut serializer = serde_json::Serializer::new(&mut bytes);
    let mut visitor = SerdeMapVisitor::new(serializer.serialize_map(None).map_err(|_| fmt::Error)?);
    fields.record(&mut visitor);
    visitor.finish().map_err(|_| fmt::Error)?;
    String::from_utf8(bytes).map_err(|_| fmt::Error)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_shows_the_fields_of_its_spans_those_recorded_later_included() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .fmt_fields(JsonFields)
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!(
                "edge",
                rpc.method = "/a/\"B\"",
                number = 3,
                later = tracing::field::Empty
            );
            span.record("later", true);
            span.in_scope(|| tracing::info!("seen"));
        });
        let line: Value = serde_json::from_slice(&lines.0.lock().unwrap()).unwrap();
        let shown = serde_json::json!({"name": "edge", "rpc.method": "/a/\"B\"", "number": 3, "later": true});
        assert_eq!(line["span"], shown);
    }
}
