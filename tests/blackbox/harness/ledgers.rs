//! The ledgers as everybody who may can read them, and whether the services have taken in each other's.

use std::collections::HashMap;

use shouwen_proto::{
    events::v1::{Event, WatchRequest, watch_response::Item},
    operator::v1::{GetStatusRequest, Status},
};
use shouwen_testkit::until;

use super::{PATIENCE, Suite, place::SERVICES};

/// Waits until every follower has read what there is, with nothing parked.
pub(crate) async fn caught_up(suite: &Suite) {
    let admin = suite.employee("admin");
    let read = async || -> Option<Vec<Status>> {
        let mut all = Vec::new();
        for service in SERVICES {
            let request = GetStatusRequest { service: service.to_owned(), idle_after: Vec::new() };
            all.push(admin.operator().get_status(request).await.ok()?.into_inner());
        }
        Some(all)
    };
    let statuses = until("followers have caught up", PATIENCE, async || {
        let all = read().await?;
        let heads: HashMap<String, i64> =
            all.iter().map(|it| (it.service.clone(), it.head.clone().unwrap().position)).collect();
        let caught_up = all.iter().all(|status| {
            status.followers.iter().all(|follower| {
                follower.cursor.as_ref().is_some_and(|cursor| cursor.position == heads[&follower.feed])
            })
        });
        // What a follower wrote may be news to another one.
        (caught_up && read().await?.iter().zip(&all).all(|(now, before)| now.head == before.head))
            .then_some(all)
    })
    .await;
    for status in statuses {
        assert_eq!(status.parked, 0, "{status:?}");
    }
}

/// A whole ledger, whose positions are dense.
pub(crate) async fn events(suite: &Suite, service: &str) -> Vec<Event> {
    let request = WatchRequest { service: service.to_owned(), after: None };
    let mut feed = suite.employee("auditor").feed().watch(request).await.unwrap().into_inner();
    let mut all: Vec<Event> = Vec::new();
    loop {
        match feed.message().await.unwrap().unwrap().item.unwrap() {
            Item::Event(event) => {
                let position = event.cursor.as_ref().unwrap().position;
                assert_eq!(position, i64::try_from(all.len()).unwrap() + 1, "positions of {service}");
                all.push(event);
            }
            Item::Heartbeat(heartbeat) => {
                if heartbeat.head.unwrap().position == i64::try_from(all.len()).unwrap() {
                    return all;
                }
            }
        }
    }
}
