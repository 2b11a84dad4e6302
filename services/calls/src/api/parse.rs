//! Requests into domain values, once, with a refusal that names the field and never repeats what may be personal data.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_access::{BranchName, Failure};
use shouwen_engine::AggregateId;
use shouwen_proto::{
    calls::v1::RecordCallRequest,
    events::v1::{CallOutcome, Direction, Party},
    r#type::v1::Channel,
};
use shouwen_serving::{call::etag_version, timestamps::from_proto};
use shouwen_vault::{PersonName, Phone};

use super::failures;
use crate::{domain::call::Familiarity, store::Position};

/// Characters of a free text at most.
const LONGEST_TEXT: usize = 8_000;
/// Characters of a type of inquiry at most.
const LONGEST_TYPE: usize = 40;
/// Characters of an id of another system at most.
const LONGEST_EXTERNAL_ID: usize = 128;
/// Characters of a callback's name at most.
const LONGEST_CALLBACK: usize = 200;

const GENDERS: [&str; 3] = ["male", "female", "unknown"];
/// The ways in which an identity was verified (K9, K11).
const IDENTITY_CHECKS: [&str; 4] = ["reserved_phone", "identity_number", "holdings", "last_purchase"];

/// A record sheet as it was written (K8, K9).
pub(super) struct Sheet<'a> {
    pub(super) client_name: PersonName,
    pub(super) gender: String,
    pub(super) phone: Phone,
    pub(super) summary: &'a str,
    pub(super) handling: &'a str,
    pub(super) inquiry_type: String,
    pub(super) familiarity: Familiarity,
    pub(super) assessment: &'a str,
    pub(super) identity_checks: Vec<String>,
    pub(super) etag: Option<i64>,
}

pub(super) fn sheet(request: &RecordCallRequest) -> Result<Sheet<'_>, Failure> {
    let client_name = PersonName::parse(&request.client_name)
        .map_err(|error| Failure::field_invalid("client_name", error.to_string(), "请填写客户姓名"))?;
    if !GENDERS.contains(&request.gender.as_str()) {
        return Err(one_of("gender", &GENDERS));
    }
    if request.phone.trim().is_empty() {
        return Err(Failure::field_invalid("phone", "give the client's number", "请填写客户电话"));
    }
    let Some(phone) = phone("phone", &request.phone)? else { return Err(Failure::internal()) };
    if request.inquiry_type.chars().count() > LONGEST_TYPE {
        return Err(too_long("inquiry_type", LONGEST_TYPE));
    }
    let mut identity_checks: Vec<String> = Vec::new();
    for check in &request.identity_checks {
        if !IDENTITY_CHECKS.contains(&check.as_str()) {
            return Err(one_of("identity_checks", &IDENTITY_CHECKS));
        }
        if !identity_checks.contains(check) {
            identity_checks.push(check.clone());
        }
    }
    Ok(Sheet {
        client_name,
        gender: request.gender.clone(),
        phone,
        summary: required_text("summary", &request.summary)?,
        handling: required_text("handling", &request.handling)?,
        inquiry_type: request.inquiry_type.clone(),
        familiarity: Familiarity {
            computer: familiarity("computer_familiarity", request.computer_familiarity)?,
            trading: familiarity("trading_familiarity", request.trading_familiarity)?,
            securities: familiarity("securities_familiarity", request.securities_familiarity)?,
        },
        assessment: text("assessment", &request.assessment)?,
        identity_checks,
        etag: etag_version(&request.etag)?,
    })
}

/// `calls/{call}` as the request names it.
pub(super) fn name(name: &str) -> Result<AggregateId, Failure> {
    let id = name.strip_prefix("calls/").filter(|id| is_token(id));
    id.map(|_| AggregateId(name.to_owned()))
        .ok_or_else(|| Failure::field_invalid("name", "write `calls/{call}`", "请填写 `calls/{call}`"))
}

/// The id that whoever registers a contact chose.
pub(super) fn call_id(id: &str) -> Result<AggregateId, Failure> {
    if is_token(id) {
        return Ok(AggregateId(format!("calls/{id}")));
    }
    Err(Failure::field_invalid(
        "call_id",
        "1-64 of letters, digits and `. _ -`, or empty to have one made",
        "1-64 个字母、数字或 `. _ -`，留空则自动生成",
    ))
}

pub(super) fn branch(parent: &str) -> Result<BranchName, Failure> {
    BranchName::parse(parent).map_err(|_| {
        Failure::field_invalid("parent", "write `branches/{branch}`", "请填写 `branches/{branch}`")
    })
}

