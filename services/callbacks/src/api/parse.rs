//! Requests into domain values, once, with a refusal that names the field.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_access::{BranchName, Failure};
use shouwen_proto::{
    callbacks::v1::{CompleteCallbackRequest, RecordAttemptRequest, SupersedeResultRequest},
    events::v1::AttemptOutcome,
    r#type::v1::{MeasuresFound, Satisfaction as SatisfactionMessage},
};

use super::failures;
use crate::{
    domain::{
        CallbackName, Met, codec,
        command::Tried,
        talk::{Measures, Satisfaction, Talk},
    },
    store::After,
};

/// Characters of a reason at most.
const LONGEST_REASON: usize = 500;
/// Characters of what the client said at most.
const LONGEST_TEXT: usize = 8_000;

pub(super) fn name(name: &str) -> Result<CallbackName, Failure> {
    name.parse().map_err(|_| {
        Failure::field_invalid(
            "name",
            "write `cases/{case}/callbacks/{callback}` or `branches/{branch}/callbacks/{callback}`",
            "请填写 `cases/{case}/callbacks/{callback}` 或 `branches/{branch}/callbacks/{callback}`",
        )
    })
}

pub(super) fn branch(parent: &str) -> Result<BranchName, Failure> {
    BranchName::parse(parent).map_err(|_| {
        Failure::field_invalid("parent", "write `branches/{branch}`", "请填写 `branches/{branch}`")
    })
}

pub(super) fn tried(request: &RecordAttemptRequest) -> Result<Tried, Failure> {
    let outcome = AttemptOutcome::try_from(request.outcome).unwrap_or_default();
    match codec::met(outcome) {
        None | Some(Met::Reached) => Err(Failure::field_invalid(
            "outcome",
            "say what the attempt met; where the client was reached, call CompleteCallback",
            "请填写未完成回访的原因；已与客户通话的，请调用 CompleteCallback",
        )),
        Some(Met::Inconvenient) => {
            let agreed =
                codec::time(request.agreed_time.as_ref()).ok_or_else(failures::agreed_time_required)?;
            Ok(Tried::Inconvenient { agreed, client_asked: request.client_asked })
        }
        Some(met) => Ok(Tried::Unreached(met)),
    }
}

/// The talk as it is recorded first (B4).
pub(super) fn talk(request: &CompleteCallbackRequest) -> Result<Talk, Failure> {
    text("suggestions", &request.suggestions)?;
    text("answers", &request.answers)?;
    Ok(Talk {
        solved: request.solved,
        attitude: Some(satisfaction("attitude", request.attitude)?),
        overall: Some(satisfaction("overall", request.overall)?),
        score: score(request.score)?,
        charged: request.charged,
        measures: measures(request.measures)?,
    })
}

/// The talk as it is corrected (C11).
pub(super) fn corrected(request: &SupersedeResultRequest) -> Result<Talk, Failure> {
    Ok(Talk {
        solved: request.solved,
        attitude: Some(satisfaction("attitude", request.attitude)?),
        overall: Some(satisfaction("overall", request.overall)?),
        score: score(request.score)?,
        charged: request.charged,
        measures: measures(request.measures)?,
    })
}

fn score(score: i32) -> Result<i32, Failure> {
    if (0..=10).contains(&score) {
        return Ok(score);
    }
    Err(Failure::field_invalid("score", "1 to 10, or 0 for none", "1 至 10，未评分填 0"))
}

/// `None` where nothing is said; whether something must be is the domain's (C9).
fn measures(number: i32) -> Result<Option<Measures>, Failure> {
    MeasuresFound::try_from(number).map(codec::measures).map_err(|_| {
        Failure::field_invalid(
            "measures",
            "CARRIED_OUT, NOT_CARRIED_OUT or WITHOUT_EFFECT",
            "请填写已落实、未落实或无效果",
        )
    })
}

fn satisfaction(field: &'static str, number: i32) -> Result<Satisfaction, Failure> {
    let message = SatisfactionMessage::try_from(number).unwrap_or_default();
    codec::satisfaction(message).ok_or_else(|| {
        Failure::field_invalid(
            field,
            "SATISFIED, NEUTRAL or DISSATISFIED: the record is complete only with it",
            "请填写满意、一般或不满意，否则记录不完整",
        )
    })
}

fn text(field: &'static str, text: &str) -> Result<(), Failure> {
    if text.chars().count() <= LONGEST_TEXT {
        return Ok(());
    }
    let (english, chinese) =
        (format!("at most {LONGEST_TEXT} characters"), format!("最多 {LONGEST_TEXT} 字"));
    Err(Failure::field_invalid(field, english, chinese))
}

pub(super) fn reason(text: &str) -> Result<String, Failure> {
    let reason = text.trim();
    if (1..=LONGEST_REASON).contains(&reason.chars().count()) {
        return Ok(reason.to_owned());
    }
    let english = format!("say why, in at most {LONGEST_REASON} characters");
    Err(Failure::field_invalid("reason", english, format!("请说明原因，最多 {LONGEST_REASON} 字")))
}

pub(super) fn required_time(field: &'static str, time: Option<&Timestamp>) -> Result<DateTime<Utc>, Failure> {
    codec::time(time).ok_or_else(|| Failure::field_invalid(field, "give a time", "请填写时间"))
}

/// The position in a page token of ours.
pub(super) fn position(position: &[u8]) -> Result<After, Failure> {
    std::str::from_utf8(position)
        .ok()
        .and_then(|text| text.split_once('/'))
        .and_then(|(due, id)| Some(After { due: due.parse().ok()?, id: id.to_owned() }))
        .ok_or_else(Failure::page_token_invalid)
}
