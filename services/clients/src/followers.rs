//! What this service does about the events of others: policies are adopted, the roster is taken in, and clients whose service manager cannot serve them
//! any more get another one.

mod handover;
mod ownership;

pub(crate) use handover::{HandOver, reassign, rosters};
pub(crate) use ownership::FollowOwnership;

use shouwen_engine::{Actor, Submission};

use crate::domain::Command;

/// A command that this service gives itself.
pub(crate) fn submission(command: Command) -> Submission<Command> {
    Submission::new(
        command,
        Actor {
            principal: "services/clients".to_owned(),
            on_behalf: String::new(),
            capacity: "system".to_owned(),
        },
    )
}
