//! The record sheet (K8, K9) and its confirmation by the client (K10), during the contact or after it.

use shouwen_proto::events::v1::{CallRecorded, RecordConfirmed, calls_event::Event};
use shouwen_serving::private;

use super::{
    answer::of_case,
    call::CallState,
    command::{Confirm, FillIn},
    rejection::Rejection,
};

/// Fills in the sheet; a former filling is replaced as a whole and what was confirmed is so no more.
pub(super) fn fill_in(call: &CallState, record: &FillIn, version: i64) -> Result<Vec<Event>, Rejection> {
    of_case(call, &record.by, "RecordCall")?;
    if record.etag.is_some_and(|etag| etag != version) {
        return Err(Rejection::EtagMismatch(call.name.clone()));
    }
    let recorded = CallRecorded {
        employee: record.by.employee.clone(),
        client_name: Some(private::message(record.client_name.clone())),
        gender: record.gender.clone(),
        phone: Some(private::message(record.phone.clone())),
        summary: Some(private::message(record.summary.clone())),
        handling: Some(private::message(record.handling.clone())),
        inquiry_type: record.inquiry_type.clone(),
        computer_familiarity: record.familiarity.computer,
        trading_familiarity: record.familiarity.trading,
        securities_familiarity: record.familiarity.securities,
        assessment: record.assessment.clone().map(private::message),
        identity_checks: record.identity_checks.clone(),
    };
    Ok(vec![Event::CallRecorded(recorded)])
}

/// The record was repeated back to the client, who confirmed it. Confirming what is confirmed changes nothing.
pub(super) fn confirm(call: &CallState, command: &Confirm) -> Result<Vec<Event>, Rejection> {
    of_case(call, &command.by, "ConfirmRecord")?;
    let record = call.record.as_ref().ok_or_else(|| Rejection::RecordMissing(call.name.clone()))?;
    if record.confirmed {
        return Ok(Vec::new());
    }
    Ok(vec![Event::RecordConfirmed(RecordConfirmed { employee: command.by.employee.clone() })])
}
