//! The key ring (密钥环): the key-encryption keys by id, one of them current, and the key of the blind indexes. Read
//! once from a file or a secret; it is never written to a database, and nothing of it appears in errors or logs.
//!
//! ```toml
//! current = "2026-1"
//! index_key = "base64 of 32 bytes"
//!
//! [[key]]
//! id = "2026-1"
//! secret = "base64 of 32 bytes"
//! ```
//!
//! The same in JSON: `{"current": …, "index_key": …, "key": [{"id": …, "secret": …}]}`.
//!
//! Rotation over several replicas: give all of them the new key first, then make it `current` everywhere, let
//! [`Vault::rewrap`](crate::Vault::rewrap) run until it reports the old id out of use, then take the old key away.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ring::rand::SecureRandom;
use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use crate::blind_index::BlindIndex;
use crate::envelope::{KEY_LEN, SecretKey};
use crate::error::VaultError;

const MAX_ID_LEN: usize = 32;

/// Key-encryption keys by id, one current, and the index key. `Debug` shows ids only.
#[derive(Clone)]
pub struct Keyring {
    keys: BTreeMap<String, SecretKey>,
    current: String,
    index_key: Arc<SecretKey>,
}

/// Why a key ring could not be read. Places are named, values never repeated: a secret may stand anywhere.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file could not be read.
    #[error("the key ring {} cannot be read; check that it exists and who may read it", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Neither valid TOML nor (if it begins with a brace) valid JSON.
    #[error("the key ring is not valid {format} at line {line}, column {column}")]
    Syntax {
        /// `TOML` or `JSON`.
        format: &'static str,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// A part is missing or of another type.
    #[error("the key ring lacks {place}, or it is not {expected}")]
    Missing {
        /// The part, e.g. `key[0].secret`.
        place: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A field that no key ring has, perhaps misspelt.
    #[error("{place} of the key ring has an unknown field; known are {known}")]
    UnknownField {
        /// The part that has it.
        place: String,
        /// The fields it may have.
        known: &'static str,
    },
    /// An id is empty, too long or has other characters than letters, digits, `.`, `_` and `-`.
    #[error("{place} of the key ring must have 1 to 32 of: letters, digits, dot, underscore, hyphen")]
    BadId {
        /// The part, e.g. `key[0].id`.
        place: String,
    },
    /// A secret is not base64 of exactly 32 bytes.
    #[error(
        "{place} of the key ring must be 32 random bytes in base64 (`openssl rand -base64 32`), but {found}"
    )]
    BadSecret {
        /// The part, e.g. `key[0].secret`.
        place: String,
        /// What is wrong with it.
        found: String,
    },
    /// Two keys have one id.
    #[error("the key ring has two keys with id {id:?}")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// One secret serves twice.
    #[error("{place} of the key ring repeats another key's secret; every key needs its own")]
    ReusedSecret {
        /// The later part.
        place: String,
    },
    /// `current` names none of the keys.
    #[error("the key ring's current key is {current:?}, but it has only: {}", ids.join(", "))]
    UnknownCurrent {
        /// What `current` says.
        current: String,
        /// The ids that the ring has.
        ids: Vec<String>,
    },
}

