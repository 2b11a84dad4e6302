//! The receipt for the client (O11): as data and in words. Who was asked first is a fact of history; whom the client turns to is who is responsible now.

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
    let (accountable, accountable_phone) = person(&case.accountable);
    let (handler, handler_phone) = person(&case.handler);
    let acting = case.deputies.iter().find(|deputy| deputy.of == case.handler);
    let (deputy, deputy_phone) = acting.map(|deputy| person(&deputy.employee)).unwrap_or_default();
    let branch = roster.branch(&case.branch);
    let due = case.running_clock().map(|clock| clock.due);
    let mut receipt = Receipt {
        case: name.to_owned(),
        first_responder,
        first_responder_phone,
        handler,
        handler_phone,
        deputy,
        deputy_phone,
        branch: branch.map(|branch| branch.display_name.clone()).unwrap_or_default(),
        promises: case.promises.iter().filter(|promise| !promise.settled).map(messages::promise).collect(),
        answer_due_time: due.map(to_proto),
        complaints_phone: branch.map(|branch| branch.complaints_phone.clone()).unwrap_or_default(),
        text: String::new(),
        accountable,
        accountable_phone,
    };
    let promises =
        case.promises.iter().filter(|promise| !promise.settled).map(|promise| promise.due).collect();
    let words = Words {
        moved: case.accountable != case.first_responder,
        handed: case.handler != case.accountable,
        promises,
        due,
    };
    receipt.text = match language {
        Language::ZhCn => words.chinese(&receipt),
        Language::En => words.english(&receipt),
    };
    receipt
}

/// What the text says beside the data.
struct Words {
    /// Somebody else than the first responder answers for the case.
    moved: bool,
    /// Somebody else than who answers for the case handles it.
    handed: bool,
    promises: Vec<DateTime<Utc>>,
    due: Option<DateTime<Utc>>,
}

impl Words {
    fn chinese(&self, receipt: &Receipt) -> String {
        let Receipt { first_responder, branch, accountable, handler, .. } = receipt;
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _infallible = (|| {
            writeln!(text, "受理编号：{}", receipt.case)?;
            if self.moved {
                writeln!(text, "首问责任人：{first_responder}（{branch}）")?;
                writeln!(text, "现责任人：{accountable}，电话 {}", receipt.accountable_phone)?;
            } else {
                let phone = &receipt.first_responder_phone;
                writeln!(text, "首问责任人：{first_responder}（{branch}），电话 {phone}")?;
            }
            if self.handed {
                writeln!(text, "现承办人：{handler}，电话 {}", receipt.handler_phone)?;
            }
            if !receipt.deputy.is_empty() {
                writeln!(text, "承办人离岗期间由 {} 代理，电话 {}", receipt.deputy, receipt.deputy_phone)?;
            }
            for promise in &self.promises {
                writeln!(text, "承诺回访：不晚于 {}", local(promise))?;
            }
            if let Some(due) = &self.due {
                writeln!(text, "答复期限：{}", local(due))?;
            }
            write!(text, "投诉电话：{}", receipt.complaints_phone)
        })();
        text
    }

    fn english(&self, receipt: &Receipt) -> String {
        let Receipt { first_responder, branch, accountable, handler, .. } = receipt;
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _infallible = (|| {
            writeln!(text, "Reference: {}", receipt.case)?;
            if self.moved {
                writeln!(text, "First responder: {first_responder} ({branch})")?;
                writeln!(text, "Responsible now: {accountable}, phone {}", receipt.accountable_phone)?;
            } else {
                let phone = &receipt.first_responder_phone;
                writeln!(text, "Responsible: {first_responder} ({branch}), phone {phone}")?;
            }
            if self.handed {
                writeln!(text, "Handled by: {handler}, phone {}", receipt.handler_phone)?;
            }
            if !receipt.deputy.is_empty() {
                writeln!(text, "While they are absent: {}, phone {}", receipt.deputy, receipt.deputy_phone)?;
            }
            for promise in &self.promises {
                writeln!(text, "We call you back by {}", local(promise))?;
            }
            if let Some(due) = &self.due {
                writeln!(text, "You have an answer by {}", local(due))?;
            }
            write!(text, "Complaints: {}", receipt.complaints_phone)
        })();
        text
    }
}

/// As the client's watch shows it.
fn local(time: &DateTime<Utc>) -> String {
    time.with_timezone(&SHANGHAI).format("%Y-%m-%d %H:%M").to_string()
}
