//! A branch's month as a firm exports it: roster, contacts and actions, read from a folder of CSV and JSON-lines files and checked line by line.
//! What is bad is set aside with its place, the reason and a remedy, and no good line is lost. It does not judge what the rules allow; that
//! is for the product to say.

mod actions;
mod cells;
mod client_deed;
mod clients;
mod complaint;
mod contacts;
mod fields;
mod model;
mod roster;
mod table;
#[cfg(test)]
mod tests;
mod text;

use std::{
    collections::HashMap,
    fmt, io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};

pub(super) use client_deed::ClientDeed;
pub(super) use clients::Client;
pub(super) use complaint::{ComplaintDeed, Filing};
pub(super) use model::{
    Account, Action, Answer, Branch, CallbackDeed, CallbackKind, CallbackRef, CaseDeed, Channel, Close,
    Contact, Deed, Employee, Identified, Line, LookUp, Met, Opinion, Place, Promise, Sheet,
};

use super::timeline;

/// The file of clients.
pub(super) const CLIENTS: &str = clients::FILE.name;

/// How long before the first contact the simulated clock begins: the roster is imported in that time.
const BEFORE: TimeDelta = TimeDelta::hours(1);

/// What a folder holds, checked.
#[derive(Debug)]
pub(crate) struct Input {
    /// Where it was read from.
    pub folder: PathBuf,
    /// Lines that cannot be used, in the order of the files.
    pub rejected: Vec<RejectedLine>,
    /// What was read in spite of not being quite as asked for: encodings, columns too many.
    pub notes: Vec<String>,
    pub(super) branches: Vec<Branch>,
    pub(super) employees: Vec<Employee>,
    pub(super) lines: Vec<Line>,
    pub(super) accounts: Vec<Account>,
    pub(super) clients: Vec<Client>,
    clients_by_id: HashMap<String, usize>,
    pub(super) contacts: Vec<Contact>,
    pub(super) actions: Vec<Action>,
}

/// A line that is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct RejectedLine {
    /// Name of the file.
    pub file: &'static str,
    /// Counted from 1, the header included.
    pub line: u64,
    /// Column, or field of an action; empty where the line as a whole is meant.
    pub column: String,
    pub reason: String,
    pub remedy: String,
}

impl fmt::Display for RejectedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        if !self.column.is_empty() {
            write!(f, ": {}", self.column)?;
        }
        write!(f, ": {}; {}", self.reason, self.remedy)
    }
}

/// Why a folder cannot be played at all. One entry per file, so that all can be mended in one go.
#[derive(Debug, thiserror::Error)]
pub(crate) struct InputErrors {
    pub folder: PathBuf,
    pub problems: Vec<InputProblem>,
}

impl fmt::Display for InputErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be played:", self.folder.display())?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// What is wrong with a file as a whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputProblem {
    #[error("{file}: cannot be read: {error}")]
    Unreadable { file: &'static str, error: io::Error },
    #[error("{file}: is empty; its first line must be: {}", columns.join(","))]
    Empty { file: &'static str, columns: &'static [&'static str] },
    #[error("{file}: is UTF-16; save it as UTF-8 or GBK")]
    Utf16 { file: &'static str },
    #[error("{file}: the header lacks {}; add every column, empty where nothing is known (found: {})",
        missing.join(", "), found.join(", "))]
    MissingColumns { file: &'static str, missing: Vec<&'static str>, found: Vec<String> },
    #[error("{file}: the header names {column} twice; leave one of the columns out")]
    ColumnTwice { file: &'static str, column: String },
    #[error("{file}: no line can be used; the first problem: {first}")]
    NothingUsable { file: &'static str, first: String },
    #[error("{file}: {missing}")]
    Incomplete { file: &'static str, missing: &'static str },
}

/// Reads and checks the files of a folder.
pub(crate) fn read(folder: &Path) -> Result<Input, InputErrors> {
    let mut problems = Vec::new();
    let mut input = Input {
        folder: folder.to_owned(),
        rejected: Vec::new(),
        notes: Vec::new(),
        branches: Vec::new(),
        employees: Vec::new(),
        lines: Vec::new(),
        accounts: Vec::new(),
        clients: Vec::new(),
        clients_by_id: HashMap::new(),
        contacts: Vec::new(),
        actions: Vec::new(),
    };
    roster::read(&mut input, &mut problems);
    if problems.is_empty() {
        clients::read(&mut input, &mut problems);
        contacts::read(&mut input, &mut problems);
        actions::read(&mut input, &mut problems);
    } else {
        // Without a roster every line would be bad; say at least whether the other files can be read.
        problems.extend(table::open(folder, &clients::FILE).err());
        problems.extend(table::open(folder, &contacts::FILE).err());
    }
    if problems.is_empty() { Ok(input) } else { Err(InputErrors { folder: folder.to_owned(), problems }) }
}

/// Where the simulated clock must stand at the start: a little before the first step of the month.
pub(crate) fn first_instant(input: &Input) -> DateTime<Utc> {
    let first = timeline::steps(input).first().map_or(DateTime::UNIX_EPOCH, |step| step.at);
    first.checked_sub_signed(BEFORE).unwrap_or(first)
}

impl Input {
    /// The employee (`employees/{employee}`) who imports the roster and moves the clock: the first with the role `admin`. The stack must know
    /// this one before the demo runs.
    pub(crate) fn administrator(&self) -> String {
        let admin = self.employees.iter().find(|employee| employee.has("admin"));
        admin.map_or_else(String::new, |employee| format!("employees/{}", employee.id))
    }

    /// Who reads everything: an auditor, or somebody of HQ.
    pub(super) fn observer(&self) -> String {
        let find = |role: &str| self.employees.iter().find(|employee| employee.has(role));
        let observer = find("auditor").or_else(|| find("hq")).or_else(|| find("company_leader"));
        observer.map_or_else(String::new, |employee| format!("employees/{}", employee.id))
    }

    pub(super) fn employee(&self, id: &str) -> Option<&Employee> {
        self.employees.iter().find(|employee| employee.id == id)
    }

    /// A client's file, by the CRM's id.
    pub(super) fn client(&self, id: &str) -> Option<&Client> {
        self.clients_by_id.get(id).and_then(|place| self.clients.get(*place))
    }

    /// How many lines are played.
    pub(crate) fn used_lines(&self) -> usize {
        self.branches.len()
            + self.employees.len()
            + self.lines.len()
            + self.accounts.len()
            + self.clients.len()
            + self.contacts.len()
            + self.actions.len()
    }

    /// Whether another reader of the same files would find exactly what was found here.
    pub(super) fn is_plain(&self) -> bool {
        self.rejected.is_empty() && self.notes.is_empty()
    }

    fn reject(&mut self, file: &'static str, line: u64, bad: cells::Bad) {
        self.rejected.push(RejectedLine {
            file,
            line,
            column: bad.column,
            reason: bad.reason,
            remedy: bad.remedy,
        });
    }
}
