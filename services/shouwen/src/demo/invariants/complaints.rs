//! What must hold of complaints and escalation whatever the month was: numbers without gaps, nobody recused acts, nobody counts as unreachable untried, no
//! case ends before its complaints, each level of an escalation is told once and in order.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_proto::{
    events::v1::{ComplaintEnd, callbacks_event, complaints_event, ownership_event},
    r#type::v1::EscalationLevel,
};
use shouwen_serving::timestamps::from_proto;

use super::super::product::Product;

pub(super) fn broken(product: &Product, broken: &mut Vec<String>) {
    numbers(product, broken);
    recusal(product, broken);
    verifications(product, broken);
    attempts(product, broken);
    endings(product, broken);
    escalations(product, broken);
}

/// C15: each unit's numbers of a month are 1, 2, 3, … in the order in which they were given.
fn numbers(product: &Product, broken: &mut Vec<String>) {
    let mut given: HashMap<&str, &str> = HashMap::new();
    let mut last: HashMap<&str, u32> = HashMap::new();
    for (event, body) in product.of_complaints() {
        let number = match body {
            complaints_event::Event::ComplaintAccepted(accepted) => accepted.number.as_str(),
            complaints_event::Event::ComplaintDeclined(declined) => declined.number.as_str(),
            _ => continue,
        };
        if let Some(former) = given.insert(&event.aggregate, number) {
            if former != number {
                broken.push(format!("C15: the number of {} was {former} and is {number}", event.aggregate));
            }
            continue;
        }
        let (series, serial) = number.rsplit_once('-').unwrap_or((number, ""));
        let last = last.entry(series).or_default();
        if serial.parse() == Ok(*last + 1) {
            *last += 1;
        } else {
            broken.push(format!("C15: {number} was given after serial {last} of {series}"));
        }
    }
}

/// O12: whom a complaint is about does nothing about it after it was filed.
fn recusal(product: &Product, broken: &mut Vec<String>) {
    let mut about: HashMap<&str, &[String]> = HashMap::new();
    for (event, body) in product.of_complaints() {
        let complaint = event.aggregate.as_str();
        if let complaints_event::Event::ComplaintFiled(filed) = body {
            about.insert(complaint, &filed.complained_about);
            continue;
        }
        let recused = about.get(complaint).copied().unwrap_or_default();
        if let Some(who) = recused.iter().find(|who| **who == event.actor || **who == event.on_behalf) {
            let what = &event.r#type;
            broken.push(format!("O12: {what} of {complaint} was done by {who}, whom it is about"));
        }
    }
}

/// B7: nobody verifies a complaint about themselves.
fn verifications(product: &Product, broken: &mut Vec<String>) {
    use callbacks_event::Event as Of;
    let mut recused: HashMap<&str, &[String]> = HashMap::new();
    for (event, body) in product.of_callbacks() {
        let callback = event.aggregate.as_str();
        let who = match body {
            Of::CallbackScheduled(scheduled) => {
                recused.insert(callback, &scheduled.recused);
                continue;
            }
            Of::CallbackLeased(lease) => &lease.employee,
            Of::AttemptRecorded(attempt) => &attempt.employee,
            Of::CallbackCompleted(completed) => &completed.employee,
            Of::CallbackResultSuperseded(superseded) => match &superseded.result {
                Some(result) => &result.employee,
                None => continue,
            },
            _ => continue,
        };
        if recused.get(callback).is_some_and(|recused| recused.contains(who)) {
            broken.push(format!("B7: {who} took part in {callback}, which verifies a complaint about them"));
        }
    }
}

