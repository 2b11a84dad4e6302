//! Where keys come from: a file, or a document behind an http or https URL. Redirects are not followed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::fs;

/// A key set is a few kilobytes.
const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);

/// A file or URL with a JSON Web Key Set.
#[derive(Clone, Debug)]
pub struct KeySource(Kind);

#[derive(Clone, Debug)]
enum Kind {
    File(PathBuf),
    Url(Uri, Box<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>>),
}

/// What tells one state of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

/// A setting that is no source of keys.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceInvalid {
    /// Neither a path nor an http, https or file URL.
    #[error("`{0}` is neither a path nor a file, http or https URL")]
    Url(String),
    /// The CA file, or the machine's own trust store, cannot be used.
    #[error("the trusted certificates for `{url}` cannot be read")]
    Trust {
        /// The URL that needs them.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The document did not come.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    File(#[from] std::io::Error),
    /// Nobody answers, or not as HTTP.
    #[error("the server cannot be reached: {0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    /// The answer is not a document.
    #[error("the server answers {0}")]
    Status(StatusCode),
    /// The answer broke off or is too large.
    #[error("the answer is incomplete or larger than {MAX_DOCUMENT_BYTES} bytes")]
    Body,
    /// No answer in time.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
}

impl KeySource {
    /// A path, `file:///path`, `http://...` or `https://...`. Servers of https URLs are trusted by the certificates in `ca_file` (PEM)
    /// if one is given, otherwise by the machine's own.
    pub fn parse(location: &str, ca_file: Option<&Path>) -> Result<Self, KeySourceInvalid> {
        if let Some(path) = location.strip_prefix("file://") {
            return Ok(Self::file(path));
        }
        let invalid = || KeySourceInvalid::Url(location.to_owned());
        let Some((scheme, _)) = location.split_once("://") else {
            return if location.is_empty() { Err(invalid()) } else { Ok(Self::file(location)) };
        };
        let uri: Uri = location.parse().map_err(|_| invalid())?;
        let tls = match scheme {
            "http" => no_trust(),
            "https" => trust(ca_file),
            _ => return Err(invalid()),
        };
        let tls = tls.map_err(|source| KeySourceInvalid::Trust { url: location.to_owned(), source })?;
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self(Kind::Url(uri, Box::new(client))))
    }

    /// A file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    /// Whether the keys are read without asking anybody.
    pub const fn is_file(&self) -> bool {
        matches!(self.0, Kind::File(_))
    }

    /// `None` for URLs and for files that are not there.
    pub(super) async fn stamp(&self) -> Option<Stamp> {
        let Kind::File(path) = &self.0 else { return None };
        let metadata = fs::metadata(path).await.ok()?;
        Some(Stamp { modified: metadata.modified().ok(), length: metadata.len() })
    }

    pub(super) async fn fetch(&self) -> Result<Bytes, FetchError> {
        match &self.0 {
            Kind::File(path) => Ok(fs::read(path).await?.into()),
            Kind::Url(uri, client) => tokio::time::timeout(TIMEOUT, async {
                let response = client.get(uri.clone()).await?;
                if response.status() != StatusCode::OK {
                    return Err(FetchError::Status(response.status()));
                }
                let body = Limited::new(response.into_body(), MAX_DOCUMENT_BYTES).collect().await;
                body.map(http_body_util::Collected::to_bytes).map_err(|_| FetchError::Body)
            })
            .await
            .map_err(|_| FetchError::Timeout)?,
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(path) => path.display().fmt(f),
            Kind::Url(uri, _) => uri.fmt(f),
        }
    }
}

type Trust = Result<ClientConfig, Box<dyn std::error::Error + Send + Sync>>;

fn tls_config() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}

/// For http: there is no certificate to trust.
fn no_trust() -> Trust {
    Ok(tls_config()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn trust(ca_file: Option<&Path>) -> Trust {
    let Some(path) = ca_file else { return Ok(tls_config()?.with_native_roots()?.with_no_client_auth()) };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err("the file holds no certificate".into());
    }
    Ok(tls_config()?.with_root_certificates(roots).with_no_client_auth())
}
