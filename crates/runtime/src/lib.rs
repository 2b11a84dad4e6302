//! What every service process shares: configuration, machine time and ids, the connection pool, a private Postgres,
//! the accept loop with TLS, outgoing channels, telemetry, health and shutdown.
//!
//! It is deliberately free of product knowledge: nothing in here knows a case, a call or an RPC. Business time is
//! the engine's; what this crate calls a clock is the machine's, for tokens, contexts and timeouts.

pub mod admin;
pub mod channel;
pub mod clock;
pub mod config;
pub mod cores;
pub mod health;
pub mod ids;
pub mod postgres;
pub mod postgres_cluster;
pub mod server;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
