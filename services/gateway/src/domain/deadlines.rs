//! The deadlines of a case: an offer expires (O4), an override ends (O7), the answer's limit passes (K15, O10).

use shouwen_engine::{Deadline, DueDeadline};

use super::{
    Mutants,
    case::CaseState,
    command::{Command, FollowUp},
};

const OFFER: &str = "offer";
const OVERRIDE: &str = "override";
const ANSWER: &str = "answer";

pub fn of_case(case: &CaseState, mutants: Mutants) -> Vec<Deadline> {
    let mut deadlines = Vec::new();
    if !case.is_live() {
        return deadlines;
    }
    let plain = |step, due| Deadline {
        step,
        due,
        policy: case.policy.clone(),
        calendar: String::new(),
        provisional: false,
    };
    if let Some(offer) = case.offer.as_ref().filter(|_| !mutants.offers_never_expire) {
        deadlines.push(plain(OFFER, offer.expires));
    }
    if let Some(running) = &case.overriding {
        deadlines.push(plain(OVERRIDE, running.expires));
    }
    if let Some(clock) = case.running_clock().filter(|clock| !clock.missed) {
        deadlines.push(Deadline {
            calendar: clock.calendar.clone(),
            provisional: clock.provisional,
            ..plain(ANSWER, clock.due)
        });
    }
    deadlines
}

/// The command that a deadline stands for.
pub fn command(deadline: &DueDeadline) -> Command {
    let case = deadline.aggregate.clone();
    Command::FollowUp(match deadline.step.as_str() {
        OFFER => FollowUp::ExpireOffer(case),
        OVERRIDE => FollowUp::ExpireOverride(case),
        _ => FollowUp::MissLimit(case),
    })
}
