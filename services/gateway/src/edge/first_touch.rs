//! O1: an employee's first answer to a contact. Ownership decides who won before the backend hears of it; a call that the backend has
//! not confirmed stays pending there and is repeated, one that it rejects for good voids the touch.

use bytes::Bytes;
use http::Response;
use shouwen_access::context::body_digest;
use shouwen_access::contract::RequestField;
use shouwen_access::{Failure, Language, Principal};
use tokio::time::Instant;
use tonic::Code;

use super::Edge;
use super::body::Answer;
use super::cases::after_touch;
use super::deadline::within;
use super::fields::Fields;
use super::forward::{Call, Refused, own_headers, refused, refused_as};
use super::frames::Framed;
use super::identify::Identity;
use super::owners::Owners;
use super::refusal;
use crate::api::is_id;
use crate::ownership::{CaseView, Claim, PendingTouch};

/// Codes that repeating does not change.
const PERMANENT: [Code; 6] = [
    Code::InvalidArgument,
    Code::NotFound,
    Code::FailedPrecondition,
    Code::AlreadyExists,
    Code::OutOfRange,
    Code::PermissionDenied,
];

/// A first touch that is won.
pub(super) struct Won<'a> {
    /// `contacts/{contact}`.
    pub(super) contact: &'a str,
    request_id: &'a str,
    /// The backend is known not to have taken it yet.
    pub(super) owed: bool,
}

impl<O: Owners> Edge<O> {
    /// Claims the contact for the caller, then forwards. `CONTACT_CLAIMED` if a colleague was faster.
    pub(super) async fn first_touch(
        &self,
        call: &Call<'_>,
        identity: &Identity,
        fields: &Fields<'_>,
        contact: &RequestField,
        framed: &Framed,
    ) -> Result<Response<Answer>, Failure> {
        let contact_id = contact_id(contact, fields.contact)?;
        let Some(employee) = &identity.acting else {
            // No role that a service account has by itself is among those of a first touch.
            return Err(Failure::role_required(&call.method.path, call.method.access.roles));
        };
        let message = framed.message();
        let claim = Claim {
            contact_id: contact_id.to_owned(),
            employee: employee.name.clone(),
            branch: employee.branch.clone(),
            topic: fields.topic.to_owned(),
            client: fields.client.to_owned(),
            channel: fields.channel,
            method: call.method.path.clone(),
            fingerprint: call.digest.unwrap_or_else(|| body_digest(&message)).to_vec(),
            request: message,
            request_id: fields.request_id.to_owned(),
            principal: identity.principal.to_string(),
        };
        let view = self.0.owners.claim(claim).await?;
        let contact = format!("contacts/{contact_id}");
        let won = Won { contact: &contact, request_id: fields.request_id, owed: false };
        self.finish_touch(call, identity, view, &won, &framed.bytes).await
    }

    /// Forwards a touch that is won. Whatever cuts this short leaves the touch pending.
    async fn finish_touch(
        &self,
        call: &Call<'_>,
        identity: &Identity,
        view: CaseView,
        won: &Won<'_>,
        framed: &Bytes,
    ) -> Result<Response<Answer>, Failure> {
        let standing = after_touch(view.clone(), identity, won);
        let mut response = call.send(&standing, framed).await?;
        if refused_as(&response, "STALE_EPOCH")
            && let Some(view) = self.0.owners.find(won.contact).await?
        {
            response = call.send(&after_touch(view, identity, won), framed).await?;
        }
        if refused_as(&response, "NOT_A_REPLAY") {
            return Err(refusal::not_responsible(&view, false));
        }
        if let Some(Refused { code, reason }) = refused(&response)
            && is_permanent(code, &reason)
            && let Err(failure) = self.0.owners.void_touch(won.contact, won.request_id, &reason).await
        {
            // It stays pending, is rejected again, and voided then.
            tracing::warn!(reason = failure.reason(), "a rejected first touch could not be voided");
        }
        Ok(response)
    }