impl Keyring {
    /// Reads a key ring from a TOML or JSON file.
    pub fn load(path: &Path) -> Result<Self, KeyringError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| KeyringError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&Zeroizing::new(text))
    }

    /// Reads a key ring from TOML, or from JSON if the text begins with a brace.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let mut root = read(text)?;
        let parsed = Self::from_fields(&root);
        root.values_mut().for_each(wipe);
        parsed
    }

    /// A new ring with one random key, id `1`, and a random index key.
    pub fn generate(rng: &dyn SecureRandom) -> Result<Self, VaultError> {
        Ok(Self {
            keys: BTreeMap::from([("1".to_owned(), SecretKey::random(rng)?)]),
            current: "1".to_owned(),
            index_key: Arc::new(SecretKey::random(rng)?),
        })
    }

    /// The ring as a TOML file that [`Keyring::parse`] reads. It holds the secrets: write it where only the service
    /// may read it.
    pub fn to_file_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(1024));
        text.push_str(
            "# Key ring of shouwen. Whoever has this file and the database can read all personal data;\n",
        );
        text.push_str("# whoever loses it can never read it again. Keep a copy apart from the database.\n\n");
        let line = |text: &mut String, name: &str, value: &str| {
            text.push_str(name);
            text.push_str(" = \"");
            text.push_str(value);
            text.push_str("\"\n");
        };
        let encoded = |key: &SecretKey| Zeroizing::new(BASE64.encode(key.bytes()));
        line(&mut text, "current", &self.current);
        line(&mut text, "index_key", &encoded(&self.index_key));
        for (id, key) in &self.keys {
            text.push_str("\n[[key]]\n");
            line(&mut text, "id", id);
            line(&mut text, "secret", &encoded(key));
        }
        text
    }

    /// The id of the key that wraps new data keys.
    pub fn current_id(&self) -> &str {
        &self.current
    }

    /// The ids of all keys, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Blind indexes under this ring's index key.
    pub fn blind_index(&self) -> BlindIndex {
        BlindIndex::new(Arc::clone(&self.index_key))
    }

    pub(crate) fn key(&self, id: &str) -> Option<&SecretKey> {
        self.keys.get(id)
    }

    fn from_fields(root: &Map<String, Value>) -> Result<Self, KeyringError> {
        only_known_fields(
            root,
            "the top level",
            &["current", "index_key", "key"],
            "current, index_key, key",
        )?;
        let entries =
            root.get("key").and_then(Value::as_array).filter(|entries| !entries.is_empty()).ok_or_else(
                || KeyringError::Missing { place: "key".into(), expected: "a list with at least one key" },
            )?;
        let mut keys = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let place = format!("key[{index}]");
            let entry = entry.as_object().ok_or_else(|| KeyringError::Missing {
                place: place.clone(),
                expected: "a table with id and secret",
            })?;
            only_known_fields(entry, &place, &["id", "secret"], "id, secret")?;
            let id = id_at(entry, "id", &format!("{place}.id"))?;
            let place = format!("{place}.secret");
            let secret = secret_at(entry, "secret", &place)?;
            if keys.values().any(|other| other == &secret) {
                return Err(KeyringError::ReusedSecret { place });
            }
            if keys.insert(id.clone(), secret).is_some() {
                return Err(KeyringError::DuplicateId { id });
            }
        }
        let current = id_at(root, "current", "current")?;
        if !keys.contains_key(&current) {
            return Err(KeyringError::UnknownCurrent { current, ids: keys.into_keys().collect() });
        }
        let index_key = secret_at(root, "index_key", "index_key")?;
        if keys.values().any(|key| key == &index_key) {
            return Err(KeyringError::ReusedSecret { place: "index_key".into() });
        }
        Ok(Self { keys, current, index_key: Arc::new(index_key) })
    }
}

/// Ids only.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("current", &self.current)
            .field("ids", &self.ids().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The parsers' own messages quote what they read, so only the position of a mistake is kept.
fn read(text: &str) -> Result<Map<String, Value>, KeyringError> {
    if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| KeyringError::Syntax {
            format: "JSON",
            line: error.line(),
            column: error.column(),
        })
    } else {
        toml::from_str(text).map_err(|error| {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            KeyringError::Syntax {
                format: "TOML",
                line: before.matches('\n').count() + 1,
                column: before.len() - line_start + 1,
            }
        })
    }
}

fn only_known_fields(
    fields: &Map<String, Value>,
    place: &str,
    known: &[&str],
    listed: &'static str,
) -> Result<(), KeyringError> {
    if fields.keys().all(|name| known.contains(&name.as_str())) {
        Ok(())
    } else {
        Err(KeyringError::UnknownField { place: place.to_owned(), known: listed })
    }
}

fn text_at<'a>(fields: &'a Map<String, Value>, name: &str, place: &str) -> Result<&'a str, KeyringError> {
    fields
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| KeyringError::Missing { place: place.to_owned(), expected: "a text" })
}

/// Ids are short, so that a secret put in an id's place is refused before anything could print it.
fn id_at(fields: &Map<String, Value>, name: &str, place: &str) -> Result<String, KeyringError> {
    let id = text_at(fields, name, place)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=MAX_ID_LEN).contains(&id.len()) && id.chars().all(allowed) {
        Ok(id.to_owned())
    } else {
        Err(KeyringError::BadId { place: place.to_owned() })
    }
}