pub(super) fn line(line: &str) -> Result<String, Failure> {
    let is_id = |id: &str| {
        (1..=40).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if line.is_empty() || line.strip_prefix("lines/").is_some_and(is_id) {
        return Ok(line.to_owned());
    }
    Err(Failure::field_invalid(
        "line",
        "write `lines/{line}` or leave it empty",
        "请填写 `lines/{line}` 或留空",
    ))
}

pub(super) fn channel(number: i32) -> Result<Channel, Failure> {
    Channel::try_from(number)
        .ok()
        .filter(|channel| *channel != Channel::Unspecified)
        .ok_or_else(|| Failure::field_invalid("channel", "say how the client came", "请填写联系渠道"))
}

/// Unspecified means inbound.
pub(super) fn direction(number: i32) -> Result<Direction, Failure> {
    match Direction::try_from(number) {
        Ok(Direction::Outbound) => Ok(Direction::Outbound),
        Ok(Direction::Inbound | Direction::Unspecified) => Ok(Direction::Inbound),
        Err(_) => {
            Err(Failure::field_invalid("direction", "INBOUND or OUTBOUND", "请填写 INBOUND 或 OUTBOUND"))
        }
    }
}

pub(super) fn party(number: i32) -> Result<Party, Failure> {
    Party::try_from(number)
        .ok()
        .filter(|party| *party != Party::Unspecified)
        .ok_or_else(|| Failure::field_invalid("ended_by", "say who ended the contact", "请填写由谁结束联系"))
}

pub(super) fn outcome(number: i32) -> Result<CallOutcome, Failure> {
    CallOutcome::try_from(number)
        .ok()
        .filter(|outcome| *outcome != CallOutcome::Unspecified)
        .ok_or_else(|| Failure::field_invalid("outcome", "say how the contact ended", "请填写联系结果"))
}

/// The client's external id; empty while unknown.
pub(super) fn client(id: &str) -> Result<String, Failure> {
    if id.is_empty() || is_token(id) {
        return Ok(id.to_owned());
    }
    Err(Failure::field_invalid(
        "client",
        "the client's external id: 1-64 of letters, digits and `. _ -`, or empty",
        "客户的外部编号：1-64 个字母、数字或 `. _ -`，或留空",
    ))
}

/// An id that another system gave.
pub(super) fn external_id(id: &str) -> Result<String, Failure> {
    if id.len() <= LONGEST_EXTERNAL_ID && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(id.to_owned());
    }
    Err(Failure::field_invalid(
        "external_id",
        format!("at most {LONGEST_EXTERNAL_ID} visible ASCII characters"),
        format!("最多 {LONGEST_EXTERNAL_ID} 个可见 ASCII 字符"),
    ))
}

/// The callback that an outbound contact carries out; empty for none.
pub(super) fn callback(name: &str, direction: Direction) -> Result<String, Failure> {
    if name.is_empty() {
        return Ok(String::new());
    }
    if direction != Direction::Outbound {
        return Err(Failure::field_invalid(
            "callback",
            "only an outbound contact carries out a callback",
            "仅呼出联系可对应回访",
        ));
    }
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        ["cases" | "branches", parent, "callbacks", id]
            if name.len() <= LONGEST_CALLBACK && is_token(parent) && is_token(id) =>
        {
            Ok(name.to_owned())
        }
        _ => Err(Failure::field_invalid(
            "callback",
            "write `cases/{case}/callbacks/{callback}` or `branches/{branch}/callbacks/{callback}`",
            "请填写 `cases/{case}/callbacks/{callback}` 或 `branches/{branch}/callbacks/{callback}`",
        )),
    }
}

/// A phone number in any usual spelling; `None` for an empty text.
pub(super) fn phone(field: &'static str, text: &str) -> Result<Option<Phone>, Failure> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Phone::parse(text).map(Some).map_err(|error| failures::phone_invalid(field, error))
}

/// Free text; may be empty.
pub(super) fn text<'a>(field: &'static str, text: &'a str) -> Result<&'a str, Failure> {
    let text = text.trim();
    if text.chars().count() > LONGEST_TEXT { Err(too_long(field, LONGEST_TEXT)) } else { Ok(text) }
}

fn required_text<'a>(field: &'static str, written: &'a str) -> Result<&'a str, Failure> {
    match text(field, written)? {
        "" => Err(Failure::field_invalid(field, "the record is not complete without it", "必填")),
        text => Ok(text),
    }
}

fn familiarity(field: &'static str, value: i32) -> Result<i32, Failure> {
    if (0..=5).contains(&value) {
        return Ok(value);
    }
    Err(Failure::field_invalid(field, "1 to 5, or 0 where it was not assessed", "1 至 5，未评估填 0"))
}

pub(super) fn required_time(field: &'static str, time: Option<&Timestamp>) -> Result<DateTime<Utc>, Failure> {
    optional_time(field, time)?.ok_or_else(|| Failure::field_invalid(field, "give a time", "请填写时间"))
}

pub(super) fn optional_time(
    field: &'static str,
    time: Option<&Timestamp>,
) -> Result<Option<DateTime<Utc>>, Failure> {
    let Some(time) = time else { return Ok(None) };
    from_proto(time)
        .map(Some)
        .ok_or_else(|| Failure::field_invalid(field, "must be a valid time", "必须是有效的时间"))
}

/// The position in a page token of ours.
pub(super) fn position(position: &[u8]) -> Result<Position, Failure> {
    std::str::from_utf8(position)
        .ok()
        .and_then(|text| text.split_once('/'))
        .and_then(|(occurred, id)| Some(Position { occurred: occurred.parse().ok()?, id: id.to_owned() }))
        .ok_or_else(Failure::page_token_invalid)
}

fn is_token(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn one_of(field: &'static str, values: &[&str]) -> Failure {
    let english = format!("one of `{}`", values.join("`, `"));
    Failure::field_invalid(field, english, format!("取值为 `{}`", values.join("`、`")))
}

fn too_long(field: &'static str, longest: usize) -> Failure {
    Failure::field_invalid(field, format!("at most {longest} characters"), format!("最多 {longest} 字"))
}
