//! Following callbacks: what a client said about a handled complaint (C9-C11). A verification that was given up settles nothing: a lead decides.

use shouwen_engine::{Follow, FollowError, Submission};
use shouwen_proto::{
    events::v1::{CallbackCompleted, Event, callbacks_event::Event as CallbacksEvent, event::Body},
    r#type::v1::Satisfaction,
};

use super::submission;
use crate::{
    domain::{Command, ComplaintName, command::Verify, terms::Measures},
    write_path::ComplaintsDomain,
};

/// The follower of the feed `callbacks`.
pub(crate) struct FollowCallbacks;

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
            _ => return Ok(None),
        };
        if result.complaint.is_empty() {
            return Ok(None);
        }
        verify(event, result, supersedes_reason)
            .map(|verify| Some(submission(Command::Verify(Box::new(verify)))))
    }
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
