//! Following complaints: what was handled is verified with the client (C9), unless it is settled otherwise before.

use shouwen_engine::{Follow, FollowError, Submission};
use shouwen_proto::events::v1::{
    Event, HandlingCompleted, complaints_event::Event as ComplaintsEvent, event::Body,
};
use shouwen_vault::{Subject, Vault};

use super::{malformed, reseal, submission};
use crate::{
    domain::{
        CallbackName, Command, ComplaintName, Verification,
        command::{Cause, Schedule},
    },
    write_path::CallbacksDomain,
};

/// The follower of the feed `complaints`.
pub(crate) struct FollowComplaints {
    pub(crate) vault: Vault,
}

/// What a verification says that was cancelled because its complaint is handled anew.
const REOPENED: &str = "the complaint is handled anew";
/// What a verification says that was cancelled because its complaint has ended.
const CLOSED: &str = "the complaint has ended";

impl Follow<CallbacksDomain> for FollowComplaints {
    const FEED: &'static str = "complaints";

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        let Some(Body::Complaints(body)) = &event.body else { return Ok(None) };
        match &body.event {
            Some(ComplaintsEvent::HandlingCompleted(handled)) if !handled.without_verification => {
                self.verify(&event.aggregate, handled).await.map(Some)
            }
            // Where the verification itself led to it, none is open any more.
            Some(ComplaintsEvent::ComplaintReopened(_)) => Ok(Some(end(event, REOPENED))),
            Some(ComplaintsEvent::ComplaintClosed(_)) => Ok(Some(end(event, CLOSED))),
            _ => Ok(None),
        }
    }
}

impl FollowComplaints {
    /// C9, B7: the unit that received the complaint calls. The callback is named for complaint and round, so the same event makes the same callback.
    async fn verify(
        &self,
        aggregate: &str,
        handled: &HandlingCompleted,
    ) -> Result<Submission<Command>, FollowError> {
        let id = aggregate.strip_prefix("complaints/").unwrap_or(aggregate);
        let complaint = ComplaintName::below(&handled.case, id).map_err(malformed)?;
        let id = format!("{}-{}", complaint.id(), handled.round);
        let name = CallbackName::below(&handled.receiving_unit, &id).map_err(malformed)?;
        // The key that the texts had there is also what erases them here.
        let subject = Subject::new(handled.text_subject.as_str());
        let texts = [handled.phone.as_ref(), handled.subject.as_ref()];
        if handled.text_subject.is_empty() && texts.iter().any(Option::is_some) {
            return Err(malformed("`text_subject` is empty"));
        }
        let [phone, about] = reseal(&self.vault, &subject, &name, texts).await?;
        Ok(submission(Command::Schedule(Box::new(Schedule {
            name,
            cause: Cause::Verification(Verification {
                complaint,
                round: handled.round,
                recused: handled.recused.clone(),
            }),
            branch: handled.receiving_unit.clone(),
            client: handled.client.clone(),
            phone,
            phone_masked: handled.phone_masked.clone(),
            subject: about,
        }))))
    }
}

fn end(event: &Event, reason: &str) -> Submission<Command> {
    submission(Command::EndVerification { complaint: event.aggregate.clone(), reason: reason.to_owned() })
}
