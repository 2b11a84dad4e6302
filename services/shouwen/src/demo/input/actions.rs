//! `actions.jsonl`: what employees did apart from contacts, one JSON object per line.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
};

use serde_json::Value;
use shouwen_proto::{
    events::v1::AttemptOutcome,
    r#type::v1::{MeasuresFound, Satisfaction},
};

use super::{
    Action, CallbackDeed, CallbackKind, CallbackRef, CaseDeed, Close, Deed, Input, InputProblem, Met,
    Opinion, Place,
    cells::{Bad, unknown},
    client_deed, complaint,
    fields::Fields,
    text::Form,
};

const FILE: &str = "actions.jsonl";

const KINDS: &[(&str, CallbackKind)] = &[
    ("promised", CallbackKind::Promised),
    ("missed_call", CallbackKind::MissedCall),
    ("after_hours", CallbackKind::AfterHours),
    ("verification", CallbackKind::Verification),
];
const MEASURES: &[(&str, MeasuresFound)] = &[
    ("carried_out", MeasuresFound::CarriedOut),
    ("not_carried_out", MeasuresFound::NotCarriedOut),
    ("without_effect", MeasuresFound::WithoutEffect),
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
const CASE_NAMES: [&str; 10] = [
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
];
const CALLBACK_NAMES: [&str; 6] = ["lease", "attempt", "complete", "postpone", "cancel", "supersede"];

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
    drop_orphans(input);
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
    let mut fields = Fields::new(object, input, contacts);
    let name = fields.word("action")?;
    let time = fields.time("time")?;
    let by = fields.employee("by")?;
    let deed = deed(&mut fields, &name)?;
    let expect = fields.maybe_word("expect")?;
    strange.extend(fields.strange().cloned());
    Ok(Action { place: Place { file: FILE, line }, text, time, by, name, deed, expect })
}

fn deed(fields: &mut Fields<'_>, name: &str) -> Result<Deed, Bad> {
    if let Some(deed) = case_deed(fields, name)? {
        return Ok(Deed::OnCase { contact: fields.contact("contact")?, deed });
    }
    if CALLBACK_NAMES.contains(&name) {
        let kind = fields.choice("kind", KINDS)?;
        let verification = kind == CallbackKind::Verification;
        let contact =
            if verification { fields.filled("callback_of")? } else { fields.contact("callback_of")? };
        let deed = callback_deed(fields, name, verification)?;
        return Ok(Deed::OnCallback { callback: CallbackRef { contact, kind }, deed });
    }
    if name == complaint::FILE {
        let filing = Box::new(complaint::filing(fields)?);
        return Ok(Deed::File { contact: fields.contact("contact")?, filing });
    }
    if let Some(deed) = complaint::complaint_deed(fields, name)? {
        return Ok(Deed::OnComplaint { complaint: fields.filled("complaint")?, deed });
    }
    if let Some(deed) = client_deed::client_deed(fields, name)? {
        return Ok(Deed::OnClient { client: fields.client("client")?, deed });
    }
    let names = [&CASE_NAMES[..], &CALLBACK_NAMES, &complaint::NAMES, &client_deed::NAMES].concat();
    Err(Bad::new("action", unknown(name), format!("write one of: {}", names.join(", "))))
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

fn callback_deed(fields: &mut Fields<'_>, name: &str, verification: bool) -> Result<CallbackDeed, Bad> {
    Ok(match name {
        "attempt" => CallbackDeed::Attempt(met(fields)?),
        "complete" => {
            let (suggestions, answers) = (fields.word("suggestions")?, fields.word("answers")?);
            CallbackDeed::Complete(Opinion { suggestions, answers, ..opinion(fields, verification)? })
        }
        "supersede" => CallbackDeed::Supersede {
            reason: fields.filled("reason")?,
            result: opinion(fields, verification)?,
        },
        "postpone" => CallbackDeed::Postpone {
            not_before: fields.time("not_before")?,
            reason: fields.filled("reason")?,
        },
        "cancel" => CallbackDeed::Cancel { reason: fields.filled("reason")? },
        _ => CallbackDeed::Lease,
    })
}

fn met(fields: &mut Fields<'_>) -> Result<Met, Bad> {
    let outcome = fields.choice("outcome", OUTCOMES)?;
    if outcome == AttemptOutcome::Inconvenient {
        let client_asked = fields.maybe_truth("client_asked")?;
        return Ok(Met::Inconvenient { agreed: fields.time("agreed_time")?, client_asked });
    }
    for field in ["agreed_time", "client_asked"] {
        if fields.has(field) {
            return Err(Bad::new(
                field,
                "is given, but the client was not reached",
                "leave it out, or write inconvenient as outcome",
            ));
        }
    }
    Ok(Met::Unreached(outcome))
}

/// The result of a talk. What a verification found about the measures goes with verifications only (C9).
fn opinion(fields: &mut Fields<'_>, verification: bool) -> Result<Opinion, Bad> {
    let score = fields.value("score")?;
    let score =
        score.as_i64().and_then(|score| i32::try_from(score).ok()).filter(|score| (0..=10).contains(score));
    let measures = fields.maybe_choice("measures", MEASURES)?;
    if measures.is_some() != verification {
        let reason = if verification { "is missing" } else { "is given, but nothing is verified" };
        return Err(Bad::new(
            "measures",
            reason,
            "say what became of the measures where kind is verification, and only there",
        ));
    }
    Ok(Opinion {
        solved: fields.truth("solved")?,
        attitude: fields.choice("attitude", OPINIONS)?,
        overall: fields.choice("overall", OPINIONS)?,
        score: score
            .ok_or_else(|| Bad::new("score", "is no score", "write a number from 1 to 10, or 0 for none"))?,
        suggestions: String::new(),
        answers: String::new(),
        charged: fields.truth("charged")?,
        measures: measures.unwrap_or_default(),
    })
}

/// What is done about a complaint needs one that was filed, on a line that could be used.
fn drop_orphans(input: &mut Input) {
    let mut filed = HashSet::new();
    let twice: Vec<u64> = input
        .actions
        .iter()
        .filter_map(|action| match &action.deed {
            Deed::File { filing, .. } if !filed.insert(filing.complaint.clone()) => Some(action.place.line),
            _ => None,
        })
        .collect();
    let (kept, dropped): (Vec<_>, Vec<_>) =
        std::mem::take(&mut input.actions).into_iter().partition(|action| {
            let known = match &action.deed {
                Deed::OnComplaint { complaint, .. } => filed.contains(complaint),
                Deed::OnCallback { callback, .. } if callback.kind == CallbackKind::Verification => {
                    filed.contains(&callback.contact)
                }
                _ => true,
            };
            known && !twice.contains(&action.place.line)
        });
    input.actions = kept;
    for action in dropped {
        let (column, name) = match &action.deed {
            Deed::OnComplaint { complaint, .. } => ("complaint", complaint),
            Deed::OnCallback { callback, .. } => ("callback_of", &callback.contact),
            Deed::File { filing, .. } => ("complaint", &filing.complaint),
            Deed::OnCase { .. } | Deed::OnClient { .. } => continue,
        };
        let bad = if twice.contains(&action.place.line) {
            Bad::new(column, format!("`{name}` was filed before"), "give every complaint a name of its own")
        } else {
            let reason = format!("`{name}` is no complaint that could be used");
            Bad::new(
                column,
                reason,
                "name a complaint that some line files, and mend that line if it was rejected",
            )
        };
        input.reject(FILE, action.place.line, bad);
    }
}
