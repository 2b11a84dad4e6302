//! What ownership shows in numbers beside the engine's own.

use shouwen_engine::{Gauge, Reading};
use sqlx::PgConnection;

use crate::store;

const OPEN: Gauge = Gauge {
    name: "shouwen.cases.open",
    unit: "{case}",
    description: "Cases that are open or wait for the client's word",
};
const OVERDUE: Gauge = Gauge {
    name: "shouwen.cases.overdue",
    unit: "{case}",
    description: "Cases whose answer is owed past its limit (K15)",
};
const OFFERS: Gauge = Gauge {
    name: "shouwen.offers.pending",
    unit: "{offer}",
    description: "Hand-overs that wait for their receiver (O4)",
};

/// Open cases by state, overdue ones, pending offers.
pub(crate) async fn read(connection: &mut PgConnection) -> sqlx::Result<Vec<Reading>> {
    let counts = store::counts::read(connection).await?;
    Ok(vec![
        OPEN.reads(counts.open).of("shouwen.state", "open"),
        OPEN.reads(counts.awaiting_satisfaction).of("shouwen.state", "awaiting_satisfaction"),
        OVERDUE.reads(counts.overdue),
        OFFERS.reads(counts.offers),
    ])
}