fn secret_at(fields: &Map<String, Value>, name: &str, place: &str) -> Result<SecretKey, KeyringError> {
    let text = text_at(fields, name, place)?.trim();
    let bad = |found: String| KeyringError::BadSecret { place: place.to_owned(), found };
    let bytes = Zeroizing::new(BASE64.decode(text).map_err(|_| bad("it is not base64".into()))?);
    SecretKey::from_bytes(&bytes).ok_or_else(|| bad(format!("it has {} bytes, not {KEY_LEN}", bytes.len())))
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    fn secret(byte: u8) -> String {
        BASE64.encode([byte; 32])
    }

    fn ring(current: &str) -> String {
        format!(
            "current = \"{current}\"\nindex_key = \"{}\"\n[[key]]\nid = \"2025-1\"\nsecret = \"{}\"\n\
             [[key]]\nid = \"2026-1\"\nsecret = \"{}\"\n",
            secret(9),
            secret(1),
            secret(2)
        )
    }

    fn refusal(text: &str) -> String {
        Keyring::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn toml_and_json_give_the_same_ring() {
        let from_toml = Keyring::parse(&ring("2026-1")).unwrap();
        let json = format!(
            r#" {{"current":"2026-1","index_key":"{}","key":[{{"id":"2025-1","secret":"{}"}},{{"id":"2026-1","secret":"{}"}}]}}"#,
            secret(9),
            secret(1),
            secret(2)
        );
        let from_json = Keyring::parse(&json).unwrap();
        assert_eq!(from_toml.current_id(), "2026-1");
        assert_eq!(from_toml.keys, from_json.keys);
        assert_eq!(from_toml.index_key, from_json.index_key);
        assert_eq!(from_json.ids().collect::<Vec<_>>(), ["2025-1", "2026-1"]);
    }

    #[test]
    fn a_generated_ring_is_read_back_from_its_file() {
        let rng = SystemRandom::new();
        let ring = Keyring::generate(&rng).unwrap();
        let read = Keyring::parse(&ring.to_file_text()).unwrap();
        assert_eq!(
            (&read.keys, &read.current, &read.index_key),
            (&ring.keys, &ring.current, &ring.index_key)
        );
        assert_ne!(Keyring::generate(&rng).unwrap().keys, ring.keys);
    }

    #[test]
    fn l10_debug_shows_ids_only() {
        let ring = Keyring::parse(&ring("2026-1")).unwrap();
        assert_eq!(format!("{ring:?}"), r#"Keyring { current: "2026-1", ids: ["2025-1", "2026-1"], .. }"#);
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let good = ring("2026-1");
        let cases = [
            (good.replace("current = ", "current "), "not valid TOML at line 1, column"),
            ("{\"current\": 1,\n oops".to_owned(), "not valid JSON at line 2, column 2"),
            (good.replace("current = \"2026-1\"", ""), "lacks current, or it is not a text"),
            (good.replace("index_key = \"", "index_key = 7 #"), "lacks index_key, or it is not a text"),
            (good.replace("[[key]]", "[[keys]]"), "the top level of the key ring has an unknown field"),
            (
                format!("current = \"1\"\nindex_key = \"{}\"\nkey = []", secret(9)),
                "lacks key, or it is not a list",
            ),
            (good.replace("id = \"2025-1\"", ""), "lacks key[0].id"),
            (
                good.replace("id = \"2025-1\"", "id = \"2025-1\"\nuse = 1"),
                "key[0] of the key ring has an unknown",
            ),
            (good.replace("id = \"2025-1\"", "id = \"2025/1\""), "key[0].id of the key ring must have"),
            (good.replace("2025-1", "2026-1"), "two keys with id \"2026-1\""),
            (ring("2027-1"), "current key is \"2027-1\", but it has only: 2025-1, 2026-1"),
            (
                good.replace(&secret(2), "c2hvcnQ="),
                "key[1].secret of the key ring must be 32 random bytes in base64 (`openssl rand -base64 32`), but it has 5 bytes, not 32",
            ),
            (good.replace(&secret(2), "!"), "but it is not base64"),
            (good.replace(&secret(2), &secret(1)), "key[1].secret of the key ring repeats"),
            (good.replace(&secret(9), &secret(1)), "index_key of the key ring repeats"),
        ];
        for (text, expected) in cases {
            let refusal = refusal(&text);
            assert!(refusal.contains(expected), "{refusal:?} should contain {expected:?}");
        }
        let missing = Keyring::load(Path::new("/nonexistent/ring.toml")).unwrap_err().to_string();
        assert!(missing.contains("/nonexistent/ring.toml cannot be read"), "{missing}");
    }

    #[test]
    fn l10_no_error_repeats_a_secret_wherever_it_stands() {
        let key = secret(3);
        let good = ring("2026-1");
        let texts = [
            good.replace("current = \"2026-1\"", &format!("current = \"{key}\"")),
            good.replace("current = \"2026-1\"", &format!("\"{key}\" = \"2026-1\"")),
            good.replace("current = \"2026-1\"", &key),
            good.replace("current = \"2026-1\"", &format!("current = [\"{key}\"]")),
            good.replace("id = \"2025-1\"", &format!("id = \"{key}\"")),
            good.replace(&secret(1), &format!("{key}{key}")),
            format!("key = \"{key}\""),
            format!("{{\"key\": \"{key}\" \"x\""),
        ];
        for text in texts {
            let error = Keyring::parse(&text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(&key) && !shown.contains("AwMDAw"), "{shown}");
        }
    }
}
