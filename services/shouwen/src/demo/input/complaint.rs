//! Actions about complaints: what they say, and how they are read from `actions.jsonl`.

use chrono::{DateTime, Utc};
use shouwen_proto::{
    events::v1::{ComplaintEnd, ComplaintKind, Finding, ReplyKind, Severity},
    r#type::v1::Channel,
};

use super::{
    cells::{self, Bad},
    contacts,
    fields::Fields,
};

/// The action that files a complaint.
pub(super) const FILE: &str = "file_complaint";

/// Names of the actions of this page.
pub(super) const NAMES: [&str; 12] = [
    FILE,
    "accept_complaint",
    "decline_complaint",
    "communicate",
    "reply",
    "propose",
    "approve",
    "return_proposal",
    "measure",
    "complete_handling",
    "reopen_complaint",
    "close_complaint",
];

const KINDS: &[(&str, ComplaintKind)] = &[
    ("complaint", ComplaintKind::Complaint),
    ("opinion", ComplaintKind::Opinion),
    ("suggestion", ComplaintKind::Suggestion),
    ("inquiry", ComplaintKind::Inquiry),
];
const SEVERITIES: &[(&str, Severity)] =
    &[("minor", Severity::Minor), ("serious", Severity::Serious), ("grave", Severity::Grave)];
const REPLIES: &[(&str, ReplyKind)] =
    &[("first", ReplyKind::First), ("definite", ReplyKind::Definite), ("outcome", ReplyKind::Outcome)];
const FINDINGS: &[(&str, Finding)] = &[
    ("upheld", Finding::Upheld),
    ("partly_upheld", Finding::PartlyUpheld),
    ("not_upheld", Finding::NotUpheld),
];
const ENDS: &[(&str, ComplaintEnd)] =
    &[("unreachable", ComplaintEnd::Unreachable), ("explained", ComplaintEnd::Explained)];

/// A complaint as it is recorded (C1-C3).
#[derive(Debug)]
pub(in crate::demo) struct Filing {
    /// Its name in the file.
    pub(in crate::demo) complaint: String,
    pub(in crate::demo) kind: ComplaintKind,
    pub(in crate::demo) channel: Channel,
    pub(in crate::demo) category: String,
    pub(in crate::demo) client_name: String,
    pub(in crate::demo) phone: String,
    pub(in crate::demo) subject: String,
    pub(in crate::demo) course: String,
    pub(in crate::demo) place: String,
    pub(in crate::demo) first_proposal: String,
    pub(in crate::demo) persons_involved: String,
    /// Employees whom it is about (O12).
    pub(in crate::demo) about: Vec<String>,
    /// A branch; empty for that of who files it.
    pub(in crate::demo) receiving_unit: String,
    pub(in crate::demo) occurred: Option<DateTime<Utc>>,
    pub(in crate::demo) received: Option<DateTime<Utc>>,
}

#[derive(Debug)]
pub(in crate::demo) enum ComplaintDeed {
    Accept {
        severity: Severity,
        complex: bool,
    },
    Decline {
        explanation: String,
    },
    Communicate {
        unit: String,
        person: String,
        content: String,
    },
    Reply {
        kind: ReplyKind,
        text: String,
    },
    Propose {
        finding: Finding,
        beyond: bool,
        malicious: bool,
        proposal: String,
        measures: Vec<ProposedMeasure>,
    },
    Approve,
    Return {
        remarks: String,
    },
    Measure {
        measure: i32,
        done: bool,
        note: String,
    },
    CompleteHandling,
    Reopen {
        reason: String,
    },
    Close {
        end: ComplaintEnd,
        reason: String,
    },
}

/// A corrective measure (C8).
#[derive(Debug)]
pub(in crate::demo) struct ProposedMeasure {
    pub(in crate::demo) responsible: String,
    pub(in crate::demo) text: String,
}

