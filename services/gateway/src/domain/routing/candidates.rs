//! Who is asked to answer a contact, and in which order (K2, K21, L8, L12, O6, O12): a pure function of what is known of contact and people.
//!
//! First those who know the client's concern or the client: handler, deputies, accountable person, service manager. Then free colleagues of the branch,
//! then of HQ; for VIP and core clients those with a VIP seat first, among equals who has been idle longest.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_proto::events::v1::{self as proto, CandidateRank, CandidateVerdict};

/// What counts of a contact.
#[derive(Clone, Debug, Default)]
pub struct Inquiry {
    pub branch: String,
    /// Skills that who answers needs, unless they know the concern anyway.
    pub skills: BTreeSet<String>,
    /// VIP or core client (L12).
    pub vip: bool,
    /// It is about the concern of the case that names handler, deputies and accountable person, not about another one of the client.
    pub same_concern: bool,
    /// Handler, deputies, accountable person and service manager, in this order; somebody may be named twice.
    pub named: Vec<(CandidateRank, String)>,
    /// Whom open complaints of the case are about (O12).
    pub recused: BTreeSet<String>,
    /// Who was asked for this contact before, and is not asked now.
    pub tried: BTreeSet<String>,
    /// Within working hours; outside them only duty employees serve (K21).
    pub working: bool,
}

/// An employee as routing sees them.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "marks that are independent of each other")]
pub struct Person {
    pub employee: String,
    pub branch: String,
    pub hq: bool,
    /// Active, and serves clients.
    pub active: bool,
    pub skills: BTreeSet<String>,
    pub vip_seat: bool,
    pub duty: bool,
    /// On leave or ill (O9).
    pub absent: bool,
    pub standing: Standing,
}

/// What somebody does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Free { since: DateTime<Utc> },
    Reserved,
    Busy,
    Paused,
    Offline,
}

/// A candidate and what became of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    pub employee: String,
    /// A number of `shouwen.events.v1.CandidateRank`.
    pub rank: i32,
    /// A number of `shouwen.events.v1.CandidateVerdict`.
    pub verdict: i32,
}

/// Everybody in the order in which they are asked, up to the first who can be: that one is `CHOSEN`, all before are passed over with the reason.
pub fn order(inquiry: &Inquiry, people: &[Person]) -> Vec<Considered> {
    let mut considered = Vec::new();
    for (rank, employee, person) in ranked(inquiry, people) {
        let verdict = verdict(inquiry, rank, person);
        considered.push(Considered {
            employee: employee.to_owned(),
            rank: rank.into(),
            verdict: verdict.into(),
        });
        if verdict == CandidateVerdict::Chosen {
            break;
        }
    }
    considered
}

/// Who of all can be asked, best first.
pub fn eligible<'a>(inquiry: &'a Inquiry, people: &'a [Person]) -> impl Iterator<Item = &'a Person> {
    ranked(inquiry, people)
        .into_iter()
        .filter(|(rank, _, person)| verdict(inquiry, *rank, *person) == CandidateVerdict::Chosen)
        .filter_map(|(_, _, person)| person)
}

type Ranked<'a> = (CandidateRank, &'a str, Option<&'a Person>);

/// Each once, at the best rank.
fn ranked<'a>(inquiry: &'a Inquiry, people: &'a [Person]) -> Vec<Ranked<'a>> {
    let mut ranked: Vec<Ranked<'a>> = Vec::with_capacity(people.len() + inquiry.named.len());
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (rank, employee) in inquiry.named.iter().filter(|(_, employee)| !employee.is_empty()) {
        if seen.insert(employee) {
            let person = people.iter().find(|person| person.employee == *employee);
            ranked.push((*rank, employee, person));
        }
    }
    let rest = |wanted: CandidateRank| {
        let mut rest: Vec<&Person> = people
            .iter()
            .filter(|person| rank_of(inquiry, person) == Some(wanted) && !seen.contains(&*person.employee))
            .collect();
        rest.sort_by_key(|person| {
            let since = match person.standing {
                Standing::Free { since } => Some(since),
                _ => None,
            };
            // Who is not free comes last; they are only told of.
            (since.is_none(), inquiry.vip && !person.vip_seat, since, &person.employee)
        });
        rest.into_iter().map(move |person| (wanted, &*person.employee, Some(person))).collect::<Vec<_>>()
    };
    let (colleagues, hq) = (rest(CandidateRank::Colleague), rest(CandidateRank::Hq));
    ranked.extend(colleagues);
    ranked.extend(hq);
    ranked
}

fn rank_of(inquiry: &Inquiry, person: &Person) -> Option<CandidateRank> {
    if person.branch == inquiry.branch {
        Some(CandidateRank::Colleague)
    } else if person.hq {
        Some(CandidateRank::Hq)
    } else {
        None
    }
}

fn verdict(inquiry: &Inquiry, rank: CandidateRank, person: Option<&Person>) -> CandidateVerdict {
    // Of whom nothing is known has never signed on.
    let Some(person) = person else { return CandidateVerdict::Offline };
    // Who works on the concern knows it, at whichever branch; everybody else has to be qualified, and of the branch or HQ.
    let knows = inquiry.same_concern
        && matches!(rank, CandidateRank::Handler | CandidateRank::Deputy | CandidateRank::Accountable);
    if !person.active {
        CandidateVerdict::Inactive
    } else if !knows && rank_of(inquiry, person).is_none() {
        CandidateVerdict::OutOfReach
    } else if inquiry.recused.contains(&person.employee) {
        CandidateVerdict::Recused
    } else if person.absent {
        CandidateVerdict::Absent
    } else if inquiry.tried.contains(&person.employee) {
        CandidateVerdict::Tried
    } else if !knows && !inquiry.skills.is_subset(&person.skills) {
        CandidateVerdict::Unqualified
    } else if !inquiry.working && !person.duty {
        CandidateVerdict::OffDuty
    } else {
        match person.standing {
            Standing::Free { .. } => CandidateVerdict::Chosen,
            Standing::Reserved => CandidateVerdict::Reserved,
            Standing::Busy => CandidateVerdict::Busy,
            Standing::Paused => CandidateVerdict::Paused,
            Standing::Offline => CandidateVerdict::Offline,
        }
    }
}

impl Considered {
    pub fn is_chosen(&self) -> bool {
        self.verdict == i32::from(CandidateVerdict::Chosen)
    }
}

impl From<&Considered> for proto::Considered {
    fn from(considered: &Considered) -> Self {
        Self { employee: considered.employee.clone(), rank: considered.rank, verdict: considered.verdict }
    }
}

impl From<&proto::Considered> for Considered {
    fn from(considered: &proto::Considered) -> Self {
        Self { employee: considered.employee.clone(), rank: considered.rank, verdict: considered.verdict }
    }
}

#[cfg(test)]
mod tests;
