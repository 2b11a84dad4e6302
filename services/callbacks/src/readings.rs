//! What this service shows in numbers beside the engine's own.

use shouwen_engine::{Gauge, Reading};
use sqlx::PgConnection;

use crate::store;

const OPEN: Gauge = Gauge {
    name: "shouwen.callbacks.open",
    unit: "{callback}",
    description: "Callbacks that somebody still has to make or to decide on",
};
const OVERDUE: Gauge = Gauge {
    name: "shouwen.callbacks.overdue",
    unit: "{callback}",
    description: "Open callbacks whose limit passed without an attempt (B1)",
};

/// Open and overdue callbacks by kind.
pub(crate) async fn read(connection: &mut PgConnection) -> sqlx::Result<Vec<Reading>> {
    let kinds = store::open_by_kind(connection).await?;
    let readings = kinds.into_iter().flat_map(|kind| {
        let by_kind = |gauge: Gauge, value| gauge.reads(value).of("shouwen.kind", kind.kind.as_str());
        [by_kind(OPEN, kind.open), by_kind(OVERDUE, kind.overdue)]
    });
    Ok(readings.collect())
}
