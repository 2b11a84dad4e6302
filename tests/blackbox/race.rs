//! Everybody answers everything at once: however many try, exactly one employee becomes the first responder of a contact (O1).

use std::{collections::HashMap, sync::Arc, time::Instant};

use futures_util::{StreamExt as _, stream};
use shouwen_proto::{
    access::v1::Role,
    calls::v1::GetCallRequest,
    ownership::v1::{GetCaseRequest, RosterEntry, roster_entry::Entry},
};
use tonic::Code;

use crate::harness::{
    Client, Refusal, Shape, Suite,
    requests::{answer, register},
    roster,
};

const CLIENTS: usize = 64;
const CONTACTS: usize = 1_000;
/// How many calls one client has under way.
const AT_ONCE: usize = 8;

/// What came of one answer.
enum Outcome {
    First { contact: usize, case: String },
    Told { contact: usize, who: String, first_responder: String, case: String },
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o1_sixty_four_clients_through_two_gateways_leave_exactly_one_first_responder_per_contact() {
    let suite = Suite::of(Shape { gateways: 2, calls: 2, ..Shape::default() }).await;
    let names: Vec<String> = (0..CLIENTS).map(|index| format!("racer-{index}")).collect();
    let entries = names
        .iter()
        .map(|name| Entry::Employee(roster::employee(name, "east", &[Role::Staff], true)))
        .map(|entry| RosterEntry { entry: Some(entry) });
    roster::import(&suite.employee("admin"), entries.collect()).await;
    suite.known_everywhere(names.last().unwrap()).await;
    let telephony = suite.account("telephony");
    stream::iter(0..CONTACTS)
        .for_each_concurrent(32, async |contact| {
            telephony.calls().register_call(register(&format!("race-{contact}"))).await.unwrap();
        })
        .await;

    let started = Instant::now();
    let start = Arc::new(tokio::sync::Barrier::new(CLIENTS));
    let racers: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let (client, start) = (suite.employee_at(index % 2, name), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                stream::iter(0..CONTACTS)
                    .map(|contact| answered(client.clone(), contact))
                    .buffer_unordered(AT_ONCE)
                    .collect::<Vec<Outcome>>()
                    .await
            })
        })
        .collect();
    let mut first: HashMap<usize, (String, String)> = HashMap::new();
    let mut told = Vec::new();
    for (name, racer) in names.iter().zip(racers) {
        for outcome in racer.await.unwrap() {
            match outcome {
                Outcome::First { contact, case } => {
                    let former = first.insert(contact, (format!("employees/{name}"), case));
                    assert!(
                        former.is_none(),
                        "contact {contact} has two first responders: {former:?} and {name}"
                    );
                }
                Outcome::Told { .. } => told.push(outcome),
            }
        }
    }
    println!("{} answers in {:.1?}", CLIENTS * CONTACTS, started.elapsed());
    assert_eq!(first.len(), CONTACTS);
    assert_eq!(told.len(), (CLIENTS - 1) * CONTACTS);
    for outcome in told {
        let Outcome::Told { contact, who, first_responder, case } = outcome else { continue };
        let (winner, winners_case) = &first[&contact];
        assert_eq!((&who, &first_responder, &case), (winner, winner, winners_case), "contact {contact}");
    }

    // What the services say afterwards, through either gateway.
    for (contact, (winner, case)) in first.iter().take(100) {
        let auditor = suite.employee_at(contact % 2, "auditor");
        let call = GetCallRequest { name: format!("calls/race-{contact}") };
        let call = auditor.calls().get_call(call).await.unwrap().into_inner();
        assert_eq!((&call.employee, &call.case), (winner, case));
        let case =
            auditor.cases().get_case(GetCaseRequest { name: case.clone() }).await.unwrap().into_inner();
        assert_eq!(&case.first_responder, winner);
    }
}

async fn answered(client: Client, contact: usize) -> Outcome {
    match client.calls().answer_call(answer(&format!("race-{contact}"))).await {
        Ok(call) => Outcome::First { contact, case: call.into_inner().case },
        Err(status) => {
            let refusal = Refusal::of(&status).unwrap_or_else(|| panic!("{status:?}"));
            assert_eq!(refusal.kind(), (Code::AlreadyExists, "CONTACT_CLAIMED"), "{refusal:?}");
            let told = |key: &str| refusal.metadata[key].clone();
            Outcome::Told {
                contact,
                who: told("employee"),
                first_responder: told("first_responder"),
                case: told("case"),
            }
        }
    }
}
