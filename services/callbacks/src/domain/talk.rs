//! What came of a talk (B4, C9), and the results that stood before it (C11).

use serde::{Deserialize, Serialize};

/// How satisfied the client is (B4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Satisfaction {
    Satisfied,
    Neutral,
    Dissatisfied,
}

/// What a verification found about the measures of the complaint (C9, C10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measures {
    CarriedOut,
    NotCarriedOut,
    WithoutEffect,
}

/// What came of the talk (B4). The client's words stay on the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    pub solved: bool,
    /// `None` on records of an earlier release that did not know the value.
    pub attitude: Option<Satisfaction>,
    pub overall: Option<Satisfaction>,
    /// 1 to 10; 0 where the client gave none.
    pub score: i32,
    pub charged: bool,
    /// Of a verification only.
    #[serde(default)]
    pub measures: Option<Measures>,
}

impl Talk {
    /// Whether the client's concern is settled by it (B5).
    pub fn settles(&self) -> bool {
        self.solved && self.overall != Some(Satisfaction::Dissatisfied)
    }
}

/// A result with who recorded it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkResult {
    #[serde(flatten)]
    pub talk: Talk,
    /// Empty on records of an earlier release: then who made the last attempt.
    #[serde(default)]
    pub employee: String,
}

/// A result that does not stand any more, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    #[serde(flatten)]
    pub result: TalkResult,
    pub reason: String,
}

/// The result that stands, and those before it, oldest first. Nothing is ever taken out (C11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    #[serde(flatten)]
    pub standing: TalkResult,
    #[serde(default)]
    pub superseded: Vec<Superseded>,
    /// Which talk about its case it was, from 1; 0 where there is no case, and on records of an earlier release.
    #[serde(default)]
    pub number: i64,
}

impl Results {
    /// The first result of the talk with that number.
    pub fn first(result: TalkResult, number: i64) -> Self {
        Self { standing: result, superseded: Vec::new(), number }
    }

    /// Another result stands from now on (C11).
    pub fn supersede(&mut self, reason: String, result: TalkResult) {
        let result = std::mem::replace(&mut self.standing, result);
        self.superseded.push(Superseded { result, reason });
    }
}
