//! Sealing of personal data (个人信息) and free text, rule L10: envelope encryption with one data key per
//! subject, blind indexes for lookup, and types for phones, names and identity numbers that show only a mask.
//!
//! It is deliberately not an access check: who may see a value in full, and the record of each showing, are the
//! service's; and it never decides *when* a subject may be erased, only makes erasure final.
//!
//! ```text
//! key ring (file, never in the database)     data_key (each service's schema)      sealed values (JSONB, ledger)
//!   key-encryption keys ── wraps ──────────▶ one data key per subject ── seals ──▶ nonce + ciphertext, bound to
//!   index key ── HMAC ─▶ blind indexes                                             service, aggregate, field, subject
//! ```
//!
//! What a sealed value does not hide: that it exists, whose it is (subjects are opaque resource names and must not
//! themselves be personal data) and about how long it is.

mod blind_index;
mod envelope;
mod error;
mod identity_number;
mod keyring;
mod person_name;
mod phone;
mod sealed;
mod store;
mod vault;

pub use blind_index::{BlindIndex, IndexKind};
pub use error::VaultError;
pub use identity_number::{IdentityNumber, IdentityNumberError};
pub use keyring::{Keyring, KeyringError};
pub use person_name::{PersonName, PersonNameError};
pub use phone::{Phone, PhoneError};
pub use sealed::{Place, Sealed, Subject};
pub use vault::{KEY_LIFETIME, Plain, REWRAP_INTERVAL, RewrapProgress, Vault};

/// Creates table `data_key` in the first schema of the connection's search path, recorded in a table
/// `vault_migrations` beside it. Run by every service before its own migrations.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();
