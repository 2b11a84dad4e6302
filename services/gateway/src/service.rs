//! Assembly of the ownership service inside the gateway.

use std::sync::Arc;

use futures_util::StreamExt as _;
use shouwen_access::page_token::PageTokens;
use shouwen_engine::{
    Actor, Domain as _, Engine, FeedSource, Follow, Options, Submission, SubmitError,
    feed::{self, FeedItem},
    ledger::LedgerRow,
    provision::Schema,
};
use shouwen_proto::{
    access::v1::Role,
    events::v1::event_feed_server::EventFeedServer as EventFeedService,
    operator::v1::operator_service_server::OperatorServiceServer,
    ownership::v1::{
        absence_service_server::AbsenceServiceServer, case_service_server::CaseServiceServer,
        roster_service_server::RosterServiceServer,
    },
    policy::v1::policy_service_server::PolicyServiceServer,
    routing::v1::{desk_service_server::DeskServiceServer, routing_service_server::RoutingServiceServer},
    r#type::v1::Position,
};
use shouwen_runtime::clock::MachineClock;
use shouwen_serving::{
    EventFeedServer, OperatorServer, ParkedFeed,
    operator::{CalendarState, Followed},
};
use shouwen_vault::Vault;
use sqlx::{PgPool, migrate::Migrator, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    api::{
        absences::AbsenceServer, cases::CaseServer, desk::DeskServer, policies::PolicyServer,
        roster::RosterServer, routing::RoutingServer,
    },
    desk,
    directory::Directory,
    domain::{
        Command, Mutants, OwnershipDomain, Rejection, RosterState,
        roster::{BOOTSTRAP_BRANCH, Employee, RosterCommand},
    },
    followers::{
        callbacks::FollowCallbacks, calls::FollowCalls, clients::FollowClients, complaints::FollowComplaints,
    },
    ownership::Ownership,
    store,
};

static MIGRATOR: Migrator = sqlx::migrate!();

/// The schema `ownership`.
pub fn schema() -> Schema {
    Schema {
        service: OwnershipDomain::SERVICE,
        migrators: vec![&shouwen_engine::provision::MIGRATOR, &shouwen_vault::MIGRATOR, &MIGRATOR],
    }
}

/// What the service needs.
pub struct Dependencies {
    pub pool: PgPool,
    /// For the write path's own connections; chooses the schema as the pool does.
    pub connect: PgConnectOptions,
    pub vault: Vault,
    pub pages: PageTokens,
    pub clock: MachineClock,
    pub options: Options,
    pub stop: CancellationToken,
    pub feeds: Feeds,
    /// Where clients are found by phone, identity number or capital account.
    pub directory: Directory,
    pub mutants: Mutants,
}

/// The feeds that ownership follows.
pub struct Feeds {
    pub calls: FeedSource,
    pub callbacks: FeedSource,
    pub complaints: FeedSource,
    pub clients: FeedSource,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// The running service.
pub struct Service {
    pub engine: Engine<OwnershipDomain>,
    pub ownership: Ownership,
    routes: Routes,
}

impl Service {
    /// Loads the snapshots, starts engine, sweeper, upkeep and followers.
    pub async fn start(dependencies: Dependencies) -> Result<Self, StartError> {
        let Dependencies { pool, connect, vault, pages, clock, options, stop, feeds, directory, mutants } =
            dependencies;
        let known = store::known::load_at_start(&pool).await?;
        let domain = Arc::new(OwnershipDomain::knowing(known, mutants));
        let engine = Engine::start(domain, pool, connect, clock.clone(), options, stop.clone()).await?;
        engine.sweep();
        engine.keep_up();
        engine.run_part(desk::keep_up(engine.clone(), stop.clone()));
        let bell = Arc::default();
        engine.run_part(desk::bell::ring(engine.clone(), Arc::clone(&bell), stop.clone()));
        engine.run_part(learn(engine.clone(), stop));

        let followed = vec![
            followed(&engine, FollowCalls, feeds.calls),
            followed(&engine, FollowCallbacks, feeds.callbacks),
            followed(&engine, FollowComplaints, feeds.complaints),
            followed(&engine, FollowClients, feeds.clients),
        ];

        let ownership = Ownership::new(engine.clone(), vault.clone(), clock);
        let routes = Routes::new(CaseServiceServer::new(CaseServer {
            ownership: ownership.clone(),
            directory: directory.clone(),
            pages: pages.clone(),
        }))
        .add_service(AbsenceServiceServer::new(AbsenceServer {
            ownership: ownership.clone(),
            pages: pages.clone(),
        }))
        .add_service(RosterServiceServer::new(RosterServer {
            ownership: ownership.clone(),
            pages: pages.clone(),
        }))
        .add_service(DeskServiceServer::new(DeskServer {
            ownership: ownership.clone(),
            pages: pages.clone(),
            bell,
        }))
        .add_service(PolicyServiceServer::new(PolicyServer { ownership: ownership.clone(), pages }))
        .add_service(RoutingServiceServer::new(RoutingServer { ownership: ownership.clone(), directory }))
        .add_service(EventFeedService::new(EventFeedServer::new(engine.clone(), vault)))
        .add_service(OperatorServiceServer::new(OperatorServer {
            engine: engine.clone(),
            feeds: followed,
            calendar: calendar(&engine),
        }));
        Ok(Self { engine, ownership, routes })
    }

