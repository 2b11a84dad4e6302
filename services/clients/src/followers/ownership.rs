//! Following ownership: policies (P1), branches and employees (L8).

use shouwen_engine::{Follow, FollowError, Submission};
use shouwen_proto::{
    access::v1::Role,
    events::v1::{EmployeeSaved, Event, ownership_event::Event as OwnershipEvent},
};
use shouwen_serving::ownership_feed;
use sqlx::PgConnection;

use super::submission;
use crate::{
    domain::Command,
    store::{
        handovers::{self, Handover},
        roster::{self, Entry},
    },
    write_path::ClientsDomain,
};

/// The follower of the feed `ownership`.
pub(crate) struct FollowOwnership;

impl Follow<ClientsDomain> for FollowOwnership {
    const FEED: &'static str = "ownership";

    async fn command(&self, event: &Event) -> Result<Option<Submission<Command>>, FollowError> {
        Ok(match ownership_feed::happened(event) {
            Some(OwnershipEvent::PolicyApproved(approved)) => {
                let adopted = shouwen_policy::adoption(approved);
                Some(submission(Command::AdoptPolicy(Box::new(adopted))))
            }
            _ => None,
        })
    }

    async fn project(&self, connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
        let branches: Vec<String> = events
            .iter()
            .filter_map(|event| match ownership_feed::happened(event) {
                Some(OwnershipEvent::BranchSaved(saved)) => Some(saved.branch.clone()),
                _ => None,
            })
            .collect();
        if !branches.is_empty() {
            roster::save_branches(connection, &branches).await?;
        }
        for event in events {
            if let Some(OwnershipEvent::EmployeeSaved(saved)) = ownership_feed::happened(event) {
                take_in(connection, event, saved).await?;
            }
        }
        Ok(())
    }
}

/// Takes in an employee's entry, and notes whose clients are to be looked through.
async fn take_in(connection: &mut PgConnection, event: &Event, saved: &EmployeeSaved) -> sqlx::Result<()> {
    let serves = [Role::Staff, Role::Lead].iter().any(|role| saved.roles.contains(&i32::from(*role)));
    let entry = Entry {
        employee: &saved.employee,
        branch: &saved.branch,
        position: i16::try_from(saved.position).unwrap_or_default(),
        serves,
        active: saved.active,
    };
    if roster::save_employee(connection, &entry).await? {
        let handover = Handover {
            employee: saved.employee.clone(),
            branch: saved.branch.clone(),
            position: event.cursor.as_ref().map_or(0, |cursor| cursor.position),
        };
        handovers::note(connection, &handover).await?;
    }
    Ok(())
}
