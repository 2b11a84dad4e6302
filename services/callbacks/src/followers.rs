//! What this service does about the events of others: promises, missed calls and after-hours contacts become callbacks; policies are adopted;
//! epochs fence; what was owed under a void case is owed no more.

mod calls;
mod ownership;

use shouwen_engine::{Actor, FollowError, Submission};

use crate::domain::Command;

pub(crate) use calls::FollowCalls;
pub(crate) use ownership::FollowOwnership;

/// A command that this service gives itself about an event.
fn submission(command: Command) -> Submission<Command> {
    Submission::new(
        command,
        Actor {
            principal: "services/callbacks".to_owned(),
            on_behalf: String::new(),
            capacity: "system".to_owned(),
        },
    )
}

/// A read or a sealing that may succeed later.
fn unavailable(error: impl std::fmt::Display) -> FollowError {
    FollowError::Unavailable(error.to_string())
}
