//! The closed vocabularies of a record form, each mirroring an enum of the contract. An unspecified or unknown number is none of them.

use serde::{Deserialize, Serialize};
use shouwen_policy::Level;
use shouwen_proto::{
    events::v1::{
        ApprovalLevel as ApprovalLevelMessage, ComplaintEnd, ComplaintKind, ComplaintLimit,
        Finding as FindingMessage, ReplyKind as ReplyKindMessage, Severity as SeverityMessage,
    },
    r#type::v1::{Channel as ChannelMessage, EscalationLevel, MeasuresFound},
};

macro_rules! mirrors {
    ($(#[$docs:meta])* $name:ident of $message:ident { $($(#[$of:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$of])* $variant),+ }

        impl $name {
            /// From the number in a message; `None` where it is unspecified or unknown.
            pub fn of(number: i32) -> Option<Self> {
                match $message::try_from(number).ok()? {
                    $message::Unspecified => None,
                    $($message::$variant => Some(Self::$variant),)+
                }
            }

            /// The number for a message.
            pub fn number(self) -> i32 {
                match self { $(Self::$variant => $message::$variant.into()),+ }
            }
        }
    };
}

mirrors! {
    /// What the record form is about (C1).
    Kind of ComplaintKind {
        /// 投诉
        Complaint,
        /// 意见
        Opinion,
        /// 建议
        Suggestion,
        /// 查询
        Inquiry,
    }
}

mirrors! {
    /// How it reached the firm (C2).
    Channel of ChannelMessage {
        Phone,
        Counter,
        Email,
        Web,
        Letter,
        /// 意见簿
        OpinionBook,
    }
}

mirrors! {
    /// How grave a complaint is: how many levels approve its handling (C6).
    Severity of SeverityMessage {
        Minor,
        Serious,
        Grave,
    }
}

mirrors! {
    /// What the investigation found (C8).
    Finding of FindingMessage {
        /// 全部责任
        Upheld,
        /// 部分责任
        PartlyUpheld,
        /// 无责任
        NotUpheld,
    }
}

mirrors! {
    /// The levels of approval, lowest first (C6).
    ApprovalLevel of ApprovalLevelMessage {
        BranchHead,
        Hq,
        CompanyLeader,
    }
}

mirrors! {
    /// What the client was told (C5, C7). A later kind includes the earlier ones.
    ReplyKind of ReplyKindMessage {
        First,
        /// 明确的答复
        Definite,
        Outcome,
    }
}

mirrors! {
    /// The limits of a complaint (C5-C7).
    LimitKind of ComplaintLimit {
        Acceptance,
        FirstReply,
        DefiniteAnswer,
        Proposal,
        Outcome,
        Settlement,
    }
}

mirrors! {
    /// How it ended.
    End of ComplaintEnd {
        /// C9
        Satisfied,
        /// C16
        Declined,
        /// A lead closed it: the client could not be reached.
        Unreachable,
        /// A lead closed it: explained again (C10).
        Explained,
        /// No complaint, and answered.
        Answered,
    }
}

mirrors! {
    /// What a verification found about the measures (C9, C10).
    Measures of MeasuresFound {
        CarriedOut,
        NotCarriedOut,
        WithoutEffect,
    }
}

impl LimitKind {
    /// The deadline at which the limit passes.
    pub fn step(self) -> &'static str {
        match self {
            Self::Acceptance => "acceptance",
            Self::FirstReply => "first_reply",
            Self::DefiniteAnswer => "definite_answer",
            Self::Proposal => "proposal",
            Self::Outcome => "outcome",
            Self::Settlement => "settlement",
        }
    }

    /// The deadline at which the missed limit goes one level higher (O10).
    pub fn escalation_step(self) -> &'static str {
        match self {
            Self::Acceptance => "escalate_acceptance",
            Self::FirstReply => "escalate_first_reply",
            Self::DefiniteAnswer => "escalate_definite_answer",
            Self::Proposal => "escalate_proposal",
            Self::Outcome => "escalate_outcome",
            Self::Settlement => "escalate_settlement",
        }
    }

    /// Whether it is counted in working days; otherwise in clock hours (S2).
    pub fn is_by_calendar(self) -> bool {
        self != Self::DefiniteAnswer
    }
}

impl ApprovalLevel {
    /// All levels, lowest first.
    pub const ALL: [Self; 3] = [Self::BranchHead, Self::Hq, Self::CompanyLeader];

    /// As the contract calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BranchHead => "BRANCH_HEAD",
            Self::Hq => "HQ",
            Self::CompanyLeader => "COMPANY_LEADER",
        }
    }
}

impl ReplyKind {
    /// As the contract calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "FIRST",
            Self::Definite => "DEFINITE",
            Self::Outcome => "OUTCOME",
        }
    }
}

/// The level of an escalation, for a message (O10).
pub fn escalation(level: Level) -> EscalationLevel {
    match level {
        Level::Responsible => EscalationLevel::Responsible,
        Level::Lead => EscalationLevel::Lead,
        Level::Hq => EscalationLevel::Hq,
        Level::CompanyLeader => EscalationLevel::CompanyLeader,
    }
}

/// The level behind the number in a message.
pub fn level(number: i32) -> Option<Level> {
    match EscalationLevel::try_from(number).ok()? {
        EscalationLevel::Unspecified => None,
        EscalationLevel::Responsible => Some(Level::Responsible),
        EscalationLevel::Lead => Some(Level::Lead),
        EscalationLevel::Hq => Some(Level::Hq),
        EscalationLevel::CompanyLeader => Some(Level::CompanyLeader),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_or_unknown_number_is_no_term() {
        for number in [0, -1, 99] {
            assert_eq!((Kind::of(number), LimitKind::of(number), level(number)), (None, None, None));
        }
        for level in ApprovalLevel::ALL {
            assert_eq!(ApprovalLevel::of(level.number()), Some(level));
        }
    }

    #[test]
    fn c5_a_later_kind_of_reply_is_the_greater_one() {
        assert!(ReplyKind::First < ReplyKind::Definite && ReplyKind::Definite < ReplyKind::Outcome);
    }
}
