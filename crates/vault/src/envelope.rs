//! The cryptography, pure: AES-256-GCM with random nonces under keys that are wiped when dropped, and associated
//! data framed so that no two different lists of parts give the same bytes. Nothing here knows of storage.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::SecureRandom;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::VaultError;
use crate::sealed::{Place, Subject};

/// Bytes of a key.
pub(crate) const KEY_LEN: usize = 32;

/// First byte of everything encrypted here, so that another algorithm can follow one day.
const FORMAT: u8 = 1;

/// A 256-bit secret, wiped from memory when dropped and never shown.
///
/// Nonces are random, so one key is good for about 2³² values: far beyond what one subject, or all subjects under
/// one key-encryption key, will ever hold.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretKey(Zeroizing<[u8; KEY_LEN]>);

impl SecretKey {
    pub(crate) fn random(rng: &dyn SecureRandom) -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        rng.fill(bytes.as_mut_slice()).map_err(|_| VaultError::CannotSeal)?;
        Ok(Self(bytes))
    }

    /// `None` unless there are exactly [`KEY_LEN`] bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// Format byte, nonce, ciphertext, tag.
    fn encrypt(&self, rng: &dyn SecureRandom, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_LEN];
        rng.fill(&mut nonce).map_err(|_| VaultError::CannotSeal)?;
        let mut out = Vec::with_capacity(1 + NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
        out.push(FORMAT);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plaintext);
        let tag = self
            .cipher()
            .and_then(|cipher| {
                let body = out.get_mut(1 + NONCE_LEN..)?;
                cipher
                    .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), body)
                    .ok()
            })
            .ok_or_else(|| {
                out.zeroize();
                VaultError::CannotSeal
            })?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    /// `None` if anything about it is not as it was encrypted: key, bytes or associated data.
    fn decrypt(&self, aad: &[u8], encrypted: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (&format, rest) = encrypted.split_first()?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>()?;
        if format != FORMAT {
            return None;
        }
        let mut buffer = Zeroizing::new(body.to_vec());
        let length = self
            .cipher()?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut buffer)
            .ok()?
            .len();
        buffer.truncate(length);
        Some(buffer)
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.bytes()).ok().map(LessSafeKey::new)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// Wraps a subject's data key under a key-encryption key; bound to service and subject.
pub(crate) fn wrap(
    rng: &dyn SecureRandom,
    kek: &SecretKey,
    service: &str,
    subject: &Subject,
    data_key: &SecretKey,
) -> Result<Vec<u8>, VaultError> {
    kek.encrypt(rng, &wrap_aad(service, subject), data_key.bytes())
}

/// `None` if the wrapped key was altered or belongs to another key-encryption key, service or subject.
pub(crate) fn unwrap(kek: &SecretKey, service: &str, subject: &Subject, wrapped: &[u8]) -> Option<SecretKey> {
    SecretKey::from_bytes(&kek.decrypt(&wrap_aad(service, subject), wrapped)?)
}

/// Seals a text under its subject's data key; bound to service, aggregate, field and subject.
pub(crate) fn seal(
    rng: &dyn SecureRandom,
    data_key: &SecretKey,
    service: &str,
    subject: &Subject,
    place: Place<'_>,
    plaintext: &str,
) -> Result<Vec<u8>, VaultError> {
    data_key.encrypt(rng, &seal_aad(service, subject, place), plaintext.as_bytes())
}

/// `None` if the bytes were altered or belong to another key, service, aggregate, field or subject.
pub(crate) fn open(
    data_key: &SecretKey,
    service: &str,
    subject: &Subject,
    place: Place<'_>,
    ciphertext: &[u8],
) -> Option<String> {
    let opened = data_key.decrypt(&seal_aad(service, subject, place), ciphertext)?;
    std::str::from_utf8(&opened).ok().map(str::to_owned)
}

/// Each part behind its length (8 bytes, big-endian), so that no part can run into the next.
pub(crate) fn framed(parts: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part.as_bytes());
    }
    out
}

fn wrap_aad(service: &str, subject: &Subject) -> Vec<u8> {
    framed(&["shouwen/data-key/1", service, subject.as_str()])
}

