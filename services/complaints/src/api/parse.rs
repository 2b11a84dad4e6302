//! Requests into domain values, once, with a refusal that names the field. What a text says is never repeated in a refusal.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_access::{BranchName, Caller, EmployeeName, Failure};
use shouwen_proto::complaints::v1::{
    FileComplaintRequest, ProposeHandlingRequest, ProposedMeasure, RecordMeasureRequest,
};
use shouwen_vault::{PersonName, Phone};

use super::{failures, roster::Named};
use crate::domain::{
    ComplaintName, codec,
    terms::{Channel, End, Finding, Kind, ReplyKind, Severity},
};

/// Characters of a name, a unit, a place at most.
pub(super) const SHORT: usize = 200;
/// Characters of a reason or a subject at most.
pub(super) const MIDDLE: usize = 500;
/// Characters of a free text at most.
pub(super) const LONG: usize = 8_000;
/// Employees whom one complaint is about, and measures of one proposal, at most.
const MOST: usize = 20;
const LONGEST_CATEGORY: usize = 40;
const CHANNELS: &str = "PHONE, COUNTER, EMAIL, WEB, LETTER or OPINION_BOOK";

/// A record form, still in clear.
pub(super) struct Form {
    pub(super) kind: Kind,
    pub(super) channel: Channel,
    pub(super) category: String,
    pub(super) receiving_unit: String,
    pub(super) client_name: PersonName,
    pub(super) phone: Phone,
    pub(super) subject: String,
    pub(super) place: String,
    pub(super) course: String,
    pub(super) first_proposal: String,
    pub(super) persons_involved: String,
    pub(super) complained_about: Vec<Named>,
    pub(super) occurred: Option<DateTime<Utc>>,
    pub(super) received: Option<DateTime<Utc>>,
}

/// A proposal, still in clear.
pub(super) struct WantedProposal {
    pub(super) finding: Finding,
    pub(super) beyond_authority: bool,
    pub(super) malicious: bool,
    pub(super) text: String,
    /// Who carries each measure out, and its text.
    pub(super) measures: Vec<(Named, String)>,
}

impl Form {
    /// Employees whom it is about.
    pub(super) fn about(&self) -> Vec<&Named> {
        self.complained_about.iter().collect()
    }
}

impl WantedProposal {
    /// Employees who carry its measures out.
    pub(super) fn responsible(&self) -> Vec<&Named> {
        self.measures.iter().map(|(responsible, _)| responsible).collect()
    }
}

pub(super) fn form(request: &FileComplaintRequest, caller: &Caller) -> Result<Form, Failure> {
    let owned = |text: &str| text.to_owned();
    Ok(Form {
        kind: term("kind", Kind::of(request.kind), "COMPLAINT, OPINION, SUGGESTION or INQUIRY")?,
        channel: term("channel", Channel::of(request.channel), CHANNELS)?,
        category: category(&request.category)?,
        receiving_unit: receiving_unit(&request.receiving_unit, caller)?,
        client_name: PersonName::parse(&request.client_name).map_err(|error| {
            let remedy = "请填写客户姓名，最多 64 字，不含控制字符";
            Failure::field_invalid("client_name", error.to_string(), remedy)
        })?,
        phone: Phone::parse(&request.phone).map_err(failures::phone_invalid)?,
        subject: required("subject", &request.subject, MIDDLE).map(owned)?,
        place: optional("place", &request.place, SHORT).map(owned)?,
        course: required("course", &request.course, LONG).map(owned)?,
        first_proposal: optional("first_proposal", &request.first_proposal, LONG).map(owned)?,
        persons_involved: optional("persons_involved", &request.persons_involved, LONG).map(owned)?,
        complained_about: complained_about(&request.complained_about)?,
        occurred: time("occur_time", request.occur_time.as_ref())?,
        received: time("receive_time", request.receive_time.as_ref())?,
    })
}

pub(super) fn proposal(request: &ProposeHandlingRequest) -> Result<WantedProposal, Failure> {
    if request.measures.len() > MOST {
        return Err(too_many("measures"));
    }
    Ok(WantedProposal {
        finding: term("finding", Finding::of(request.finding), "UPHELD, PARTLY_UPHELD or NOT_UPHELD")?,
        beyond_authority: request.beyond_authority,
        malicious: request.malicious,
        text: required("proposal", &request.proposal, LONG)?.to_owned(),
        measures: request.measures.iter().enumerate().map(measure).collect::<Result<_, _>>()?,
    })
}

fn measure((index, measure): (usize, &ProposedMeasure)) -> Result<(Named, String), Failure> {
    let responsible = employee(format!("measures[{index}].responsible"), &measure.responsible)?;
    let text = required(format!("measures[{index}].text"), &measure.text, LONG)?;
    Ok((responsible, text.to_owned()))
}

pub(super) fn name(name: &str) -> Result<ComplaintName, Failure> {
    name.parse().map_err(|_| {
        Failure::field_invalid(
            "name",
            "write `cases/{case}/complaints/{complaint}`",
            "请填写 `cases/{case}/complaints/{complaint}`",
        )
    })
}

pub(super) fn severity(number: i32) -> Result<Severity, Failure> {
    term("severity", Severity::of(number), "MINOR, SERIOUS or GRAVE")
}

pub(super) fn reply_kind(number: i32) -> Result<ReplyKind, Failure> {
    term("kind", ReplyKind::of(number), "FIRST, DEFINITE or OUTCOME")
}

