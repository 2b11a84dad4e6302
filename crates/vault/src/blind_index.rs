//! Blind indexes (盲索引): equal values give equal digests, so a sealed value can be looked up without being opened.
//! Whoever holds only the database cannot try out phone numbers, because the digest needs the index key; whoever
//! holds the key as well can, so the key never enters the database.

use std::sync::Arc;

use ring::hmac;

use crate::envelope::{SecretKey, framed};

/// What kind of value is indexed. Equal texts of different kinds have different digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexKind {
    /// A phone number as [`Phone::expose`](crate::Phone::expose) gives it.
    Phone,
    /// An identity number (身份证号) as [`IdentityNumber::expose`](crate::IdentityNumber::expose) gives it.
    IdentityNumber,
    /// A capital account (资金账号), digits only.
    CapitalAccount,
    /// The name of a client or contact in the firm's CRM, as the CRM writes it.
    ExternalId,
    /// The code of a security (证券代码) of one client, as `{client}|{code}`: two clients with the same holding do not meet.
    Security,
    /// A text of one subject, as `{subject}|{field}|{text}`: tells whether it has changed, and no two subjects meet.
    Text,
    /// The SHA-256 of a request, in hex, or what keys of such digests are derived from: what was asked may be short enough to be guessed from a digest
    /// that anybody can compute.
    Request,
}

impl IndexKind {
    /// Part of every stored digest: never to be changed.
    fn label(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::IdentityNumber => "identity-number",
            Self::CapitalAccount => "capital-account",
            Self::ExternalId => "external-id",
            Self::Security => "security",
            Self::Text => "text",
            Self::Request => "request",
        }
    }
}

/// Computes blind indexes under the key ring's index key. That key cannot be rotated without computing every index
/// anew, so it is apart from the key-encryption keys.
#[derive(Clone, Debug)]
pub struct BlindIndex {
    key: Arc<SecretKey>,
}

impl BlindIndex {
    pub(crate) fn new(key: Arc<SecretKey>) -> Self {
        Self { key }
    }

    /// HMAC-SHA-256 over the kind and the *normalised* value: two spellings of one number must have been made the
    /// same before, by parsing them.
    pub fn compute(&self, kind: IndexKind, normalised: &str) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.bytes());
        let tag = hmac::sign(&key, &framed(&["shouwen/blind-index/1", kind.label(), normalised]));
        let mut digest = [0; 32];
        digest.copy_from_slice(tag.as_ref());
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(byte: u8) -> BlindIndex {
        BlindIndex::new(Arc::new(SecretKey::from_bytes(&[byte; 32]).unwrap()))
    }

    #[test]
    fn equal_values_of_a_kind_meet_and_nothing_else_does() {
        let phone = index(1).compute(IndexKind::Phone, "+8613812345678");
        assert_eq!(phone, index(1).compute(IndexKind::Phone, "+8613812345678"));
        assert_ne!(phone, index(1).compute(IndexKind::Phone, "+8613812345679"));
        assert_ne!(phone, index(1).compute(IndexKind::ExternalId, "+8613812345678"));
        assert_ne!(phone, index(2).compute(IndexKind::Phone, "+8613812345678"));
    }

    #[test]
    fn stored_digests_stay_findable() {
        // Computed by other code (Python's hmac over the framed parts, first 8 bytes). A change here orphans every stored index.
        let digest = index(1).compute(IndexKind::Phone, "+8613812345678");
        let stored = 0x5699_2ea6_f8be_1ce6_u64;
        assert_eq!(digest[..8], stored.to_be_bytes());
    }
}
