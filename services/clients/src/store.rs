//! SQL, and nothing else: clients and by what they are found, imports and their faults, policies, the roster as far as it is known.

pub(crate) mod clients;
pub(crate) mod handovers;
pub(crate) mod imports;
pub(crate) mod policies;
pub(crate) mod roster;

use shouwen_engine::Saved;
use shouwen_policy::PolicyVersion;
use sqlx::{PgConnection, types::Json};

use crate::domain::{Client, Import, State};

/// Columns of rows to save.
pub(crate) struct Columns<T> {
    ids: Vec<String>,
    before: Vec<i64>,
    after: Vec<i64>,
    states: Vec<Json<T>>,
}

impl<T> Columns<T> {
    fn new() -> Self {
        Self { ids: Vec::new(), before: Vec::new(), after: Vec::new(), states: Vec::new() }
    }

    fn push(&mut self, row: &Saved<State>, state: T) {
        self.ids.push(row.id.0.clone());
        self.before.push(row.before);
        self.after.push(row.after);
        self.states.push(Json(state));
    }

    fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Writes rows with their former version as guard; answers how many were written.
pub(crate) async fn save(connection: &mut PgConnection, rows: &[Saved<State>]) -> sqlx::Result<u64> {
    let mut new: Columns<&Client> = Columns::new();
    let mut changed: Columns<&Client> = Columns::new();
    let mut imports: Columns<&Import> = Columns::new();
    let mut adopted: Columns<Option<&PolicyVersion>> = Columns::new();
    for row in rows {
        match &row.state {
            State::Client(client) if row.before == 0 => new.push(row, client),
            State::Client(client) => changed.push(row, client),
            State::Import(import) => imports.push(row, import),
            State::Policy(version) => adopted.push(row, version.as_deref()),
        }
    }
    let mut written = 0;
    if !new.is_empty() {
        written += clients::insert(connection, &new).await?;
    }
    if !changed.is_empty() {
        written += clients::update(connection, &changed).await?;
    }
    if !imports.is_empty() {
        written += imports::write(connection, &imports).await?;
    }
    if !adopted.is_empty() {
        written += policies::insert(connection, &adopted).await?;
    }
    Ok(written)
}
