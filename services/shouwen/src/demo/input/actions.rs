//! `actions.jsonl`: what employees did apart from contacts, one JSON object per line.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use shouwen_proto::{events::v1::AttemptOutcome, r#type::v1::Satisfaction};

use super::{
    Action, CallbackDeed, CallbackKind, CallbackRef, CaseDeed, Close, Deed, Input, InputProblem, Met,
    Opinion, Place,
    cells::{self, Bad, choice, unknown},
    roster,
    text::Form,
};

const FILE: &str = "actions.jsonl";

const KINDS: &[(&str, CallbackKind)] = &[
    ("promised", CallbackKind::Promised),
    ("missed_call", CallbackKind::MissedCall),
    ("after_hours", CallbackKind::AfterHours),
];
const CLOSES: &[(&str, Close)] = &[("unreachable", Close::Unreachable), ("explained", Close::Explained)];
const OUTCOMES: &[(&str, AttemptOutcome)] = &[
    ("no_answer", AttemptOutcome::NoAnswer),
    ("busy", AttemptOutcome::Busy),
    ("switched_off", AttemptOutcome::SwitchedOff),
    ("inconvenient", AttemptOutcome::Inconvenient),
];
const OPINIONS: &[(&str, Satisfaction)] = &[
    ("satisfied", Satisfaction::Satisfied),
    ("neutral", Satisfaction::Neutral),
    ("dissatisfied", Satisfaction::Dissatisfied),
];

/// Names of actions, so that an unknown one can be answered with them.
const NAMES: [&str; 15] = [
    "offer",
    "accept",
    "decline",
    "withdraw",
    "begin_override",
    "end_override",
    "resolve",
    "confirm",
    "close",
    "reopen",
    "lease",
    "attempt",
    "complete",
    "postpone",
    "cancel",
];

pub(super) fn read(input: &mut Input, problems: &mut Vec<InputProblem>) {
    let bytes = match fs::read(input.folder.join(FILE)) {
        Ok(bytes) => bytes,
        Err(error) => return problems.push(InputProblem::Unreadable { file: FILE, error }),
    };
    let Some(form) = Form::of(&bytes) else { return problems.push(InputProblem::Utf16 { file: FILE }) };
    input.notes.extend(form.note().map(|note| format!("{FILE}: {note}")));
    let contacts: HashSet<String> = input.contacts.iter().map(|contact| contact.id.clone()).collect();
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut strange = BTreeSet::new();
    for (line, bytes) in (1..).zip(form.content(&bytes).split(|byte| *byte == b'\n')) {
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let parsed = text(form, bytes).and_then(|text| {
            if let Some(first) = seen.get(&text) {
                let reason = format!("the same action was there before, in line {first}");
                return Err(Bad::line(reason, "remove one of the two"));
            }
            seen.insert(text.clone(), line);
            action(input, &contacts, line, text, &mut strange)
        });
        match parsed {
            Ok(action) => input.actions.push(action),
            Err(bad) => input.reject(FILE, line, bad),
        }
    }
    if !strange.is_empty() {
        let strange: Vec<_> = strange.into_iter().collect();
        input
            .notes
            .push(format!("{FILE}: fields that mean nothing where they stand: {}", strange.join(", ")));
    }
}

fn text(form: Form, bytes: &[u8]) -> Result<String, Bad> {
    let text = form.text(bytes.trim_ascii());
    text.ok_or_else(|| {
        Bad::line(format!("is not {}", form.name()), "write the line anew, and save the file as UTF-8")
    })
}

fn action(
    input: &Input,
    contacts: &HashSet<String>,
    line: u64,
    text: String,
    strange: &mut BTreeSet<String>,
) -> Result<Action, Bad> {
    let object = match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => object,
        Ok(_) => {
            return Err(Bad::line(
                "is no JSON object",
                "write {\"time\": ..., \"action\": ..., \"by\": ...}",
            ));
        }
        Err(error) => {
            let reason = format!("no JSON: {error}");
            return Err(Bad::line(reason, "write one complete JSON object per line"));
        }
    };
    let mut fields = Fields { object, input, contacts, used: BTreeSet::new() };
    let name = fields.word("action")?;
    let time = fields.time("time")?;
    let by = fields.employee("by")?;
    let deed = deed(&mut fields, &name)?;
    let expect = fields.maybe_word("expect")?;
    strange.extend(fields.object.keys().filter(|key| !fields.used.contains(key.as_str())).cloned());
    Ok(Action { place: Place { file: FILE, line }, text, time, by, name, deed, expect })
}

fn deed(fields: &mut Fields<'_>, name: &str) -> Result<Deed, Bad> {
    if let Some(deed) = case_deed(fields, name)? {
        return Ok(Deed::OnCase { contact: fields.contact("contact")?, deed });
    }
    if let Some(deed) = callback_deed(fields, name)? {
        let contact = fields.contact("callback_of")?;
        let callback = CallbackRef { contact, kind: fields.choice("kind", KINDS)? };
        return Ok(Deed::OnCallback { callback, deed });
    }
    Err(Bad::new("action", unknown(name), format!("write one of: {}", NAMES.join(", "))))
}

