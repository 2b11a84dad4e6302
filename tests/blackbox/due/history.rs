//! What the ledger tells of offers and limits, and what it has to tell.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use prost_types::Timestamp;
use shouwen_proto::{
    events::v1::{Event, event::Body, ownership_event::Event as Ownership},
    r#type::v1::EscalationLevel,
};
use shouwen_serving::timestamps::from_proto;

use super::LADDER;

/// One event, with its time on the ledger and what caused it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Happened {
    at: DateTime<Utc>,
    what: What,
    cause: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    OfferMade { offer: String, expires: Option<DateTime<Utc>> },
    OfferExpired { offer: String },
    LimitMissed { limit: Option<DateTime<Utc>> },
    LimitEscalated { limit: Option<DateTime<Utc>>, level: EscalationLevel, next: Option<DateTime<Utc>> },
}

impl Happened {
    pub(super) fn made(offer: &str, at: DateTime<Utc>, expires: DateTime<Utc>) -> Self {
        let what = What::OfferMade { offer: offer.to_owned(), expires: Some(expires) };
        Self { at, what, cause: String::new() }
    }

    pub(super) fn expired(offer: &str, at: DateTime<Utc>) -> Self {
        Self { at, what: What::OfferExpired { offer: offer.to_owned() }, cause: "deadline:offer".to_owned() }
    }

    pub(super) fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn of(event: &Event) -> Option<Self> {
        let time = |time: &Option<Timestamp>| time.as_ref().and_then(from_proto);
        let Some(Body::Ownership(body)) = &event.body else { return None };
        let what = match body.event.as_ref()? {
            Ownership::OfferMade(made) => {
                What::OfferMade { offer: made.offer.clone(), expires: time(&made.expire_time) }
            }
            Ownership::OfferExpired(expired) => What::OfferExpired { offer: expired.offer.clone() },
            Ownership::LimitMissed(missed) => What::LimitMissed { limit: time(&missed.due) },
            Ownership::LimitEscalated(escalated) => What::LimitEscalated {
                limit: time(&escalated.due),
                level: escalated.level(),
                next: time(&escalated.next_due),
            },
            // Nothing else may happen to a case after it was opened.
            other => {
                assert!(!event.aggregate.starts_with("cases/") || event.version == 1, "{other:?}");
                return None;
            }
        };
        Some(Self { at: time(&event.time).unwrap(), what, cause: event.cause.clone() })
    }
}

/// What happened to each case, in the order of the ledger.
pub(super) fn of_cases(ledger: &[Event]) -> HashMap<String, Vec<Happened>> {
    let mut histories: HashMap<String, Vec<Happened>> = HashMap::new();
    for event in ledger {
        if let Some(happened) = Happened::of(event) {
            histories.entry(event.aggregate.clone()).or_default().push(happened);
        }
    }
    histories
}

/// A missed limit that has climbed to the top, each level at its time.
pub(super) fn climbed(limit: DateTime<Utc>) -> Vec<Happened> {
    let level_at = |rung: usize| LADDER.get(rung).map(|(_, minutes)| limit + TimeDelta::minutes(*minutes));
    let missed = What::LimitMissed { limit: Some(limit) };
    let mut all = vec![Happened { at: limit, what: missed, cause: "deadline:answer".to_owned() }];
    for (rung, (level, minutes)) in LADDER.into_iter().enumerate() {
        let what = What::LimitEscalated { limit: Some(limit), level, next: level_at(rung + 1) };
        let cause = if rung == 0 { "deadline:answer" } else { "deadline:escalation" };
        let at = limit + TimeDelta::minutes(minutes);
        all.push(Happened { at, what, cause: cause.to_owned() });
    }
    all
}
