//! The complaints service (投诉): a complaint, an opinion, a suggestion or an inquiry goes from the record form through acceptance, proposal, approval and
//! reply to the client's own word that it is settled, and no limit on the way passes unnoticed (C1-C11, C15, C16, O10, O12).
//!
//! This file assembles it. It does not listen, authenticate or migrate: the binary that runs it does, around [`Service::routes`] and [`schema`]. It does
//! not call clients back either: that is the business of callbacks, whose results it follows.

mod api;
pub mod domain;
mod feed;
mod followers;
mod readings;
mod store;
mod write_path;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shouwen_access::PageTokens;
use shouwen_engine::{Engine, FeedSource, Options, provision::Schema};
use shouwen_policy::{AdoptedPolicies, InvalidBook};
use shouwen_proto::{
    complaints::v1::complaint_service_server::ComplaintServiceServer,
    events::v1::event_feed_server::EventFeedServer,
    operator::v1::operator_service_server::OperatorServiceServer,
};
use shouwen_runtime::clock::MachineClock;
use shouwen_serving::operator::Followed;
use shouwen_vault::Vault;
use sqlx::{PgPool, migrate::Migrator, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use domain::Mutants;
use followers::{FollowCallbacks, FollowClients, FollowOwnership, ReadAgain};
pub use write_path::ComplaintsDomain;

/// The service's own migrations, to be run after the engine's and the vault's.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// The service's place in the database.
pub fn schema() -> Schema {
    Schema {
        service: "complaints",
        migrators: vec![&shouwen_engine::provision::MIGRATOR, &shouwen_vault::MIGRATOR, &MIGRATOR],
    }
}

/// What the service runs on.
pub struct Dependencies {
    /// Connections that choose the service's schema.
    pub pool: PgPool,
    /// The same, for the write path's own connection.
    pub connect: PgConnectOptions,
    /// Over the same schema, for the service `complaints`.
    pub vault: Vault,
    pub pages: PageTokens,
    pub clock: MachineClock,
    pub options: Options,
    /// Cancelled when the service is to end.
    pub stop: CancellationToken,
    pub feeds: Feeds,
    /// What a simulation breaks on purpose.
    pub mutants: Mutants,
}

/// The feeds that the service follows.
pub struct Feeds {
    pub ownership: FeedSource,
    pub clients: FeedSource,
    pub callbacks: FeedSource,
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
    pub engine: Engine<ComplaintsDomain>,
    routes: Routes,
}

impl Service {
    /// Starts on a schema that is migrated: engine, sweeper, upkeep, followers.
    pub async fn start(dependencies: Dependencies) -> Result<Self, StartError> {
        let Dependencies { pool, connect, vault, pages, clock, options, stop, feeds, mutants } = dependencies;
        let policies = AdoptedPolicies::load(store::policies(&pool).await?)?;
        let domain = Arc::new(ComplaintsDomain::new(policies, mutants));
        let engine = Engine::start(Arc::clone(&domain), pool, connect, clock, options, stop).await?;
        engine.sweep();
        engine.keep_up();

        let (ownership, clients) = (Arc::new(FollowOwnership), Arc::new(FollowClients));
        let callbacks = Arc::new(FollowCallbacks { pool: engine.pool().clone() });
        engine.follow(Arc::clone(&ownership), Arc::clone(&feeds.ownership));
        engine.follow(Arc::clone(&clients), Arc::clone(&feeds.clients));
        engine.follow(Arc::clone(&callbacks), Arc::clone(&feeds.callbacks));
        engine.run_part(ReadAgain { engine: engine.clone(), source: Arc::clone(&feeds.ownership) }.run());

        let operator = shouwen_serving::OperatorServer {
            engine: engine.clone(),
            feeds: vec![
                Box::new(Followed { engine: engine.clone(), follow: ownership, source: feeds.ownership }),
                Box::new(Followed { engine: engine.clone(), follow: clients, source: feeds.clients }),
                Box::new(Followed { engine: engine.clone(), follow: callbacks, source: feeds.callbacks }),
            ],
            calendar: Arc::new(move |now: DateTime<Utc>| {
                let calendar = domain.policies().book().calendar(now);
                (calendar.version().to_owned(), calendar.covered_until())
            }),
        };
        let feed = shouwen_serving::EventFeedServer::new(engine.clone(), vault.clone());
        let api = api::Api { engine: engine.clone(), vault, pages };
        let routes = Routes::new(ComplaintServiceServer::new(api))
            .add_service(EventFeedServer::new(feed))
            .add_service(OperatorServiceServer::new(operator));
        Ok(Self { engine, routes })
    }

    /// The service's gRPC: `ComplaintService`, `EventFeed`, `OperatorService`. To be served behind the layer that verifies call contexts.
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }
}
