//! A configuration value that nobody gets to see: not in logs, not in error texts, not in `--print-config`.

use std::fmt;
use std::fs;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// What stands in place of a secret.
const SHOWN: &str = "[secret]";

/// A secret value, by default text. In configuration it is written as is, or as `file:/path` (or as key `name_file`
/// with the path), and then the file's content without its last line break is the value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one who needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl From<String> for Secret<String> {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SHOWN)
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_string(SecretVisitor(PhantomData))
    }
}

struct SecretVisitor<T>(PhantomData<T>);

impl<T: FromStr> Visitor<'_> for SecretVisitor<T> {
    type Value = Secret<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret, or file:/path of one")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret<T>, E> {
        let parse = |text: &str| {
            // The parser's message could quote the secret.
            text.parse().map(Secret).map_err(|_| E::custom("the secret has not the right form"))
        };
        let Some(path) = text.strip_prefix("file:") else { return parse(text) };
        let content = fs::read_to_string(path)
            .map_err(|error| E::custom(format_args!("cannot read the secret from file {path}: {error}")))?;
        parse(
            content
                .strip_suffix('\n')
                .map_or(content.as_str(), |line| line.strip_suffix('\r').unwrap_or(line)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_nowhere() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"[secret]\"");
        let error = serde_json::from_str::<Secret<u16>>("\"hunter2\"").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_secret_is_read_from_a_file_without_its_last_line_break() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "two\nlines\n").unwrap();
        let secret: Secret = serde_json::from_str(&format!("\"file:{}\"", path.display())).unwrap();
        assert_eq!(secret.expose(), "two\nlines");
        let error = serde_json::from_str::<Secret>("\"file:/nowhere/key\"").unwrap_err().to_string();
        assert!(error.contains("/nowhere/key"), "{error}");
    }
}
