//! What growth says: per operation and size, and whether it stays within what a B-tree's height may add.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::plans::Statement;
use crate::{Failure, machine::Machine, statistics::Verdict};

/// Buffers that may come with each descent of an index from the smallest to the largest size.
const PER_DESCENT: f64 = 2.0;

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) operations: Vec<Grown>,
    /// A size for which there was no room.
    pub(super) left_out: Option<String>,
}

/// An operation at all sizes.
#[derive(Serialize)]
pub(super) struct Grown {
    pub(super) operation: &'static str,
    pub(super) sizes: Vec<Measured>,
}

/// An operation at one size.
#[derive(Serialize)]
pub(super) struct Measured {
    pub(super) cases: i64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) statements: Vec<Statement>,
}

impl Measured {
    fn buffers(&self) -> f64 {
        self.statements.iter().map(|statement| statement.executions * statement.buffers).sum()
    }

    fn descents(&self) -> f64 {
        self.statements.iter().map(|statement| statement.executions * statement.descents).sum()
    }
}

impl Grown {
    /// What misses the target.
    fn faults(&self) -> Vec<String> {
        let Some((first, later)) = self.sizes.split_first() else { return Vec::new() };
        let mut faults = Vec::new();
        for size in later {
            let (grown, allowed) = (size.buffers() - first.buffers(), PER_DESCENT * first.descents());
            if grown > allowed {
                faults.push(format!(
                    "{}: {grown:.1} more buffers at {} cases, allowed are {allowed:.1}",
                    self.operation, size.cases
                ));
            }
            for now in &size.statements {
                let before = first.statements.iter().find(|statement| statement.query == now.query);
                match before {
                    Some(before) if before.shape == now.shape => {}
                    Some(before) => faults.push(format!(
                        "{}: another plan at {} cases: {} instead of {}",
                        self.operation, size.cases, now.shape, before.shape
                    )),
                    None => faults.push(format!(
                        "{}: another statement at {} cases: {}",
                        self.operation, size.cases, now.query
                    )),
                }
            }
        }
        faults
    }
}

impl Report {
    pub(super) fn verdict(&self) -> Verdict {
        if self.operations.iter().any(|operation| !operation.faults().is_empty()) {
            Verdict::Fails
        } else if self.left_out.is_some() {
            Verdict::Inconclusive
        } else {
            Verdict::Holds
        }
    }

    /// Writes `growth.json` into a directory.
    pub(super) fn write(&self, dir: &Path) -> Result<PathBuf, Failure> {
        fs::create_dir_all(dir)?;
        let file = dir.canonicalize()?.join("growth.json");
        fs::write(&file, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(file)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{}, {} build of {}\n",
            self.machine.processor, self.machine.build, self.machine.commit
        )?;
        for operation in &self.operations {
            writeln!(f, "{}", operation.operation)?;
            for size in &operation.sizes {
                writeln!(
                    f,
                    "  {:>9} cases: {:>7.1} buffers in {:>5.1} descents; p50 {:.2} ms, p99 {:.2} ms",
                    size.cases,
                    size.buffers(),
                    size.descents(),
                    size.p50_ms,
                    size.p99_ms
                )?;
            }
            let last = operation.sizes.last().map(|size| &size.statements);
            for statement in last.into_iter().flatten() {
                let query: String = statement.query.chars().take(70).collect();
                writeln!(
                    f,
                    "    {:>5.1} × {:>5.1}  {query}\n                   {}",
                    statement.executions, statement.buffers, statement.shape
                )?;
            }
        }
        if let Some(left_out) = &self.left_out {
            writeln!(f, "\nleft out: {left_out}")?;
        }
        let faults: Vec<String> = self.operations.iter().flat_map(Grown::faults).collect();
        if faults.is_empty() {
            writeln!(
                f,
                "\nholds: at most {PER_DESCENT} more buffers per descent, and no plan changed its shape"
            )
        } else {
            writeln!(f, "\nFAILS:\n  {}", faults.join("\n  "))
        }
    }
}
