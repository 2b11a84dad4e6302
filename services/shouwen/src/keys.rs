//! Keys and passwords that `up` makes for itself, once, readable by their owner only.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::{SecureRandom as _, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde::{Deserialize, Serialize};
use shouwen_access::token::Issuer;
use shouwen_vault::Keyring;

use crate::cli::ServiceName;

/// Who signs contexts for whom: the gateway for all, and each service for those whose feed it follows.
pub(crate) const PAIRS: [(&str, &str); 12] = [
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

/// Files in a folder of keys: what signs checkpoints, what signs tokens.
const AUDIT_KEY: &str = "audit.pem";
const ISSUER_KEY: &str = "issuer.pem";

/// What an Ed25519 public key in DER begins with (RFC 8410); its 32 bytes follow.
const PUBLIC_KEY_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Everything that is random.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SuiteKeys {
    pub(crate) page_tokens: String,
    /// By `issuer-audience`.
    pub(crate) contexts: BTreeMap<String, String>,
    /// Passwords of the runtime roles by service.
    pub(crate) passwords: BTreeMap<String, String>,
}

impl SuiteKeys {
    /// Makes what is missing: all of it at first, later what a newer release has a new service for. Answers whether anything was.
    fn complete(&mut self) -> bool {
        let before = self.contexts.len() + self.passwords.len();
        for (issuer, audience) in PAIRS {
            self.contexts.entry(format!("{issuer}-{audience}")).or_insert_with(random);
        }
        for service in ServiceName::ALL {
            self.passwords.entry(service.service().to_owned()).or_insert_with(|| hex::encode(random_bytes()));
        }
        self.contexts.len() + self.passwords.len() > before
    }
}

/// The folder of keys.
pub(crate) struct KeyFolder {
    folder: PathBuf,
    pub(crate) suite: SuiteKeys,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub(crate) struct KeyError {
    path: String,
    problem: String,
}

impl KeyFolder {
    /// Opens the folder; makes what is missing.
    pub(crate) fn open(folder: &Path) -> Result<Self, KeyError> {
        fs::create_dir_all(folder).map_err(|error| problem(folder, &error))?;
        let suite_file = folder.join("suite.toml");
        let mut suite = if suite_file.exists() {
            let text = fs::read_to_string(&suite_file).map_err(|error| problem(&suite_file, &error))?;
            toml::from_str(&text).map_err(|error| problem(&suite_file, &error))?
        } else {
            SuiteKeys { page_tokens: random(), contexts: BTreeMap::new(), passwords: BTreeMap::new() }
        };
        if suite.complete() {
            let text = toml::to_string(&suite).map_err(|error| problem(&suite_file, &error))?;
            write_private(&suite_file, text.as_bytes()).map_err(|error| problem(&suite_file, &error))?;
        }
        Ok(Self { folder: folder.to_owned(), suite })
    }

    /// The key that `issuer` signs with for `audience`.
    pub(crate) fn context(&self, issuer: &str, audience: &str) -> (String, String) {
        let id = format!("{issuer}-{audience}");
        let key = self.suite.contexts.get(&id).cloned().unwrap_or_default();
        (id, key)
    }

    /// The issuer of tokens, with its key set beside it.
    pub(crate) fn issuer(&self) -> Result<Issuer, KeyError> {
        Issuer::open_or_create(&self.issuer_key(), &self.key_set())
            .map_err(|error| problem(&self.issuer_key(), &error))
    }

    fn issuer_key(&self) -> PathBuf {
        self.folder.join(ISSUER_KEY)
    }

    /// The public keys of the issuer.
    pub(crate) fn key_set(&self) -> PathBuf {
        key_set_of(&self.folder)
    }

    /// The key ring of a service.
    pub(crate) fn keyring(&self, service: &str) -> Result<PathBuf, KeyError> {
        let path = self.folder.join(format!("keyring-{service}.toml"));
        if !path.exists() {
            let ring = Keyring::generate(&SystemRandom::new()).map_err(|error| problem(&path, &error))?;
            write_private(&path, ring.to_file_text().as_bytes()).map_err(|error| problem(&path, &error))?;
        }
        Ok(path)
    }

    /// The key that signs checkpoints.
    pub(crate) fn audit_key(&self) -> Result<PathBuf, KeyError> {
        let path = self.folder.join(AUDIT_KEY);
        if !path.exists() {
            let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                .map_err(|error| problem(&path, &error))?;
            let encoded = STANDARD.encode(document.as_ref());
            let text = format!("-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n");
            write_private(&path, text.as_bytes()).map_err(|error| problem(&path, &error))?;
        }
        Ok(path)
    }
}

/// The public keys of the issuer in a folder of keys.
pub(crate) fn key_set_of(folder: &Path) -> PathBuf {
    folder.join("jwks.json")
}

/// The issuer of tokens, in a folder of keys that `up` has made. Makes none.
pub(crate) fn made_issuer(folder: &Path) -> Result<Issuer, KeyError> {
    let path = made(folder.join(ISSUER_KEY))?;
    Issuer::open(&path).map_err(|error| problem(&path, &error))
}

/// The key that signs checkpoints, in a folder of keys that `up` has made. Makes none.
pub(crate) fn made_audit_key(folder: &Path) -> Result<PathBuf, KeyError> {
    made(folder.join(AUDIT_KEY))
}

fn made(path: PathBuf) -> Result<PathBuf, KeyError> {
    match path.try_exists() {
        Ok(true) => Ok(path),
        Ok(false) => Err(problem(&path, &"is not there; `shouwen up` makes it for itself")),
        Err(error) => Err(problem(&path, &error)),
    }
}

/// Reads an Ed25519 key (PKCS#8 PEM).
pub(crate) fn read_signing_key(path: &Path) -> Result<Ed25519KeyPair, KeyError> {
    let text = fs::read_to_string(path).map_err(|error| problem(path, &error))?;
    let encoded: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(encoded).map_err(|error| problem(path, &error))?;
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|error| problem(path, &error))
}

/// The public half, as verification wants it.
pub(crate) fn public_key(key: &Ed25519KeyPair) -> Vec<u8> {
    key.public_key().as_ref().to_vec()
}

/// The same as a file, as `openssl pkey -pubout` writes it.
pub(crate) fn public_key_pem(key: &Ed25519KeyPair) -> String {
    let der = [&PUBLIC_KEY_PREFIX[..], key.public_key().as_ref()].concat();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

/// Reads a public half (Ed25519, PEM), as verification wants it.
pub(crate) fn read_public_key(path: &Path) -> Result<Vec<u8>, KeyError> {
    let text = fs::read_to_string(path).map_err(|error| problem(path, &error))?;
    let inside = text
        .split_once("-----BEGIN PUBLIC KEY-----")
        .and_then(|(_, rest)| rest.split_once("-----END PUBLIC KEY-----"))
        .map(|(inside, _)| inside.split_whitespace().collect::<String>())
        .ok_or_else(|| problem(path, &"holds no PUBLIC KEY in PEM; `shouwen audit public-key` prints one"))?;
    let der = STANDARD.decode(inside).map_err(|error| problem(path, &error))?;
    match der.strip_prefix(&PUBLIC_KEY_PREFIX) {
        Some(key) if key.len() == 32 => Ok(key.to_vec()),
        _ => Err(problem(path, &"is not an Ed25519 public key")),
    }
}

fn problem(path: &Path, error: &dyn std::fmt::Display) -> KeyError {
    KeyError { path: path.display().to_string(), problem: error.to_string() }
}

fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        // Without randomness nothing may be signed.
        std::process::abort();
    }
    bytes
}

