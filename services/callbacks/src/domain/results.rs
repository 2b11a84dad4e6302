//! Decisions on the result of a talk: recording it (B4, C9), and superseding one that was wrong (C11).

use shouwen_proto::{
    events::v1::{CallbackCompleted, CallbackResultSuperseded, callbacks_event::Event},
    r#type::v1::Private,
};

use super::{
    callback::{Callback, Stage},
    codec,
    rejection::Rejection,
    talk::{Results, Talk},
    transitions,
};

/// The talk took place, behind so many about the callback's case.
pub(super) fn complete(
    callback: &Callback,
    employee: &str,
    talk: &Talk,
    [suggestions, answers]: [Option<&Private>; 2],
    talks: i64,
) -> Result<Vec<Event>, Rejection> {
    fits(callback, talk)?;
    transitions::held(callback, employee, "CompleteCallback")?;
    let number = if callback.case().is_empty() { 0 } else { talks + 1 };
    let result = CallbackCompleted {
        suggestions: suggestions.cloned(),
        answers: answers.cloned(),
        ..result(callback, employee, talk, number)
    };
    Ok(vec![Event::CallbackCompleted(result)])
}

/// The standing result was wrong: another stands from now on. So many talks about the callback's case were recorded by now.
pub(super) fn supersede(
    callback: &Callback,
    employee: &str,
    talk: &Talk,
    reason: &str,
    talks: i64,
) -> Result<Vec<Event>, Rejection> {
    fits(callback, talk)?;
    let Stage::Completed(results) = &callback.stage else {
        return Err(Rejection::NotCompleted {
            name: callback.name.to_string(),
            state: callback.stage_name(),
        });
    };
    let recorder = recorder(callback, results);
    if recorder == employee {
        return Err(Rejection::SecondPersonRequired(recorder.to_owned()));
    }
    let mut result = result(callback, employee, talk, results.number);
    // Nobody is called after the talk.
    result.talk_time = callback.attempts.last().and_then(|reached| codec::timestamp(reached.time));
    if !says_where_the_case_stands(callback, results, talk, talks) {
        result.case.clear();
    }
    Ok(vec![Event::CallbackResultSuperseded(CallbackResultSuperseded {
        reason: reason.to_owned(),
        result: Some(result),
    })])
}

/// B5: only the last talk about a case does, and a correction of it only where the outcome turns: what came of the former outcome stands, with whatever
/// happened to the case since. What a verification found is for its complaint to judge, round by round (C10).
fn says_where_the_case_stands(callback: &Callback, results: &Results, talk: &Talk, talks: i64) -> bool {
    let is_last = results.number >= talks;
    let turns = talk.settles() != results.standing.talk.settles();
    callback.kind.verification().is_some() || (is_last && turns)
}

/// Who recorded the result that stands.
fn recorder<'a>(callback: &'a Callback, results: &'a Results) -> &'a str {
    let recorded = results.standing.employee.as_str();
    let reached = callback.attempts.last().map_or("", |attempt| attempt.employee.as_str());
    if recorded.is_empty() { reached } else { recorded }
}

/// C9: a verification says what became of the measures, and nothing else does.
fn fits(callback: &Callback, talk: &Talk) -> Result<(), Rejection> {
    match (callback.kind.verification(), talk.measures) {
        (Some(_), None) => Err(Rejection::MeasuresRequired),
        (None, Some(_)) => Err(Rejection::MeasuresUnasked),
        (Some(_), Some(_)) | (None, None) => Ok(()),
    }
}

fn result(callback: &Callback, employee: &str, talk: &Talk, number: i64) -> CallbackCompleted {
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
        number,
        talk_time: None,
    }
}
