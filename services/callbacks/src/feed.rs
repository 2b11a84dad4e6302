//! This service's ledger as its feed shows it.

use shouwen_proto::{
    events::v1::{CallbacksEvent, callbacks_event::Event, event::Body},
    r#type::v1::Private,
};
use shouwen_serving::FeedEvents;

use crate::write_path::CallbacksDomain;

impl FeedEvents for CallbacksDomain {
    fn body(event: Event) -> Body {
        Body::Callbacks(CallbacksEvent { event: Some(event) })
    }

    fn privates(event: &mut Event) -> Vec<&mut Option<Private>> {
        match event {
            Event::CallbackScheduled(scheduled) => vec![&mut scheduled.phone, &mut scheduled.subject],
            Event::CallbackCoalesced(joined) => vec![&mut joined.phone],
            Event::CallbackCompleted(completed) => vec![&mut completed.suggestions, &mut completed.answers],
            Event::CallbackResultSuperseded(superseded) => match &mut superseded.result {
                Some(result) => vec![&mut result.suggestions, &mut result.answers],
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}
