//! TLS for listeners and for outgoing channels, from PEM files that may change while we run. It decides nothing about
//! who may do what: a client certificate is checked against its authority.

mod client;
mod files;
mod reloader;
mod watched;

use std::sync::Once;

pub use client::{ClientTls, client_config};
pub use files::{ServerTls, TlsError};
pub(crate) use reloader::ClientTlsReloader;
pub use reloader::TlsReloader;

/// Makes ring the process's crypto provider. Harmless to repeat.
pub fn install_crypto() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
