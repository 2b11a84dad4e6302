//! What is said in the domain of the tests: commands, events, states, refusals.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::AggregateId;

#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// A new account, with a unique name or none.
    Open {
        account: String,
        name: Option<String>,
    },
    /// Another name or none.
    Rename {
        account: String,
        name: Option<String>,
    },
    /// Takes a name away from whoever holds it.
    Seize {
        account: String,
        name: String,
    },
    Deposit {
        account: String,
        amount: i64,
    },
    Transfer {
        from: String,
        to: String,
        amount: i64,
    },
    /// Makes another account the partner of this one.
    Link {
        account: String,
        partner: String,
    },
    /// Deposits to the partner; which account that is, is read without locks.
    PayPartner {
        account: String,
        amount: i64,
    },
    /// A note with the counter's next number.
    Note {
        note: String,
        counter: String,
        accept: bool,
    },
    /// Makes the statement that saves fail.
    Poison {
        account: String,
    },
    /// Makes the decision panic.
    Panic {
        account: String,
    },
    /// Deposits to one account and to another that it did not name.
    Overreach {
        account: String,
        other: String,
    },
    Remind {
        account: String,
        due: DateTime<Utc>,
    },
    Fire {
        account: String,
    },
    Recompute {
        account: String,
    },
    /// Events of others: an unlucky amount is refused unless the account is lenient.
    Receive {
        account: String,
        amount: i64,
    },
    Soften {
        account: String,
    },
    /// The largest deposit, for every process.
    SetLimit {
        amount: i64,
    },
}

/// An event. `kind` is its name on the ledger.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Entry {
    #[prost(string, tag = "1")]
    pub(crate) kind: String,
    #[prost(int64, tag = "2")]
    pub(crate) amount: i64,
    #[prost(string, tag = "3")]
    pub(crate) text: String,
    #[prost(int64, tag = "4")]
    pub(crate) micros: i64,
}

pub(super) const KINDS: [&str; 12] = [
    "opened",
    "named",
    "linked",
    "deposited",
    "numbered",
    "poisoned",
    "reminded",
    "fired",
    "received",
    "softened",
    "limit_set",
    "reminded_provisionally",
];

impl Entry {
    pub(super) fn new(kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..Self::default() }
    }

    pub(super) fn amount(kind: &str, amount: i64) -> Self {
        Self { amount, ..Self::new(kind) }
    }

    pub(super) fn named(kind: &str, name: Option<&String>) -> Self {
        Self { text: name.cloned().unwrap_or_default(), ..Self::new(kind) }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) balance: i64,
    pub(crate) name: Option<String>,
    pub(crate) partner: Option<String>,
    pub(crate) number: i64,
    pub(crate) lenient: bool,
    pub(crate) poisoned: bool,
    pub(crate) reminder: Option<Reminder>,
    /// Due times of the reminders that fired.
    pub(crate) fired: Vec<DateTime<Utc>>,
    /// Times of the events behind what was received.
    pub(crate) heard: Vec<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reminder {
    pub(crate) due: DateTime<Utc>,
    pub(crate) calendar: String,
    pub(crate) provisional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("MISSING")]
    Missing,
    #[error("EXISTS")]
    Exists,
    /// `holds`: whether the holder's state says so too.
    #[error("HELD by {holder}")]
    Held { holder: AggregateId, holds: bool },
    #[error("INSUFFICIENT")]
    Insufficient,
    #[error("OVER_LIMIT")]
    OverLimit,
    #[error("UNLUCKY")]
    Unlucky,
    #[error("UNWANTED")]
    Unwanted,
}
