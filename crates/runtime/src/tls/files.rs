//! Reading PEM files into rustls configurations.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use serde::{Deserialize, Serialize};

/// A listener's certificate, and optionally the authority that its clients must be certified by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerTls {
    /// PEM file: the certificate, then its intermediates.
    pub certificate: PathBuf,
    /// PEM file: the private key.
    pub key: PathBuf,
    /// PEM file of the authorities whose clients may connect. With it, a client without a certificate is refused.
    pub client_ca: Option<PathBuf>,
}

/// Why TLS cannot be set up from these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file holds no usable PEM section.
    #[error("{}: {message}", path.display())]
    Pem { path: PathBuf, message: String },
    /// The parts do not fit together, for example a key that belongs to another certificate.
    #[error("{}: {source}", path.display())]
    Rejected { path: PathBuf, source: rustls::Error },
    /// A certificate without its key, or a key without its certificate.
    #[error("{}: a certificate and its key belong together: set both or neither", path.display())]
    Half { path: PathBuf },
    /// The authorities for client certificates cannot be used.
    #[error("{}: {message}", path.display())]
    ClientCa { path: PathBuf, message: String },
    /// The machine has no trusted authorities and none were configured.
    #[error("no certificate authority is configured and the machine has none: set `ca`")]
    NoAuthorities,
}

impl ServerTls {
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let paths = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        paths.into_iter().flatten().cloned().collect()
    }

    /// Reads the files. The configuration speaks HTTP/2 and HTTP/1.1.
    pub fn load(&self) -> Result<ServerConfig, TlsError> {
        super::install_crypto();
        let builder = ServerConfig::builder();
        let builder =
            match &self.client_ca {
                None => builder.with_no_client_auth(),
                Some(path) => {
                    let verifier = WebPkiClientVerifier::builder(Arc::new(authorities(path)?)).build();
                    builder.with_client_cert_verifier(verifier.map_err(|error| TlsError::ClientCa {
                        path: path.clone(),
                        message: error.to_string(),
                    })?)
                }
            };
        let mut config = builder
            .with_single_cert(certificates(&self.certificate)?, private_key(&self.key)?)
            .map_err(|source| TlsError::Rejected { path: self.certificate.clone(), source })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The bytes of all files, to see whether anything changed.
pub(super) fn contents(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, TlsError> {
    paths.iter().map(|path| read(path)).collect()
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |message: String| TlsError::Pem { path: path.to_owned(), message };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| pem(error.to_string()))?;
    if certificates.is_empty() {
        return Err(pem("no certificate in it".to_owned()));
    }
    Ok(certificates)
}

pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|_| TlsError::Pem { path: path.to_owned(), message: "no private key in it".to_owned() })
}

pub(super) fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|source| TlsError::Rejected { path: path.to_owned(), source })?;
    }
    Ok(roots)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}
