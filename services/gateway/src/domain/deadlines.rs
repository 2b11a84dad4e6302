//! The deadlines of a case: an offer expires (O4), an override ends (O7), the answer's limit passes (K15) and goes higher level by level (O10).

use chrono::{DateTime, Utc};
use shouwen_engine::{Deadline, DueDeadline};
use shouwen_proto::events::v1::{OfferExpired, OverrideEnded, ownership_event::Event};

use super::{
    Mutants, Snapshot, absence,
    case::CaseState,
    command::{AbsenceAction, AbsenceCommand, AbsenceStep, Command, FollowUp, RoutingCommand, Step},
    escalation, routing,
};

const OFFER: &str = "offer";
const OVERRIDE: &str = "override";
const ANSWER: &str = "answer";
const ESCALATION: &str = "escalation";

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
    if let Some(clock) = case.running_clock() {
        if !clock.missed {
            deadlines.push(Deadline {
                calendar: clock.calendar.clone(),
                provisional: clock.provisional,
                ..plain(ANSWER, clock.due)
            });
        } else if let Some(due) = clock.escalates {
            deadlines.push(Deadline { policy: clock.escalation_policy.clone(), ..plain(ESCALATION, due) });
        }
    }
    deadlines
}

/// The first step whose time has come at a moment. A limit is over at its very instant.
pub(super) fn passed(case: &CaseState, at: DateTime<Utc>, mutants: Mutants) -> Option<Step> {
    let passed = of_case(case, mutants).into_iter().filter(|deadline| deadline.due <= at);
    passed.min_by_key(|deadline| deadline.due).map(|deadline| step(deadline.step))
}

/// What happens at a step; nothing where the state holds no such deadline.
pub(super) fn events(case: &CaseState, step: Step, snapshot: &Snapshot) -> Vec<Event> {
    match step {
        Step::Offer => {
            let expired = |id: &str| Event::OfferExpired(OfferExpired { offer: id.to_owned() });
            case.offer.iter().map(|offer| expired(&offer.id)).collect()
        }
        Step::Override => {
            let ended = |employee: &str| {
                let employee = employee.to_owned();
                let (epoch, reason) = (case.epoch + 1, String::new());
                Event::OverrideEnded(OverrideEnded { employee, epoch, expired: true, reason })
            };
            case.overriding.iter().map(|running| ended(&running.employee)).collect()
        }
        Step::Answer => {
            let clock = case.running_clock().filter(|clock| !clock.missed);
            clock.map(|clock| escalation::missed(clock, &case.branch, snapshot)).unwrap_or_default()
        }
        Step::Escalation => {
            let clock = case.running_clock().filter(|clock| clock.missed);
            clock.and_then(|clock| escalation::climbed(clock, &case.branch, snapshot)).into_iter().collect()
        }
    }
}

/// The command that a deadline stands for.
pub fn command(deadline: &DueDeadline) -> Command {
    if deadline.aggregate.collection() == "absences" {
        let step = match &*deadline.step {
            absence::BEGIN => AbsenceStep::Begin,
            absence::END => AbsenceStep::End,
            _ => AbsenceStep::Apply,
        };
        let (absence, action) = (deadline.aggregate.clone(), AbsenceAction::Due(step));
        return Command::Absence(AbsenceCommand { absence, action });
    }
    if deadline.aggregate.collection() == "routings" {
        return Command::Routing(RoutingCommand::Due { contact: routing::contact(&deadline.aggregate) });
    }
    Command::FollowUp(FollowUp::Due { case: deadline.aggregate.clone(), step: step(&deadline.step) })
}

fn step(name: &str) -> Step {
    match name {
        OFFER => Step::Offer,
        OVERRIDE => Step::Override,
        ESCALATION => Step::Escalation,
        _ => Step::Answer,
    }
}
