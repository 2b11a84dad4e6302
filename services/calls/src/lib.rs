//! The calls service: contacts of clients with the firm on every channel, who answered them, what was recorded and promised, how they ended
//! (K1-K21).
//!
//! It does not decide who is responsible for a case, and it makes no callbacks: ownership and callbacks follow its ledger. This file assembles it;
//! the binary that runs it listens, authenticates and migrates, around [`Service::routes`] and [`schema`].

mod answering;
mod api;
pub mod domain;
mod feed;
mod followers;
mod store;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shouwen_access::PageTokens;
use shouwen_engine::{Engine, FeedSource, Options, provision::Schema};
use shouwen_policy::{AdoptedPolicies, InvalidBook};
use shouwen_proto::{
    calls::v1::call_service_server::CallServiceServer, events::v1::event_feed_server::EventFeedServer,
    operator::v1::operator_service_server::OperatorServiceServer,
};
use shouwen_runtime::clock::MachineClock;
use shouwen_serving::operator::Followed;
use shouwen_vault::Vault;
use sqlx::{PgPool, migrate::Migrator, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use answering::TimeToAnswer;
pub use domain::CallsDomain;
use followers::FollowOwnership;

/// The service's own migrations, to be run after the engine's and the vault's.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// The service's place in the database.
pub fn schema() -> Schema {
    Schema {
        service: "calls",
        migrators: vec![&shouwen_engine::provision::MIGRATOR, &shouwen_vault::MIGRATOR, &MIGRATOR],
    }
}

/// What the service runs on.
pub struct Dependencies {
    /// Connections that choose the service's schema.
    pub pool: PgPool,
    /// The same, for the write path's own connection.
    pub connect: PgConnectOptions,
    /// Over the same schema, for the service `calls`.
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
    pub engine: Engine<CallsDomain>,
    routes: Routes,
}

impl Service {
    /// Starts on a schema that is migrated: engine, sweeper, upkeep, followers.
    pub async fn start(dependencies: Dependencies) -> Result<Self, StartError> {
        let Dependencies { pool, connect, vault, pages, clock, options, stop, feeds } = dependencies;
        let time_to_answer = TimeToAnswer::new(options.meter.as_ref());
        let domain = Arc::new(CallsDomain::new(AdoptedPolicies::load(store::policies(&pool).await?)?));
        let engine = Engine::start(Arc::clone(&domain), pool, connect, clock, options, stop).await?;
        engine.sweep();
        engine.keep_up();

        let ownership = Arc::new(FollowOwnership);
        engine.follow(Arc::clone(&ownership), Arc::clone(&feeds.ownership));

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
        let api = api::Api { engine: engine.clone(), vault, pages, time_to_answer };
        let routes = Routes::new(CallServiceServer::new(api))
            .add_service(EventFeedServer::new(feed))
            .add_service(OperatorServiceServer::new(operator));
        Ok(Self { engine, routes })
    }

    /// The service's gRPC: `CallService`, `EventFeed`, `OperatorService`. To be served behind the layer that verifies call contexts.
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }
}