fn case_deed(fields: &mut Fields<'_>, name: &str) -> Result<Option<CaseDeed>, Bad> {
    Ok(Some(match name {
        "offer" => CaseDeed::Offer {
            to: fields.employee("to")?,
            reason: fields.filled("reason")?,
            explanation: fields.filled("explanation")?,
        },
        "accept" => CaseDeed::Accept,
        "decline" => CaseDeed::Decline { reason: fields.filled("reason")? },
        "withdraw" => CaseDeed::Withdraw,
        "begin_override" => CaseDeed::BeginOverride { reason: fields.filled("reason")? },
        "end_override" => CaseDeed::EndOverride,
        "resolve" => CaseDeed::Resolve { answer: fields.filled("answer")? },
        "confirm" => {
            let satisfied = fields.truth("satisfied")?;
            let reason = if satisfied { fields.word("reason")? } else { fields.filled("reason")? };
            CaseDeed::Confirm { satisfied, reason }
        }
        "close" => CaseDeed::Close { kind: fields.choice("kind", CLOSES)?, reason: fields.filled("reason")? },
        "reopen" => CaseDeed::Reopen { reason: fields.filled("reason")? },
        _ => return Ok(None),
    }))
}

fn callback_deed(fields: &mut Fields<'_>, name: &str) -> Result<Option<CallbackDeed>, Bad> {
    Ok(Some(match name {
        "lease" => CallbackDeed::Lease,
        "attempt" => CallbackDeed::Attempt(met(fields)?),
        "complete" => CallbackDeed::Complete(opinion(fields)?),
        "postpone" => CallbackDeed::Postpone {
            not_before: fields.time("not_before")?,
            reason: fields.filled("reason")?,
        },
        "cancel" => CallbackDeed::Cancel { reason: fields.filled("reason")? },
        _ => return Ok(None),
    }))
}

fn met(fields: &mut Fields<'_>) -> Result<Met, Bad> {
    let outcome = fields.choice("outcome", OUTCOMES)?;
    if outcome == AttemptOutcome::Inconvenient {
        let client_asked = fields.maybe_truth("client_asked")?;
        return Ok(Met::Inconvenient { agreed: fields.time("agreed_time")?, client_asked });
    }
    for field in ["agreed_time", "client_asked"] {
        if fields.object.contains_key(field) {
            return Err(Bad::new(
                field,
                "is given, but the client was not reached",
                "leave it out, or write inconvenient as outcome",
            ));
        }
    }
    Ok(Met::Unreached(outcome))
}

fn opinion(fields: &mut Fields<'_>) -> Result<Opinion, Bad> {
    let score = fields.value("score")?;
    let score =
        score.as_i64().and_then(|score| i32::try_from(score).ok()).filter(|score| (0..=10).contains(score));
    Ok(Opinion {
        solved: fields.truth("solved")?,
        attitude: fields.choice("attitude", OPINIONS)?,
        overall: fields.choice("overall", OPINIONS)?,
        score: score
            .ok_or_else(|| Bad::new("score", "is no score", "write a number from 1 to 10, or 0 for none"))?,
        suggestions: fields.word("suggestions")?,
        answers: fields.word("answers")?,
        charged: fields.truth("charged")?,
    })
}

/// The fields of one action, and which of them were asked for.
struct Fields<'a> {
    object: Map<String, Value>,
    input: &'a Input,
    contacts: &'a HashSet<String>,
    used: BTreeSet<&'static str>,
}

impl Fields<'_> {
    fn value(&mut self, field: &'static str) -> Result<&Value, Bad> {
        self.used.insert(field);
        self.object.get(field).ok_or_else(|| Bad::new(field, "is missing", "add the field"))
    }

    fn word(&mut self, field: &'static str) -> Result<String, Bad> {
        let text = self.value(field)?.as_str().map(str::to_owned);
        text.ok_or_else(|| Bad::new(field, "is no text", "write a text in quotation marks"))
    }

    fn maybe_word(&mut self, field: &'static str) -> Result<Option<String>, Bad> {
        self.used.insert(field);
        if self.object.contains_key(field) { self.word(field).map(Some) } else { Ok(None) }
    }

    fn filled(&mut self, field: &'static str) -> Result<String, Bad> {
        let text = self.word(field)?;
        if text.trim().is_empty() { Err(Bad::new(field, "is empty", "write a text")) } else { Ok(text) }
    }

    fn truth(&mut self, field: &'static str) -> Result<bool, Bad> {
        let truth = self.value(field)?.as_bool();
        truth.ok_or_else(|| Bad::new(field, "is neither true nor false", "write true or false"))
    }

    fn maybe_truth(&mut self, field: &'static str) -> Result<bool, Bad> {
        self.used.insert(field);
        if self.object.contains_key(field) { self.truth(field) } else { Ok(false) }
    }

    fn time(&mut self, field: &'static str) -> Result<DateTime<Utc>, Bad> {
        let text = self.word(field)?;
        cells::instant(field, &text)
    }

    fn choice<T: Copy>(&mut self, field: &'static str, choices: &[(&str, T)]) -> Result<T, Bad> {
        let text = self.word(field)?;
        choice(field, &text, choices)
    }

    fn employee(&mut self, field: &'static str) -> Result<String, Bad> {
        let id = self.word(field)?;
        roster::known_employee(self.input, field, &id)?;
        Ok(id)
    }

    fn contact(&mut self, field: &'static str) -> Result<String, Bad> {
        let id = self.word(field)?;
        if self.contacts.contains(&id) {
            return Ok(id);
        }
        let reason = format!("`{id}` is no contact that could be used");
        Err(Bad::new(field, reason, "name a contact of contacts.csv, and mend its line if it was rejected"))
    }
}