/// How a lead may end a complaint.
pub(super) fn leads_end(number: i32) -> Result<End, Failure> {
    let end = End::of(number).filter(|end| matches!(end, End::Unreachable | End::Explained));
    term("end", end, "UNREACHABLE or EXPLAINED")
}

/// What became of a measure that was not carried out has to be said.
pub(super) fn note(request: &RecordMeasureRequest) -> Result<&str, Failure> {
    let note = optional("note", &request.note, LONG)?;
    if request.done || !note.is_empty() {
        return Ok(note);
    }
    Err(Failure::field_invalid(
        "note",
        "say why the measure was not carried out, or set `done`",
        "请说明措施未落实的原因；已落实的请填写 `done`",
    ))
}

/// By which the proposal is named that is approved.
pub(super) fn etag(etag: &str) -> Result<&str, Failure> {
    let etag = etag.trim();
    if etag.is_empty() {
        return Err(Failure::field_invalid(
            "etag",
            "give the etag with which the proposal was read, so that no other is approved",
            "请填写读取该处理意见时返回的 etag，以免误批其他意见",
        ));
    }
    Ok(etag)
}

/// C2: the caller's branch, unless another one within reach is named.
fn receiving_unit(unit: &str, caller: &Caller) -> Result<String, Failure> {
    let invalid = || {
        Failure::field_invalid("receiving_unit", "write `branches/{branch}`", "请填写 `branches/{branch}`")
    };
    let unit = match &caller.branch {
        Some(branch) if unit.is_empty() => branch.clone(),
        _ => BranchName::parse(unit).map_err(|_| invalid())?,
    };
    if caller.branch.as_ref() == Some(&unit) || caller.reach.covers(unit.as_str()) {
        Ok(unit.into())
    } else {
        Err(failures::branch_out_of_reach(unit.as_str()).with("field", "receiving_unit"))
    }
}

fn category(text: &str) -> Result<String, Failure> {
    let fits = (1..=LONGEST_CATEGORY).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    fits.then(|| text.to_owned()).ok_or_else(|| {
        Failure::field_invalid(
            "category",
            "1-40 of `a-z 0-9 -`, such as `trading-system`",
            "1 至 40 个小写字母、数字或连字符，例如 `trading-system`",
        )
    })
}

fn complained_about(names: &[String]) -> Result<Vec<Named>, Failure> {
    if names.len() > MOST {
        return Err(too_many("complained_about"));
    }
    let named = names.iter().enumerate();
    named.map(|(index, name)| employee(format!("complained_about[{index}]"), name)).collect()
}

fn employee(field: String, name: &str) -> Result<Named, Failure> {
    match EmployeeName::parse(name) {
        Ok(employee) => Ok(Named { field, employee: employee.into() }),
        Err(_) => Err(Failure::field_invalid(
            field,
            "write `employees/{employee}`",
            "请填写 `employees/{employee}`",
        )),
    }
}

/// A text that has to be there, without blanks around it.
pub(super) fn required(field: impl Into<String>, text: &str, longest: usize) -> Result<&str, Failure> {
    let text = text.trim();
    if (1..=longest).contains(&text.chars().count()) {
        return Ok(text);
    }
    let (english, chinese) =
        (format!("say it in 1 to {longest} characters"), format!("必填，最多 {longest} 字"));
    Err(Failure::field_invalid(field, english, chinese))
}

fn optional<'a>(field: &'static str, text: &'a str, longest: usize) -> Result<&'a str, Failure> {
    let text = text.trim();
    if text.is_empty() { Ok(text) } else { required(field, text, longest) }
}

/// An absent time is none; one that cannot be represented is refused.
pub(super) fn time(field: &'static str, time: Option<&Timestamp>) -> Result<Option<DateTime<Utc>>, Failure> {
    let Some(given) = time else { return Ok(None) };
    codec::time(Some(given)).map(Some).ok_or_else(|| {
        let english = "give a time between the years 1 and 9999, with nanoseconds from 0 to 999999999";
        Failure::field_invalid(field, english, "请填写公元 1 至 9999 年间的有效时间，纳秒为 0 至 999999999")
    })
}

/// The units whose complaints are listed; `None` for all.
pub(super) fn units(parent: &str, caller: &Caller) -> Result<Option<Vec<String>>, Failure> {
    if parent == "branches/-" {
        return Ok(caller.reach.branches());
    }
    let branch = BranchName::parse(parent).map_err(|_| {
        Failure::field_invalid(
            "parent",
            "write `branches/{branch}`, or `branches/-` for all",
            "请填写 `branches/{branch}`，或以 `branches/-` 表示全部",
        )
    })?;
    if caller.reach.covers(branch.as_str()) {
        Ok(Some(vec![branch.into()]))
    } else {
        Err(failures::branch_out_of_reach(branch.as_str()).with("field", "parent"))
    }
}

/// The position in a page token of ours.
pub(super) fn position(position: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(position).map_err(|_| Failure::page_token_invalid())
}

fn term<T>(field: &'static str, term: Option<T>, terms: &'static str) -> Result<T, Failure> {
    term.ok_or_else(|| {
        Failure::field_invalid(field, format!("it must be {terms}"), format!("必须为下列之一：{terms}"))
    })
}

fn too_many(field: &'static str) -> Failure {
    Failure::field_invalid(field, format!("give at most {MOST}"), format!("最多填写 {MOST} 项"))
}
