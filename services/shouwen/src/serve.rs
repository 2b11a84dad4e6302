//! Running one service: bind, wait for the database and its schema, serve, drain. Who runs it has checked its configuration and made its materials before
//! anything is bound.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use shouwen_access::{Contract, RequireContext, layer::MAX_MESSAGE_BYTES};
use shouwen_engine::{Broken, FingerprintKey, Options, operations::ranges_ready, provision::Schema};
use shouwen_gateway::edge::{Edge, EdgeParts};
use shouwen_proto::DESCRIPTORS;
use shouwen_runtime::{
    clock::MachineClock,
    cores::Cores,
    health::{Component, Readiness},
    postgres, server,
    telemetry::{Metrics, RpcMetrics},
};
use shouwen_vault::{IndexKind, REWRAP_INTERVAL, Vault};
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tower::ServiceBuilder;

use crate::{
    checkpoints::{self, CheckpointAge},
    cli::ServiceName,
    config::ServeConfig,
    materials::Materials,
    version::VERSION,
};

/// Why a service does not run.
pub(crate) type ServeError = Box<dyn std::error::Error + Send + Sync>;

/// Binds a socket.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}; choose another address or stop what listens there")
            .into()
    })
}

/// The bound sockets of a service.
pub(crate) struct Listeners {
    pub(crate) main: TcpListener,
    /// The gateway's inner one, for the services that follow ownership.
    pub(crate) internal: Option<TcpListener>,
}

impl Listeners {
    pub(crate) async fn bind(service: ServiceName, config: &ServeConfig) -> Result<Self, ServeError> {
        let main = bind(config.listen).await?;
        let internal = match service {
            ServiceName::Gateway => Some(bind(config.internal_listen).await?),
            _ => None,
        };
        Ok(Self { main, internal })
    }
}

/// What a service shares with its process.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
    /// Where its pages for operators are, for the log.
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) stop: CancellationToken,
    pub(crate) mutants: Mutants,
}

/// Rules that a simulation switches off to see its own check turn red, by service. No configuration reaches them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mutants {
    pub(crate) ownership: shouwen_gateway::domain::Mutants,
    pub(crate) complaints: shouwen_complaints::Mutants,
}

/// The schema of a service.
pub(crate) fn schema(service: ServiceName) -> Schema {
    match service {
        ServiceName::Gateway => shouwen_gateway::schema(),
        ServiceName::Calls => shouwen_calls::schema(),
        ServiceName::Callbacks => shouwen_callbacks::schema(),
        ServiceName::Clients => shouwen_clients::schema(),
        ServiceName::Complaints => shouwen_complaints::schema(),
    }
}

/// Runs a service until `stop`.
pub(crate) async fn serve(
    service: ServiceName,
    config: ServeConfig,
    materials: Materials,
    listeners: Listeners,
    parts: Parts,
) -> Result<(), ServeError> {
    match Box::pin(start(service, config, materials, listeners, parts)).await? {
        Some(running) => running.ended().await,
        None => Ok(()),
    }
}

/// A service that serves.
pub(crate) struct Running {
    name: &'static str,
    tasks: JoinSet<Result<(), ServeError>>,
    stopped: Stopped,
    stop: CancellationToken,
}

