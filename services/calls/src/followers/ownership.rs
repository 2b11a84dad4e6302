//! Following ownership: policies (P1), epochs, voided touches.

use shouwen_engine::{Actor, AggregateId, Follow, FollowError, Submission};
use shouwen_proto::events::v1::{Event, event::Body, ownership_event::Event as OwnershipEvent};

use crate::domain::{CallsDomain, Command, command::Void};

/// The follower of the feed `ownership`.
pub(crate) struct FollowOwnership;

impl Follow<CallsDomain> for FollowOwnership {
    const FEED: &'static str = "ownership";

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        match happened(event) {
            Some(OwnershipEvent::PolicyApproved(approved)) => {
                let adopted = shouwen_policy::adoption(approved);
                Ok(Some(submission(Command::AdoptPolicy(Box::new(adopted)))))
            }
            Some(OwnershipEvent::TouchVoided(voided)) => {
                let contact = event
                    .aggregate
                    .strip_prefix("contacts/")
                    .ok_or_else(|| FollowError::Malformed(format!("{} is no contact", event.aggregate)))?;
                Ok(Some(submission(Command::Void(Void {
                    call: AggregateId(format!("calls/{contact}")),
                    case: event.case.clone(),
                    reason: voided.reason.clone(),
                }))))
            }
            _ => Ok(None),
        }
    }

    fn fence(&self, event: &Event) -> Option<(String, i64)> {
        Some((event.aggregate.clone(), epoch(happened(event)?)?))
    }
}

fn submission(command: Command) -> Submission<Command> {
    let actor = Actor {
        principal: "services/calls".to_owned(),
        on_behalf: String::new(),
        capacity: "system".to_owned(),
    };
    Submission::new(command, actor)
}

fn happened(event: &Event) -> Option<&OwnershipEvent> {
    match &event.body {
        Some(Body::Ownership(body)) => body.event.as_ref(),
        _ => None,
    }
}

/// The case's epoch after an event that changed who may act.
fn epoch(event: &OwnershipEvent) -> Option<i64> {
    match event {
        OwnershipEvent::CaseMerged(event) => Some(event.epoch),
        OwnershipEvent::OfferAccepted(event) => Some(event.epoch),
        OwnershipEvent::OverrideBegun(event) => Some(event.epoch),
        OwnershipEvent::OverrideEnded(event) => Some(event.epoch),
        OwnershipEvent::CaseVoided(event) => Some(event.epoch),
        _ => None,
    }
}
