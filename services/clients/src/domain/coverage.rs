//! Coverage (L8): which position a client's assets ask for.

use serde::{Deserialize, Serialize};
use shouwen_policy::ClientsPolicy;
use shouwen_proto::r#type::v1::Position as PositionMessage;

use super::codec::fen;

/// A position (职务), lowest first: a higher one covers what a lower one covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Anyone of the branch.
    #[default]
    Anyone,
    TeamLeader,
    Manager,
    BranchHead,
}

impl Position {
    pub const ALL: [Self; 4] = [Self::Anyone, Self::TeamLeader, Self::Manager, Self::BranchHead];

    /// As the contract names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anyone => "POSITION_UNSPECIFIED",
            Self::TeamLeader => "TEAM_LEADER",
            Self::Manager => "MANAGER",
            Self::BranchHead => "BRANCH_HEAD",
        }
    }
}

/// The position that serves a client with these assets, in fen. Bounds are inclusive.
pub fn coverage(assets_fen: i64, policy: &ClientsPolicy) -> Position {
    [
        (policy.branch_head_assets, Position::BranchHead),
        (policy.manager_assets, Position::Manager),
        (policy.team_leader_assets, Position::TeamLeader),
    ]
    .into_iter()
    .find(|(yuan, _)| assets_fen >= fen(*yuan))
    .map_or(Position::Anyone, |(_, position)| position)
}

impl From<Position> for PositionMessage {
    fn from(position: Position) -> Self {
        match position {
            Position::Anyone => Self::Unspecified,
            Position::TeamLeader => Self::TeamLeader,
            Position::Manager => Self::Manager,
            Position::BranchHead => Self::BranchHead,
        }
    }
}

impl From<PositionMessage> for Position {
    fn from(message: PositionMessage) -> Self {
        match message {
            PositionMessage::Unspecified => Self::Anyone,
            PositionMessage::TeamLeader => Self::TeamLeader,
            PositionMessage::Manager => Self::Manager,
            PositionMessage::BranchHead => Self::BranchHead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l8_lower_bounds_are_inclusive_to_the_fen() {
        let policy = ClientsPolicy::default();
        for (yuan, at, below) in [
            (1_000_000, Position::BranchHead, Position::Manager),
            (500_000, Position::Manager, Position::TeamLeader),
            (100_000, Position::TeamLeader, Position::Anyone),
        ] {
            assert_eq!(coverage(yuan * 100, &policy), at);
            assert_eq!(coverage(yuan * 100 - 1, &policy), below);
        }
        assert_eq!(coverage(0, &policy), Position::Anyone);
    }
}
