//! The services apart, as `serve` processes on the cluster and with the keys of an `up` that was stopped: so the processor time and the memory of each
//! can be told from those of the others.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, json};
use shouwen_runtime::postgres_cluster::{Cluster, ClusterOptions};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    Failure,
    stack::{AUDIENCE, ISSUER},
};

/// The processes by their arguments, and the services that they are.
pub(crate) const PROCESSES: [(&str, &str); 5] = [
    ("gateway", "ownership"),
    ("calls", "calls"),
    ("callbacks", "callbacks"),
    ("clients", "clients"),
    ("complaints", "complaints"),
];
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a process that starts.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A cluster, and what processes need to serve on it.
pub(crate) struct Deployment {
    cluster: Cluster,
    keys: Keys,
    /// Inner addresses of the services, and the gateway's outer one.
    addresses: BTreeMap<&'static str, SocketAddr>,
    dir: TempDir,
}

/// `suite.toml` of a data directory.
#[derive(Deserialize)]
struct Keys {
    page_tokens: String,
    /// By `issuer-audience`.
    contexts: BTreeMap<String, String>,
    /// Of the runtime roles by service.
    passwords: BTreeMap<String, String>,
}

/// A running `serve`. Dropped, it ends at once.
pub(crate) struct Process {
    pub(crate) pid: u32,
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Deployment {
    /// Starts the cluster of an `up` that was stopped, with further settings of Postgres.
    pub(crate) async fn start(dir: TempDir, settings: &[(&str, &str)]) -> Result<Self, Failure> {
        let data = dir.path().join("data");
        let keys = toml::from_str(&fs::read_to_string(data.join("keys/suite.toml"))?)?;
        let mut options = ClusterOptions::new(data.join("postgres"));
        options.settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut addresses = BTreeMap::from([("gateway", free()?)]);
        for (_, service) in PROCESSES {
            addresses.insert(service, free()?);
        }
        Ok(Self { cluster: Cluster::start(options).await?, keys, addresses, dir })
    }

    /// Where the gateway is called, or a service by those who sign contexts for it.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }

    /// The administrator's URL of the database.
    pub(crate) fn admin_url(&self) -> String {
        self.cluster.database_url("shouwen")
    }

    /// Id and secret (base64) of the key that signs contexts.
    pub(crate) fn context_key(&self, issuer: &str, audience: &str) -> (String, &str) {
        let id = format!("{issuer}-{audience}");
        let key = self.keys.contexts.get(&id).map(String::as_str).unwrap_or_default();
        (id, key)
    }

    /// Process id of Postgres.
    pub(crate) fn postgres_pid(&self) -> Result<u32, Failure> {
        let text = fs::read_to_string(self.cluster.data_dir().join("pgdata/postmaster.pid"))?;
        Ok(text.lines().next().unwrap_or_default().trim().parse()?)
    }

    /// What Postgres logs.
    pub(crate) fn postgres_log(&self) -> PathBuf {
        self.cluster.data_dir().join("postgres.log")
    }

    /// A place for files of the run; goes with it.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts a service and waits until it is ready.
    pub(crate) async fn serve(&self, (name, service): (&'static str, &str)) -> Result<Process, Failure> {
        let admin = free()?;
        let settings = self.dir.path().join(format!("{name}.toml"));
        let tables = toml::Value::try_from(self.settings(name, service, admin))?;
        fs::write(&settings, toml::to_string(&tables)?)?;
        let log = self.dir.path().join(format!("{name}.log"));
        let child = Command::new(env!("CARGO_BIN_EXE_shouwen"))
            .args(["serve", name, "--config"])
            .arg(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().ok_or("`shouwen serve` ended at once")?;
        let mut process = Process { pid, name, child, log };
        let begun = Instant::now();
        while !ready(admin).await {
            if process.child.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                return Err(process.failed("did not start"));
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(process)
    }

    fn settings(&self, name: &str, service: &str, admin: SocketAddr) -> Value {
        let keys = self.dir.path().join("data/keys");
        let role = format!("shouwen_{service}");
        let password = self.keys.passwords.get(service).map(String::as_str).unwrap_or_default();
        let (mut peers, mut accept) = (serde_json::Map::new(), Vec::new());
        for (id, key) in &self.keys.contexts {
            let Some((issuer, audience)) = id.split_once('-') else { continue };
            if issuer == name {
                let addresses = [self.address(audience).to_string()];
                peers
                    .insert(audience.to_owned(), json!({ "addresses": addresses, "key_id": id, "key": key }));
            }
            if audience == service {
                accept.push(json!({ "issuer": issuer, "key_id": id, "key": key }));
            }
        }
        let mut settings = json!({
            "listen": self.address(name).to_string(),
            "admin_listen": admin.to_string(),
            "page_token_key": self.keys.page_tokens,
            "database": { "url": self.cluster.role_url(&role, password, "shouwen"), "max_connections": 10 },
            "vault": { "keyring": keys.join(format!("keyring-{service}.toml")) },
            // Connections outlive the run, as those of the proxies do.
            "server": { "connection_age": "12h" },
            "accept": accept,
        });
        if name == "gateway" {
            settings["internal_listen"] = json!(self.address(service).to_string());
            settings["edge"] = json!({
                "tokens": { "issuer": ISSUER, "audience": AUDIENCE, "keys": keys.join("jwks.json") },
                // As of the ready-made context that the proxies add.
                "context_lifetime": "12h",
                "backends": peers,
            });
        } else {
            settings["peers"] = Value::Object(peers);
        }
        settings
    }

    /// Stops the cluster; answers with the directory.
    pub(crate) async fn stop(self) -> Result<TempDir, Failure> {
        self.cluster.stop().await?;
        Ok(self.dir)
    }
}

impl Process {
    /// Stops it as an orchestrator would.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        Command::new("kill").arg("-TERM").arg(self.pid.to_string()).status().await?;
        if timeout(PATIENCE, self.child.wait()).await.is_err() {
            return Err(self.failed("did not stop"));
        }
        Ok(())
    }

    fn failed(&self, what: &str) -> Failure {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        format!("`shouwen serve {}` {what}; it said:\n{said}", self.name).into()
    }
}

/// Whether `/readyz` says so.
async fn ready(admin: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(admin).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer.starts_with("HTTP/1.1 200"))
    };
    asked.await.unwrap_or(false)
}

/// An address on loopback on which nobody listened a moment ago.
pub(crate) fn free() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
