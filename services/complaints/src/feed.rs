//! This service's ledger as its feed shows it.

use shouwen_proto::{
    events::v1::{ComplaintsEvent, complaints_event::Event, event::Body},
    r#type::v1::Private,
};
use shouwen_serving::FeedEvents;

use crate::write_path::ComplaintsDomain;

impl FeedEvents for ComplaintsDomain {
    fn body(event: Event) -> Body {
        Body::Complaints(ComplaintsEvent { event: Some(event) })
    }

    fn privates(event: &mut Event) -> Vec<&mut Option<Private>> {
        match event {
            Event::ComplaintFiled(filed) => vec![
                &mut filed.client_name,
                &mut filed.phone,
                &mut filed.subject,
                &mut filed.place,
                &mut filed.course,
                &mut filed.first_proposal,
                &mut filed.persons_involved,
            ],
            Event::ComplaintDeclined(declined) => vec![&mut declined.explanation],
            Event::CommunicationRecorded(recorded) => vec![&mut recorded.person, &mut recorded.content],
            Event::ReplyRecorded(recorded) => vec![&mut recorded.text],
            Event::HandlingProposed(proposed) => {
                let measures = proposed.measures.iter_mut().map(|measure| &mut measure.text);
                [&mut proposed.proposal].into_iter().chain(measures).collect()
            }
            Event::ProposalReturned(returned) => vec![&mut returned.remarks],
            Event::MeasureRecorded(recorded) => vec![&mut recorded.note],
            Event::HandlingCompleted(completed) => vec![&mut completed.phone, &mut completed.subject],
            Event::PolicyAdopted(_)
            | Event::ComplaintAccepted(_)
            | Event::ProposalApproved(_)
            | Event::VerificationRecorded(_)
            | Event::VerificationExhausted(_)
            | Event::ComplaintReopened(_)
            | Event::ComplaintClosed(_)
            | Event::ComplaintLimitMissed(_)
            | Event::ComplaintLimitMoved(_)
            | Event::ComplaintEscalated(_)
            | Event::ComplaintRecordShown(_) => Vec::new(),
        }
    }
}
