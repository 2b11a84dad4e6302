//! The eleven classes (L2): from assets and asset turnover (年换手), by the policy's grid.

use serde::{Deserialize, Serialize};
use shouwen_policy::ClientsPolicy;
use shouwen_proto::r#type::v1::ClientClass as ClientClassMessage;

use super::codec::fen;

/// A class, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientClass {
    APlus,
    BPlus,
    A,
    B,
    C,
    D,
    CMinus,
    DMinus,
    E,
    F,
    G,
}

impl ClientClass {
    pub const ALL: [Self; 11] = [
        Self::APlus,
        Self::BPlus,
        Self::A,
        Self::B,
        Self::C,
        Self::D,
        Self::CMinus,
        Self::DMinus,
        Self::E,
        Self::F,
        Self::G,
    ];

    /// As the state's document writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::APlus => "a_plus",
            Self::BPlus => "b_plus",
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
            Self::D => "d",
            Self::CMinus => "c_minus",
            Self::DMinus => "d_minus",
            Self::E => "e",
            Self::F => "f",
            Self::G => "g",
        }
    }
}

/// The class of a client with these assets, in fen, and this turnover, in hundredths. Bounds are inclusive.
pub fn classify(assets_fen: i64, turnover_percent: i64, policy: &ClientsPolicy) -> ClientClass {
    use ClientClass::{A, APlus, B, BPlus, C, CMinus, D, DMinus, E, F, G};
    let pairs = [
        (policy.class_a_plus_assets, APlus, BPlus),
        (policy.class_a_assets, A, B),
        (policy.class_c_assets, C, D),
        (policy.class_c_minus_assets, CMinus, DMinus),
        (policy.class_e_assets, E, F),
    ];
    let lively = turnover_percent >= i64::from(policy.turnover_threshold_percent);
    pairs
        .into_iter()
        .find(|(yuan, _, _)| assets_fen >= fen(*yuan))
        .map_or(G, |(_, first, second)| if lively { first } else { second })
}

impl From<ClientClass> for ClientClassMessage {
    fn from(class: ClientClass) -> Self {
        match class {
            ClientClass::APlus => Self::APlus,
            ClientClass::BPlus => Self::BPlus,
            ClientClass::A => Self::A,
            ClientClass::B => Self::B,
            ClientClass::C => Self::C,
            ClientClass::D => Self::D,
            ClientClass::CMinus => Self::CMinus,
            ClientClass::DMinus => Self::DMinus,
            ClientClass::E => Self::E,
            ClientClass::F => Self::F,
            ClientClass::G => Self::G,
        }
    }
}

/// As a message carries it; `None` where it is absent or of a later release.
pub fn of_message(message: ClientClassMessage) -> Option<ClientClass> {
    ClientClass::ALL.into_iter().find(|class| ClientClassMessage::from(*class) == message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l2_lower_bounds_are_inclusive_to_the_fen() {
        use ClientClass::{A, APlus, B, BPlus, C, CMinus, D, DMinus, E, F, G};
        let policy = ClientsPolicy::default();
        for (yuan, lively, quiet, below) in [
            (5_000_000, APlus, BPlus, A),
            (1_000_000, A, B, C),
            (500_000, C, D, CMinus),
            (100_000, CMinus, DMinus, E),
            (10_000, E, F, G),
        ] {
            assert_eq!(classify(yuan * 100, 300, &policy), lively);
            assert_eq!(classify(yuan * 100, 299, &policy), quiet);
            assert_eq!(classify(yuan * 100 - 1, 300, &policy), below);
        }
        assert_eq!((classify(0, 0, &policy), classify(0, 1_000_000, &policy)), (G, G));
        assert_eq!(classify(i64::MAX, i64::MAX, &policy), APlus);
    }

    #[test]
    fn classes_are_written_alike_in_documents_and_filters() {
        for class in ClientClass::ALL {
            assert_eq!(serde_json::to_string(&class).unwrap(), format!("\"{}\"", class.as_str()));
            assert_eq!(of_message(class.into()), Some(class));
        }
        assert_eq!(of_message(ClientClassMessage::Unspecified), None);
    }
}
