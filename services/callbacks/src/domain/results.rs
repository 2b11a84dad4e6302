//! Decisions on the result of a talk: recording it (B4, C9), and superseding one that was wrong (C11).

use shouwen_proto::{
    events::v1::{CallbackCompleted, CallbackResultSuperseded, callbacks_event::Event},
    r#type::v1::Private,
};

use super::{
    callback::{Callback, Stage},
    codec,
    rejection::Rejection,
    talk::Talk,
    transitions,
};

/// The talk took place.
pub(super) fn complete(
    callback: &Callback,
    employee: &str,
    talk: &Talk,
    suggestions: Option<&Private>,
    answers: Option<&Private>,
) -> Result<Vec<Event>, Rejection> {
    fits(callback, talk)?;
    transitions::held(callback, employee, "CompleteCallback")?;
    let result = CallbackCompleted {
        suggestions: suggestions.cloned(),
        answers: answers.cloned(),
        ..result(callback, employee, talk)
    };
    Ok(vec![Event::CallbackCompleted(result)])
}

/// The standing result was wrong: another stands from now on.
pub(super) fn supersede(
    callback: &Callback,
    employee: &str,
    talk: &Talk,
    reason: &str,
) -> Result<Vec<Event>, Rejection> {
    fits(callback, talk)?;
    let recorder = recorder(callback).ok_or_else(|| Rejection::NotCompleted {
        name: callback.name.to_string(),
        state: callback.stage_name(),
    })?;
    if recorder == employee {
        return Err(Rejection::SecondPersonRequired(recorder.to_owned()));
    }
    Ok(vec![Event::CallbackResultSuperseded(CallbackResultSuperseded {
        reason: reason.to_owned(),
        result: Some(result(callback, employee, talk)),
    })])
}

/// Who recorded the result that stands; `None` where there is none.
fn recorder(callback: &Callback) -> Option<&str> {
    let Stage::Completed(results) = &callback.stage else { return None };
    let recorded = results.standing.employee.as_str();
    let reached = callback.attempts.last().map_or("", |attempt| attempt.employee.as_str());
    Some(if recorded.is_empty() { reached } else { recorded })
}

/// C9: a verification says what became of the measures, and nothing else does.
fn fits(callback: &Callback, talk: &Talk) -> Result<(), Rejection> {
    match (callback.kind.verification(), talk.measures) {
        (Some(_), None) => Err(Rejection::MeasuresRequired),
        (None, Some(_)) => Err(Rejection::MeasuresUnasked),
        (Some(_), Some(_)) | (None, None) => Ok(()),
    }
}

fn result(callback: &Callback, employee: &str, talk: &Talk) -> CallbackCompleted {
    let (complaint, round) = callback.complaint();
    CallbackCompleted {
        employee: employee.to_owned(),
        case: callback.case().to_owned(),
        solved: talk.solved,
        attitude: codec::satisfaction_message(talk.attitude).into(),
        overall: codec::satisfaction_message(talk.overall).into(),
        score: talk.score,
        suggestions: None,
        charged: talk.charged,
        answers: None,
        complaint,
        round,
        measures: codec::measures_message(talk.measures).into(),
    }
}
