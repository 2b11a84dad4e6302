//! Following calls: an answer completes the first touch, an end that was confirmed clear closes the case (K19, O8), an end without a concern voids it.
//! A call that was missed rings no more (K14).

use shouwen_engine::{AggregateId, Follow, FollowError, Submission};
use shouwen_proto::events::v1::{CallOutcome, Event, calls_event, event::Body};
use sqlx::PgConnection;

use super::{follow_up, submission};
use crate::{
    domain::{
        Command, OwnershipDomain,
        command::{ContactCommand, FollowUp, RoutingCommand},
    },
    store,
};

pub struct FollowCalls;

impl Follow<OwnershipDomain> for FollowCalls {
    const FEED: &'static str = "calls";

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        let Some(Body::Calls(body)) = &event.body else { return Ok(None) };
        let Some(id) = event.aggregate.strip_prefix("calls/") else { return Ok(None) };
        let contact = AggregateId(format!("contacts/{id}"));
        Ok(match &body.event {
            Some(calls_event::Event::CallAnswered(answered)) => {
                let (employee, case) = (answered.employee.clone(), answered.case.clone());
                Some(submission(Command::Contact(ContactCommand::CompleteTouch { contact, employee, case })))
            }
            Some(calls_event::Event::CallMissed(_)) => {
                Some(submission(Command::Routing(RoutingCommand::Missed { contact })))
            }
            Some(calls_event::Event::CallEnded(ended)) => Some(follow_up(FollowUp::CallEnded {
                contact,
                by: ended.employee.clone(),
                outcome: CallOutcome::try_from(ended.outcome).unwrap_or_default(),
            })),
            _ => None,
        })
    }

    async fn project(&self, connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
        store::timeline::project(connection, Self::FEED, events).await
    }
}
