//! Reading what decisions know beside the locked states: roster, approved policies and current absences, whole or as the events after a position.

use prost::Message as _;
use shouwen_policy::{PolicyBook, PolicyState};
use shouwen_proto::events::v1::{OwnershipEvent, ownership_event::Event};
use sqlx::{PgConnection, PgPool, types::Json};

use crate::domain::{Absences, Known, Roster, RosterState, known::OBSERVED};

/// Roster, policies and absences as they stand at one position. The connection sees one state of the database throughout: it holds the head's lock, or its
/// transaction is repeatable.
pub(crate) async fn load(connection: &mut PgConnection) -> sqlx::Result<Known> {
    let position = head(connection).await?;
    let roster = sqlx::query_scalar!(r#"select state as "state: Json<RosterState>" from roster"#)
        .fetch_all(&mut *connection)
        .await?;
    let approved = sqlx::query_scalar!(
        r#"select state as "state: Json<PolicyState>" from policy where status = 'approved' order by id"#
    )
    .fetch_all(&mut *connection)
    .await?;
    let absences = Absences::of(super::open::current(connection).await?);
    let versions = approved.into_iter().filter_map(|state| state.0.version().ok().flatten());
    let policies = PolicyBook::load(versions).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let roster = Roster::of(roster.into_iter().map(|state| state.0)).into();
    Ok(Known { position, roster, policies, absences })
}

/// As [`load`], in a transaction of its own.
pub(crate) async fn load_at_start(pool: &PgPool) -> sqlx::Result<Known> {
    let mut tx = pool.begin_with("begin isolation level repeatable read, read only").await?;
    let known = load(&mut tx).await?;
    tx.commit().await?;
    Ok(known)
}

/// The events that change roster, policies or absences, after a position up to the head.
pub(crate) async fn after(
    connection: &mut PgConnection,
    position: i64,
) -> sqlx::Result<(Vec<(i64, Event)>, i64)> {
    let head = head(connection).await?;
    let types: Vec<String> = OBSERVED.iter().map(|name| (*name).to_owned()).collect();
    let rows = sqlx::query!(
        "select position, payload from ledger
         where position > $1 and position <= $2 and type = any($3) order by position",
        position,
        head,
        &types
    )
    .fetch_all(connection)
    .await?;
    let events = rows
        .into_iter()
        .filter_map(|row| Some((row.position, OwnershipEvent::decode(&*row.payload).ok()?.event?)))
        .collect();
    Ok((events, head))
}

async fn head(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!("select position from ledger_head").fetch_one(connection).await
}
