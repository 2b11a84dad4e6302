//! Following ownership: policies (P1), epochs, and whose cases there are. What hangs under a merged case keeps its name, so merges need nothing here.

use std::collections::BTreeMap;

use shouwen_engine::{Follow, FollowError, Submission};
use shouwen_proto::events::v1::{Event, ownership_event::Event as OwnershipEvent};
use shouwen_serving::ownership_feed;
use sqlx::PgConnection;

use super::submission;
use crate::{
    domain::Command,
    store::projections::{self, KnownCase},
    write_path::ComplaintsDomain,
};

/// The follower of the feed `ownership`.
pub(crate) struct FollowOwnership;

impl Follow<ComplaintsDomain> for FollowOwnership {
    const FEED: &'static str = "ownership";

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
        if cases.is_empty() { Ok(()) } else { projections::note_cases(connection, &cases).await }
    }
}
