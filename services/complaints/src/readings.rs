//! What this service shows in numbers beside the engine's own.

use shouwen_engine::{Gauge, Reading};
use sqlx::PgConnection;

use crate::store;

const OPEN: Gauge = Gauge {
    name: "shouwen.complaints.open",
    unit: "{complaint}",
    description: "Record forms that are neither closed nor declined",
};
const OVERDUE: Gauge = Gauge {
    name: "shouwen.complaints.overdue",
    unit: "{limit}",
    description: "Limits of open record forms that passed and are still owed (C5-C7)",
};

/// Open record forms by stage, and limits that they owe past their time by kind.
pub(crate) async fn read(connection: &mut PgConnection) -> sqlx::Result<Vec<Reading>> {
    let stages = store::open_by_stage(&mut *connection).await?;
    let limits = store::overdue_by_kind(connection).await?;
    let open = stages.into_iter().map(|it| OPEN.reads(it.count).of("shouwen.stage", it.name));
    let overdue = limits.into_iter().map(|it| OVERDUE.reads(it.count).of("shouwen.kind", it.name));
    Ok(open.chain(overdue).collect())
}
