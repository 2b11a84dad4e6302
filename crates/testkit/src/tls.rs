//! A certificate authority that writes PEM files, so that servers and clients read them as they do in production.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use tempfile::TempDir;

/// A certificate chain and its key, as files.
#[derive(Clone, Debug)]
pub struct TestCertificate {
    /// PEM certificate.
    pub certificate: PathBuf,
    /// PEM private key (PKCS #8).
    pub key: PathBuf,
}

/// A certificate authority; its files are removed with it.
pub struct TestCa {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl TestCa {
    /// A new authority with a certificate of its own.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "shouwen test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap_or_else(|error| panic!("cannot make a key: {error}"));
        let issuer = CertifiedIssuer::self_signed(params, key)
            .unwrap_or_else(|error| panic!("cannot make an authority: {error}"));
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        write(&dir.path().join("ca.pem"), &issuer.pem());
        Self { dir, issuer }
    }

    /// The authority's own certificate, PEM.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// The directory of all files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Writes `{file}.pem` and `{file}.key` for a server of these names or addresses; replaces what was there.
    pub fn server(&self, file: &str, names: &[&str]) -> TestCertificate {
        self.issue(file, file, names, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Writes `{file}.pem` and `{file}.key` for a client whose common name is `subject`.
    pub fn client(&self, file: &str, subject: &str) -> TestCertificate {
        self.issue(file, subject, &[], ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        file: &str,
        subject: &str,
        names: &[&str],
        usage: ExtendedKeyUsagePurpose,
    ) -> TestCertificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params =
            CertificateParams::new(names).unwrap_or_else(|error| panic!("not names of a server: {error}"));
        params.distinguished_name.push(DnType::CommonName, subject);
        params.extended_key_usages.push(usage);
        let key = KeyPair::generate().unwrap_or_else(|error| panic!("cannot make a key: {error}"));
        let certificate = params
            .signed_by(&key, &self.issuer)
            .unwrap_or_else(|error| panic!("cannot make a certificate: {error}"));
        let paths = TestCertificate {
            certificate: self.dir.path().join(format!("{file}.pem")),
            key: self.dir.path().join(format!("{file}.key")),
        };
        write(&paths.key, &key.serialize_pem());
        write(&paths.certificate, &certificate.pem());
        paths
    }
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
