//! Following ownership: policies (P1), epochs, voided touches, calls that nobody will answer (K14).

use shouwen_engine::{Actor, AggregateId, Follow, FollowError, Submission};
use shouwen_proto::events::v1::{Event, ownership_event::Event as OwnershipEvent};
use shouwen_serving::ownership_feed;

use crate::domain::{CallsDomain, Command, command::Void};

/// The follower of the feed `ownership`.
pub(crate) struct FollowOwnership;

impl Follow<CallsDomain> for FollowOwnership {
    const FEED: &'static str = "ownership";

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        match ownership_feed::happened(event) {
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
                    request_id: voided.request_id.clone(),
                    reason: voided.reason.clone(),
                }))))
            }
            Some(OwnershipEvent::RoutingEnded(_)) => unanswered(event),
            // What is routed again in the morning is no call.
            Some(OwnershipEvent::RoutingAfterHours(after)) if !after.resumes => unanswered(event),
            _ => Ok(None),
        }
    }

    fn fence(&self, event: &Event) -> Option<(String, i64)> {
        ownership_feed::fence(event)
    }
}

/// The client is gone, prefers a callback, or reached nobody outside working hours: a missed call, and so a callback.
fn unanswered(event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
    let contact = event
        .aggregate
        .strip_prefix("routings/")
        .ok_or_else(|| FollowError::Malformed(format!("{} is no routing", event.aggregate)))?;
    Ok(Some(submission(Command::Unanswered(AggregateId(format!("calls/{contact}"))))))
}

fn submission(command: Command) -> Submission<Command> {
    let actor = Actor {
        principal: "services/calls".to_owned(),
        on_behalf: String::new(),
        capacity: "system".to_owned(),
    };
    Submission::new(command, actor)
}
