//! Business time in simulation: it stands still at a stored value, and is moved on only when everything is idle.
//!
//! The engine guards what one service can see (forward only, never past its next deadline); that all services are idle is for the driver of the
//! simulation to see from their status.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::{domain::Domain, engine::Engine, store};

/// Why the clock was not moved.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error("the clock is not simulated")]
    NotSimulated,
    #[error("the clock stands at {0}")]
    Elsewhere(DateTime<Utc>),
    #[error("a deadline is due before, at {0}")]
    DeadlineBefore(DateTime<Utc>),
    #[error("the ledger is not empty")]
    LedgerNotEmpty,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Makes the clock of an empty ledger a simulated one.
pub async fn simulate_from(pool: &PgPool, start: DateTime<Utc>) -> Result<(), ClockError> {
    let mut tx = pool.begin().await?;
    // Under the head's lock, so that no event comes in between.
    if store::lock_head(&mut tx).await?.position != 0 {
        return Err(ClockError::LedgerNotEmpty);
    }
    sqlx::query!("update clock set simulated_at = $1", start).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Where the simulated clock stands; `None` where time is real.
pub async fn simulated_at(pool: &PgPool) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!("select simulated_at from clock").fetch_one(pool).await
}

impl<D: Domain> Engine<D> {
    /// Sets the simulated clock from one time to a later one; followers and sweepers keep still until `release`.
    pub async fn step_clock(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        release: bool,
    ) -> Result<DateTime<Utc>, ClockError> {
        if to <= from {
            let here = simulated_at(self.pool()).await?.ok_or(ClockError::NotSimulated)?;
            if here != from || to < from {
                return Err(ClockError::Elsewhere(here));
            }
        } else {
            let still = self.pause().await;
            let moved = self.move_clock(from, to).await;
            if moved.is_err() && !still {
                self.resume();
            }
            moved?;
        }
        if release {
            self.resume();
        }
        Ok(to)
    }

    async fn move_clock(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<(), ClockError> {
        let moved = sqlx::query!(
            "update clock set simulated_at = $2
             where simulated_at = $1 and not exists (select from deadline where due < $2)",
            from,
            to
        )
        .execute(self.pool())
        .await?;
        if moved.rows_affected() == 1 {
            return Ok(());
        }
        let here = simulated_at(self.pool()).await?.ok_or(ClockError::NotSimulated)?;
        match next_due(self.pool()).await? {
            Some(due) if here == from && due < to => Err(ClockError::DeadlineBefore(due)),
            _ => Err(ClockError::Elsewhere(here)),
        }
    }
}

/// The soonest deadline.
pub async fn next_due(pool: &PgPool) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!("select min(due) from deadline").fetch_one(pool).await
}
