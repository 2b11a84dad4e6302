//! `contacts.csv`: every contact with a client.

use chrono::{DateTime, Utc};
use shouwen_proto::events::v1::{CallOutcome, Direction, Party};

use super::{
    Answer, Channel, Contact, Identified, Input, InputProblem, LookUp, Place, Promise, Sheet,
    cells::{self, Bad, choice, contact_id, degree, demand, instant, maybe_instant, parts, unknown, yes},
    roster,
    table::{File, Row},
};

pub(super) const FILE: File = File {
    name: "contacts.csv",
    columns: &[
        "contact",
        "branch",
        "time",
        "channel",
        "direction",
        "line",
        "phone",
        "client",
        "topic",
        "answered_by",
        "answered_at",
        "also_answered_by",
        "identified",
        "client_name",
        "gender",
        "summary",
        "handling",
        "inquiry_type",
        "computer",
        "trading",
        "securities",
        "assessment",
        "identity_checks",
        "record",
        "promise_at",
        "promise_client_asked",
        "ended_at",
        "ended_by",
        "outcome",
        "callback_of",
        "entered_later_at",
    ],
};

pub(super) const CHANNELS: &[(&str, Channel)] = &[
    ("phone", Channel::Phone),
    ("counter", Channel::Counter),
    ("email", Channel::Email),
    ("web", Channel::Web),
    ("letter", Channel::Letter),
    ("opinion_book", Channel::OpinionBook),
];
/// How it was established who the client is.
const IDENTIFIED: &[(&str, Option<LookUp>)] = &[
    ("no", None),
    ("yes", Some(LookUp::Id)),
    ("phone", Some(LookUp::Phone)),
    ("capital_account", Some(LookUp::CapitalAccount)),
    ("identity_number", Some(LookUp::IdentityNumber)),
];
const DIRECTIONS: &[(&str, Direction)] =
    &[("inbound", Direction::Inbound), ("outbound", Direction::Outbound)];
const PARTIES: &[(&str, Party)] =
    &[("client", Party::Client), ("employee", Party::Employee), ("system", Party::System)];
const OUTCOMES: &[(&str, CallOutcome)] = &[
    ("answered_clear", CallOutcome::AnsweredClear),
    ("answer_owed", CallOutcome::AnswerOwed),
    ("callback_promised", CallOutcome::CallbackPromised),
    ("wrong_number", CallOutcome::WrongNumber),
    ("silent", CallOutcome::Silent),
    ("private", CallOutcome::Private),
    ("inaudible", CallOutcome::Inaudible),
    ("noisy_line", CallOutcome::NoisyLine),
    ("dialect", CallOutcome::Dialect),
    ("harassment", CallOutcome::Harassment),
    ("abuse", CallOutcome::Abuse),
    ("system_failure", CallOutcome::SystemFailure),
];
const GENDERS: &[(&str, &str)] = &[("", ""), ("male", "male"), ("female", "female"), ("unknown", "unknown")];
/// Whether a sheet was filled in, and confirmed by the client.
const RECORDS: &[(&str, Option<bool>)] =
    &[("none", None), ("filled", Some(false)), ("confirmed", Some(true))];
const CHECKS: [&str; 4] = ["reserved_phone", "identity_number", "holdings", "last_purchase"];

/// Outcomes of contacts without a concern (K12).
pub(super) const NO_CONCERN: [CallOutcome; 3] =
    [CallOutcome::WrongNumber, CallOutcome::Silent, CallOutcome::Private];

pub(super) fn read(input: &mut Input, problems: &mut Vec<InputProblem>) {
    roster::each(input, problems, &FILE, |input, row| {
        let contact = contact(input, row)?;
        input.contacts.push(contact);
        Ok(())
    });
    if problems.is_empty() {
        drop_orphans(input);
        problems.extend(roster::nothing_usable(input, FILE.name, input.contacts.len()));
    }
}

