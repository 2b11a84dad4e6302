//! The deadlines of a case: an offer expires (O4), an override ends (O7), the answer's limit passes (K15, O10).

use chrono::{DateTime, Utc};
use shouwen_engine::{Deadline, DueDeadline};
use shouwen_proto::events::v1::{LimitMissed, OfferExpired, OverrideEnded, ownership_event::Event};
use shouwen_serving::timestamps::to_proto;

use super::{
    Mutants,
    case::CaseState,
    command::{Command, FollowUp, Step},
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

/// The steps whose time has come at a moment, in order. A limit is over at its very instant.
pub(super) fn passed(case: &CaseState, at: DateTime<Utc>, mutants: Mutants) -> Vec<Step> {
    let mut passed = of_case(case, mutants);
    passed.retain(|deadline| deadline.due <= at);
    passed.sort_by_key(|deadline| deadline.due);
    passed.into_iter().map(|deadline| step(deadline.step)).collect()
}

/// What happens at a step; nothing where the state holds no such deadline.
pub(super) fn event(case: &CaseState, step: Step) -> Option<Event> {
    match step {
        Step::Offer => {
            let offer = case.offer.as_ref()?;
            Some(Event::OfferExpired(OfferExpired { offer: offer.id.clone() }))
        }
        Step::Override => {
            let running = case.overriding.as_ref()?;
            Some(Event::OverrideEnded(OverrideEnded {
                employee: running.employee.clone(),
                epoch: case.epoch + 1,
                expired: true,
            }))
        }
        Step::Answer => {
            let clock = case.running_clock().filter(|clock| !clock.missed)?;
            Some(Event::LimitMissed(LimitMissed { due: Some(to_proto(clock.due)) }))
        }
    }
}

/// The command that a deadline stands for.
pub fn command(deadline: &DueDeadline) -> Command {
    Command::FollowUp(FollowUp::Due { case: deadline.aggregate.clone(), step: step(&deadline.step) })
}

fn step(name: &str) -> Step {
    match name {
        OFFER => Step::Offer,
        OVERRIDE => Step::Override,
        _ => Step::Answer,
    }
}
