//! The whole suite in one process on loopback, with a private Postgres: what `up` and `demo` run. The services talk gRPC to each other exactly as
//! they do apart.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use shouwen_access::{
    Principal,
    token::{Issuer, TokenClaims},
};
use shouwen_engine::clock;
use shouwen_gateway::edge::BackendConfig;
use shouwen_runtime::{
    clock::now,
    config::{Period, Secret},
    health::Readiness,
    postgres::DatabaseConfig,
    postgres_cluster::{Cluster, ClusterOptions},
    telemetry::Metrics,
};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::ServiceName,
    config::{AcceptedKey, ServeConfig},
    keys::{KeyError, KeyFolder, PAIRS, write_private},
    materials::{self, Materials},
    serve::{Listeners, Mutants, Parts, ServeError, schema, serve},
    version,
};

/// Issuer and audience of the tokens of a private stack.
pub(crate) const ISSUER: &str = "shouwen-up";
pub(crate) const AUDIENCE: &str = "shouwen";
/// The database of the private cluster.
const DATABASE: &str = "shouwen";

/// How to run it.
pub(crate) struct StackOptions {
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) simulate_from: Option<DateTime<Utc>>,
    /// The first administrator, made where the roster is empty.
    pub(crate) administrator: String,
    pub(crate) mutants: Mutants,
    /// Calls per second of one employee or service account; 0 for no limit.
    pub(crate) rate: u32,
}

/// What other commands need to know of a running stack.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StackState {
    pub(crate) address: String,
    pub(crate) admin_url: Secret,
}

/// A running stack.
pub(crate) struct PrivateStack {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
    issuer: Option<Issuer>,
    cluster: Cluster,
    services: JoinSet<Result<(), ServeError>>,
    stop: CancellationToken,
    state_file: PathBuf,
}

/// The state file of a data directory.
pub(crate) fn state_file(data_dir: &Path) -> PathBuf {
    data_dir.join("up.toml")
}

/// Where the keys of a data directory are.
pub(crate) fn keys_of(data_dir: &Path) -> PathBuf {
    data_dir.join("keys")
}

/// The key folder of a data directory; made where it is not there.
pub(crate) fn key_folder(data_dir: &Path) -> Result<KeyFolder, KeyError> {
    KeyFolder::open(&keys_of(data_dir))
}

impl PrivateStack {
    /// Starts cluster and services; returns when all are ready. `say` is told each step.
    pub(crate) async fn start(
        options: StackOptions,
        stop: CancellationToken,
        mut say: impl FnMut(&str),
    ) -> Result<Self, ServeError> {
        std::fs::create_dir_all(&options.data_dir)
            .map_err(|error| format!("{}: {error}", options.data_dir.display()))?;
        let data_dir = options.data_dir.canonicalize()?;
        let keys = key_folder(&data_dir)?;
        let issuer = keys.issuer()?;
        say("starting Postgres");
        let cluster = Cluster::start(ClusterOptions::new(data_dir.join("postgres"))).await?;
        say("laying out the schemas");
        let admin_url = create_database(&cluster).await?;
        let admin: PgConnectOptions = admin_url.parse()?;
        for service in ServiceName::ALL {
            let password = keys.suite.passwords.get(service.service()).map(String::as_str);
            schema(service).provision(&admin, password).await?;
        }
        say("starting the services");
        let mut configs = configs(&options, &data_dir, &keys, &cluster)?;
        let mut listeners = Vec::new();
        for (service, config) in &configs {
            listeners.push(Listeners::bind(*service, config).await?);
        }
        introduce(&mut configs, &listeners, &keys)?;
        let address = listeners[0].main.local_addr()?;
        if let Some(start) = options.simulate_from {
            for (service, config) in &configs {
                let pool = shouwen_runtime::postgres::connect(&config.database).await?;
                clock::simulate_from(&pool, start)
                    .await
                    .map_err(|error| format!("{}: time cannot be simulated: {error}", service.service()))?;
                pool.close().await;
            }
        }
        // Before the gateway reads the roster.
        crate::token::make_administrator(&admin_url, &options.administrator).await?;
        let metrics = Metrics::new("shouwen")?;
        version::show(&metrics);
        let readiness = Readiness::new();
        let mut services = JoinSet::new();
        for ((service, config), bound) in configs.into_iter().zip(listeners) {
            let parts = Parts {
                metrics: metrics.clone(),
                readiness: readiness.clone(),
                admin_listen: None,
                stop: stop.clone(),
                mutants: options.mutants,
            };
            materials::check(service, &config).await?;
            let materials = Materials::of(service, &config).await?;
            services.spawn(serve(service, config, materials, bound, parts));
        }
        let state_file = state_file(&data_dir);
        let state = format!("address = \"http://{address}\"\nadmin_url = \"{admin_url}\"\n");
        write_private(&state_file, state.as_bytes())?;
        let mut stack =
            Self { address, metrics, readiness, issuer: Some(issuer), cluster, services, stop, state_file };
        stack.wait_until_ready().await?;
        Ok(stack)
    }

    async fn wait_until_ready(&mut self) -> Result<(), ServeError> {
        let mut ready = self.readiness.watch();
        loop {
            if *ready.borrow_and_update() {
                return Ok(());
            }
            tokio::select! {
                changed = ready.changed() => changed?,
                ended = self.services.join_next() => match ended {
                    Some(ended) => return ended?.and_then(|()| Err("a service stopped before it was ready".into())),
                    None => return Err("no service is running".into()),
                },
            }
        }
    }

