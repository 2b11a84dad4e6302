//! States as the contract shows them.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_proto::{
    calls::v1::{Call, Record, call::State as CallPhase},
    events::v1::{CallOutcome, Party},
};
use shouwen_serving::timestamps::to_proto;

use super::masks::Masks;
use crate::domain::{CallState, Phase, call::RecordSheet};

/// A contact, personal data masked (L10).
pub(super) fn call(state: &CallState, version: i64, masks: Masks) -> Call {
    let (answer, ending) = (state.answer(), state.ending());
    Call {
        name: state.name.clone(),
        etag: version.to_string(),
        branch: state.branch.clone(),
        line: state.line.clone(),
        channel: state.channel.into(),
        direction: state.direction.into(),
        state: phase(&state.phase).into(),
        occur_time: time(Some(state.occur_time)),
        answer_time: time(answer.map(|answer| answer.at)),
        end_time: time(ended_at(&state.phase)),
        entered_later: state.entered_later,
        outside_working_hours: state.outside_working_hours,
        caller: state.caller.as_ref().map(|caller| caller.masked.clone()).unwrap_or_default(),
        client: state.client.clone(),
        employee: answer.map(|answer| answer.employee.clone()).unwrap_or_default(),
        case: answer.map(|answer| answer.case.clone()).unwrap_or_default(),
        late: answer.is_some_and(|answer| answer.late),
        record: state.record.as_ref().map(|sheet| record(sheet, masks)),
        callbacks: state.promises.iter().map(|promise| promise.callback.clone()).collect(),
        outcome: ending.map_or(CallOutcome::Unspecified, |ending| ending.outcome).into(),
        ended_by: ending.map_or(Party::Unspecified, |ending| ending.by).into(),
        violation: ending.is_some_and(|ending| ending.violation),
        external_id: state.external_id.clone(),
        callback: state.callback.clone(),
    }
}

fn record(sheet: &RecordSheet, masks: Masks) -> Record {
    Record {
        client_name: masks.client_name,
        gender: sheet.gender.clone(),
        phone: masks.phone,
        inquiry_type: sheet.inquiry_type.clone(),
        computer_familiarity: sheet.familiarity.computer,
        trading_familiarity: sheet.familiarity.trading,
        securities_familiarity: sheet.familiarity.securities,
        identity_checks: sheet.identity_checks.clone(),
        employee: sheet.employee.clone(),
        confirmed: sheet.confirmed,
        complete: sheet.is_complete(),
    }
}

fn phase(phase: &Phase) -> CallPhase {
    match phase {
        Phase::Ringing => CallPhase::Ringing,
        Phase::Answered { .. } => CallPhase::Answered,
        Phase::Missed { .. } => CallPhase::Missed,
        Phase::Ended { .. } => CallPhase::Ended,
    }
}

fn ended_at(phase: &Phase) -> Option<DateTime<Utc>> {
    match phase {
        Phase::Ringing | Phase::Answered { .. } => None,
        Phase::Missed { at } => Some(*at),
        Phase::Ended { ending, .. } => Some(ending.at),
    }
}

fn time(time: Option<DateTime<Utc>>) -> Option<Timestamp> {
    time.map(to_proto)
}
