//! States as they are kept.

use sqlx::{PgConnection, types::Json};

use crate::{
    domain::{Domain, Loaded},
    store::{self, Kept},
};

/// The states of those aggregates that exist, in no order, without what [`Domain::complete`] adds.
pub async fn load<D: Domain>(
    connection: &mut PgConnection,
    ids: &[String],
) -> sqlx::Result<Vec<Loaded<D::State>>> {
    let Json(kept) = store::load_states(connection, ids).await?;
    restore::<D>(kept)
}

pub(crate) fn restore<D: Domain>(kept: Vec<Kept>) -> sqlx::Result<Vec<Loaded<D::State>>> {
    let restored = |Kept { id, version, state }| {
        let state = D::restored(&id, &state).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Loaded { id, version, state })
    };
    kept.into_iter().map(restored).collect()
}
