//! This service's ledger as its feed shows it.

use shouwen_proto::{
    events::v1::{CallsEvent, calls_event::Event, event::Body},
    r#type::v1::Private,
};
use shouwen_serving::FeedEvents;

use crate::domain::CallsDomain;

impl FeedEvents for CallsDomain {
    fn body(event: Event) -> Body {
        Body::Calls(CallsEvent { event: Some(event) })
    }

    fn privates(event: &mut Event) -> Vec<&mut Option<Private>> {
        match event {
            Event::CallRegistered(registered) => vec![&mut registered.caller],
            Event::CallMissed(missed) => vec![&mut missed.caller],
            Event::CallRecorded(recorded) => vec![
                &mut recorded.client_name,
                &mut recorded.phone,
                &mut recorded.summary,
                &mut recorded.handling,
                &mut recorded.assessment,
            ],
            Event::CallbackPromised(promised) => vec![&mut promised.phone, &mut promised.subject],
            Event::CallEnded(ended) => vec![&mut ended.phone],
            Event::PolicyAdopted(_)
            | Event::CallAnswered(_)
            | Event::RecordConfirmed(_)
            | Event::CallVoided(_) => Vec::new(),
        }
    }
}