pub(super) fn filing(fields: &mut Fields<'_>) -> Result<Filing, Bad> {
    let time = fields.time("time")?;
    let (occurred, received) = (fields.maybe_time("occur_time")?, fields.maybe_time("receive_time")?);
    for (field, at) in [("occur_time", occurred), ("receive_time", received)] {
        let late = || "lies behind the time of the action".to_owned();
        cells::demand(at.is_none_or(|at| at <= time), field, late, "give the true time, or leave it out")?;
    }
    let phone = fields.filled("phone")?;
    shouwen_vault::Phone::parse(&phone).map_err(|error| cells::remedied("phone", &error))?;
    let category = fields.filled("category")?;
    cells::roster_id("category", &category)?;
    let about = fields.list("about")?;
    let about: Result<_, _> = about.iter().map(|who| fields.known_employee("about", who.as_str())).collect();
    Ok(Filing {
        complaint: fields.filled("complaint")?,
        kind: fields.choice("kind", KINDS)?,
        channel: fields.choice("channel", contacts::CHANNELS)?,
        category,
        client_name: fields.filled("client_name")?,
        phone,
        subject: fields.filled("subject")?,
        course: fields.filled("course")?,
        place: fields.maybe_word("place")?.unwrap_or_default(),
        first_proposal: fields.maybe_word("first_proposal")?.unwrap_or_default(),
        persons_involved: fields.maybe_word("persons_involved")?.unwrap_or_default(),
        about: about?,
        receiving_unit: if fields.has("receiving_unit") {
            fields.branch("receiving_unit")?
        } else {
            String::new()
        },
        occurred,
        received,
    })
}

pub(super) fn complaint_deed(fields: &mut Fields<'_>, name: &str) -> Result<Option<ComplaintDeed>, Bad> {
    Ok(Some(match name {
        "accept_complaint" => ComplaintDeed::Accept {
            severity: fields.choice("severity", SEVERITIES)?,
            complex: fields.truth("complex")?,
        },
        "decline_complaint" => ComplaintDeed::Decline { explanation: fields.filled("explanation")? },
        "communicate" => ComplaintDeed::Communicate {
            unit: fields.filled("unit")?,
            person: fields.filled("person")?,
            content: fields.filled("content")?,
        },
        "reply" => {
            ComplaintDeed::Reply { kind: fields.choice("kind", REPLIES)?, text: fields.filled("text")? }
        }
        "propose" => ComplaintDeed::Propose {
            finding: fields.choice("finding", FINDINGS)?,
            beyond: fields.truth("beyond_authority")?,
            malicious: fields.truth("malicious")?,
            proposal: fields.filled("proposal")?,
            measures: measures(fields)?,
        },
        "approve" => ComplaintDeed::Approve,
        "return_proposal" => ComplaintDeed::Return { remarks: fields.filled("remarks")? },
        "measure" => measure(fields)?,
        "complete_handling" => ComplaintDeed::CompleteHandling,
        "reopen_complaint" => ComplaintDeed::Reopen { reason: fields.filled("reason")? },
        "close_complaint" => {
            ComplaintDeed::Close { end: fields.choice("end", ENDS)?, reason: fields.filled("reason")? }
        }
        _ => return Ok(None),
    }))
}

fn measures(fields: &mut Fields<'_>) -> Result<Vec<ProposedMeasure>, Bad> {
    let list = fields.list("measures")?;
    let measure = |value: &serde_json::Value| {
        let word = |key: &str| value.get(key).and_then(serde_json::Value::as_str);
        let text = word("text").filter(|text| !text.trim().is_empty());
        let missing =
            || Bad::new("measures", "a measure has no text", "write {\"responsible\": ..., \"text\": ...}");
        Ok(ProposedMeasure {
            responsible: fields.known_employee("measures", word("responsible"))?,
            text: text.ok_or_else(missing)?.to_owned(),
        })
    };
    list.iter().map(measure).collect()
}

fn measure(fields: &mut Fields<'_>) -> Result<ComplaintDeed, Bad> {
    let number = fields.value("measure")?.as_i64().and_then(|number| i32::try_from(number).ok());
    let number = number.filter(|number| *number > 0);
    let missing = || Bad::new("measure", "is no number", "count the measures of the proposal from 1");
    let (measure, done) = (number.ok_or_else(missing)?, fields.truth("done")?);
    let note = if done { fields.word("note")? } else { fields.filled("note")? };
    Ok(ComplaintDeed::Measure { measure, done, note })
}
