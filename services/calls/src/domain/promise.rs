//! Agreeing a time for calling back (K6): when a client may be called (B2), and at which number.

use chrono::{DateTime, Utc};
use shouwen_policy::PolicyBook;
use shouwen_proto::events::v1::{CallbackPromised, calls_event::Event};
use shouwen_serving::{private, timestamps::to_proto};

use super::{
    answer::of_case,
    call::{CallState, Phase},
    command::MakePromise,
    rejection::Rejection,
};

/// Promises a callback under the contact's case while the contact lasts.
pub(super) fn promise(
    call: &CallState,
    promise: &MakePromise,
    now: DateTime<Utc>,
    policies: &PolicyBook,
) -> Result<Vec<Event>, Rejection> {
    let case = &of_case(call, &promise.by, "PromiseCallback")?.case;
    if !matches!(call.phase, Phase::Answered { .. }) {
        return Err(call.illegal("PromiseCallback"));
    }
    if promise.agreed_time < now {
        return Err(Rejection::AgreedTimePast);
    }
    let windows = &policies.callbacks(Some(&call.branch), now).value.calling_windows;
    // B2: outside the windows only where the client asked for it.
    if !promise.client_asked && !windows.contains(promise.agreed_time) {
        return Err(Rejection::OutsideCallingWindows { next_open: windows.next_open(promise.agreed_time) });
    }
    let phone = promise.phone.as_ref().or(call.caller.as_ref()).ok_or(Rejection::PhoneRequired)?;
    let promised = CallbackPromised {
        callback: format!("{case}/callbacks/{}", promise.callback_id),
        case: case.clone(),
        branch: call.branch.clone(),
        employee: promise.by.employee.clone(),
        agreed_time: Some(to_proto(promise.agreed_time)),
        client_asked: promise.client_asked,
        phone: Some(private::message(phone.sealed.clone())),
        phone_masked: phone.masked.clone(),
        subject: promise.subject.clone().map(private::message),
        client: call.client.clone(),
    };
    Ok(vec![Event::CallbackPromised(promised)])
}