fn random() -> String {
    STANDARD.encode(random_bytes())
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl genpkey -algorithm ed25519`.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIPDmL26nAEXwYlFUUJ6kT0sMCidCJBtvH8LTHtfVnD/i\n-----END PRIVATE KEY-----\n";
    /// Its public half, by `openssl pkey -pubout`.
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAYkscbQU4VJ7qE9H/MmvvtewepDAOXiDkpmv4txMAy2k=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_public_half_is_written_and_read_as_openssl_does() {
        let dir = tempfile::tempdir().unwrap();
        let (private, public) = (dir.path().join("audit.pem"), dir.path().join("audit.pub"));
        fs::write(&private, PRIVATE).unwrap();
        fs::write(&public, PUBLIC).unwrap();
        let key = read_signing_key(&private).unwrap();
        assert_eq!(public_key_pem(&key), PUBLIC);
        assert_eq!(read_public_key(&public).unwrap(), public_key(&key));
    }

    #[test]
    fn what_is_no_public_key_of_the_kind_is_said_not_to_be_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("audit.pub");
        // An X25519 key differs in the last byte of its algorithm's number.
        let other_kind = PUBLIC.replace("MCowBQYDK2Vw", "MCowBQYDK2Vu");
        let cut = PUBLIC.replace("y2k=", "");
        let refusals: [(&str, &str); 4] =
            [(PRIVATE, "PUBLIC KEY"), ("", "PUBLIC KEY"), (&other_kind, "Ed25519"), (&cut, "Ed25519")];
        for (text, part) in refusals {
            fs::write(&file, text).unwrap();
            let refused = read_public_key(&file).unwrap_err().to_string();
            assert!(refused.contains("audit.pub") && refused.contains(part), "{refused}");
        }
    }
}
