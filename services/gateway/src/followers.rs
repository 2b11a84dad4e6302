//! What ownership does about other services' events. It alone decides what they mean for a case.

pub mod callbacks;
pub mod calls;
pub mod clients;
pub mod complaints;

use shouwen_engine::{Actor, Submission};

use crate::domain::{Command, command::FollowUp};

/// A command that follows from another service's event.
fn follow_up(command: FollowUp) -> Submission<Command> {
    submission(Command::FollowUp(command))
}

fn submission(command: Command) -> Submission<Command> {
    let actor = Actor {
        principal: "services/gateway".to_owned(),
        on_behalf: String::new(),
        capacity: "system".to_owned(),
    };
    Submission::new(command, actor)
}
