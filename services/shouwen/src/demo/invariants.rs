//! What must hold whatever the month was: facts that never change, leases that never overlap, steps that happen once, positions without a gap.
//! Each broken one is a sentence with the names that it is about.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use shouwen_proto::{
    events::v1::{Event, callbacks_event, calls_event, ownership_event},
    ownership::v1::case::State,
};
use shouwen_serving::timestamps::from_proto;

use super::{feeds::position, product::Product, simulation::SERVICES};

mod clients;
mod complaints;

/// Everything that is broken.
pub(super) fn broken(product: &Product) -> Vec<String> {
    let mut broken = Vec::new();
    first_responders(product, &mut broken);
    responsible_people(product, &mut broken);
    let feeds = [
        &product.ownership,
        &product.calls_feed,
        &product.callbacks,
        &product.clients_feed,
        &product.complaints_feed,
    ];
    for (service, events) in SERVICES.into_iter().zip(feeds) {
        positions(service, events, &mut broken);
    }
    leases(product, &mut broken);
    steps(product, &mut broken);
    clients::broken(product, &mut broken);
    complaints::broken(product, &mut broken);
    for status in product.statuses.iter().filter(|status| status.parked > 0) {
        broken.push(format!(
            "{} has parked {} events of the services it follows",
            status.service, status.parked
        ));
    }
    broken
}

/// O1: one first responder per contact and case, and never another one.
fn first_responders(product: &Product, broken: &mut Vec<String>) {
    let (mut claimed, mut opened) = (HashMap::new(), HashMap::new());
    for (event, body) in product.of_ownership() {
        match body {
            ownership_event::Event::ContactClaimed(claim) => {
                if let Some(former) = claimed.insert(&claim.contact, &claim.employee) {
                    let (contact, employee) = (&claim.contact, &claim.employee);
                    broken.push(format!("O1: {contact} was answered by {former} and again by {employee}"));
                }
            }
            ownership_event::Event::CaseOpened(case)
                if opened.insert(&event.aggregate, &case.first_responder).is_some() =>
            {
                broken.push(format!("O1: {} was opened twice", event.aggregate));
            }
            _ => {}
        }
    }
    for case in &product.cases {
        match opened.get(&case.name) {
            Some(first) if **first == case.first_responder => {}
            Some(first) => broken.push(format!(
                "O1: the first responder of {} was {first} and is {} now",
                case.name, case.first_responder
            )),
            None => broken.push(format!("{} is on no ledger", case.name)),
        }
    }
    for (event, body) in product.of_calls() {
        if let calls_event::Event::CallAnswered(answered) = body {
            let contact = event.aggregate.replacen("calls/", "contacts/", 1);
            let winner = claimed.get(&contact).map_or("nobody", |winner| winner.as_str());
            if winner != answered.employee {
                let employee = &answered.employee;
                broken.push(format!("O1: {contact} was claimed by {winner}, but answered by {employee}"));
            }
        }
    }
}

/// O9: whoever answers for an open case is in the roster and active.
fn responsible_people(product: &Product, broken: &mut Vec<String>) {
    let active: HashSet<&str> = product
        .roster
        .iter()
        .filter(|employee| employee.active)
        .map(|employee| employee.name.as_str())
        .collect();
    let open = |state| matches!(state, State::Open | State::AwaitingSatisfaction);
    for case in product.cases.iter().filter(|case| open(case.state())) {
        for (what, who) in [("handler", &case.handler), ("accountable person", &case.accountable)] {
            if !active.contains(who.as_str()) {
                broken.push(format!("O9: the {what} of {} is `{who}`, who is not at work", case.name));
            }
        }
    }
}

/// Positions are dense from 1, and time never runs backwards along them.
fn positions(service: &str, events: &[Event], broken: &mut Vec<String>) {
    let mut former: Option<DateTime<Utc>> = None;
    for (event, wanted) in events.iter().zip(1..) {
        let found = position(event);
        if found != wanted {
            broken.push(format!("the feed of {service} has position {found} where {wanted} should be"));
            return;
        }
        let time = event.time.as_ref().and_then(from_proto);
        if time < former {
            broken.push(format!("the ledger of {service} runs backwards in time at position {found}"));
            return;
        }
        former = time;
    }
}

/// B8: a callback is leased to one employee at a time.
fn leases(product: &Product, broken: &mut Vec<String>) {
    use callbacks_event::Event as Of;
    let mut leases: HashMap<&str, (&str, Option<DateTime<Utc>>)> = HashMap::new();
    for (event, body) in product.of_callbacks() {
        let callback = event.aggregate.as_str();
        match body {
            Of::CallbackLeased(lease) => {
                let now = event.time.as_ref().and_then(from_proto);
                let until = lease.expire_time.as_ref().and_then(from_proto);
                let former = leases.insert(callback, (&lease.employee, until));
                if let Some((holder, until)) = former
                    && holder != lease.employee
                    && now < until
                {
                    let employee = &lease.employee;
                    broken.push(format!("B8: {callback} was leased to {employee} while {holder} held it"));
                }
            }
            Of::CallbackReleased(_)
            | Of::AttemptRecorded(_)
            | Of::CallbackCompleted(_)
            | Of::CallbackCancelled(_) => {
                leases.remove(callback);
            }
            _ => {}
        }
    }
}

/// Each step of a deadline happens once: an offer ends once, a clock's limit is missed once, each limit of a callback is missed once.
fn steps(product: &Product, broken: &mut Vec<String>) {
    let mut ended = HashSet::new();
    let mut clocks: HashMap<&str, u64> = HashMap::new();
    let mut missed = HashSet::new();
    for (event, body) in product.of_ownership() {
        let case = event.aggregate.as_str();
        let offer = match body {
            ownership_event::Event::OfferAccepted(end) => &end.offer,
            ownership_event::Event::OfferDeclined(end) => &end.offer,
            ownership_event::Event::OfferWithdrawn(end) => &end.offer,
            ownership_event::Event::OfferExpired(end) => &end.offer,
            ownership_event::Event::CaseReopened(_) => {
                *clocks.entry(case).or_default() += 1;
                continue;
            }
            ownership_event::Event::LimitMissed(_) => {
                let clock = clocks.get(case).copied().unwrap_or_default();
                if !missed.insert((case, clock)) {
                    broken.push(format!("O10: the answer's limit of {case} was missed twice on one clock"));
                }
                continue;
            }
            _ => continue,
        };
        if !ended.insert((case, offer)) {
            broken.push(format!("O4: offer {offer} of {case} ended twice"));
        }
    }
    let mut missed = HashSet::new();
    for (event, body) in product.of_callbacks() {
        let callbacks_event::Event::CallbackLimitMissed(limit) = body else { continue };
        if !missed.insert((event.aggregate.as_str(), limit.due.as_ref().and_then(from_proto))) {
            broken.push(format!("O10: a limit of {} was missed twice", event.aggregate));
        }
    }
}
