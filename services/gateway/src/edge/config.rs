//! What an operator can set about the edge. Every limit has a default that suits a small firm; secrets come from files or the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shouwen_access::token::TokenSettings;
use shouwen_runtime::channel::ChannelOptions;
use shouwen_runtime::config::{Period, Secret};

/// The edge's section of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct EdgeConfig {
    /// Whose tokens are accepted.
    pub tokens: TokenConfig,
    /// Bounds of what callers may ask.
    pub limits: EdgeLimits,
    /// Services in other processes, by name: `calls`, `callbacks`, ... What is not named here is not served.
    pub backends: BTreeMap<String, BackendConfig>,
    /// How they are reached.
    pub channel: ChannelOptions,
    /// How long a signed call context holds. Clocks of the hosts may differ by less than this.
    pub context_lifetime: Period,
    /// Up to which age a cached reading of a case's ownership may admit a caller. Refusals always rest on a fresh reading. The backends refuse
    /// contexts whose reading is older than 2 s, so that and more is refused at the start.
    pub ownership_age: Period,
    /// How often unfinished first touches are looked for.
    pub touch_interval: Period,
    /// How many of them are repeated at a time.
    pub touch_batch: i64,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            tokens: TokenConfig::default(),
            limits: EdgeLimits::default(),
            backends: BTreeMap::new(),
            channel: ChannelOptions::default(),
            context_lifetime: Period::secs(5),
            ownership_age: Period::millis(900),
            touch_interval: Period::secs(5),
            touch_batch: 100,
        }
    }
}

/// Whose tokens are accepted. Issuer, audience and keys must be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenConfig {
    /// The only accepted `iss`.
    pub issuer: String,
    /// Must be among `aud`.
    pub audience: String,
    /// The issuer's JSON Web Key Set: a path, or a file, http or https URL.
    pub keys: String,
    /// Certificates (PEM) that an https URL is trusted by; without it the machine's own.
    pub keys_ca: Option<PathBuf>,
    /// By how much the issuer's clock may differ.
    pub leeway: Period,
    /// How often keys behind a URL are fetched. Files are looked at every second.
    pub refresh_interval: Period,
    /// How soon after the last attempt an unknown key may cause another.
    pub min_refresh_interval: Period,
    /// How many verified tokens are remembered.
    pub cached_tokens: usize,
}

impl Default for TokenConfig {
    fn default() -> Self {
        let settings = TokenSettings::new("", "shouwen");
        Self {
            issuer: settings.issuer,
            audience: settings.audience,
            keys: String::new(),
            keys_ca: None,
            leeway: settings.leeway.into(),
            refresh_interval: settings.refresh_interval.into(),
            min_refresh_interval: settings.min_refresh_interval.into(),
            cached_tokens: settings.cached_tokens,
        }
    }
}

impl TokenConfig {
    pub(super) fn settings(&self) -> TokenSettings {
        TokenSettings {
            leeway: self.leeway.get(),
            refresh_interval: self.refresh_interval.get(),
            min_refresh_interval: self.min_refresh_interval.get(),
            cached_tokens: self.cached_tokens,
            ..TokenSettings::new(&self.issuer, &self.audience)
        }
    }
}

/// Bounds of what callers may ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct EdgeLimits {
    /// Bytes of one message, in and out. The backends take 4 MiB, so more is refused at the start.
    pub max_message_bytes: usize,
    /// Time for a unary call until its answer is read, if the caller does not set less; also for the first message of a stream.
    pub request_timeout: Period,
    /// Calls per second of one employee's own token. 0 means no limit.
    pub employee_rate: u32,
    /// Calls at once on top of a quiet time before.
    pub employee_burst: u32,
    /// Calls per second of one service account, for all employees it acts for. 0 means no limit.
    pub account_rate: u32,
    /// Calls at once on top of a quiet time before.
    pub account_burst: u32,
    /// Unary calls under way at once.
    pub max_calls: usize,
    /// Unary calls that wait for a place among them.
    pub max_queued: usize,
    /// How long they wait before they are shed.
    pub max_queue_time: Period,
    /// Streams open at once.
    pub max_streams: usize,
    /// Unary calls of one employee's own token at once, those that wait included. 0 means no limit.
    pub employee_calls: usize,
    /// Streams of one employee's own token at once. 0 means no limit.
    pub employee_streams: usize,
    /// Unary calls of one service account at once, for all employees it acts for, those that wait included. 0 means no limit.
    pub account_calls: usize,
    /// Streams of one service account at once, for all employees it acts for. 0 means no limit.
    pub account_streams: usize,
}

impl Default for EdgeLimits {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 * 1024 * 1024,
            request_timeout: Period::secs(10),
            employee_rate: 100,
            employee_burst: 200,
            account_rate: 5_000,
            account_burst: 10_000,
            max_calls: 1_024,
            max_queued: 4_096,
            max_queue_time: Period::millis(250),
            max_streams: 4_096,
            employee_calls: 64,
            employee_streams: 16,
            // Three quarters of all: one system may serve nearly the whole firm, and leaves room for others.
            account_calls: 768,
            account_streams: 3_072,
        }
    }
}

/// One service in other processes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendConfig {
    /// `host:port`, `http://host:port` or `https://host:port`; calls are spread over all addresses behind all of them.
    #[serde(deserialize_with = "shouwen_runtime::config::list")]
    pub addresses: Vec<String>,
    /// Id of the key that the service knows as the gateway's.
    pub key_id: String,
    /// That key: base64 of 32 or more random bytes (`openssl rand -base64 32`).
    pub key: Secret,
}
