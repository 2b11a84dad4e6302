//! The product as it stands after the month, read through the gateway: its ledgers, cases, contacts, roster and the state of its services. Nothing
//! here is counted yet.

use shouwen_proto::{
    calls::v1::{Call, ListCallsRequest, call_service_client::CallServiceClient},
    clients::v1::{Client, ListClientsRequest, client_service_client::ClientServiceClient},
    complaints::v1::{Complaint, ListComplaintsRequest, complaint_service_client::ComplaintServiceClient},
    events::v1::{
        CallbacksEvent, CallsEvent, ClientsEvent, ComplaintsEvent, Event, OwnershipEvent, callbacks_event,
        calls_event, clients_event, complaints_event, event::Body, ownership_event,
    },
    operator::v1::Status,
    ownership::v1::{
        Case, Employee, ListBranchesRequest, ListCasesRequest, ListEmployeesRequest,
        case_service_client::CaseServiceClient, roster_service_client::RosterServiceClient,
    },
};

use super::{
    DemoError,
    api::{Api, Who},
    play::Play,
};

/// Entries per page.
const PAGE: i32 = 200;

#[derive(Debug)]
pub(super) struct Product {
    pub(super) ownership: Vec<Event>,
    pub(super) calls_feed: Vec<Event>,
    pub(super) callbacks: Vec<Event>,
    pub(super) clients_feed: Vec<Event>,
    pub(super) complaints_feed: Vec<Event>,
    pub(super) cases: Vec<Case>,
    pub(super) calls: Vec<Call>,
    pub(super) clients: Vec<Client>,
    pub(super) complaints: Vec<Complaint>,
    pub(super) roster: Vec<Employee>,
    pub(super) statuses: Vec<Status>,
}

impl Product {
    /// Events of ownership's ledger.
    pub(super) fn of_ownership(&self) -> impl Iterator<Item = (&Event, &ownership_event::Event)> {
        self.ownership.iter().filter_map(|event| match &event.body {
            Some(Body::Ownership(OwnershipEvent { event: Some(body) })) => Some((event, body)),
            _ => None,
        })
    }

    /// Events of the calls' ledger.
    pub(super) fn of_calls(&self) -> impl Iterator<Item = (&Event, &calls_event::Event)> {
        self.calls_feed.iter().filter_map(|event| match &event.body {
            Some(Body::Calls(CallsEvent { event: Some(body) })) => Some((event, body)),
            _ => None,
        })
    }

    /// Events of the callbacks' ledger.
    pub(super) fn of_callbacks(&self) -> impl Iterator<Item = (&Event, &callbacks_event::Event)> {
        self.callbacks.iter().filter_map(|event| match &event.body {
            Some(Body::Callbacks(CallbacksEvent { event: Some(body) })) => Some((event, body)),
            _ => None,
        })
    }

    /// Events of the clients' ledger.
    pub(super) fn of_clients(&self) -> impl Iterator<Item = (&Event, &clients_event::Event)> {
        self.clients_feed.iter().filter_map(|event| match &event.body {
            Some(Body::Clients(ClientsEvent { event: Some(body) })) => Some((event, body)),
            _ => None,
        })
    }

    /// Events of the complaints' ledger.
    pub(super) fn of_complaints(&self) -> impl Iterator<Item = (&Event, &complaints_event::Event)> {
        self.complaints_feed.iter().filter_map(|event| match &event.body {
            Some(Body::Complaints(ComplaintsEvent { event: Some(body) })) => Some((event, body)),
            _ => None,
        })
    }
}

/// Reads everything after the play.
pub(super) async fn collect(play: Play<'_>) -> Result<Product, DemoError> {
    let (api, observer) = (play.api, &play.observer);
    let statuses = play.simulation.statuses().await?;
    let cases = cases(api, observer).await?;
    let mut contacts = Vec::new();
    for branch in branches(api, observer).await? {
        calls(api, observer, &branch, &mut contacts).await?;
    }
    let roster = roster(api, observer).await?;
    let (clients, complaints) = (clients(api, observer).await?, complaints(api, observer).await?);
    let [ownership, calls_feed, callbacks, clients_feed, complaints_feed] = play.feeds.into_events();
    Ok(Product {
        ownership,
        calls_feed,
        callbacks,
        clients_feed,
        complaints_feed,
        cases,
        calls: contacts,
        clients,
        complaints,
        roster,
        statuses,
    })
}

async fn clients(api: &Api, who: &Who) -> Result<Vec<Client>, DemoError> {
    let (mut clients, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListClientsRequest {
            parent: "branches/-".to_owned(),
            page_size: PAGE,
            page_token,
            filter: String::new(),
        };
        let page = api
            .send(who, request, |channel, request| async move {
                ClientServiceClient::new(channel).list_clients(request).await
            })
            .await
            .map_err(|refused| DemoError::call("ListClients", refused))?;
        clients.extend(page.clients);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(clients);
        }
    }
}

async fn complaints(api: &Api, who: &Who) -> Result<Vec<Complaint>, DemoError> {
    let (mut complaints, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListComplaintsRequest {
            parent: "branches/-".to_owned(),
            page_size: PAGE,
            page_token,
            filter: String::new(),
        };
        let page = api
            .send(who, request, |channel, request| async move {
                ComplaintServiceClient::new(channel).list_complaints(request).await
            })
            .await
            .map_err(|refused| DemoError::call("ListComplaints", refused))?;
        complaints.extend(page.complaints);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(complaints);
        }
    }
}

async fn cases(api: &Api, who: &Who) -> Result<Vec<Case>, DemoError> {
    let (mut cases, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListCasesRequest {
            parent: "branches/-".to_owned(),
            page_size: PAGE,
            page_token,
            ..ListCasesRequest::default()
        };
        let page = api
            .send(who, request, |channel, request| async move {
                CaseServiceClient::new(channel).list_cases(request).await
            })
            .await
            .map_err(|refused| DemoError::call("ListCases", refused))?;
        cases.extend(page.cases);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(cases);
        }
    }
}

async fn calls(api: &Api, who: &Who, parent: &str, calls: &mut Vec<Call>) -> Result<(), DemoError> {
    let mut page_token = String::new();
    loop {
        let request = ListCallsRequest { parent: parent.to_owned(), page_size: PAGE, page_token };
        let page = api
            .send(who, request, |channel, request| async move {
                CallServiceClient::new(channel).list_calls(request).await
            })
            .await
            .map_err(|refused| DemoError::call("ListCalls", refused))?;
        calls.extend(page.calls);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(());
        }
    }
}

async fn branches(api: &Api, who: &Who) -> Result<Vec<String>, DemoError> {
    let (mut branches, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListBranchesRequest { page_size: PAGE, page_token };
        let page = api
            .send(who, request, |channel, request| async move {
                RosterServiceClient::new(channel).list_branches(request).await
            })
            .await
            .map_err(|refused| DemoError::call("ListBranches", refused))?;
        branches.extend(page.branches.into_iter().map(|branch| branch.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(branches);
        }
    }
}

async fn roster(api: &Api, who: &Who) -> Result<Vec<Employee>, DemoError> {
    let (mut roster, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListEmployeesRequest { parent: "branches/-".to_owned(), page_size: PAGE, page_token };
        let page = api
            .send(who, request, |channel, request| async move {
                RosterServiceClient::new(channel).list_employees(request).await
            })
            .await
            .map_err(|refused| DemoError::call("ListEmployees", refused))?;
        roster.extend(page.employees);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(roster);
        }
    }
}
