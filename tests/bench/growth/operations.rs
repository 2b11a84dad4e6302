//! What is done at each size, through the gateway: what employees do all day.

use rand::{Rng as _, rngs::StdRng};
use shouwen_proto::{
    ownership::v1::{
        ClaimRequest, GetCaseRequest, GetTimelineRequest, ListCasesRequest,
        case_service_client::CaseServiceClient,
    },
    routing::v1::{CancelRoutingRequest, RouteContactRequest, routing_service_client::RoutingServiceClient},
    r#type::v1::Channel as ContactChannel,
};
use shouwen_runtime::{channel::Channel, ids};
use tonic::Status;

use super::filling::Filling;
use crate::{
    Failure,
    client::{Token, branch, claim, employee, with},
};

/// Clients with an open case, at every size: every fifth of the first ten thousand cases.
const CLIENTS_WITH_OPEN_CASES: i64 = 2_000;
/// Employees and branches that have cases.
const EMPLOYEES: usize = 700;
const BRANCHES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Claim,
    /// Of a contact of a client whose case is open: the caller comes to assist (O6).
    ClaimOfKnownClient,
    /// Of a contact of a client whose case is open. Then the routing is cancelled, so that the queue is as long at every size.
    Route,
    /// The edge asks ownership whose the case is, then it is read.
    OwnerCheck,
    Timeline,
    ListOfBranch,
    ListOverdueOfBranch,
    ListOfHandler,
    ListDueOfHandler,
    /// As handler, accountable person or deputy (O6).
    ListOfResponsible,
    ListDueOfResponsible,
    ListOfClient,
}

impl Operation {
    pub(super) const ALL: [Self; 12] = [
        Self::Claim,
        Self::ClaimOfKnownClient,
        Self::Route,
        Self::OwnerCheck,
        Self::Timeline,
        Self::ListOfBranch,
        Self::ListOverdueOfBranch,
        Self::ListOfHandler,
        Self::ListDueOfHandler,
        Self::ListOfResponsible,
        Self::ListDueOfResponsible,
        Self::ListOfClient,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::ClaimOfKnownClient => "claim, client with an open case",
            Self::Route => "route, and cancel",
            Self::OwnerCheck => "owner check and read",
            Self::Timeline => "timeline of a case",
            Self::ListOfBranch => "list: branch, newest",
            Self::ListOverdueOfBranch => "list: branch, overdue, by due time",
            Self::ListOfHandler => "list: handler, newest",
            Self::ListDueOfHandler => "list: handler, open, by due time",
            Self::ListOfResponsible => "list: responsible, newest",
            Self::ListDueOfResponsible => "list: responsible, open, by due time",
            Self::ListOfClient => "list: client",
        }
    }

    /// So many of them, each about another case, client or employee.
    pub(super) async fn requests(
        self,
        count: usize,
        cases: i64,
        random: &mut StdRng,
        filling: &mut Filling,
    ) -> Result<Vec<Asked>, Failure> {
        let numbers: Vec<i64> = (0..count).map(|_| random.random_range(0..cases)).collect();
        let names = filling.cases(&numbers).await?;
        let any = |random: &mut StdRng| employee(random.random_range(1..=EMPLOYEES));
        Ok(names
            .into_iter()
            .map(|name| match self {
                Self::Claim => Asked::Claim(claim()),
                Self::ClaimOfKnownClient => Asked::Claim(ClaimRequest { client: waiting(random), ..claim() }),
                Self::Route => Asked::Route(RouteContactRequest {
                    contact: format!("contacts/{}", ids::new_v4()),
                    channel: ContactChannel::Phone.into(),
                    branch: branch(random.random_range(1..=BRANCHES)),
                    client: waiting(random),
                    request_id: ids::new_v4().to_string(),
                    ..RouteContactRequest::default()
                }),
                Self::OwnerCheck => Asked::Case(GetCaseRequest { name }),
                Self::Timeline => Asked::Timeline(GetTimelineRequest { name, ..Default::default() }),
                Self::ListOfBranch => list(branch(random.random_range(1..=BRANCHES)), String::new(), ""),
                Self::ListOverdueOfBranch => {
                    list(branch(random.random_range(1..=BRANCHES)), "overdue = true".to_owned(), "due_time")
                }
                Self::ListOfHandler => list(everywhere(), format!("handler = {}", any(random)), ""),
                Self::ListDueOfHandler => {
                    list(everywhere(), format!("handler = {} AND state = OPEN", any(random)), "due_time")
                }
                Self::ListOfResponsible => list(everywhere(), format!("responsible = {}", any(random)), ""),
                Self::ListDueOfResponsible => {
                    list(everywhere(), format!("responsible = {} AND state = OPEN", any(random)), "due_time")
                }
                Self::ListOfClient => {
                    list(everywhere(), format!("client = bench-{}", random.random_range(0..cases / 5)), "")
                }
            })
            .collect())
    }
}

/// A request, ready to be sent.
pub(super) enum Asked {
    Claim(ClaimRequest),
    Route(RouteContactRequest),
    Case(GetCaseRequest),
    Timeline(GetTimelineRequest),
    List(ListCasesRequest),
}

impl Asked {
    pub(super) async fn send(self, channel: &Channel, token: &Token) -> Result<(), Status> {
        let mut cases = CaseServiceClient::new(channel.clone());
        match self {
            Self::Claim(request) => cases.claim(with(token, request)).await.map(drop),
            Self::Route(request) => {
                let mut routing = RoutingServiceClient::new(channel.clone());
                let name = routing.route_contact(with(token, request)).await?.into_inner().name;
                let cancel = CancelRoutingRequest { name, request_id: ids::new_v4().to_string() };
                routing.cancel_routing(with(token, cancel)).await.map(drop)
            }
            Self::Case(request) => cases.get_case(with(token, request)).await.map(drop),
            Self::Timeline(request) => cases.get_timeline(with(token, request)).await.map(drop),
            Self::List(request) => {
                let listed = cases.list_cases(with(token, request)).await?.into_inner();
                if listed.cases.is_empty() { Err(Status::not_found("the list is empty")) } else { Ok(()) }
            }
        }
    }
}

/// A page that is full at every size.
fn list(parent: String, filter: String, order_by: &str) -> Asked {
    Asked::List(ListCasesRequest {
        parent,
        page_size: 10,
        filter,
        order_by: order_by.to_owned(),
        ..ListCasesRequest::default()
    })
}

/// A client with an open case.
fn waiting(random: &mut StdRng) -> String {
    format!("bench-{}", random.random_range(0..CLIENTS_WITH_OPEN_CASES))
}

fn everywhere() -> String {
    "branches/-".to_owned()
}