/// A contact that carries out the callback of another one needs that other one, which may stand further down.
fn drop_orphans(input: &mut Input) {
    loop {
        let known: std::collections::HashSet<&str> =
            input.contacts.iter().map(|contact| contact.id.as_str()).collect();
        let orphan = input.contacts.iter().position(|contact| {
            !contact.callback_of.is_empty() && !known.contains(contact.callback_of.as_str())
        });
        let Some(orphan) = orphan else { return };
        let orphan = input.contacts.remove(orphan);
        let reason = format!("`{}` is no contact that could be used", orphan.callback_of);
        let bad = Bad::new(
            "callback_of",
            reason,
            "name the contact from which the callback arose, and mend its line",
        );
        input.reject(FILE.name, orphan.place.line, bad);
    }
}

fn contact(input: &Input, row: &Row) -> Result<Contact, Bad> {
    contact_id("contact", row.get("contact"))?;
    let branch = row.get("branch");
    roster::known_branch(input, "branch", branch)?;
    let channel = choice("channel", row.get("channel"), CHANNELS)?;
    let line = row.get("line");
    let of_branch = input.lines.iter().any(|known| known.id == line && known.branch == branch);
    demand(
        line.is_empty() || of_branch,
        "line",
        || format!("`{line}` is no line of {branch}"),
        "use a line of lines.csv that belongs to the branch, or leave it empty",
    )?;
    let time = instant("time", row.get("time"))?;
    let ended_at = instant("ended_at", row.get("ended_at"))?;
    demand(
        time <= ended_at,
        "ended_at",
        || "lies before time".to_owned(),
        "give the time at which it ended",
    )?;
    let entered_later_at = maybe_instant(row, "entered_later_at")?;
    demand(
        entered_later_at.is_none_or(|entered| ended_at <= entered),
        "entered_later_at",
        || "lies before ended_at".to_owned(),
        "give the time at which the paper record was entered, or leave it empty",
    )?;
    let callback_of = row.get("callback_of");
    if !callback_of.is_empty() {
        contact_id("callback_of", callback_of)?;
    }
    let phone = cells::phone(row, "phone")?;
    let answer = if row.get("answered_by").is_empty() {
        missed(row, channel)?;
        None
    } else {
        Some(answer(input, row, (time, ended_at, entered_later_at), &phone)?)
    };
    Ok(Contact {
        place: Place { file: FILE.name, line: row.line },
        id: row.get("contact").to_owned(),
        branch: branch.to_owned(),
        time,
        channel,
        direction: choice("direction", row.get("direction"), DIRECTIONS)?,
        line: line.to_owned(),
        phone,
        answer,
        ended_at,
        callback_of: callback_of.to_owned(),
        entered_later_at,
    })
}

/// Nobody answered: then nothing can have been said, promised or recorded.
fn missed(row: &Row, channel: Channel) -> Result<(), Bad> {
    for column in [
        "answered_at",
        "also_answered_by",
        "promise_at",
        "ended_by",
        "outcome",
        "callback_of",
        "entered_later_at",
    ] {
        demand(
            row.get(column).is_empty(),
            column,
            || "is given, but answered_by is empty".to_owned(),
            "say who answered, or leave it empty for a missed call",
        )?;
    }
    demand(
        channel == Channel::Phone,
        "answered_by",
        || "is empty, but only a telephone call can be missed".to_owned(),
        "say who received the client",
    )
}

