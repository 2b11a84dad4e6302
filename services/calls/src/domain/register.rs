//! Registering a contact (K20, K21): what is known when it rings, and what follows from its time.

use chrono::{DateTime, Utc};
use shouwen_policy::PolicyBook;
use shouwen_proto::events::v1::{CallRegistered, calls_event::Event};
use shouwen_serving::{private, timestamps::to_proto};

use super::{command::Register, rejection::Rejection};

/// Registers a contact that nobody owns yet.
pub(super) fn decide(
    exists: bool,
    register: &Register,
    now: DateTime<Utc>,
    policies: &PolicyBook,
) -> Result<Vec<Event>, Rejection> {
    let name = register.call.0.clone();
    if !register.reach.covers(&register.branch) {
        return Err(Rejection::BranchOutOfReach(register.branch.clone()));
    }
    if exists {
        return Err(Rejection::CallExists(name));
    }
    let occurred = register.occur_time.unwrap_or(now);
    if occurred > now {
        return Err(Rejection::OccurTimeFuture);
    }
    let hours = policies.hours(Some(&register.branch), occurred);
    let working = policies.calendar(occurred).is_working_time(occurred, &hours.value.working_hours);
    let registered = CallRegistered {
        call: name,
        branch: register.branch.clone(),
        line: register.line.clone(),
        channel: register.channel.into(),
        direction: register.direction.into(),
        occur_time: Some(to_proto(occurred)),
        // K20
        entered_later: occurred < now,
        // O5
        outside_working_hours: !working.value,
        caller: register.caller.clone().map(|caller| private::message(caller.sealed)),
        caller_masked: register.caller.as_ref().map(|caller| caller.masked.clone()).unwrap_or_default(),
        client: register.client.clone(),
        external_id: register.external_id.clone(),
        callback: register.callback.clone(),
        policy_version: policies.calls(Some(&register.branch), now).version.to_string(),
        caller_key: register.caller_key.clone(),
        number_key: register.number_key.clone(),
    };
    Ok(vec![Event::CallRegistered(registered)])
}