/// O8, B6: no client counts as unreachable before the attempts to verify the complaint's round are used up.
fn attempts(product: &Product, broken: &mut Vec<String>) {
    use callbacks_event::Event as Callback;
    use complaints_event::Event as Complaint;
    // Complaint and round of each verification.
    let mut verified: HashMap<&str, (&str, i32)> = HashMap::new();
    // When its last attempt had failed.
    let mut tried: HashMap<(&str, i32), Option<DateTime<Utc>>> = HashMap::new();
    for (event, body) in product.of_callbacks() {
        match body {
            Callback::CallbackScheduled(scheduled) if !scheduled.complaint.is_empty() => {
                verified.insert(&event.aggregate, (scheduled.complaint.as_str(), scheduled.round));
            }
            Callback::CallbackExhausted(_) => {
                if let Some(round) = verified.get(event.aggregate.as_str()) {
                    tried.entry(*round).or_insert_with(|| event.time.as_ref().and_then(from_proto));
                }
            }
            _ => {}
        }
    }
    let mut rounds: HashMap<&str, (&str, i32)> = HashMap::new();
    for (event, body) in product.of_complaints() {
        let complaint = event.aggregate.as_str();
        match body {
            Complaint::ComplaintFiled(filed) => {
                rounds.insert(complaint, (filed.complaint.as_str(), 1));
            }
            Complaint::ComplaintReopened(_) => {
                rounds.entry(complaint).and_modify(|(_, round)| *round += 1);
            }
            Complaint::ComplaintClosed(closed) if closed.end() == ComplaintEnd::Unreachable => {
                let closed = event.time.as_ref().and_then(from_proto);
                let tried = rounds.get(complaint).and_then(|round| tried.get(round));
                if tried.is_none_or(|tried| closed < *tried) {
                    broken.push(format!("O8: {complaint} was closed as unreachable before the last attempt"));
                }
            }
            _ => {}
        }
    }
}

/// A case does not end before its complaints.
fn endings(product: &Product, broken: &mut Vec<String>) {
    use ownership_event::Event as Of;
    let mut open: HashMap<&str, HashSet<&str>> = HashMap::new();
    for (event, body) in product.of_ownership() {
        let case = event.aggregate.as_str();
        match body {
            Of::ComplaintOpened(opened) => {
                open.entry(case).or_default().insert(&opened.complaint);
            }
            Of::ComplaintSettled(settled) => {
                open.entry(case).or_default().remove(settled.complaint.as_str());
            }
            Of::CaseMerged(merged) => {
                let moved = open.remove(case).unwrap_or_default();
                open.entry(&merged.into).or_default().extend(moved);
            }
            Of::CaseClosed(_) => {
                if let Some(complaint) = open.get(case).and_then(|open| open.iter().next()) {
                    broken.push(format!("O8: {case} was closed while {complaint} was open"));
                }
            }
            _ => {}
        }
    }
}

/// O10: of each missed limit every level is told once, and none before the one below it.
fn escalations(product: &Product, broken: &mut Vec<String>) {
    let mut reached: HashMap<(&str, i32, i64), EscalationLevel> = HashMap::new();
    let mut step = |aggregate, limit, due: Option<Timestamp>, level: EscalationLevel| {
        let key = (aggregate, limit, due.map_or(0, |due| due.seconds));
        let former = reached.insert(key, level).unwrap_or_default();
        if i32::from(level) != i32::from(former) + 1 {
            let (level, former) = (level.as_str_name(), former.as_str_name());
            broken.push(format!("O10: {level} was told of a missed limit of {aggregate} after {former}"));
        }
    };
    for (event, body) in product.of_ownership() {
        if let ownership_event::Event::LimitEscalated(told) = body {
            step(&event.aggregate, 0, told.due, told.level());
        }
    }
    for (event, body) in product.of_callbacks() {
        if let callbacks_event::Event::CallbackEscalated(told) = body {
            step(&event.aggregate, 0, told.due, told.level());
        }
    }
    for (event, body) in product.of_complaints() {
        if let complaints_event::Event::ComplaintEscalated(told) = body {
            step(&event.aggregate, told.limit, told.due, told.level());
        }
    }
}
