//! What must hold of clients' files whatever the month was.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use shouwen_proto::events::v1::clients_event;
use shouwen_serving::timestamps::from_proto;

use super::super::product::Product;

/// A verification as the ledger tells it.
struct Verification<'a> {
    client: &'a str,
    employee: &'a str,
    expires: Option<DateTime<Utc>>,
    passed: bool,
}

pub(super) fn broken(product: &Product, broken: &mut Vec<String>) {
    managers(product, broken);
    disclosures(product, broken);
}

/// L8: each client has exactly one service manager, the one who was assigned last.
fn managers(product: &Product, broken: &mut Vec<String>) {
    let mut assigned: HashMap<&str, &str> = HashMap::new();
    for (event, body) in product.of_clients() {
        if let clients_event::Event::ServiceManagerAssigned(assignment) = body {
            let former = assigned.insert(&event.aggregate, &assignment.employee).unwrap_or_default();
            if former != assignment.former {
                let (client, says) = (&event.aggregate, &assignment.former);
                broken.push(format!(
                    "L8: {client} was handed over from `{says}`, but `{former}` served the client"
                ));
            }
        }
    }
    for client in &product.clients {
        let last = assigned.get(client.name.as_str()).copied().unwrap_or_default();
        if last != client.service_manager {
            let now = &client.service_manager;
            broken.push(format!("L8: `{now}` serves {}, but `{last}` was assigned last", client.name));
        }
    }
}

/// K11: nobody sees a file in full but who has verified that client's identity, and not for longer than that holds.
fn disclosures(product: &Product, broken: &mut Vec<String>) {
    use clients_event::Event as Of;
    let mut verifications: HashMap<&str, Verification<'_>> = HashMap::new();
    for (event, body) in product.of_clients() {
        match body {
            Of::VerificationStarted(started) => {
                let expires = started.expire_time.as_ref().and_then(from_proto);
                let (client, employee) = (event.aggregate.as_str(), started.employee.as_str());
                let begun = Verification { client, employee, expires, passed: false };
                verifications.insert(&started.verification, begun);
            }
            Of::VerificationAnswered(answered) => {
                if let Some(verification) = verifications.get_mut(answered.verification.as_str()) {
                    verification.passed |= answered.passed;
                }
            }
            Of::ClientDisclosed(shown) => {
                let time = event.time.as_ref().and_then(from_proto);
                let verified = verifications.get(shown.verification.as_str()).is_some_and(|verification| {
                    let theirs =
                        (verification.client, verification.employee) == (&event.aggregate, &shown.employee);
                    theirs && verification.passed && time < verification.expires
                });
                if !verified {
                    let (client, employee) = (&event.aggregate, &shown.employee);
                    broken.push(format!(
                        "K11: {client} was shown to {employee}, who had not verified the identity"
                    ));
                }
            }
            _ => {}
        }
    }
}
