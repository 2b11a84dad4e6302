//! A branch's employees as far as they may serve clients (L8). They come with the command that needs them.

use super::coverage::Position;

/// The active employees of one branch, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchRoster {
    /// `branches/{branch}`
    branch: String,
    colleagues: Vec<Colleague>,
}

/// An active employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Colleague {
    /// `employees/{employee}`
    pub name: String,
    pub position: Position,
    /// Has the role STAFF or LEAD: may be chosen by the service. Others may only be named.
    pub serves: bool,
}

impl BranchRoster {
    pub fn new(branch: impl Into<String>, mut colleagues: Vec<Colleague>) -> Self {
        colleagues.sort_by(|a, b| a.name.cmp(&b.name));
        Self { branch: branch.into(), colleagues }
    }

    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// Somebody at work in the branch.
    pub fn find(&self, employee: &str) -> Option<&Colleague> {
        let index =
            self.colleagues.binary_search_by(|colleague| colleague.name.as_str().cmp(employee)).ok()?;
        self.colleagues.get(index)
    }

    /// Whom the service may choose in one position, by name.
    pub fn serving(&self, position: Position) -> Vec<&Colleague> {
        let chosen = |colleague: &&Colleague| colleague.serves && colleague.position == position;
        self.colleagues.iter().filter(chosen).collect()
    }
}