    /// Repeats first touches that their backends have not confirmed; returns how many got an answer. Runs at intervals in
    /// [`run`](Edge::run).
    pub async fn sweep_touches(&self) -> usize {
        let touches = match self.0.owners.pending_touches(self.0.config.touch_batch).await {
            Ok(touches) => touches,
            Err(failure) => {
                tracing::warn!(reason = failure.reason(), "pending first touches cannot be read");
                return 0;
            }
        };
        let mut answered = 0;
        for touch in &touches {
            let deadline = Instant::now() + self.0.config.limits.request_timeout.get();
            match within(deadline, true, self.repeat_touch(touch, deadline)).await {
                Ok(()) => answered += 1,
                Err(failure) => {
                    tracing::warn!(
                        contact = touch.contact,
                        reason = failure.reason(),
                        "a first touch stays pending"
                    );
                }
            }
        }
        answered
    }

    async fn repeat_touch(&self, touch: &PendingTouch, deadline: Instant) -> Result<(), Failure> {
        let method = self
            .0
            .contract
            .method(&touch.method)
            .filter(|method| method.access.first_touch.is_some())
            .ok_or_else(|| Failure::method_unknown(&touch.method))?;
        let principal = Principal::of_subject(&touch.principal).ok_or_else(Failure::internal)?;
        let roster = self.0.owners.roster();
        let employee =
            roster.employee(&touch.employee).ok_or_else(|| refusal::employee_unknown(&touch.employee))?;
        let identity = Identity::of_repeated(principal, employee, &roster)?;
        let view = self.0.owners.find(&touch.contact).await?;
        let view = view.ok_or_else(|| refusal::contact_not_found(&touch.contact))?;
        let headers = own_headers();
        let route = self.0.backends.route(method, "")?;
        let call = Call {
            digest: Some(body_digest(&touch.request)),
            deadline: Some(deadline),
            ..self.call(method, route, Some(&identity), &headers, Language::default())
        };
        let framed = Framed::of_message(&touch.request);
        let won = Won { contact: &touch.contact, request_id: &touch.request_id, owed: true };
        let response = self.finish_touch(&call, &identity, view, &won, &framed.bytes).await?;
        match refused(&response) {
            Some(Refused { code, reason }) if !is_permanent(code, &reason) => {
                Err(Failure::new(code, reason, "The backend did not accept the call.", "后端未接受该调用。"))
            }
            _ => Ok(()),
        }
    }
}

/// The contact behind `calls/{contact}` or `contacts/{contact}`.
fn contact_id<'a>(field: &RequestField, name: &'a str) -> Result<&'a str, Failure> {
    let id = name.strip_prefix("calls/").or_else(|| name.strip_prefix("contacts/"));
    id.filter(|id| is_id(id)).ok_or_else(|| {
        Failure::field_invalid(
            &field.name,
            "`calls/{call}` or `contacts/{contact}` with an id of 1-64 of `a-z A-Z 0-9 . _ -`",
            "须为 `calls/{call}` 或 `contacts/{contact}`，编号为 1-64 个 `a-z A-Z 0-9 . _ -`",
        )
    })
}

fn is_permanent(code: Code, reason: &str) -> bool {
    PERMANENT.contains(&code) && !matches!(reason, "STALE_EPOCH" | "NOT_A_REPLAY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o1_only_a_rejection_of_the_call_itself_is_permanent() {
        for code in PERMANENT {
            assert!(is_permanent(code, "CALL_EXISTS"));
        }
        for (code, reason) in [
            (Code::Unavailable, "OUTCOME_UNKNOWN"),
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            (Code::Aborted, "STALE_EPOCH"),
            (Code::ResourceExhausted, "OVERLOADED"),
            (Code::Unauthenticated, "TOKEN_EXPIRED"),
            (Code::FailedPrecondition, "NOT_A_REPLAY"),
            (Code::Internal, "INTERNAL"),
        ] {
            assert!(!is_permanent(code, reason), "{reason}");
        }
    }
}
