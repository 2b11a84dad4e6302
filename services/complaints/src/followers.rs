//! What this service does about the events of others: policies are adopted, epochs fence, cases, clients and employees are known; what a client said when
//! called back settles the complaint or sends it back.

mod callbacks;
mod clients;
mod ownership;
mod roster;

use shouwen_engine::{Actor, Submission};

use crate::domain::Command;

pub(crate) use callbacks::FollowCallbacks;
pub(crate) use clients::FollowClients;
pub(crate) use ownership::FollowOwnership;
pub(crate) use roster::ReadAgain;

/// A command that this service gives itself about an event.
fn submission(command: Command) -> Submission<Command> {
    Submission::new(
        command,
        Actor {
            principal: "services/complaints".to_owned(),
            on_behalf: String::new(),
            capacity: "system".to_owned(),
        },
    )
}
