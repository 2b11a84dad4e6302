//! The opaque keys of one client's data. Whatever could be compared between clients without being looked up is bound to its client.

use shouwen_vault::{BlindIndex, IdentityNumber, IndexKind, Phone};

use crate::domain::{ClientName, OpaqueKey};

/// The key of a phone number.
pub(super) fn phone(index: &BlindIndex, phone: &Phone) -> OpaqueKey {
    OpaqueKey::new(index.compute(IndexKind::Phone, phone.expose()))
}

/// The key of an identity number.
pub(super) fn identity_number(index: &BlindIndex, number: &IdentityNumber) -> OpaqueKey {
    OpaqueKey::new(index.compute(IndexKind::IdentityNumber, number.expose()))
}

/// The key of a capital account.
pub(super) fn account(index: &BlindIndex, digits: &str) -> OpaqueKey {
    OpaqueKey::new(index.compute(IndexKind::CapitalAccount, digits))
}

/// The key of a security that a client holds.
pub(super) fn security(index: &BlindIndex, client: &ClientName, code: &str) -> OpaqueKey {
    OpaqueKey::new(index.compute(IndexKind::Security, &format!("{client}|{code}")))
}

/// The key of a client's text in a field; `None` for an empty one.
pub(super) fn text(index: &BlindIndex, client: &ClientName, field: &str, text: &str) -> Option<OpaqueKey> {
    let value = format!("{client}|{field}|{text}");
    (!text.is_empty()).then(|| OpaqueKey::new(index.compute(IndexKind::Text, &value)))
}

/// What a part of a request is told apart by in its id: a plain digest of a short text could be guessed from.
pub(super) fn request(index: &BlindIndex, digest: &[u8]) -> String {
    let [one, two, three, four, five, six, seven, eight, ..] =
        index.compute(IndexKind::Request, &hex::encode(digest));
    hex::encode([one, two, three, four, five, six, seven, eight])
}
