//! In which order the talks about a case took place: what the client said last says where the case stands (B5), so a correction of what was said before
//! that is set right here and changes nothing elsewhere (C11).
//!
//! A case has no aggregate here, so its talks are counted by a counter of the engine. Recording a result and superseding one lock the same row: which was
//! the last talk is told by the order of the ledger, whatever happens at once on however many replicas, and however late the ledger is followed.

use shouwen_engine::World;
use shouwen_proto::events::v1::callbacks_event::Event;

use super::{Callback, State};

/// Name of the counter of `cases/{case}`.
pub fn counter(case: &str) -> String {
    format!("talks/{case}")
}

/// How many talks about the callback's case were recorded; 0 where it has none.
pub fn recorded(world: &World<'_, State>, callback: &Callback) -> i64 {
    match callback.case() {
        "" => 0,
        case => world.counter(&counter(case)),
    }
}

/// The counter's new value, where the events record a talk about a case.
pub fn counted(events: &[Event]) -> Vec<(String, i64)> {
    let counted = events.iter().filter_map(|event| match event {
        Event::CallbackCompleted(talk) if talk.number > 0 => Some((counter(&talk.case), talk.number)),
        _ => None,
    });
    counted.collect()
}
