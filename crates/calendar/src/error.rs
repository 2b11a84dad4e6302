//! The one way in which calendar data can be refused.

use thiserror::Error;

/// Why calendar data were refused. It names the place and what to do about it, so that an operator can mend the
/// file without reading code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, {field}: {reason}; {remedy}")]
pub struct CalendarError {
    /// Line in the document, counted from 1.
    pub line: usize,
    /// Field, with the year where there is one: `version`, `year 2027: holidays`.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
    /// What to do.
    pub remedy: String,
    /// What is wrong and what to do, in Chinese.
    pub chinese: String,
}
