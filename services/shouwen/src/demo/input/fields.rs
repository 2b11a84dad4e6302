//! The fields of one line of `actions.jsonl`: each asked for by its name, each either what it must be or bad with the reason.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    Input,
    cells::{self, Bad, choice},
    roster,
};

/// The fields of one action, and which of them were asked for.
pub(super) struct Fields<'a> {
    object: Map<String, Value>,
    input: &'a Input,
    contacts: &'a HashSet<String>,
    used: BTreeSet<String>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(object: Map<String, Value>, input: &'a Input, contacts: &'a HashSet<String>) -> Self {
        Self { object, input, contacts, used: BTreeSet::new() }
    }

    /// Fields that nobody asked for.
    pub(super) fn strange(&self) -> impl Iterator<Item = &String> {
        self.object.keys().filter(|key| !self.used.contains(*key))
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.object.contains_key(field)
    }

    pub(super) fn value(&mut self, field: &'static str) -> Result<&Value, Bad> {
        self.used.insert(field.to_owned());
        self.object.get(field).ok_or_else(|| Bad::new(field, "is missing", "add the field"))
    }

    pub(super) fn word(&mut self, field: &'static str) -> Result<String, Bad> {
        let text = self.value(field)?.as_str().map(str::to_owned);
        text.ok_or_else(|| Bad::new(field, "is no text", "write a text in quotation marks"))
    }

    pub(super) fn maybe_word(&mut self, field: &'static str) -> Result<Option<String>, Bad> {
        if self.has(field) { self.word(field).map(Some) } else { Ok(None) }
    }

    pub(super) fn filled(&mut self, field: &'static str) -> Result<String, Bad> {
        let text = self.word(field)?;
        if text.trim().is_empty() { Err(Bad::new(field, "is empty", "write a text")) } else { Ok(text) }
    }

    pub(super) fn truth(&mut self, field: &'static str) -> Result<bool, Bad> {
        let truth = self.value(field)?.as_bool();
        truth.ok_or_else(|| Bad::new(field, "is neither true nor false", "write true or false"))
    }

    pub(super) fn maybe_truth(&mut self, field: &'static str) -> Result<bool, Bad> {
        if self.has(field) { self.truth(field) } else { Ok(false) }
    }

    pub(super) fn time(&mut self, field: &'static str) -> Result<DateTime<Utc>, Bad> {
        let text = self.word(field)?;
        cells::instant(field, &text)
    }

    pub(super) fn choice<T: Copy>(&mut self, field: &'static str, choices: &[(&str, T)]) -> Result<T, Bad> {
        let text = self.word(field)?;
        choice(field, &text, choices)
    }

    pub(super) fn employee(&mut self, field: &'static str) -> Result<String, Bad> {
        let id = self.word(field)?;
        roster::known_employee(self.input, field, &id)?;
        Ok(id)
    }

    pub(super) fn contact(&mut self, field: &'static str) -> Result<String, Bad> {
        let id = self.word(field)?;
        if self.contacts.contains(&id) {
            return Ok(id);
        }
        let reason = format!("`{id}` is no contact that could be used");
        Err(Bad::new(field, reason, "name a contact of contacts.csv, and mend its line if it was rejected"))
    }

    /// A time that may be left out.
    pub(super) fn maybe_time(&mut self, field: &'static str) -> Result<Option<DateTime<Utc>>, Bad> {
        if self.has(field) { self.time(field).map(Some) } else { Ok(None) }
    }

    /// One of several words that may be left out.
    pub(super) fn maybe_choice<T: Copy>(
        &mut self,
        field: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, Bad> {
        if self.has(field) { self.choice(field, choices).map(Some) } else { Ok(None) }
    }

    /// A list, whose elements are then read one by one; empty where it is left out.
    pub(super) fn list(&mut self, field: &'static str) -> Result<Vec<Value>, Bad> {
        if !self.has(field) {
            return Ok(Vec::new());
        }
        let list = self.value(field)?.as_array().cloned();
        list.ok_or_else(|| Bad::new(field, "is no list", "write a list in square brackets"))
    }

    /// An employee who stands inside a list.
    pub(super) fn known_employee(&self, field: &'static str, id: Option<&str>) -> Result<String, Bad> {
        let id =
            id.ok_or_else(|| Bad::new(field, "names nobody", "write the employee's id in quotation marks"))?;
        roster::known_employee(self.input, field, id).map(|employee| employee.id.clone())
    }

    pub(super) fn branch(&mut self, field: &'static str) -> Result<String, Bad> {
        let id = self.word(field)?;
        roster::known_branch(self.input, field, &id)?;
        Ok(id)
    }

    /// A client of clients.csv.
    pub(super) fn client(&mut self, field: &'static str) -> Result<String, Bad> {
        let id = self.word(field)?;
        let known = self.input.client(&id).is_some();
        let reason = || format!("`{id}` is no client that could be used");
        cells::demand(
            known,
            field,
            reason,
            "name a client of clients.csv, and mend its line if it was rejected",
        )?;
        Ok(id)
    }
}
