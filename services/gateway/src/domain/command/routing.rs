//! Commands about who answers: presences, routed contacts, and whether lines are staffed (K1, K2).

use shouwen_engine::AggregateId;
use shouwen_proto::events::v1::PresenceState;

/// Whether somebody is at the desk for a published line (K1).
#[derive(Clone, Debug)]
pub struct StaffingCommand {
    pub line: String,
    pub branch: String,
    pub unstaffed: bool,
}

/// Whether employees can be given contacts.
#[derive(Clone, Debug)]
pub enum PresenceCommand {
    /// An employee says so.
    Set { employee: String, state: PresenceState, session: String, take_over: bool },
    /// A desk has been silent.
    Lost { employee: String, session: String },
}

/// Who answers a contact. `contact` is `contacts/{contact}`.
#[derive(Clone, Debug)]
pub enum RoutingCommand {
    Route(Box<Route>),
    /// The reserved employee does not take it.
    Decline {
        contact: AggregateId,
        by: String,
    },
    /// The client is gone.
    Cancel {
        contact: AggregateId,
    },
    /// As `Cancel`, told by calls: of a contact that nobody routed, too.
    Missed {
        contact: AggregateId,
    },
    /// The client will be called back.
    Callback {
        contact: AggregateId,
    },
    /// A reservation, a wait or the night is over.
    Due {
        contact: AggregateId,
    },
    /// Somebody seems to be free for a contact that waits.
    Dispatch {
        contact: AggregateId,
    },
}

/// The transfer of a running call (K5). `by` is the employee who acts.
#[derive(Clone, Debug)]
pub struct TransferCommand {
    pub contact: AggregateId,
    pub by: String,
    pub action: TransferAction,
}

#[derive(Clone, Debug)]
pub enum TransferAction {
    /// Who is on the call announces it to a colleague.
    Announce { to: String },
    /// The colleague takes it.
    Accept,
    /// Who announced it goes on with the call.
    Withdraw,
}

/// A contact to be routed.
#[derive(Clone, Debug)]
pub struct Route {
    pub contact: AggregateId,
    pub branch: String,
    pub line: String,
    /// A number of `shouwen.type.v1.Channel`.
    pub channel: i32,
    pub client: Option<String>,
    pub topic: String,
    pub skills: Vec<String>,
    /// As the clients service last told (L8, L12).
    pub vip: bool,
    pub service_manager: Option<String>,
    /// The client's open case as last read (O6).
    pub case: Option<AggregateId>,
    /// Waits where those who looked free are taken by now; otherwise that is refused, so that others are looked for.
    pub settle: bool,
}
