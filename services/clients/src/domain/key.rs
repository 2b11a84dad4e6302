//! Opaque keys: blind indexes by which sealed texts are found and compared without being opened.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A blind index of 32 bytes; hex where it is written. Equal texts of one kind have equal keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OpaqueKey([u8; 32]);

/// A text that is no opaque key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct InvalidOpaqueKey;

impl OpaqueKey {
    /// As the vault computed it.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As an event carries it; `None` for what is absent.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for OpaqueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A few digits are enough to tell keys apart.
impl fmt::Debug for OpaqueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpaqueKey({}…)", hex::encode(&self.0[..4]))
    }
}

impl From<OpaqueKey> for String {
    fn from(key: OpaqueKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for OpaqueKey {
    type Error = InvalidOpaqueKey;

    fn try_from(text: String) -> Result<Self, InvalidOpaqueKey> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| InvalidOpaqueKey)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_in_hex_and_read_back() {
        let key = OpaqueKey::new([171; 32]);
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json, format!("\"{}\"", "ab".repeat(32)));
        assert_eq!(serde_json::from_str::<OpaqueKey>(&json).unwrap(), key);
        assert!(serde_json::from_str::<OpaqueKey>("\"ab\"").is_err());
        assert_eq!(OpaqueKey::of_bytes(&[]), None);
    }
}
