//! This service's ledger as its feed shows it.

use shouwen_proto::{
    events::v1::{ClientSaved, ClientsEvent, clients_event::Event, event::Body},
    r#type::v1::Private,
};
use shouwen_serving::FeedEvents;

use crate::write_path::ClientsDomain;

impl FeedEvents for ClientsDomain {
    fn body(event: Event) -> Body {
        Body::Clients(ClientsEvent { event: Some(event) })
    }

    fn privates(event: &mut Event) -> Vec<&mut Option<Private>> {
        match event {
            Event::ClientSaved(saved) => of_file(saved),
            _ => Vec::new(),
        }
    }
}

fn of_file(saved: &mut ClientSaved) -> Vec<&mut Option<Private>> {
    let mut fields = vec![
        &mut saved.name,
        &mut saved.phone,
        &mut saved.identity_number,
        &mut saved.email,
        &mut saved.address,
        &mut saved.holdings,
        &mut saved.last_purchase,
    ];
    fields.extend(saved.capital_accounts.iter_mut().map(|account| &mut account.account));
    fields
}