fn answer(
    input: &Input,
    row: &Row,
    (time, ended_at, entered_later_at): (DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>),
    phone: &str,
) -> Result<Answer, Bad> {
    let by = row.get("answered_by");
    serves_clients(input, "answered_by", by)?;
    let also_by = row.get("also_answered_by");
    if !also_by.is_empty() {
        serves_clients(input, "also_answered_by", also_by)?;
        let remedy = "name the second person who picked up, or leave it empty";
        demand(also_by != by, "also_answered_by", || "is the same person as answered_by".to_owned(), remedy)?;
    }
    let at = maybe_instant(row, "answered_at")?.ok_or_else(|| {
        Bad::new("answered_at", "is empty, but somebody answered", "give the time of the answer")
    })?;
    demand(
        time <= at && at <= ended_at,
        "answered_at",
        || if at < time { "lies before time".to_owned() } else { "lies behind ended_at".to_owned() },
        "give the time of the answer, between time and ended_at",
    )?;
    let ended_by = choice("ended_by", row.get("ended_by"), PARTIES)?;
    let outcome = choice("outcome", row.get("outcome"), OUTCOMES)?;
    let client = if let Some(by) = choice("identified", row.get("identified"), IDENTIFIED)? {
        let client = row.get("client");
        demand(
            !client.is_empty(),
            "client",
            || format!("is empty, but identified says {}", row.get("identified")),
            "give the client's id in the CRM",
        )?;
        contact_id("client", client)?;
        can_be_looked_up(input, client, by)?;
        let concern = || "the client is known, so there is a concern".to_owned();
        demand(
            !NO_CONCERN.contains(&outcome),
            "outcome",
            concern,
            "write another outcome, or identified as no",
        )?;
        Some(Identified { client: client.to_owned(), by })
    } else {
        None
    };
    let topic = row.get("topic");
    if !topic.is_empty() {
        cells::roster_id("topic", topic)?;
    }
    Ok(Answer {
        by: by.to_owned(),
        at,
        topic: topic.to_owned(),
        also_by: also_by.to_owned(),
        client,
        sheet: sheet(row)?,
        promise: promise(row, entered_later_at.unwrap_or(at), phone)?,
        ended_by,
        outcome,
    })
}

/// What is looked up has to be in the client's file.
fn can_be_looked_up(input: &Input, client: &str, by: LookUp) -> Result<(), Bad> {
    if by == LookUp::Id {
        return Ok(());
    }
    let file = input.client(client).ok_or_else(|| {
        Bad::new(
            "client",
            format!("`{client}` is no client of clients.csv that could be used"),
            "add the client there, mend its line, or write identified as yes",
        )
    })?;
    let has = by != LookUp::IdentityNumber || !file.identity_number.is_empty();
    let reason = || "the client's file has no identity number".to_owned();
    demand(has, "identified", reason, "add the number in clients.csv, or write how the client was found")
}

fn serves_clients(input: &Input, column: &str, id: &str) -> Result<(), Bad> {
    let employee = roster::known_employee(input, column, id)?;
    let reason = || format!("`{id}` serves no clients");
    demand(employee.serves_clients(), column, reason, "name somebody with the role staff, lead or hq")
}

fn sheet(row: &Row) -> Result<Option<Sheet>, Bad> {
    let gender = choice("gender", row.get("gender"), GENDERS)?;
    let sheet = Sheet {
        client_name: row.get("client_name").to_owned(),
        gender: gender.to_owned(),
        summary: row.get("summary").to_owned(),
        handling: row.get("handling").to_owned(),
        inquiry_type: row.get("inquiry_type").to_owned(),
        computer: degree(row, "computer")?,
        trading: degree(row, "trading")?,
        securities: degree(row, "securities")?,
        assessment: row.get("assessment").to_owned(),
        identity_checks: parts(row.get("identity_checks")),
        confirmed: choice("record", row.get("record"), RECORDS)? == Some(true),
    };
    if let Some(check) = sheet.identity_checks.iter().find(|check| !CHECKS.contains(&check.as_str())) {
        let remedy = format!("write some of these, with ; between: {}", CHECKS.join(", "));
        return Err(Bad::new("identity_checks", unknown(check), remedy));
    }
    Ok((row.get("record") != "none").then_some(sheet))
}

fn promise(row: &Row, now: DateTime<Utc>, phone: &str) -> Result<Option<Promise>, Bad> {
    let client_asked = yes(row, "promise_client_asked")?;
    let Some(at) = maybe_instant(row, "promise_at")? else { return Ok(None) };
    let passed = || "lies before the contact was answered or entered".to_owned();
    demand(at > now, "promise_at", passed, "give the time agreed with the client")?;
    let nowhere = || "a callback is promised, but phone is empty".to_owned();
    demand(!phone.is_empty(), "phone", nowhere, "give the number to call back")?;
    Ok(Some(Promise { at, client_asked }))
}
