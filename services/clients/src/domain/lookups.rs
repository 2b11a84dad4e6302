//! Looking for clients by what somebody says is theirs: a phone number, an identity number, a capital account (L10).
//!
//! Who may look may also guess: what a mask leaves open is found by trying. So each lookup of an employee is on record, without what was looked for, and
//! there is a bounded number of them in a period, whether they find anybody or not. The count lies in an aggregate of the employee's own, so that lookups
//! made at once are counted one after the other.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::AggregateId;
use shouwen_policy::PolicyBook;
use shouwen_proto::events::v1::{ClientSought, SoughtBy, clients_event::Event};

use super::{codec, rejection::Rejection};

/// An employee's lookups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookups {
    /// When the period of the last one began.
    pub began: DateTime<Utc>,
    /// How many there were in it.
    pub made: i32,
}

/// One lookup of an employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// `employees/{employee}`
    pub employee: String,
    /// `branches/{branch}` of the employee, whose policy bounds the lookups; `None` for who belongs to none.
    pub branch: Option<String>,
    pub by: SoughtBy,
    /// `clients/{client}` of those whom it found.
    pub found: Vec<String>,
}

impl Lookup {
    /// `lookups/{employee}`: where the employee's lookups are counted.
    pub fn aggregate(&self) -> AggregateId {
        AggregateId(format!("lookups/{}", self.employee.trim_start_matches("employees/")))
    }
}

impl Lookups {
    /// After an event.
    pub fn after(sought: &ClientSought, time: DateTime<Utc>) -> Self {
        Self { began: codec::time(sought.period_start.as_ref()).unwrap_or(time), made: sought.number }
    }
}

/// Records a lookup before what it found is shown, unless the employee has made too many.
pub fn record(
    known: Option<&Lookups>,
    lookup: &Lookup,
    now: DateTime<Utc>,
    book: &PolicyBook,
) -> Result<Vec<Event>, Rejection> {
    let policy = book.clients(lookup.branch.as_deref(), now);
    let end = |began: DateTime<Utc>| began.checked_add_signed(policy.value.lookup_period()).unwrap_or(began);
    let running = known.filter(|known| now < end(known.began));
    let (began, made) = running.map_or((now, 0), |running| (running.began, running.made));
    if i64::from(made) >= i64::from(policy.value.lookups) {
        return Err(Rejection::LookupsUsedUp { until: end(began), wait: end(began) - now });
    }
    Ok(vec![Event::ClientSought(ClientSought {
        employee: lookup.employee.clone(),
        by: lookup.by.into(),
        clients: lookup.found.clone(),
        number: made + 1,
        period_start: codec::timestamp(began),
        policy_version: policy.version.to_string(),
    })])
}