fn seal_aad(service: &str, subject: &Subject, place: Place<'_>) -> Vec<u8> {
    framed(&["shouwen/sealed/1", service, place.aggregate, place.field, subject.as_str()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::rand::SystemRandom;

    use super::*;

    const PLACE: Place<'static> = Place { aggregate: "calls/1", field: "summary" };

    fn key() -> SecretKey {
        SecretKey::random(&SystemRandom::new()).unwrap()
    }

    fn sealed(key: &SecretKey, text: &str) -> Vec<u8> {
        seal(&SystemRandom::new(), key, "calls", &Subject::client(7), PLACE, text).unwrap()
    }

    proptest! {
        #[test]
        fn l10_what_was_sealed_opens_again(
            text in any::<String>(),
            (service, subject, aggregate, field) in any::<(String, String, String, String)>(),
        ) {
            let (key, subject) = (key(), Subject::new(subject));
            let place = Place { aggregate: &aggregate, field: &field };
            let ciphertext = seal(&SystemRandom::new(), &key, &service, &subject, place, &text).unwrap();
            prop_assert_eq!(ciphertext.len(), text.len() + 1 + 12 + 16);
            prop_assert_eq!(open(&key, &service, &subject, place, &ciphertext), Some(text));
        }

        #[test]
        fn l10_any_altered_bit_is_refused(text in any::<String>(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let key = key();
            let mut ciphertext = sealed(&key, &text);
            let index = at.index(ciphertext.len());
            ciphertext[index] ^= 1u8 << bit;
            prop_assert_eq!(open(&key, "calls", &Subject::client(7), PLACE, &ciphertext), None);
        }

        #[test]
        fn l10_any_shorter_or_longer_text_is_refused(text in any::<String>(), at in any::<prop::sample::Index>()) {
            let key = key();
            let mut ciphertext = sealed(&key, &text);
            let cut = &ciphertext[..at.index(ciphertext.len())];
            prop_assert_eq!(open(&key, "calls", &Subject::client(7), PLACE, cut), None);
            ciphertext.push(0);
            prop_assert_eq!(open(&key, "calls", &Subject::client(7), PLACE, &ciphertext), None);
        }

        #[test]
        fn framing_tells_apart_all_different_lists(
            a in prop::collection::vec("[ab]{0,3}", 0..5),
            b in prop::collection::vec("[ab]{0,3}", 0..5),
        ) {
            let (a_parts, b_parts): (Vec<_>, Vec<_>) =
                (a.iter().map(String::as_str).collect(), b.iter().map(String::as_str).collect());
            prop_assert_eq!(a == b, framed(&a_parts) == framed(&b_parts));
        }
    }

    #[test]
    fn l10_a_value_opens_only_where_it_belongs() {
        let key = key();
        let ciphertext = sealed(&key, "张三");
        let client = Subject::client(7);
        assert_eq!(open(&key, "calls", &client, PLACE, &ciphertext).as_deref(), Some("张三"));
        assert_eq!(open(&key, "callbacks", &client, PLACE, &ciphertext), None, "other service");
        assert_eq!(open(&key, "calls", &Subject::client(8), PLACE, &ciphertext), None, "other subject");
        let field = Place { field: "name", ..PLACE };
        assert_eq!(open(&key, "calls", &client, field, &ciphertext), None, "other field");
        let aggregate = Place { aggregate: "calls/2", ..PLACE };
        assert_eq!(open(&key, "calls", &client, aggregate, &ciphertext), None, "other aggregate");
        let swapped = Place { aggregate: "summary", field: "calls/1" };
        assert_eq!(open(&key, "calls", &client, swapped, &ciphertext), None, "aggregate and field swapped");
        assert_eq!(open(&self::key(), "calls", &client, PLACE, &ciphertext), None, "other key");
    }

    #[test]
    fn l10_a_wrapped_key_opens_only_for_its_subject_service_and_kek() {
        let (rng, kek, data_key, subject) = (SystemRandom::new(), key(), key(), Subject::contact(1));
        let wrapped = wrap(&rng, &kek, "calls", &subject, &data_key).unwrap();
        assert_eq!(unwrap(&kek, "calls", &subject, &wrapped), Some(data_key));
        assert_eq!(unwrap(&key(), "calls", &subject, &wrapped), None);
        assert_eq!(unwrap(&kek, "callbacks", &subject, &wrapped), None);
        assert_eq!(unwrap(&kek, "calls", &Subject::contact(2), &wrapped), None);
    }

    #[test]
    fn equal_texts_are_sealed_differently_each_time() {
        let key = key();
        assert_ne!(sealed(&key, "同一句话"), sealed(&key, "同一句话"));
    }

    #[test]
    fn l10_a_key_is_never_shown() {
        assert_eq!(format!("{:?}", SecretKey::from_bytes(&[7; 32]).unwrap()), "SecretKey(hidden)");
    }
}
