//! A desk through the gateway: an offer lies there until it is answered, and a cursor goes on behind what was seen.

use shouwen_proto::{
    ownership::v1::AcceptOfferRequest,
    routing::v1::{
        DeskItem, DeskItemKind, WatchDeskRequest, WatchDeskResponse, desk_change, watch_desk_response::Event,
    },
};
use tokio::time::timeout;
use tonic::{Code, Streaming};

use crate::harness::{Client, PATIENCE, Shared, id, refused, requests, steps::answered};

async fn watched(client: &Client, cursor: &str) -> Streaming<WatchDeskResponse> {
    let request = WatchDeskRequest { cursor: cursor.to_owned(), ..Default::default() };
    client.desks().watch_desk(request).await.unwrap().into_inner()
}

/// The next change of this subject, and the cursor behind it.
async fn change(
    stream: &mut Streaming<WatchDeskResponse>,
    subject: &str,
) -> (desk_change::Kind, DeskItem, String) {
    let found = async {
        loop {
            let response = stream.message().await.unwrap().unwrap();
            let Some(Event::Changes(changes)) = response.event else { continue };
            for change in changes.changes {
                let (kind, item) = (change.kind(), change.item.unwrap());
                if item.subject == subject {
                    return (kind, item, response.cursor);
                }
            }
        }
    };
    timeout(PATIENCE, found).await.unwrap()
}

#[tokio::test]
async fn o4_an_offer_lies_on_the_receivers_desk_until_it_is_answered() {
    let suite = Shared::suite().await;
    let (li, wang) = (suite.employee("li"), suite.employee("wang"));
    let mut stream = watched(&wang, "").await;
    let name = answered(&suite, "desk-1", "li").await;
    let offer = li.cases().offer_transfer(requests::offer(&name, "wang")).await.unwrap().into_inner();
    let offer = offer.offer.unwrap().offer;
    let subject = format!("{name}/offers/{offer}");
    let (kind, item, cursor) = change(&mut stream, &subject).await;
    assert_eq!((kind, item.kind(), &*item.case), (desk_change::Kind::Added, DeskItemKind::Offer, &*name));
    drop(stream);
    let accept = AcceptOfferRequest { name, offer, request_id: id() };
    wang.cases().accept_offer(accept).await.unwrap();
    let (kind, cleared, _) = change(&mut watched(&wang, &cursor).await, &subject).await;
    assert_eq!((kind, cleared.item), (desk_change::Kind::Cleared, item.item));
    // Nobody goes on with another's cursor, and a colleague's desk is not theirs.
    let foreign = WatchDeskRequest { cursor, ..Default::default() };
    assert_eq!(
        refused(li.desks().watch_desk(foreign).await).kind(),
        (Code::InvalidArgument, "CURSOR_INVALID")
    );
    let colleague = WatchDeskRequest { employee: "employees/wang".to_owned(), ..Default::default() };
    assert_eq!(
        refused(li.desks().watch_desk(colleague).await).kind(),
        (Code::PermissionDenied, "DESK_OF_COLLEAGUE")
    );
}
