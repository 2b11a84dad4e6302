//! The files of a deployment: keys, key rings, the identity provider's key set, one settings file per service. Some values are in the environment or in
//! flags instead, with a wrong one in the file, so that every start shows which layer wins.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::{SecureRandom as _, SystemRandom},
    signature::Ed25519KeyPair,
};
use shouwen_access::context::{ContextKey, ContextSigner};
use shouwen_testkit::TestIssuer;
use shouwen_vault::Keyring;
use tempfile::TempDir;

use super::place::Place;

/// `iss` and `aud` of good tokens.
pub(crate) const ISSUER: &str = "https://idp.example.test";
pub(crate) const AUDIENCE: &str = "shouwen";

/// Who signs contexts for whom.
const PAIRS: [(&str, &str); 12] = [
    ("gateway", "calls"),
    ("gateway", "callbacks"),
    ("gateway", "clients"),
    ("gateway", "complaints"),
    ("calls", "ownership"),
    ("callbacks", "ownership"),
    ("callbacks", "calls"),
    ("callbacks", "complaints"),
    ("clients", "ownership"),
    ("complaints", "ownership"),
    ("complaints", "clients"),
    ("complaints", "callbacks"),
];

/// Which process a settings file is for, and the name of its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Gateway,
    Calls,
    Callbacks,
    Clients,
    Complaints,
}

impl Kind {
    /// In the order of the schemas.
    pub(crate) const ALL: [Self; 5] =
        [Self::Gateway, Self::Calls, Self::Callbacks, Self::Clients, Self::Complaints];

    /// As `serve` wants it.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Calls | Self::Callbacks | Self::Clients | Self::Complaints => self.service(),
        }
    }

    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::Gateway => "ownership",
            Self::Calls => "calls",
            Self::Callbacks => "callbacks",
            Self::Clients => "clients",
            Self::Complaints => "complaints",
        }
    }
}

/// Inner addresses by service, one for each replica.
pub(crate) type Addresses = BTreeMap<&'static str, Vec<SocketAddr>>;

/// The folder of a deployment and the secrets in it.
pub(crate) struct Deployment {
    dir: TempDir,
    pub(crate) issuer: TestIssuer,
    context_keys: BTreeMap<String, Vec<u8>>,
    page_token_key: String,
}

impl Deployment {
    /// Makes keys and files.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let issuer = TestIssuer::new("idp-1");
        fs::write(dir.path().join("jwks.json"), issuer.jwks()).unwrap();
        for service in super::place::SERVICES {
            let ring = Keyring::generate(&SystemRandom::new()).unwrap();
            fs::write(dir.path().join(format!("{service}.keyring")), ring.to_file_text().as_bytes()).unwrap();
        }
        let signing = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pem = STANDARD.encode(signing.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
        fs::write(dir.path().join("audit.pem"), pem).unwrap();
        // An export that holds nothing yet: whoever verifies needs a file that is there.
        fs::write(dir.path().join("checkpoints.jsonl"), "").unwrap();
        let context_keys =
            PAIRS.iter().map(|(issuer, audience)| (format!("{issuer}-{audience}"), random())).collect();
        Self { dir, issuer, context_keys, page_token_key: STANDARD.encode(random()) }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn audit_key(&self) -> PathBuf {
        self.dir.path().join("audit.pem")
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.dir.path().join("checkpoints.jsonl")
    }

    /// The settings file of a service.
    pub(crate) fn settings(&self, kind: Kind) -> PathBuf {
        self.dir.path().join(format!("{}.toml", kind.argument()))
    }

    /// What stands in the environment: the database, with whose password no file should be.
    pub(crate) fn environment(place: &Place, kind: Kind) -> Vec<(String, String)> {
        let url = place.role_urls[kind.service()].clone();
        vec![
            ("SHOUWEN_DATABASE__URL".to_owned(), url),
            ("SHOUWEN_TELEMETRY__LEVEL".to_owned(), "info".to_owned()),
            // The flag wins over it.
            ("SHOUWEN_LISTEN".to_owned(), "203.0.113.1:1".to_owned()),
        ]
    }

    /// A signer of contexts with the deployment's own key for this pair.
    pub(crate) fn signer(&self, issuer: &str, audience: &str) -> ContextSigner {
        self.signer_with(issuer, issuer, audience)
    }

    /// A signer that says it is `issuer` and uses the key of `owner`.
    pub(crate) fn signer_with(&self, issuer: &str, owner: &str, audience: &str) -> ContextSigner {
        ContextSigner::new(issuer, audience, self.key(owner, audience))
    }

    /// The key of a pair.
    pub(crate) fn key(&self, issuer: &str, audience: &str) -> ContextKey {
        let id = format!("{issuer}-{audience}");
        ContextKey::new(&id, &self.context_keys[&id]).unwrap()
    }

    /// Writes the settings files for these inner addresses.
    pub(crate) fn write_settings(&self, addresses: &Addresses, scheme: &str) {
        for kind in Kind::ALL {
            fs::write(self.settings(kind), self.text(kind, addresses, scheme)).unwrap();
        }
    }

    fn text(&self, kind: Kind, addresses: &Addresses, scheme: &str) -> String {
        let dir = self.dir.path().display();
        let mut text = format!(
            "page_token_key = \"{}\"\n\n\
             [database]\nurl = \"postgres://nobody@203.0.113.1:1/wrong\"\nmax_connections = 6\nacquire_timeout = \"1s\"\n\n\
             [server]\ndrain = \"5s\"\n\n\
             [vault]\nkeyring = \"{dir}/{}.keyring\"\n\n\
             [audit]\nkey = \"{dir}/audit.pem\"\nexport = \"{dir}/checkpoints.jsonl\"\ninterval = \"2s\"\n\n\
             [telemetry]\nlevel = \"error\"\nformat = \"json\"\n\n",
            self.page_token_key,
            kind.service()
        );
        if kind == Kind::Gateway {
            let _ = write!(
                text,
                "[edge.tokens]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\nkeys = \"{dir}/jwks.json\"\n\n\
                 [edge.limits]\nemployee_rate = 0\naccount_rate = 0\n\n"
            );
        }
        for (issuer, audience) in PAIRS {
            let id = format!("{issuer}-{audience}");
            let key = STANDARD.encode(&self.context_keys[&id]);
            if issuer == kind.argument() {
                let table = if kind == Kind::Gateway { "edge.backends" } else { "peers" };
                let _ = write!(
                    text,
                    "[{table}.{audience}]\naddresses = {:?}\nkey_id = \"{id}\"\nkey = \"{key}\"\n\n",
                    addresses[audience].iter().map(|at| format!("{scheme}://{at}")).collect::<Vec<_>>()
                );
            }
        }
        for (issuer, audience) in PAIRS.into_iter().filter(|(_, audience)| *audience == kind.service()) {
            let id = format!("{issuer}-{audience}");
            let key = STANDARD.encode(&self.context_keys[&id]);
            let _ = write!(text, "[[accept]]\nissuer = \"{issuer}\"\nkey_id = \"{id}\"\nkey = \"{key}\"\n\n");
        }
        text
    }
}

fn random() -> Vec<u8> {
    let mut bytes = vec![0; 32];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}
