//! TLS for connections that we open.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};

use super::files::{TlsError, authorities, certificates, private_key};

/// Whom to trust and who we are when we connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientTls {
    /// PEM file of the authorities to trust; without it, the machine's own.
    pub ca: Option<PathBuf>,
    /// PEM file of our certificate, if the other side asks for one. Needs `key`.
    pub certificate: Option<PathBuf>,
    /// PEM file of our private key.
    pub key: Option<PathBuf>,
    /// The name to expect in the other side's certificate; without it, the host that we connect to.
    pub server_name: Option<String>,
}

impl ClientTls {
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        [&self.ca, &self.certificate, &self.key].into_iter().flatten().cloned().collect()
    }

    pub(super) fn load(&self, protocols: &[&str]) -> Result<ClientConfig, TlsError> {
        super::install_crypto();
        let roots = match &self.ca {
            Some(path) => authorities(path)?,
            None => machine_authorities()?,
        };
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|source| TlsError::Rejected { path: certificate.clone(), source })?,
            (None, None) => builder.with_no_client_auth(),
            (Some(path), None) | (None, Some(path)) => return Err(TlsError::Half { path: path.clone() }),
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(config)
    }
}

/// Reads the files into a configuration for these protocols (ALPN, most wanted first).
pub fn client_config(tls: &ClientTls, protocols: &[&str]) -> Result<Arc<ClientConfig>, TlsError> {
    tls.load(protocols).map(Arc::new)
}

fn machine_authorities() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoAuthorities) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use shouwen_testkit::TestCa;

    use super::*;

    #[test]
    fn a_certificate_without_its_key_is_refused_and_so_is_a_key_without_its_certificate() {
        let ca = TestCa::new();
        let own = ca.client("client", "gateway");
        let both = ClientTls {
            ca: Some(ca.ca_file()),
            certificate: Some(own.certificate),
            key: Some(own.key),
            server_name: None,
        };
        client_config(&both, &["h2"]).unwrap();
        let refused = |tls: ClientTls| client_config(&tls, &["h2"]).unwrap_err().to_string();
        let keyless = refused(ClientTls { key: None, ..both.clone() });
        assert!(keyless.contains("client.pem: a certificate and its key"), "{keyless}");
        let nameless = refused(ClientTls { certificate: None, ..both });
        assert!(nameless.contains("client.key: a certificate and its key"), "{nameless}");
    }
}
