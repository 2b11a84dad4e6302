//! Following clients: which of them have a file, so that a case shows its client's (L1).

use std::collections::BTreeMap;

use shouwen_engine::{Follow, FollowError, Submission};
use shouwen_proto::events::v1::{Event, clients_event, event::Body};
use sqlx::PgConnection;

use crate::{
    domain::{Command, OwnershipDomain},
    store::{self, clients::Told},
};

pub struct FollowClients;

impl Follow<OwnershipDomain> for FollowClients {
    const FEED: &'static str = "clients";

    /// A file changes no case: it is joined when one is read.
    async fn command(&self, _event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        Ok(None)
    }

    async fn project(&self, connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
        let told = told(events);
        if !told.is_empty() {
            store::clients::project(connection, &told).await?;
        }
        // An import tells of many clients and of no case; those lines would only fill the table.
        let of_cases: Vec<Event> = events.iter().filter(|event| !event.case.is_empty()).cloned().collect();
        if !of_cases.is_empty() {
            store::timeline::project(connection, Self::FEED, &of_cases).await?;
        }
        Ok(())
    }
}

/// What events say about each client, the later ones over the earlier.
fn told(events: &[Event]) -> Vec<Told> {
    let mut clients: BTreeMap<&str, Told> = BTreeMap::new();
    for event in events {
        let Some(client) = event.aggregate.strip_prefix("clients/") else { continue };
        let Some(Body::Clients(body)) = &event.body else { continue };
        let mut known = clients.get(client).cloned().unwrap_or_default();
        match &body.event {
            Some(clients_event::Event::ClientSaved(saved)) => known.branch = Some(saved.branch.clone()),
            Some(clients_event::Event::ClientClassified(classified)) => {
                known.class = Some(classified.client_class);
            }
            Some(clients_event::Event::ClientMarked(marked)) => {
                (known.vip, known.core) = (Some(marked.vip), Some(marked.core));
            }
            Some(clients_event::Event::ServiceManagerAssigned(assigned)) => {
                known.service_manager = Some(assigned.employee.clone());
            }
            _ => continue,
        }
        client.clone_into(&mut known.client);
        clients.insert(client, known);
    }
    clients.into_values().collect()
}
