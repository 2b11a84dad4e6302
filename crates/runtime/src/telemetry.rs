//! Logs, traces and metrics of a process. Log lines are constant messages with fields, traces are exported when there
//! is somewhere to send them, metrics wait to be fetched. No personal data belongs in any of them.

mod fields;
mod metrics;
mod propagation;
mod rpc;

use std::io::IsTerminal;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use fields::JsonFields;
pub use metrics::{Metrics, MetricsError};
pub use propagation::{continue_trace, inject};
pub use rpc::{Measured, MeasuredBody, RpcMetrics};

use crate::config::Period;

/// What a process tells about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TelemetryConfig {
    /// Levels by module, such as `info` or `info,shouwen_engine=debug`.
    pub level: String,
    /// How log lines look.
    pub format: LogFormat,
    /// OTLP/gRPC endpoint for traces, such as `http://collector:4317`; without it nothing is exported.
    pub otlp_endpoint: Option<String>,
    /// Share of traces recorded that begin here, from 0 to 1; traces that come in recorded stay so.
    pub sample_ratio: f64,
    /// Time for the last export at shutdown.
    pub flush_timeout: Period,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Auto,
            otlp_endpoint: None,
            sample_ratio: 1.0,
            flush_timeout: Period::secs(5),
        }
    }
}

impl TelemetryConfig {
    /// Whether telemetry could start with it, inside a tokio runtime. Nothing is started or sent.
    pub fn check(&self) -> Result<(), TelemetryError> {
        self.levels()?;
        if let Some(endpoint) = &self.otlp_endpoint {
            exporter(endpoint)?;
        }
        Ok(())
    }

    fn levels(&self) -> Result<EnvFilter, TelemetryError> {
        EnvFilter::try_new(&self.level)
            .map_err(|error| TelemetryError::Level { level: self.level.clone(), message: error.to_string() })
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The levels cannot be read.
    #[error("`{level}` does not name log levels: {message}")]
    Level { level: String, message: String },
    /// The endpoint is not one.
    #[error("traces cannot be exported to {endpoint}: {message}")]
    Endpoint { endpoint: String, message: String },
    /// Something else in the process has taken the log.
    #[error("the process already has a log")]
    AlreadyStarted,
}

/// The running telemetry of the process. Keep it until the end and [`flush`](Self::flush) it.
#[derive(Debug)]
pub struct Telemetry {
    tracer_provider: Option<SdkTracerProvider>,
    flush_timeout: Period,
}

impl Telemetry {
    /// Starts logs (to standard error) and traces for the whole process; once per process, inside a tokio runtime.
    pub fn start(config: &TelemetryConfig, service: &str) -> Result<Self, TelemetryError> {
        let levels = config.levels()?;
        let json = match config.format {
            LogFormat::Auto => !std::io::stderr().is_terminal(),
            LogFormat::Human => false,
            LogFormat::Json => true,
        };
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = if json {
            lines.json().flatten_event(true).fmt_fields(JsonFields).boxed()
        } else {
            lines.boxed()
        };
        let tracer_provider = match &config.otlp_endpoint {
            None => None,
            Some(endpoint) => Some(provider(exporter(endpoint)?, config.sample_ratio, service)),
        };
        let traces = tracer_provider
            .as_ref()
            .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("shouwen")));
        tracing_subscriber::registry()
            .with(levels)
            .with(lines)
            .with(traces)
            .try_init()
            .map_err(|_| TelemetryError::AlreadyStarted)?;
        Ok(Self { tracer_provider, flush_timeout: config.flush_timeout })
    }

    /// Exports what is still here, as the last act of a shutdown.
    pub async fn flush(self) {
        let Some(provider) = self.tracer_provider else { return };
        let timeout = self.flush_timeout.get();
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(timeout)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be exported");
        }
    }
}

/// Connects when there is something to export.
fn exporter(endpoint: &str) -> Result<SpanExporter, TelemetryError> {
    SpanExporter::builder().with_tonic().with_endpoint(endpoint).build().map_err(|error| {
        TelemetryError::Endpoint { endpoint: endpoint.to_owned(), message: error.to_string() }
    })
}

fn provider(exporter: SpanExporter, ratio: f64, service: &str) -> SdkTracerProvider {
    SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
        .with_resource(resource(service))
        .build()
}

fn resource(service: &str) -> Resource {
    Resource::builder().with_service_name(service.to_owned()).build()
}
