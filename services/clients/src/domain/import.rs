//! Imports: long-running operations that count lines and keep what was wrong with those not taken. An import that broke begins anew, with another
//! attempt, whose numbers start over; who still works on the former attempt is told to stop.

use serde::{Deserialize, Serialize};
use shouwen_proto::events::v1::{
    ImportBegun, ImportEnded, ImportFault, ImportProgressed, clients_event::Event,
};

use super::{name::OperationName, rejection::Rejection};

/// Faults that the operation itself shows; all of them are listed apart.
pub const FIRST_FAULTS: usize = 100;

/// An import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    pub name: OperationName,
    /// From 1.
    pub attempt: i64,
    pub lines: i64,
    pub created: i64,
    pub updated: i64,
    pub unchanged: i64,
    pub rejected: i64,
    /// The first ones of this attempt.
    pub faults: Vec<Fault>,
    pub stage: Stage,
    /// Faults with their numbers that this batch found; the store keeps each in a row of its own.
    #[serde(skip)]
    pub found: Vec<(i64, Fault)>,
}

/// Where an import stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    Running,
    /// Every line was worked on.
    Finished,
    Broken {
        /// `UPPER_SNAKE` reason.
        error: String,
    },
}

/// A line that was not taken, without its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub line: i64,
    pub field: String,
    /// `UPPER_SNAKE` reason.
    pub reason: String,
    pub description: String,
}

impl Import {
    /// Before its first attempt.
    pub fn blank(name: OperationName) -> Self {
        Self {
            name,
            attempt: 0,
            lines: 0,
            created: 0,
            updated: 0,
            unchanged: 0,
            rejected: 0,
            faults: Vec::new(),
            stage: Stage::Running,
            found: Vec::new(),
        }
    }

    /// Takes in an event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::ImportBegun(_) => {
                *self = Self { attempt: self.attempt + 1, ..Self::blank(self.name.clone()) };
            }
            Event::ImportProgressed(progressed) => self.progressed(progressed),
            Event::ImportEnded(ended) if ended.error.is_empty() => self.stage = Stage::Finished,
            Event::ImportEnded(ended) => self.stage = Stage::Broken { error: ended.error.clone() },
            _ => {}
        }
    }

    fn progressed(&mut self, progressed: &ImportProgressed) {
        self.lines += progressed.lines;
        self.created += progressed.created;
        self.updated += progressed.updated;
        self.unchanged += progressed.unchanged;
        for fault in &progressed.rejected {
            self.rejected += 1;
            let fault = Fault::from(fault);
            if self.faults.len() < FIRST_FAULTS {
                self.faults.push(fault.clone());
            }
            self.found.push((self.rejected, fault));
        }
    }
}

/// Begins an import, or begins it anew. One that is finished stays so.
pub fn begin(name: &OperationName, import: Option<&Import>) -> Vec<Event> {
    match import.map(|import| &import.stage) {
        Some(Stage::Finished) => Vec::new(),
        Some(Stage::Running | Stage::Broken { .. }) | None => {
            vec![Event::ImportBegun(ImportBegun { operation: name.to_string() })]
        }
    }
}

/// Lines were worked on.
pub fn progress(
    import: &Import,
    attempt: i64,
    progressed: &ImportProgressed,
) -> Result<Vec<Event>, Rejection> {
    present(import, attempt)?;
    Ok(vec![Event::ImportProgressed(progressed.clone())])
}

/// The attempt is over; `error` is empty where every line was worked on.
pub fn end(import: &Import, attempt: i64, error: &str) -> Result<Vec<Event>, Rejection> {
    present(import, attempt)?;
    Ok(vec![Event::ImportEnded(ImportEnded { error: error.to_owned() })])
}

fn present(import: &Import, attempt: i64) -> Result<(), Rejection> {
    if import.attempt == attempt && import.stage == Stage::Running {
        Ok(())
    } else {
        Err(Rejection::ImportSuperseded)
    }
}

impl From<&ImportFault> for Fault {
    fn from(fault: &ImportFault) -> Self {
        Self {
            line: fault.line,
            field: fault.field.clone(),
            reason: fault.reason.clone(),
            description: fault.description.clone(),
        }
    }
}

impl From<&Fault> for ImportFault {
    fn from(fault: &Fault) -> Self {
        Self {
            line: fault.line,
            field: fault.field.clone(),
            reason: fault.reason.clone(),
            description: fault.description.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: i64) -> ImportFault {
        ImportFault {
            line,
            field: "client.phone".into(),
            reason: "PHONE_INVALID".into(),
            description: "?".into(),
        }
    }

    fn told(import: &mut Import, events: Vec<Event>) {
        for event in events {
            import.apply(&event);
        }
    }

    #[test]
    fn another_attempt_counts_anew_and_stops_the_former() {
        let name = OperationName::of_digest(&[1; 32]);
        let mut import = Import::blank(name.clone());
        told(&mut import, begin(&name, None));
        let chunk = ImportProgressed {
            lines: 3,
            created: 1,
            rejected: vec![fault(2), fault(3)],
            ..Default::default()
        };
        let events = progress(&import, 1, &chunk).unwrap();
        told(&mut import, events);
        assert_eq!((import.lines, import.created, import.rejected), (3, 1, 2));
        assert_eq!(import.found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
        let again = begin(&name, Some(&import));
        told(&mut import, again);
        assert_eq!((import.attempt, import.lines, import.rejected, import.faults.len()), (2, 0, 0, 0));
        assert_eq!(progress(&import, 1, &chunk), Err(Rejection::ImportSuperseded));
        assert_eq!(end(&import, 1, "STREAM_BROKEN"), Err(Rejection::ImportSuperseded));
        let events = end(&import, 2, "").unwrap();
        told(&mut import, events);
        assert!(begin(&name, Some(&import)).is_empty(), "what is finished is not begun again");
    }

    #[test]
    fn the_operation_shows_the_first_faults_only() {
        let name = OperationName::of_digest(&[1; 32]);
        let mut import = Import::blank(name.clone());
        told(&mut import, begin(&name, None));
        let rejected = (1..=150).map(fault).collect();
        let events =
            progress(&import, 1, &ImportProgressed { lines: 150, rejected, ..Default::default() }).unwrap();
        told(&mut import, events);
        assert_eq!((import.faults.len(), import.found.len(), import.rejected), (FIRST_FAULTS, 150, 150));
    }
}
