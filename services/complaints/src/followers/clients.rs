//! Following clients: which of them have limits of their own (L12).

use std::collections::BTreeMap;

use shouwen_engine::{Follow, FollowError, Submission};
use shouwen_proto::events::v1::{Event, clients_event::Event as ClientsEvent, event::Body};
use sqlx::PgConnection;

use crate::{domain::Command, store::projections, write_path::ComplaintsDomain};

/// The follower of the feed `clients`.
pub(crate) struct FollowClients;

impl Follow<ComplaintsDomain> for FollowClients {
    const FEED: &'static str = "clients";

    async fn command(&self, _event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        Ok(None)
    }

    async fn project(&self, connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
        let marks: BTreeMap<&str, (bool, bool)> = events.iter().filter_map(mark).collect();
        if marks.is_empty() { Ok(()) } else { projections::note_marks(connection, &marks).await }
    }
}

/// The client's external id, VIP and core.
fn mark(event: &Event) -> Option<(&str, (bool, bool))> {
    let Some(Body::Clients(body)) = &event.body else { return None };
    let Some(ClientsEvent::ClientMarked(marked)) = &body.event else { return None };
    Some((event.aggregate.strip_prefix("clients/")?, (marked.vip, marked.core)))
}
