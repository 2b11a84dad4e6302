//! Factors by which a client proves who they are (K11), as the contract carries them.

use serde::{Deserialize, Serialize};
use shouwen_proto::events::v1::IdentityFactor;

/// What a client is asked. The number that called does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    ReservedPhone,
    IdentityNumber,
    /// Code of a security that the client holds.
    Holdings,
    /// Code of the security bought last.
    LastPurchase,
}

impl Factor {
    pub const ALL: [Self; 4] =
        [Self::ReservedPhone, Self::IdentityNumber, Self::Holdings, Self::LastPurchase];

    /// As a message carries it; `None` where it is absent or of a later release.
    pub fn of_message(message: IdentityFactor) -> Option<Self> {
        Self::ALL.into_iter().find(|factor| IdentityFactor::from(*factor) == message)
    }

    /// As the contract names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReservedPhone => "RESERVED_PHONE",
            Self::IdentityNumber => "IDENTITY_NUMBER",
            Self::Holdings => "HOLDINGS",
            Self::LastPurchase => "LAST_PURCHASE",
        }
    }
}

impl From<Factor> for IdentityFactor {
    fn from(factor: Factor) -> Self {
        match factor {
            Factor::ReservedPhone => Self::ReservedPhone,
            Factor::IdentityNumber => Self::IdentityNumber,
            Factor::Holdings => Self::Holdings,
            Factor::LastPurchase => Self::LastPurchase,
        }
    }
}
