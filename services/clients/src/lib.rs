//! The clients service (客户): one file for each client, how it is classified and served, and how its identity is verified before anything of it is
//! disclosed (L1, L2, L8-L10, L12, K11).
//!
//! This file assembles it. It does not listen, authenticate or migrate: the binary that runs it does, around [`Service::routes`] and [`schema`].

mod api;
pub mod domain;
mod feed;
mod followers;
mod store;
mod together;
mod write_path;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shouwen_access::PageTokens;
use shouwen_engine::{Engine, FeedSource, Options, provision::Schema};
use shouwen_policy::{AdoptedPolicies, InvalidBook};
use shouwen_proto::{
    clients::v1::client_service_server::ClientServiceServer, events::v1::event_feed_server::EventFeedServer,
    operator::v1::operator_service_server::OperatorServiceServer,
};
use shouwen_runtime::clock::MachineClock;
use shouwen_serving::operator::Followed;
use shouwen_vault::Vault;
use sqlx::{PgPool, migrate::Migrator, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use tonic::service::{LayerExt as _, Routes};
use tower::util::MapRequestLayer;

use followers::{FollowOwnership, HandOver};
pub use write_path::ClientsDomain;

/// The service's own migrations, to be run after the engine's and the vault's.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// The service's place in the database.
pub fn schema() -> Schema {
    Schema {
        service: "clients",
        migrators: vec![&shouwen_engine::provision::MIGRATOR, &shouwen_vault::MIGRATOR, &MIGRATOR],
    }
}

/// What the service runs on.
pub struct Dependencies {
    /// Connections that choose the service's schema.
    pub pool: PgPool,
    /// The same, for the write path's own connection.
    pub connect: PgConnectOptions,
    /// Over the same schema, for the service `clients`.
    pub vault: Vault,
    pub pages: PageTokens,
    pub clock: MachineClock,
    pub options: Options,
    /// Cancelled when the service is to end.
    pub stop: CancellationToken,
    pub feeds: Feeds,
}

/// The feeds that the service follows.
pub struct Feeds {
    pub ownership: FeedSource,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the database cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    /// Adopted by a newer release, or altered.
    #[error("the adopted policies do not fit together: {0}")]
    Policies(#[from] InvalidBook),
}

/// The running service.
pub struct Service {
    pub engine: Engine<ClientsDomain>,
    routes: Routes,
}

impl Service {
    /// Starts on a schema that is migrated: engine, sweeper, upkeep, follower, hand-overs.
    pub async fn start(dependencies: Dependencies) -> Result<Self, StartError> {
        let Dependencies { pool, connect, vault, pages, clock, options, stop, feeds } = dependencies;
        let policies = AdoptedPolicies::load(store::policies::all(&pool).await?)?;
        let domain = Arc::new(ClientsDomain::new(policies));
        let engine = Engine::start(Arc::clone(&domain), pool, connect, clock, options, stop).await?;
        engine.sweep();
        engine.keep_up();

        let ownership = Arc::new(FollowOwnership);
        engine.follow(Arc::clone(&ownership), Arc::clone(&feeds.ownership));
        engine.run_part(HandOver { engine: engine.clone() }.run());

        let operator = shouwen_serving::OperatorServer {
            engine: engine.clone(),
            feeds: vec![Box::new(Followed {
                engine: engine.clone(),
                follow: ownership,
                source: feeds.ownership,
            })],
            calendar: Arc::new(move |now: DateTime<Utc>| {
                let calendar = domain.policies().book().calendar(now);
                (calendar.version().to_owned(), calendar.covered_until())
            }),
        };
        let feed = shouwen_serving::EventFeedServer::new(engine.clone(), vault.clone());
        let api = api::Api::new(engine.clone(), vault, pages);
        let clients =
            MapRequestLayer::new(api::requests::with_cuts).named_layer(ClientServiceServer::new(api));
        let routes = Routes::new(clients)
            .add_service(EventFeedServer::new(feed))
            .add_service(OperatorServiceServer::new(operator));
        Ok(Self { engine, routes })
    }

    /// The service's gRPC: `ClientService`, `EventFeed`, `OperatorService`. To be served behind the layer that verifies call contexts.
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }
}