    /// A bearer token for a subject of the roster.
    pub(crate) fn token(&self, subject: &Principal, lifetime: TimeDelta) -> Option<String> {
        self.issuer.as_ref().map(|issuer| sign(issuer, subject, lifetime))
    }

    /// Hands the issuer over to who signs many tokens.
    pub(crate) fn take_issuer(&mut self) -> Option<Issuer> {
        self.issuer.take()
    }

    /// The database's administrator, for verification.
    pub(crate) fn admin_url(&self) -> String {
        self.cluster.database_url(DATABASE)
    }

    /// Waits until a service ends or `stop` was asked for, then stops the rest and the cluster.
    pub(crate) async fn run_to_end(mut self) -> Result<(), ServeError> {
        let mut outcome = Ok(());
        while let Some(ended) = self.services.join_next().await {
            if let Err(error) = ended.map_err(ServeError::from).and_then(|ended| ended) {
                outcome = Err(error);
            }
            self.stop.cancel();
        }
        // A leftover file names a stack that is gone; the next start writes it anew.
        let _gone = std::fs::remove_file(&self.state_file);
        self.cluster.stop().await?;
        outcome
    }

    /// Stops everything.
    pub(crate) async fn stop(self) -> Result<(), ServeError> {
        self.stop.cancel();
        self.run_to_end().await
    }
}

/// Signs a token of a private stack.
pub(crate) fn sign(issuer: &Issuer, subject: &Principal, lifetime: TimeDelta) -> String {
    issuer.token(&TokenClaims { issuer: ISSUER, audience: AUDIENCE, subject, issued_at: now(), lifetime })
}

async fn create_database(cluster: &Cluster) -> Result<String, ServeError> {
    let mut connection = PgConnection::connect(&cluster.admin_url()).await?;
    let exists =
        sqlx::query_scalar::<_, bool>("select exists (select 1 from pg_database where datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        sqlx::query("create database shouwen").execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(cluster.database_url(DATABASE))
}

fn configs(
    options: &StackOptions,
    data_dir: &Path,
    keys: &KeyFolder,
    cluster: &Cluster,
) -> Result<Vec<(ServiceName, ServeConfig)>, ServeError> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut configs = Vec::new();
    for service in ServiceName::ALL {
        let name = service.service();
        let password = keys.suite.passwords.get(name).cloned().unwrap_or_default();
        let url = cluster.role_url(&schema(service).runtime_role(), &password, DATABASE);
        let mut config = ServeConfig {
            listen: if service == ServiceName::Gateway { options.listen } else { anywhere },
            internal_listen: anywhere,
            database: DatabaseConfig { max_connections: 10, ..DatabaseConfig::at(url) },
            page_token_key: Secret::new(keys.suite.page_tokens.clone()),
            ..ServeConfig::default()
        };
        config.vault.keyring = keys.keyring(name)?;
        config.audit.key = Some(keys.audit_key()?);
        config.audit.export = Some(data_dir.join("checkpoints.jsonl"));
        if options.simulate_from.is_some() {
            // Time is moved by hand: whoever moves it wakes the sweeper.
            config.engine.sweep_interval = Period::secs(3600);
            // Each step waits until nothing is left to read.
            config.engine.feed_rest = Period::millis(0);
        }
        ISSUER.clone_into(&mut config.edge.tokens.issuer);
        AUDIENCE.clone_into(&mut config.edge.tokens.audience);
        config.edge.tokens.keys = keys.key_set().display().to_string();
        config.edge.limits.employee_rate = options.rate;
        config.edge.limits.account_rate = options.rate;
        configs.push((service, config));
    }
    Ok(configs)
}

/// Tells each service where the others are and whose contexts it accepts.
fn introduce(
    configs: &mut [(ServiceName, ServeConfig)],
    listeners: &[Listeners],
    keys: &KeyFolder,
) -> Result<(), ServeError> {
    let mut addresses = Vec::new();
    for ((service, _), bound) in configs.iter().zip(listeners) {
        let inner = bound.internal.as_ref().unwrap_or(&bound.main);
        addresses.push((service.service(), inner.local_addr()?.to_string()));
    }
    let backend = |issuer: &str, audience: &str| {
        let (key_id, key) = keys.context(issuer, audience);
        BackendConfig {
            addresses: addresses
                .iter()
                .filter(|(name, _)| *name == audience)
                .map(|(_, at)| at.clone())
                .collect(),
            key_id,
            key: Secret::new(key),
        }
    };
    for (service, config) in configs {
        let name = if *service == ServiceName::Gateway { "gateway" } else { service.service() };
        for (issuer, audience) in PAIRS {
            if issuer == name {
                let peers = if name == "gateway" { &mut config.edge.backends } else { &mut config.peers };
                peers.insert(audience.to_owned(), backend(issuer, audience));
            }
            if audience == service.service() {
                let (key_id, key) = keys.context(issuer, audience);
                config.accept.push(AcceptedKey { issuer: issuer.to_owned(), key_id, key: Secret::new(key) });
            }
        }
    }
    Ok(())
}