    /// The service's methods; each expects a `Caller` in the request's extensions.
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }
}

/// Follows a feed; what is parked of it is shown to operators.
fn followed<F: Follow<OwnershipDomain>>(
    engine: &Engine<OwnershipDomain>,
    follow: F,
    source: FeedSource,
) -> Box<dyn ParkedFeed> {
    let follow = Arc::new(follow);
    engine.follow(Arc::clone(&follow), Arc::clone(&source));
    Box::new(Followed { engine: engine.clone(), follow, source })
}

fn calendar(engine: &Engine<OwnershipDomain>) -> CalendarState {
    let engine = engine.clone();
    Arc::new(move |now| {
        let calendar = engine.domain().policies().calendar(now);
        (calendar.version().to_owned(), calendar.covered_until())
    })
}

/// Keeps roster and policies up with what other replicas write.
async fn learn(engine: Engine<OwnershipDomain>, stop: CancellationToken) {
    let watch = async {
        loop {
            let mut items = Box::pin(feed::watch(&engine, engine.domain().position()));
            while let Some(item) = items.next().await {
                match item {
                    Ok(FeedItem::Events(rows)) => take_in(engine.domain(), &rows),
                    Ok(FeedItem::Head(_)) => {}
                    Err(error) => {
                        tracing::warn!(%error, "roster and policies cannot be followed; trying again");
                        tokio::time::sleep(engine.options().feed_poll).await;
                        break;
                    }
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = watch => {}
    }
}

fn take_in(domain: &OwnershipDomain, rows: &[LedgerRow]) {
    let events: Vec<_> = rows
        .iter()
        .filter(|row| OwnershipDomain::OBSERVED.contains(&row.r#type.as_str()))
        .filter_map(|row| Some((row.position, OwnershipDomain::decode(&row.payload).ok()?)))
        .collect();
    domain.learn(&events, rows.last().map_or(0, |row| row.position));
}

/// Takes in what the ledger says of roster and policies up to its head.
pub(crate) async fn catch_up(engine: &Engine<OwnershipDomain>) -> sqlx::Result<()> {
    let mut connection = engine.pool().acquire().await?;
    let (events, head) = store::known::after(&mut connection, engine.domain().position()).await?;
    engine.domain().learn(&events, head);
    Ok(())
}

/// Makes the first administrator, once, on an empty roster.
pub async fn bootstrap(
    engine: &Engine<OwnershipDomain>,
    employee: &str,
) -> Result<(), SubmitError<Rejection>> {
    let entry = RosterState::Employee(Employee {
        name: employee.to_owned(),
        display_name: "Administrator".to_owned(),
        branch: BOOTSTRAP_BRANCH.to_owned(),
        roles: vec![Role::Admin.into()],
        office_phone: String::new(),
        external_id: String::new(),
        active: true,
        bootstrap: true,
        position: Position::Unspecified.into(),
        skills: Vec::new(),
        vip_seat: false,
        duty: false,
    });
    let actor = Actor {
        principal: "services/gateway".to_owned(),
        on_behalf: String::new(),
        capacity: "system".to_owned(),
    };
    engine.submit(Submission::new(Command::Roster(RosterCommand { entry, branches: None }), actor)).await?;
    if let Err(error) = catch_up(engine).await {
        tracing::warn!(%error, "the new entry is not known yet; following the ledger brings it");
    }
    Ok(())
}
