//! States as the contract shows them: phones masked, free text left out.

use shouwen_proto::callbacks::v1::{
    Attempt, Callback as CallbackMessage, Result as TalkMessage, callback::State,
};

use crate::domain::{
    Callback, Stage,
    callback::Talk,
    codec::{self, timestamp},
};

/// A callback as lists and answers show it (L10).
pub(super) fn callback(callback: &Callback, version: i64) -> CallbackMessage {
    let (leased_by, lease_expire_time) = match &callback.stage {
        Stage::Leased { employee, until } => (employee.clone(), timestamp(*until)),
        _ => (String::new(), None),
    };
    CallbackMessage {
        name: callback.name.to_string(),
        etag: format!("\"{version}\""),
        kind: shouwen_proto::r#type::v1::CallbackKind::from(callback.kind).into(),
        branch: callback.branch.clone(),
        client: callback.client.clone(),
        phone: callback.phone_masked.clone(),
        state: state(&callback.stage).into(),
        not_before: timestamp(callback.not_before),
        due_time: timestamp(callback.due),
        missed: callback.missed,
        leased_by,
        lease_expire_time,
        attempts: callback
            .attempts
            .iter()
            .map(|attempt| Attempt {
                employee: attempt.employee.clone(),
                time: timestamp(attempt.time),
                outcome: codec::outcome(attempt.met).into(),
            })
            .collect(),
        result: match &callback.stage {
            Stage::Completed(talk) => Some(result(talk)),
            _ => None,
        },
        cancel_reason: match &callback.stage {
            Stage::Cancelled { reason } => reason.clone(),
            _ => String::new(),
        },
        calls: callback.calls.clone(),
        ..CallbackMessage::default()
    }
}

fn state(stage: &Stage) -> State {
    match stage {
        Stage::Waiting => State::Waiting,
        Stage::Leased { .. } => State::Leased,
        Stage::LeadDecides => State::LeadDecides,
        Stage::Completed(_) => State::Completed,
        Stage::Cancelled { .. } => State::Cancelled,
    }
}

fn result(talk: &Talk) -> TalkMessage {
    TalkMessage {
        solved: talk.solved,
        attitude: codec::satisfaction_message(talk.attitude).into(),
        overall: codec::satisfaction_message(talk.overall).into(),
        score: talk.score,
        charged: talk.charged,
        ..TalkMessage::default()
    }
}
