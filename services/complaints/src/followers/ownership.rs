//! Following ownership: policies (P1), epochs, whose cases there are, and who is in the roster (O12). What hangs under a merged case keeps its name, so merges
//! need nothing here.

use std::collections::BTreeMap;

use shouwen_engine::{Follow, FollowError, Submission};
use shouwen_proto::events::v1::{Event, ownership_event::Event as OwnershipEvent};
use shouwen_serving::ownership_feed;
use sqlx::PgConnection;

use super::submission;
use crate::{
    domain::Command,
    store::{
        projections::{self, KnownCase},
        roster,
    },
    write_path::ComplaintsDomain,
};

/// The service that is followed.
pub(super) const FEED: &str = "ownership";

/// The follower of the feed `ownership`.
pub(crate) struct FollowOwnership;

impl Follow<ComplaintsDomain> for FollowOwnership {
    const FEED: &'static str = FEED;

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        match ownership_feed::happened(event) {
            Some(OwnershipEvent::PolicyApproved(approved)) => {
                let adopted = shouwen_policy::adoption(approved);
                Ok(Some(submission(Command::AdoptPolicy(Box::new(adopted)))))
            }
            _ => Ok(None),
        }
    }

    fn fence(&self, event: &Event) -> Option<(String, i64)> {
        ownership_feed::fence(event)
    }

    async fn project(&self, connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
        let mut cases: BTreeMap<&str, KnownCase> = BTreeMap::new();
        for event in events {
            match ownership_feed::happened(event) {
                Some(OwnershipEvent::CaseOpened(opened)) => {
                    let case = cases.entry(&event.aggregate).or_default();
                    case.contact.clone_from(&opened.contact);
                    case.client.clone_from(&opened.client);
                }
                Some(OwnershipEvent::ClientIdentified(identified)) => {
                    cases.entry(&event.aggregate).or_default().client.clone_from(&identified.client);
                }
                _ => {}
            }
        }
        if !cases.is_empty() {
            projections::note_cases(&mut *connection, &cases).await?;
        }
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let employees: Vec<String> = events.iter().filter_map(entered).collect();
        // Positions are dense: with these everybody is known who was met so far, unless something was passed over before.
        roster::note(connection, position(first) - 1, position(last), &employees).await
    }
}

/// Whose entry in the roster an event saved.
pub(super) fn entered(event: &Event) -> Option<String> {
    match ownership_feed::happened(event) {
        Some(OwnershipEvent::EmployeeSaved(saved)) => Some(saved.employee.clone()),
        _ => None,
    }
}

/// Where an event stands in the feed.
pub(super) fn position(event: &Event) -> i64 {
    event.cursor.as_ref().map_or(0, |cursor| cursor.position)
}
