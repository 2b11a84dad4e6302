//! Following callbacks: what was promised shows on the case, and a result closes or reopens it (B5).

use shouwen_engine::{AggregateId, Follow, FollowError, Submission};
use shouwen_proto::{
    events::v1::{Event, callbacks_event, event::Body},
    r#type::v1::{CallbackKind, Satisfaction},
};
use shouwen_serving::timestamps;
use sqlx::PgConnection;

use super::follow_up;
use crate::{
    domain::{Command, OwnershipDomain, command::FollowUp},
    store,
};

pub struct FollowCallbacks;

impl Follow<OwnershipDomain> for FollowCallbacks {
    const FEED: &'static str = "callbacks";

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        let Some(Body::Callbacks(body)) = &event.body else { return Ok(None) };
        let Some(id) = event.aggregate.strip_prefix("callbacks/") else { return Ok(None) };
        // The case as the callback names it: what hangs under a merged case keeps its name.
        let callback = |case: &str| format!("{case}/callbacks/{id}");
        Ok(match &body.event {
            Some(callbacks_event::Event::CallbackScheduled(scheduled)) if !scheduled.case.is_empty() => {
                let due = scheduled
                    .due
                    .as_ref()
                    .and_then(timestamps::from_proto)
                    .ok_or_else(|| FollowError::Malformed("a callback without a limit".to_owned()))?;
                Some(follow_up(FollowUp::Promised {
                    case: AggregateId(scheduled.case.clone()),
                    callback: callback(&scheduled.case),
                    kind: CallbackKind::try_from(scheduled.kind).unwrap_or_default(),
                    due,
                }))
            }
            Some(callbacks_event::Event::CallbackCompleted(completed)) if !completed.case.is_empty() => {
                let satisfied = completed.solved && completed.overall() != Satisfaction::Dissatisfied;
                Some(follow_up(FollowUp::CallbackCompleted {
                    case: AggregateId(completed.case.clone()),
                    callback: callback(&completed.case),
                    satisfied,
                }))
            }
            Some(callbacks_event::Event::CallbackCancelled(_)) if !event.case.is_empty() => {
                Some(follow_up(FollowUp::CallbackCancelled {
                    case: AggregateId(event.case.clone()),
                    callback: callback(&event.case),
                }))
            }
            _ => None,
        })
    }

    async fn project(&self, connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
        store::timeline::project(connection, Self::FEED, events).await
    }
}
