//! The limits of a listener.

use serde::{Deserialize, Serialize};

use crate::config::Period;

/// Limits of one listener, with the defaults of the edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerOptions {
    /// Connections at once; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Calls at once per HTTP/2 connection, of strangers: whoever serves our own gateways raises it, because a gateway sends
    /// everything over few connections and its streams stay open.
    pub max_concurrent_streams: u32,
    /// Bytes of all headers of a request.
    pub max_header_list: u32,
    /// Age at which a connection is asked to end (GOAWAY), give or take a tenth. Its calls go on.
    pub connection_age: Period,
    /// Time after that until it is cut, with what still runs on it.
    pub connection_grace: Period,
    /// Time between pings on an HTTP/2 connection.
    pub keepalive: Period,
    /// Time for the answer to a ping, after which the connection is dead.
    pub keepalive_timeout: Period,
    /// Time from a connection's acceptance, its TLS handshake included, to the HTTP/2 preface or the first request of
    /// HTTP/1.1; for the headers of each further such request the same again.
    pub handshake_timeout: Period,
    /// Time for running calls to end at shutdown.
    pub drain: Period,
    /// Whether HTTP/1.1 is spoken too. No setting: gRPC is HTTP/2, and what else is served, the operators' pages, is known.
    #[serde(skip)]
    pub http1: bool,
    /// HTTP/2 flow control: bytes in flight per call.
    pub stream_window: u32,
    /// HTTP/2 flow control: bytes in flight per connection.
    pub connection_window: u32,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_concurrent_streams: 100,
            max_header_list: 16 * 1024,
            connection_age: Period::secs(5 * 60),
            connection_grace: Period::secs(30),
            keepalive: Period::secs(60),
            keepalive_timeout: Period::secs(20),
            handshake_timeout: Period::secs(10),
            drain: Period::secs(20),
            http1: false,
            stream_window: 1024 * 1024,
            connection_window: 2 * 1024 * 1024,
        }
    }
}
