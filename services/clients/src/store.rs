//! SQL, and nothing else: clients and by what they are found, imports and their faults, policies, the roster as far as it is known.

pub(crate) mod clients;
pub(crate) mod handovers;
pub(crate) mod imports;
pub(crate) mod policies;
pub(crate) mod roster;

use shouwen_engine::Saved;
use sqlx::PgConnection;

use crate::domain::State;

/// Writes by what clients are found and which lines imports did not take.
pub(crate) async fn attach(connection: &mut PgConnection, rows: &[Saved<State>]) -> sqlx::Result<()> {
    let (mut fresh, mut changed) = (Vec::new(), Vec::new());
    for row in rows {
        match &row.state {
            State::Client(client) if row.before == 0 => fresh.push(&**client),
            State::Client(client) => changed.push(&**client),
            State::Import(import) => imports::write_faults(connection, import).await?,
            State::Lookups(_) | State::Policy(_) => {}
        }
    }
    if !changed.is_empty() {
        clients::forget_lookups(connection, &changed).await?;
    }
    fresh.extend(changed);
    if !fresh.is_empty() {
        clients::add_lookups(connection, &fresh).await?;
    }
    Ok(())
}
