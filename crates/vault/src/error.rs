//! The closed set of ways in which sealing and unsealing fail. Texts name subjects and key ids, which are opaque,
//! and never plaintext or key material; the driver's own text is the error's source, for the log only.

use crate::sealed::Subject;

/// Why a value was not sealed or opened, or a key operation not done.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The subject's key was destroyed on purpose. Final: nothing of it can be opened or sealed any more.
    #[error("the personal data of {subject} has been erased")]
    Erased {
        /// Whose key was destroyed.
        subject: Subject,
    },
    /// No key was ever made here for the subject: the value belongs to another service or database.
    #[error("there is no data key for {subject}; was the value sealed by another service or database?")]
    NoKey {
        /// Whose key is missing.
        subject: Subject,
    },
    /// The key ring lacks the key-encryption key under which the subject's key is wrapped.
    #[error("the data key of {subject} is wrapped by key {kek_id:?}, which is not in the key ring; add it")]
    UnknownKek {
        /// Whose key cannot be unwrapped.
        subject: Subject,
        /// Which key-encryption key is missing.
        kek_id: String,
    },
    /// The stored key does not open under its key-encryption key: altered, moved to another subject or service, or
    /// the ring holds a different secret under that id.
    #[error(
        "the data key of {subject} does not open under key {kek_id:?}: altered, moved, or a wrong secret"
    )]
    DamagedKey {
        /// Whose key does not open.
        subject: Subject,
        /// The key-encryption key that the row names.
        kek_id: String,
    },
    /// The value was altered, or moved to another service, subject, aggregate or field.
    #[error("the sealed {field} of {aggregate} does not open: altered or moved from elsewhere")]
    Tampered {
        /// The aggregate that the value names.
        aggregate: String,
        /// The field that the value names.
        field: String,
    },
    /// The value opens, but it was found in another place than the one it was sealed for.
    #[error("the sealed {field} of {aggregate} was found in another place")]
    Misplaced {
        /// The aggregate that the value names.
        aggregate: String,
        /// The field that the value names.
        field: String,
    },
    /// The operating system gave no randomness, or a text is longer than AES-GCM can take (64 GiB).
    #[error("nothing was sealed: no randomness from the operating system, or the text is too long")]
    CannotSeal,
    /// The key table could not be read or written; try again. The driver's error is the source.
    #[error("the key table could not be read or written")]
    Database(#[from] sqlx::Error),
}
