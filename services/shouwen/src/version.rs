//! Which release runs, as log and metrics say it.

use opentelemetry::KeyValue;
use shouwen_runtime::telemetry::Metrics;

/// That of all crates of the suite.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Shows it as `shouwen.build.info`, a gauge that is always 1.
pub(crate) fn show(metrics: &Metrics) {
    metrics
        .meter("shouwen")
        .u64_observable_gauge("shouwen.build.info")
        .with_description("Always 1, with the release that runs")
        .with_callback(|observer| observer.observe(1, &[KeyValue::new("shouwen.version", VERSION)]))
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_say_which_release_runs() {
        let metrics = Metrics::new("test").unwrap();
        show(&metrics);
        let text = metrics.render().unwrap();
        let line = text.lines().find(|line| line.starts_with("shouwen_build_info{")).unwrap_or_default();
        let version = format!("shouwen_version=\"{VERSION}\"");
        assert!(line.contains(&version) && line.ends_with(" 1"), "{text}");
    }
}
