//! Following calls: promises (K6), missed calls (K14), after-hours contacts (O5).

use shouwen_engine::{Follow, FollowError, Submission};
use shouwen_proto::{
    events::v1::{
        CallEnded, CallMissed, CallOutcome, CallbackPromised, Event, calls_event::Event as CallsEvent,
        event::Body,
    },
    r#type::v1::Private,
};
use shouwen_serving::private;
use shouwen_vault::{Subject, Vault};
use sqlx::PgPool;

use super::{malformed, reseal, submission, unavailable};
use crate::{
    domain::{
        CallbackName, Command, codec,
        command::{Cause, MissedCall, Schedule},
    },
    store,
    write_path::CallbacksDomain,
};

/// The follower of the feed `calls`.
pub(crate) struct FollowCalls {
    pub(crate) pool: PgPool,
    pub(crate) vault: Vault,
}

/// What the events have in common: a callback with what is still in clear.
struct Wanted<'a> {
    name: CallbackName,
    cause: Cause,
    branch: &'a str,
    client: &'a str,
    phone: Option<&'a Private>,
    phone_masked: &'a str,
    subject: Option<&'a Private>,
}

impl Follow<CallbacksDomain> for FollowCalls {
    const FEED: &'static str = "calls";

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        let Some(Body::Calls(body)) = &event.body else { return Ok(None) };
        let call = event.aggregate.strip_prefix("calls/").unwrap_or(&event.aggregate);
        let wanted = match &body.event {
            Some(CallsEvent::CallbackPromised(promised)) => promise(promised)?,
            Some(CallsEvent::CallMissed(missed)) => missed_call(event, call, missed)?,
            Some(CallsEvent::CallEnded(ended)) if owes_after_hours(ended) => after_hours(call, ended)?,
            _ => return Ok(None),
        };
        // Spares the sealing; what is not known yet turns out under the locks.
        let case = wanted.name.case();
        if !case.is_empty() && store::is_voided(&self.pool, case).await.map_err(unavailable)? {
            return Ok(None);
        }
        self.schedule(call, wanted).await.map(Some)
    }
}

impl FollowCalls {
    /// Seals anew what came in clear, under the contact's key (L10).
    async fn schedule(&self, call: &str, wanted: Wanted<'_>) -> Result<Submission<Command>, FollowError> {
        let subject = Subject::contact(call);
        let [phone, about] =
            reseal(&self.vault, &subject, &wanted.name, [wanted.phone, wanted.subject]).await?;
        Ok(submission(Command::Schedule(Box::new(Schedule {
            name: wanted.name,
            cause: wanted.cause,
            branch: wanted.branch.to_owned(),
            client: wanted.client.to_owned(),
            phone,
            phone_masked: wanted.phone_masked.to_owned(),
            subject: about,
        }))))
    }
}

fn promise(promised: &CallbackPromised) -> Result<Wanted<'_>, FollowError> {
    let agreed = codec::time(promised.agreed_time.as_ref())
        .ok_or_else(|| FollowError::Malformed("a promise without an agreed time".to_owned()))?;
    Ok(Wanted {
        name: promised.callback.parse().map_err(malformed)?,
        cause: Cause::Promise { agreed, client_asked: promised.client_asked },
        branch: &promised.branch,
        client: &promised.client,
        phone: promised.phone.as_ref(),
        phone_masked: &promised.phone_masked,
        subject: promised.subject.as_ref(),
    })
}

/// K14. The callback has the call's id, so the same event makes the same callback.
fn missed_call<'a>(event: &Event, call: &str, missed: &'a CallMissed) -> Result<Wanted<'a>, FollowError> {
    Ok(Wanted {
        name: CallbackName::below(&missed.branch, call).map_err(malformed)?,
        cause: Cause::MissedCall(MissedCall {
            call: event.aggregate.clone(),
            caller_key: missed.caller_key.clone(),
            number_key: missed.number_key.clone(),
        }),
        branch: &missed.branch,
        client: &missed.client,
        phone: missed.caller.as_ref(),
        phone_masked: &missed.caller_masked,
        subject: None,
    })
}

/// O5. The callback has the call's id.
fn after_hours<'a>(call: &str, ended: &'a CallEnded) -> Result<Wanted<'a>, FollowError> {
    Ok(Wanted {
        name: CallbackName::below(&ended.case, call).map_err(malformed)?,
        cause: Cause::AfterHours,
        branch: &ended.branch,
        client: &ended.client,
        phone: ended.phone.as_ref(),
        phone_masked: &ended.phone_masked,
        subject: None,
    })
}

/// Whether a contact outside working hours still is owed an answer, and the client can be reached (O5, K12).
fn owes_after_hours(ended: &CallEnded) -> bool {
    let owed = matches!(
        CallOutcome::try_from(ended.outcome),
        Ok(CallOutcome::AnswerOwed
            | CallOutcome::Inaudible
            | CallOutcome::NoisyLine
            | CallOutcome::Dialect
            | CallOutcome::SystemFailure)
    );
    owed && ended.outside_working_hours && !private::clear(ended.phone.as_ref()).is_empty()
}
