//! States as the contract shows them: phones masked, free text left out.

use shouwen_proto::callbacks::v1::{
    Attempt, Callback as CallbackMessage, Result as ResultMessage, callback::State,
};

use crate::domain::{
    Callback, Stage,
    codec::{self, timestamp},
    talk::TalkResult,
};

/// A callback as lists and answers show it (L10).
pub(super) fn callback(callback: &Callback, version: i64) -> CallbackMessage {
    let (leased_by, lease_expire_time) = match &callback.stage {
        Stage::Leased { employee, until } => (employee.clone(), timestamp(*until)),
        _ => (String::new(), None),
    };
    let (standing, superseded_results) = match &callback.stage {
        Stage::Completed(results) => {
            let superseded = results.superseded.iter();
            let superseded = superseded.map(|former| result(&former.result, &former.reason));
            (Some(result(&results.standing, "")), superseded.collect())
        }
        _ => (None, Vec::new()),
    };
    let verification = callback.kind.verification();
    CallbackMessage {
        name: callback.name.to_string(),
        etag: format!("\"{version}\""),
        kind: shouwen_proto::r#type::v1::CallbackKind::from(&callback.kind).into(),
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
        result: standing,
        cancel_reason: match &callback.stage {
            Stage::Cancelled { reason } => reason.clone(),
            _ => String::new(),
        },
        calls: callback.calls.clone(),
        complaint: callback.complaint().0,
        recused: verification.map(|verified| verified.recused.clone()).unwrap_or_default(),
        superseded_results,
        escalation: codec::level_message(callback.escalation.reached).into(),
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

fn result(result: &TalkResult, superseded_reason: &str) -> ResultMessage {
    let talk = &result.talk;
    ResultMessage {
        solved: talk.solved,
        attitude: codec::satisfaction_message(talk.attitude).into(),
        overall: codec::satisfaction_message(talk.overall).into(),
        score: talk.score,
        charged: talk.charged,
        measures: codec::measures_message(talk.measures).into(),
        employee: result.employee.clone(),
        superseded_reason: superseded_reason.to_owned(),
    }
}
