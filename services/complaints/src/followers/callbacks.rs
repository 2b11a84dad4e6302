//! Following callbacks: what a client said about a handled complaint (C9-C11), and that nobody could be reached to say it (B6). That alone settles nothing, nor
//! does a verification that was given up: a lead decides.

use shouwen_engine::{AggregateId, Follow, FollowError, Submission};
use shouwen_proto::{
    events::v1::{CallbackCompleted, Event, callbacks_event::Event as CallbacksEvent, event::Body},
    r#type::v1::Satisfaction,
};
use sqlx::PgPool;

use super::submission;
use crate::{
    domain::{Command, ComplaintName, command::Verify, terms::Measures},
    store,
    write_path::ComplaintsDomain,
};

/// The follower of the feed `callbacks`.
pub(crate) struct FollowCallbacks {
    pub(crate) pool: PgPool,
}

impl Follow<ComplaintsDomain> for FollowCallbacks {
    const FEED: &'static str = "callbacks";

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        let Some(Body::Callbacks(body)) = &event.body else { return Ok(None) };
        let (result, supersedes_reason) = match &body.event {
            Some(CallbacksEvent::CallbackCompleted(completed)) => (completed, ""),
            Some(CallbacksEvent::CallbackResultSuperseded(superseded)) => match &superseded.result {
                Some(result) => (result, superseded.reason.as_str()),
                None => return Err(malformed("a superseding result is missing")),
            },
            Some(CallbacksEvent::CallbackExhausted(_)) => return self.exhausted(event).await,
            _ => return Ok(None),
        };
        if result.complaint.is_empty() {
            return Ok(None);
        }
        verify(event, result, supersedes_reason)
            .map(|verify| Some(submission(Command::Verify(Box::new(verify)))))
    }
}

impl FollowCallbacks {
    /// B6. The event does not say what the callback was for; of a verification its name does.
    async fn exhausted(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        let Some((complaint, round)) = verified_by(&event.aggregate) else { return Ok(None) };
        // Other callbacks may be named like one.
        let found = store::find(&self.pool, &complaint)
            .await
            .map_err(|error| FollowError::Unavailable(error.to_string()))?;
        Ok(found.map(|_| submission(Command::Exhausted { complaint, round })))
    }
}

/// The complaint and the round that a callback of this name verifies, if it is a verification (C9).
fn verified_by(callback: &str) -> Option<(AggregateId, u32)> {
    let (complaint, round) = callback.strip_prefix("callbacks/")?.rsplit_once('-')?;
    Some((AggregateId(format!("complaints/{complaint}")), round.parse().ok()?))
}

fn verify(event: &Event, result: &CallbackCompleted, supersedes_reason: &str) -> Result<Verify, FollowError> {
    let complaint: ComplaintName = result.complaint.parse().map_err(malformed)?;
    let measures = Measures::of(result.measures);
    let satisfied = result.solved
        && result.overall() != Satisfaction::Dissatisfied
        && measures == Some(Measures::CarriedOut);
    Ok(Verify {
        complaint: complaint.aggregate(),
        round: u32::try_from(result.round).map_err(malformed)?,
        // A verification is named below the unit that received the complaint (B7).
        callback: format!("{}/{}", event.branch, event.aggregate),
        satisfied,
        measures,
        employee: result.employee.clone(),
        supersedes_reason: supersedes_reason.to_owned(),
    })
}

fn malformed(error: impl std::fmt::Display) -> FollowError {
    FollowError::Malformed(error.to_string())
}
