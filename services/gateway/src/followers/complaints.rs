//! Following complaints: the case does not end before them, ends with the last of them, and whom they are about takes no part (O12).

use shouwen_engine::{AggregateId, Follow, FollowError, Submission};
use shouwen_proto::events::v1::{ComplaintEnd, Event, complaints_event, event::Body};
use sqlx::PgConnection;

use super::follow_up;
use crate::{
    domain::{Command, OwnershipDomain, command::FollowUp},
    store,
};

pub struct FollowComplaints;

impl Follow<OwnershipDomain> for FollowComplaints {
    const FEED: &'static str = "complaints";

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        let Some(Body::Complaints(body)) = &event.body else { return Ok(None) };
        let Some(id) = event.aggregate.strip_prefix("complaints/") else { return Ok(None) };
        // The case as the complaint names it: what hangs under a merged case keeps its name.
        let named = |case: &str| (AggregateId(case.to_owned()), format!("{case}/complaints/{id}"));
        Ok(match &body.event {
            Some(complaints_event::Event::ComplaintFiled(filed)) => {
                let (case, complaint) = named(&filed.case);
                let (about, unit) = (filed.complained_about.clone(), filed.receiving_unit.clone());
                Some(FollowUp::ComplaintOpened { case, complaint, about, unit })
            }
            Some(complaints_event::Event::ComplaintReopened(reopened)) => {
                let (case, complaint) = named(&reopened.case);
                Some(FollowUp::ComplaintReopened { case, complaint, reason: reopened.reason.clone() })
            }
            Some(complaints_event::Event::ComplaintDeclined(declined)) => {
                let (case, complaint) = named(&declined.case);
                let (end, reason) = (ComplaintEnd::Declined, String::new());
                Some(FollowUp::ComplaintEnded { case, complaint, end, reason })
            }
            Some(complaints_event::Event::ComplaintClosed(closed)) => {
                let (case, complaint) = named(&closed.case);
                let (end, reason) = (closed.end(), closed.reason.clone());
                Some(FollowUp::ComplaintEnded { case, complaint, end, reason })
            }
            _ => None,
        }
        .map(follow_up))
    }

    async fn project(&self, connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
        store::timeline::project(connection, Self::FEED, events).await?;
        store::desk::follow(connection, events).await
    }
}
