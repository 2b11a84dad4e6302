//! Following callbacks: what was promised shows on the case, and a result closes or reopens it (B5). The result of a complaint's verification is left to
//! the complaint (C9).

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_engine::{AggregateId, Follow, FollowError, Submission};
use shouwen_proto::{
    events::v1::{CallbackCompleted, Event, callbacks_event, event::Body},
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
        let callback = id.to_owned();
        Ok(match &body.event {
            Some(callbacks_event::Event::CallbackScheduled(scheduled)) if !scheduled.case.is_empty() => {
                Some(FollowUp::Promised {
                    case: AggregateId(scheduled.case.clone()),
                    // As it is named: what hangs under a merged case keeps its name, and a verification is named below the unit that makes it.
                    callback: scheduled.callback.clone(),
                    kind: CallbackKind::try_from(scheduled.kind).unwrap_or_default(),
                    due: due(scheduled.due.as_ref())?,
                })
            }
            Some(callbacks_event::Event::CallbackLimitMoved(moved)) if !event.case.is_empty() => {
                Some(FollowUp::PromiseMoved {
                    case: AggregateId(event.case.clone()),
                    callback,
                    due: due(moved.due.as_ref())?,
                })
            }
            Some(callbacks_event::Event::AttemptRecorded(attempt)) => {
                postponed(event, callback, attempt.due.as_ref())
            }
            Some(callbacks_event::Event::CallbackPostponed(set)) => {
                postponed(event, callback, set.due.as_ref())
            }
            Some(callbacks_event::Event::CallbackCompleted(completed)) => result(callback, completed),
            // C11: what stands now counts, whatever the former result led to.
            Some(callbacks_event::Event::CallbackResultSuperseded(superseded)) => {
                superseded.result.as_ref().and_then(|completed| result(callback, completed))
            }
            Some(callbacks_event::Event::CallbackCancelled(cancelled)) => {
                let case = case_of(&cancelled.complaint).unwrap_or(&event.case);
                (!case.is_empty())
                    .then(|| FollowUp::PromiseOver { case: AggregateId(case.to_owned()), callback })
            }
            _ => None,
        }
        .map(follow_up))
    }

    async fn project(&self, connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
        store::timeline::project(connection, Self::FEED, events).await?;
        store::desk::follow(connection, events).await
    }
}

/// Another time was agreed with the client (B3) or set by a lead (B6). An attempt that met nobody leaves the promise as it was.
fn postponed(event: &Event, callback: String, due: Option<&Timestamp>) -> Option<FollowUp> {
    let due = due.and_then(timestamps::from_proto).filter(|_| !event.case.is_empty())?;
    Some(FollowUp::PromiseMoved { case: AggregateId(event.case.clone()), callback, due })
}

/// B5; but what a verification found means something for its complaint, and only by that for the case.
fn result(callback: String, completed: &CallbackCompleted) -> Option<FollowUp> {
    if completed.case.is_empty() {
        return None;
    }
    let case = AggregateId(completed.case.clone());
    if !completed.complaint.is_empty() {
        return Some(FollowUp::PromiseOver { case, callback });
    }
    let satisfied = completed.solved && completed.overall() != Satisfaction::Dissatisfied;
    let said = completed.talk_time.as_ref().and_then(timestamps::from_proto);
    Some(FollowUp::CallbackCompleted { case, callback, satisfied, said })
}

/// `cases/{case}` of `cases/{case}/complaints/{complaint}`.
fn case_of(complaint: &str) -> Option<&str> {
    complaint.split_once("/complaints/").map(|(case, _)| case)
}

fn due(due: Option<&Timestamp>) -> Result<DateTime<Utc>, FollowError> {
    due.and_then(timestamps::from_proto)
        .ok_or_else(|| FollowError::Malformed("a callback without a limit".to_owned()))
}
