//! What `serve` and `migrate` are configured with. Every value has a default but addresses of others, URLs and keys.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use opentelemetry::metrics::Meter;
use serde::{Deserialize, Serialize};
use shouwen_gateway::edge::{BackendConfig, EdgeConfig};
use shouwen_runtime::{
    channel::ChannelOptions,
    config::{Layers, Period, Secret},
    postgres::DatabaseConfig,
    server::ServerOptions,
    telemetry::TelemetryConfig,
    tls::ServerTls,
};

use crate::cli::Settings;

/// The configuration of one service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ServeConfig {
    /// Where the service is served; for the gateway, to the outside.
    pub(crate) listen: SocketAddr,
    /// The gateway only: where ownership is served to the other services.
    pub(crate) internal_listen: SocketAddr,
    /// Metrics, liveness and readiness over HTTP.
    pub(crate) admin_listen: SocketAddr,
    pub(crate) database: DatabaseConfig,
    pub(crate) server: ServerOptions,
    /// Certificate and key; with `client_ca` callers must show a certificate of their own.
    pub(crate) tls: Option<ServerTls>,
    /// The gateway only.
    pub(crate) edge: EdgeConfig,
    /// The services whose feeds are followed, by name; for the gateway its backends serve.
    pub(crate) peers: BTreeMap<String, BackendConfig>,
    /// How they are reached.
    pub(crate) channel: ChannelOptions,
    /// Whose signed contexts are accepted.
    pub(crate) accept: Vec<AcceptedKey>,
    pub(crate) vault: VaultConfig,
    /// Signs page tokens: base64 of 32 or more random bytes, the same for all replicas of a service.
    pub(crate) page_token_key: Secret,
    pub(crate) engine: EngineConfig,
    pub(crate) audit: AuditConfig,
    pub(crate) telemetry: TelemetryConfig,
}

impl Default for ServeConfig {
    fn default() -> Self {
        let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        Self {
            listen: any(50051),
            internal_listen: any(50061),
            admin_listen: any(50052),
            database: DatabaseConfig::default(),
            server: ServerOptions::default(),
            tls: None,
            edge: EdgeConfig::default(),
            peers: BTreeMap::new(),
            channel: ChannelOptions::default(),
            accept: Vec::new(),
            vault: VaultConfig::default(),
            page_token_key: Secret::default(),
            engine: EngineConfig::default(),
            audit: AuditConfig::default(),
            telemetry: TelemetryConfig::default(),
        }
    }
}

/// A key whose contexts are accepted, bound to who signs with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AcceptedKey {
    /// `gateway`, or the service that follows this one's feed.
    pub(crate) issuer: String,
    pub(crate) key_id: String,
    /// Base64 of 32 or more random bytes.
    pub(crate) key: Secret,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct VaultConfig {
    /// The key ring file: keys that wrap the data keys of subjects, and the key of blind indexes.
    pub(crate) keyring: PathBuf,
    /// How many unwrapped data keys stay in memory.
    pub(crate) cached_keys: u64,
}

impl Default for VaultConfig {
    fn default() -> Self {
        Self { keyring: PathBuf::new(), cached_keys: 100_000 }
    }
}

/// Bounds of the write path.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EngineConfig {
    pub(crate) queue: usize,
    pub(crate) batch_commands: usize,
    pub(crate) batch_bytes: usize,
    pub(crate) write_timeout: Period,
    pub(crate) sweep_interval: Period,
    pub(crate) feed_poll: Period,
    pub(crate) feed_rest: Period,
    pub(crate) feed_heartbeat: Period,
}

impl Default for EngineConfig {
    fn default() -> Self {
        let options = shouwen_engine::Options::default();
        Self {
            queue: options.queue,
            batch_commands: options.batch_commands,
            batch_bytes: options.batch_bytes,
            write_timeout: options.write_timeout.into(),
            sweep_interval: options.sweep_interval.into(),
            feed_poll: options.feed_poll.into(),
            feed_rest: options.feed_rest.into(),
            feed_heartbeat: options.feed_heartbeat.into(),
        }
    }
}

impl EngineConfig {
    /// The engine's options; its numbers go to `meter`.
    pub(crate) fn options(&self, meter: Meter) -> shouwen_engine::Options {
        shouwen_engine::Options {
            meter: Some(meter),
            queue: self.queue,
            batch_commands: self.batch_commands,
            batch_bytes: self.batch_bytes,
            write_timeout: self.write_timeout.get(),
            sweep_interval: self.sweep_interval.get(),
            feed_poll: self.feed_poll.get(),
            feed_rest: self.feed_rest.get(),
            feed_heartbeat: self.feed_heartbeat.get(),
            ..shouwen_engine::Options::default()
        }
    }
}

/// Signed checkpoints of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AuditConfig {
    /// Ed25519 key (PKCS#8 PEM) that signs them; without it none are written.
    pub(crate) key: Option<PathBuf>,
    /// The file to which they are appended: put it off the database's machine.
    pub(crate) export: Option<PathBuf>,
    pub(crate) interval: Period,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { key: None, export: None, interval: Period::secs(300) }
    }
}

/// The configuration of `migrate`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MigrateConfig {
    /// A role that may create roles and schemas.
    pub(crate) admin: DatabaseConfig,
    /// Passwords of the runtime roles by service (`ownership`, `calls`, `callbacks`, `clients`, `complaints`); a role without one keeps what it has.
    pub(crate) passwords: BTreeMap<String, Secret>,
    pub(crate) telemetry: TelemetryConfig,
}

impl Settings {
    /// Whether they say which service is meant: by a file, by a flag, or by a database in the environment.
    pub(crate) fn given(&self) -> bool {
        let in_environment = ["SHOUWEN_DATABASE__URL", "SHOUWEN_DATABASE__URL_FILE"];
        self.config.is_some()
            || !self.settings.is_empty()
            || in_environment.iter().any(|name| std::env::var_os(name).is_some())
    }

    /// All layers as one configuration.
    pub(crate) fn load<T: serde::de::DeserializeOwned>(
        &self,
    ) -> Result<T, shouwen_runtime::config::ConfigError> {
        Layers::from_process(self.config.clone(), self.settings.clone()).load()
    }
}