/// Starts a service and returns when it serves; nothing where `stop` came before that.
pub(crate) async fn start(
    service: ServiceName,
    config: ServeConfig,
    mut materials: Materials,
    listeners: Listeners,
    parts: Parts,
) -> Result<Option<Running>, ServeError> {
    let name = service.service();
    let database = parts.readiness.component(format!("database {name}"));
    let schema_ready = parts.readiness.component(format!("schema {name}"));
    let ledger = parts.readiness.component(format!("ledger {name}"));
    let serving = parts.readiness.component(format!("service {name}"));
    database.not_ready("connecting");
    schema_ready.not_ready("not looked at yet");
    let (readiness, stop) = (parts.readiness.clone(), parts.stop.clone());
    tokio::spawn(async move {
        stop.cancelled().await;
        readiness.drain();
    });
    let Some(pool) = until_stopped(&parts.stop, connect(&config, &database)).await else { return Ok(None) };
    let pool = pool?;
    let needed = schema(service);
    if until_stopped(&parts.stop, wait_for_schema(&needed, &pool, &schema_ready)).await.is_none() {
        return Ok(None);
    }
    let contract = Arc::new(Contract::load(DESCRIPTORS)?);
    let audit_key = materials.audit_key.take();
    let prepared = Prepared {
        pool: pool.clone(),
        vault: Vault::new(pool.clone(), materials.keyring.clone(), name, config.vault.cached_keys),
        clock: MachineClock::system(),
        config: &config,
        materials: &materials,
        parts: &parts,
    };
    let mut tasks: JoinSet<Result<(), ServeError>> = JoinSet::new();
    tasks.spawn(watch_database(name, pool.clone(), database, ledger, parts.stop.clone()));
    if let Some(key) = audit_key {
        let age = CheckpointAge::shown(&parts.metrics.meter("shouwen"), name, prepared.clock.clone());
        let (audit, stop) = (config.audit.clone(), parts.stop.clone());
        tasks.spawn(checkpoints::keep_writing(pool.clone(), name, key, audit, age, stop));
    }
    let (vault, stop) = (prepared.vault.clone(), parts.stop.clone());
    tasks.spawn(async move {
        vault.keep_wrapped(REWRAP_INTERVAL, stop).await;
        Ok(())
    });
    let listen = listeners.main.local_addr()?;
    let internal_listen = listeners.internal.as_ref().map(TcpListener::local_addr).transpose()?;
    let stopped = prepared.start(service, contract, listeners, &mut tasks).await?;
    tracing::info!(
        service = name,
        version = VERSION,
        %listen,
        internal_listen = internal_listen.map(tracing::field::display),
        admin_listen = parts.admin_listen.map(tracing::field::display),
        "serving"
    );
    serving.ready();
    Ok(Some(Running { name, tasks, stopped, stop: parts.stop }))
}

impl Running {
    /// Returns when the service has ended: it was asked to, or a part of it failed.
    pub(crate) async fn ended(mut self) -> Result<(), ServeError> {
        let name = self.name;
        let mut outcome = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended.map_err(ServeError::from).and_then(|ended| ended) {
                tracing::error!(service = name, %error, "a part of the service failed");
                self.stop.cancel();
                outcome = Err(error);
            }
        }
        if let Err(error) = self.stopped.await {
            tracing::error!(service = name, %error, "the service failed");
            outcome = Err(error.into());
        }
        tracing::info!(service = name, "stopped");
        outcome
    }
}

async fn until_stopped<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        () = stop.cancelled() => None,
        done = work => Some(done),
    }
}

async fn connect(config: &ServeConfig, database: &Component) -> Result<PgPool, ServeError> {
    database.not_ready(format!("{} is not reachable yet", config.database.place()));
    let pool = postgres::connect(&config.database).await?;
    database.ready();
    Ok(pool)
}

/// Calls at once on a connection of the suite's own, at least: gateways send everything over few of them.
const STREAMS_OF_THE_SUITE: u32 = 10_000;

