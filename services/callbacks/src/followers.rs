//! What this service does about the events of others: promises, missed calls, after-hours contacts and handled complaints become callbacks; policies
//! are adopted; epochs fence; what was owed under a void case or about a complaint that is settled is owed no more.

mod calls;
mod complaints;
mod ownership;

use shouwen_engine::{Actor, FollowError, Submission};
use shouwen_proto::r#type::v1::Private;
use shouwen_serving::{Sealer, private};
use shouwen_vault::{Subject, Vault};

use crate::{
    api::{PHONE, SUBJECT},
    domain::{CallbackName, Command},
};

pub(crate) use calls::FollowCalls;
pub(crate) use complaints::FollowComplaints;
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

fn malformed(error: impl std::fmt::Display) -> FollowError {
    FollowError::Malformed(error.to_string())
}

/// Seals anew what came in clear for a callback: the number to dial, and what it is about (L10).
async fn reseal(
    vault: &Vault,
    subject: &Subject,
    name: &CallbackName,
    [phone, about]: [Option<&Private>; 2],
) -> Result<[Option<Private>; 2], FollowError> {
    let sealer = Sealer { vault, subject, aggregate: &name.aggregate().0 };
    match sealer.seal([(PHONE, private::clear(phone)), (SUBJECT, private::clear(about))]).await {
        Ok(sealed) => Ok(sealed),
        // The person was erased meanwhile: nothing of them may be kept.
        Err(failure) if failure.reason() == "DATA_ERASED" => Ok([None, None]),
        Err(failure) => Err(unavailable(failure)),
    }
}
