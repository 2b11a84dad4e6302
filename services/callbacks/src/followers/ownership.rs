//! Following ownership: policies (P1), epochs, void cases.

use shouwen_engine::{Follow, FollowError, Submission};
use shouwen_proto::events::v1::{Event, ownership_event::Event as OwnershipEvent};
use shouwen_serving::ownership_feed;
use sqlx::{PgConnection, PgPool};

use super::{submission, unavailable};
use crate::{domain::Command, store, write_path::CallbacksDomain};

/// The follower of the feed `ownership`.
pub(crate) struct FollowOwnership {
    pub(crate) pool: PgPool,
}

/// What a callback says that was cancelled with its case.
const CASE_VOIDED: &str = "the case held no concern";

impl Follow<CallbacksDomain> for FollowOwnership {
    const FEED: &'static str = "ownership";

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        match ownership_feed::happened(event) {
            Some(OwnershipEvent::PolicyApproved(approved)) => {
                let adopted = shouwen_policy::adoption(approved);
                Ok(Some(submission(Command::AdoptPolicy(Box::new(adopted)))))
            }
            Some(OwnershipEvent::CaseVoided(_)) => self.cancel(event).await.map(Some),
            _ => Ok(None),
        }
    }

    fn fence(&self, event: &Event) -> Option<(String, i64)> {
        ownership_feed::fence(event)
    }

    async fn project(&self, connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
        let voided: Vec<String> = events
            .iter()
            .filter(|event| matches!(ownership_feed::happened(event), Some(OwnershipEvent::CaseVoided(_))))
            .map(|event| event.aggregate.clone())
            .collect();
        if voided.is_empty() { Ok(()) } else { store::note_voided(connection, &voided).await }
    }
}

impl FollowOwnership {
    /// Also where nothing is owed yet: a promise may be on its way.
    async fn cancel(&self, event: &Event) -> Result<Submission<Command>, FollowError> {
        let case = event.aggregate.clone();
        let owed = store::owed_of_case(&self.pool, &case).await.map_err(unavailable)?;
        let reason = CASE_VOIDED.to_owned();
        Ok(submission(Command::CancelCase { case, owed, reason }))
    }
}
