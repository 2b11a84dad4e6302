//! The receipt for the client (O11): as data and in words.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use shouwen_access::Language;
use shouwen_calendar::SHANGHAI;
use shouwen_proto::ownership::v1::Receipt;
use shouwen_serving::timestamps::to_proto;

use super::messages;
use crate::domain::{CaseState, Roster};

pub(crate) fn receipt(name: &str, case: &CaseState, roster: &Roster, language: Language) -> Receipt {
    let person = |employee: &str| {
        roster
            .employee(employee)
            .map(|known| (known.display_name.clone(), known.office_phone.clone()))
            .unwrap_or_default()
    };
    let (first_responder, first_responder_phone) = person(&case.first_responder);
    let (handler, handler_phone) = person(&case.handler);
    let branch = roster.branch(&case.branch);
    let due = case.running_clock().map(|clock| clock.due);
    let mut receipt = Receipt {
        case: name.to_owned(),
        first_responder,
        first_responder_phone,
        handler,
        handler_phone,
        branch: branch.map(|branch| branch.display_name.clone()).unwrap_or_default(),
        promises: case.promises.iter().filter(|promise| !promise.settled).map(messages::promise).collect(),
        answer_due_time: due.map(to_proto),
        complaints_phone: branch.map(|branch| branch.complaints_phone.clone()).unwrap_or_default(),
        text: String::new(),
    };
    let promises: Vec<DateTime<Utc>> =
        case.promises.iter().filter(|promise| !promise.settled).map(|promise| promise.due).collect();
    receipt.text = text(&receipt, due, &promises, language);
    receipt
}

fn text(
    receipt: &Receipt,
    due: Option<DateTime<Utc>>,
    promises: &[DateTime<Utc>],
    language: Language,
) -> String {
    let local = |time: &DateTime<Utc>| time.with_timezone(&SHANGHAI).format("%Y-%m-%d %H:%M").to_string();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _infallible = (|| match language {
        Language::ZhCn => {
            writeln!(text, "受理编号：{}", receipt.case)?;
            writeln!(
                text,
                "首问责任人：{}（{}），电话 {}",
                receipt.first_responder, receipt.branch, receipt.first_responder_phone
            )?;
            if receipt.handler != receipt.first_responder {
                writeln!(text, "现承办人：{}，电话 {}", receipt.handler, receipt.handler_phone)?;
            }
            for promise in promises {
                writeln!(text, "承诺回访：不晚于 {}", local(promise))?;
            }
            if let Some(due) = &due {
                writeln!(text, "答复期限：{}", local(due))?;
            }
            write!(text, "投诉电话：{}", receipt.complaints_phone)
        }
        Language::En => {
            writeln!(text, "Reference: {}", receipt.case)?;
            writeln!(
                text,
                "Responsible: {} ({}), phone {}",
                receipt.first_responder, receipt.branch, receipt.first_responder_phone
            )?;
            if receipt.handler != receipt.first_responder {
                writeln!(text, "Handled by: {}, phone {}", receipt.handler, receipt.handler_phone)?;
            }
            for promise in promises {
                writeln!(text, "We call you back by {}", local(promise))?;
            }
            if let Some(due) = &due {
                writeln!(text, "You have an answer by {}", local(due))?;
            }
            write!(text, "Complaints: {}", receipt.complaints_phone)
        }
    })();
    text
}