/// How often a missing schema or a lost database is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Waits until the schema is as new as this binary needs it.
async fn wait_for_schema(schema: &Schema, pool: &PgPool, component: &Component) {
    loop {
        let missing = match schema.state(pool).await {
            Ok(state) if state.sufficient() => break,
            Ok(state) => format!(
                "schema {} is at {}, needs {}; run `shouwen migrate`",
                schema.service, state.at, state.needs
            ),
            Err(error) => format!("schema {} cannot be read: {error}", schema.service),
        };
        tracing::warn!(service = schema.service, missing, "waiting for the schema");
        component.not_ready(missing);
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    component.ready();
}

/// Readiness follows the database and the room in the ledger; liveness does not. The log says what changes, not again and again what stays.
async fn watch_database(
    service: &'static str,
    pool: PgPool,
    database: Component,
    ledger: Component,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let (mut was_there, mut had_room) = (true, true);
    loop {
        let room = ranges_ready(&pool).await;
        let is_there = room.is_ok();
        match room {
            Ok(room) => {
                if !was_there {
                    tracing::info!(service, "the database is back");
                }
                database.ready();
                if room {
                    if !had_room {
                        tracing::info!(service, "the ledger has ranges again");
                    }
                    ledger.ready();
                } else {
                    if had_room {
                        tracing::error!(service, "the ledger runs out of ranges");
                    }
                    ledger.not_ready(
                        "no range follows the ledger's last one; the log says why none could be made",
                    );
                }
                had_room = room;
            }
            Err(error) => {
                if was_there {
                    tracing::warn!(service, %error, "the database is away");
                }
                database.not_ready("the database does not answer");
            }
        }
        was_there = is_there;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// A service's dependencies, made.
struct Prepared<'a> {
    pool: PgPool,
    vault: Vault,
    clock: MachineClock,
    config: &'a ServeConfig,
    materials: &'a Materials,
    parts: &'a Parts,
}

/// Completes when the engine has answered what it took in.
type Stopped = std::pin::Pin<Box<dyn Future<Output = Result<(), Broken>> + Send>>;

impl Prepared<'_> {
    async fn start(
        self,
        service: ServiceName,
        contract: Arc<Contract>,
        listeners: Listeners,
        tasks: &mut JoinSet<Result<(), ServeError>>,
    ) -> Result<Stopped, ServeError> {
        let connect = self.config.database.connect_options()?;
        let fingerprint_key = self.vault.blind_index().compute(IndexKind::Request, "fingerprints");
        let options = Options {
            fingerprint_key: FingerprintKey::new(&fingerprint_key),
            ..self.config.engine.options(self.parts.metrics.meter("shouwen"))
        };
        let stop = self.parts.stop.clone();
        match service {
            ServiceName::Gateway => {
                let running = shouwen_gateway::Service::start(shouwen_gateway::Dependencies {
                    pool: self.pool.clone(),
                    connect,
                    vault: self.vault.clone(),
                    pages: self.materials.pages.clone(),
                    clock: self.clock.clone(),
                    options,
                    stop,
                    feeds: shouwen_gateway::Feeds {
                        calls: self.materials.feed("calls")?,
                        callbacks: self.materials.feed("callbacks")?,
                        clients: self.materials.feed("clients")?,
                        complaints: self.materials.feed("complaints")?,
                    },
                    directory: self.materials.directory()?,
                    mutants: self.parts.mutants.ownership,
                })
                .await?;
                if let Some(internal) = listeners.internal {
                    self.backend(&contract, internal, running.routes(), tasks).await?;
                }
                self.edge(&contract, &running, listeners.main, tasks).await?;
                Ok(Box::pin(async move { running.engine.stopped().await }))
            }
            ServiceName::Calls => {
                let running = shouwen_calls::Service::start(shouwen_calls::Dependencies {
                    pool: self.pool.clone(),
                    connect,
                    vault: self.vault.clone(),
                    pages: self.materials.pages.clone(),
                    clock: self.clock.clone(),
                    options,
                    stop,
                    feeds: shouwen_calls::Feeds { ownership: self.materials.feed("ownership")? },
                })
                .await?;
                self.backend(&contract, listeners.main, running.routes(), tasks).await?;
                Ok(Box::pin(async move { running.engine.stopped().await }))
            }
            ServiceName::Callbacks => {
                let running = shouwen_callbacks::Service::start(shouwen_callbacks::Dependencies {
                    pool: self.pool.clone(),
                    connect,
                    vault: self.vault.clone(),
                    pages: self.materials.pages.clone(),
                    clock: self.clock.clone(),
                    options,
                    stop,
                    feeds: shouwen_callbacks::Feeds {
                        ownership: self.materials.feed("ownership")?,
                        calls: self.materials.feed("calls")?,
                        complaints: self.materials.feed("complaints")?,
                    },
                })
                .await?;
                self.backend(&contract, listeners.main, running.routes(), tasks).await?;
                Ok(Box::pin(async move { running.engine.stopped().await }))
            }
            ServiceName::Clients => {
                let running = shouwen_clients::Service::start(shouwen_clients::Dependencies {
                    pool: self.pool.clone(),
                    connect,
                    vault: self.vault.clone(),
                    pages: self.materials.pages.clone(),
                    clock: self.clock.clone(),
                    options,
                    stop,
                    feeds: shouwen_clients::Feeds { ownership: self.materials.feed("ownership")? },
                })
                .await?;
                self.backend(&contract, listeners.main, running.routes(), tasks).await?;
                Ok(Box::pin(async move { running.engine.stopped().await }))
            }
            ServiceName::Complaints => {
                let running = shouwen_complaints::Service::start(shouwen_complaints::Dependencies {
                    pool: self.pool.clone(),
                    connect,
                    vault: self.vault.clone(),
                    pages: self.materials.pages.clone(),
                    clock: self.clock.clone(),
                    options,
                    stop,
                    feeds: shouwen_complaints::Feeds {
                        ownership: self.materials.feed("ownership")?,
                        clients: self.materials.feed("clients")?,
                        callbacks: self.materials.feed("callbacks")?,
                    },
                    mutants: self.parts.mutants.complaints,
                })
                .await?;
                self.backend(&contract, listeners.main, running.routes(), tasks).await?;
                Ok(Box::pin(async move { running.engine.stopped().await }))
            }
        }
    }

    /// Serves a service to those who sign contexts for it.
    async fn backend(
        &self,
        contract: &Arc<Contract>,
        listener: TcpListener,
        routes: Routes,
        tasks: &mut JoinSet<Result<(), ServeError>>,
    ) -> Result<(), ServeError> {
        let verifier = self.materials.verifier.clone();
        let routes = routes
            .add_service(self.parts.readiness.health_service(&[]).await)
            .add_service(
                tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(DESCRIPTORS)
                    .build_v1()?,
            )
            .add_service(
                tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(DESCRIPTORS)
                    .build_v1alpha()?,
            );
        let require =
            RequireContext::new(Arc::clone(contract), verifier, self.clock.clone(), MAX_MESSAGE_BYTES);
        let stack = ServiceBuilder::new()
            .layer(RpcMetrics::new(&self.parts.metrics.meter("shouwen"), contract.paths()))
            .layer(require)
            .service(routes.prepare());
        let mut options = self.config.server.clone();
        options.max_concurrent_streams = options.max_concurrent_streams.max(STREAMS_OF_THE_SUITE);
        let tls = self.materials.tls.clone();
        let stop = self.parts.stop.clone();
        tasks.spawn(async move {
            Ok(server::serve(Cores::default(), listener, tls, stack, options, stop).await?)
        });
        Ok(())
    }

    /// Serves the suite to the outside.
    async fn edge(
        &self,
        contract: &Arc<Contract>,
        running: &shouwen_gateway::Service,
        listener: TcpListener,
        tasks: &mut JoinSet<Result<(), ServeError>>,
    ) -> Result<(), ServeError> {
        let cores = Cores::start()?;
        let parts = EdgeParts {
            contract: Arc::clone(contract),
            descriptors: DESCRIPTORS,
            owners: Arc::new(running.ownership.clone()),
            services: vec![("ownership".to_owned(), running.routes())],
            readiness: &self.parts.readiness,
            clock: self.clock.clone(),
            cores: cores.clone(),
        };
        let edge = Edge::new(self.config.edge.clone(), parts).await?;
        let (sweeper, stop) = (edge.clone(), self.parts.stop.clone());
        tasks.spawn(async move {
            sweeper.run(stop).await;
            Ok(())
        });
        let stack = ServiceBuilder::new()
            .layer(RpcMetrics::new(&self.parts.metrics.meter("shouwen"), contract.paths()))
            .service(edge);
        let (tls, options, stop) =
            (self.materials.tls.clone(), self.config.server.clone(), self.parts.stop.clone());
        tasks.spawn(async move { Ok(server::serve(cores, listener, tls, stack, options, stop).await?) });
        Ok(())
    }
}
