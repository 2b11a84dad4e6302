//! The load: closed-loop clients of the public API, with the tokens of a large roster, so that no employee's rate limit is what is measured.

use std::time::{Duration, Instant};

use rand::Rng as _;
use shouwen_proto::{
    access::v1::Role,
    calls::v1::{GetCallRequest, RegisterCallRequest, call_service_client::CallServiceClient},
    operator::v1::{GetStatusRequest, operator_service_client::OperatorServiceClient},
    ownership::v1::{
        Branch, ClaimRequest, Employee, ImportRosterRequest, RosterEntry,
        case_service_client::CaseServiceClient, roster_entry::Entry,
        roster_service_client::RosterServiceClient,
    },
    r#type::v1::Channel as ContactChannel,
};
use shouwen_runtime::ids;
use tokio::task::JoinSet;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

use crate::{Failure, stack::Stack};

/// Each may make 100 calls a second.
pub(crate) const EMPLOYEES: usize = 700;
const BRANCHES: usize = 4;
/// Connections that the clients share; the edge allows 100 calls at once on each.
const CONNECTIONS: usize = 4;
/// Contacts that the reads choose from.
const CALLS: usize = 512;
/// All services of the suite.
const SERVICES: [&str; 5] = ["ownership", "calls", "callbacks", "clients", "complaints"];
const ADMINISTRATOR: &str = "employees/admin";
/// How long followers may take to catch up.
const PATIENCE: Duration = Duration::from_secs(120);

type Token = MetadataValue<Ascii>;

/// What clients need.
pub(crate) struct Clients {
    channels: Vec<Channel>,
    tokens: Vec<Token>,
    administrator: Token,
    calls: Vec<String>,
}

/// What a slice of load came to.
pub(crate) struct Load {
    pub(crate) seconds: f64,
    /// Of every call answered within the slice, microseconds.
    pub(crate) latencies: Vec<u32>,
}

impl Load {
    /// Calls answered.
    pub(crate) fn calls(&self) -> f64 {
        self.latencies.len() as f64
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.calls() / self.seconds
    }
}

/// What a client does again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// `CaseService.Claim` of a new contact.
    Claim,
    /// `CallService.GetCall`, forwarded to another service.
    Read,
}

impl Clients {
    /// Imports the roster and registers the contacts to read.
    pub(crate) async fn prepare(stack: &Stack) -> Result<Self, Failure> {
        let endpoint = Endpoint::from_shared(stack.address.clone())?;
        let mut channels = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            channels.push(endpoint.connect().await?);
        }
        let token = |subject: &str| -> Result<Token, Failure> {
            Ok(format!("Bearer {}", stack.token(subject)?).parse()?)
        };
        let mut tokens = Vec::with_capacity(EMPLOYEES);
        for number in 1..=EMPLOYEES {
            tokens.push(token(&employee(number))?);
        }
        let mut clients =
            Self { channels, tokens, administrator: token(ADMINISTRATOR)?, calls: Vec::with_capacity(CALLS) };
        eprintln!("bench: importing {EMPLOYEES} employees, registering {CALLS} contacts");
        clients.import_roster().await?;
        clients.register_calls().await?;
        clients.settle().await?;
        Ok(clients)
    }

    async fn import_roster(&self) -> Result<(), Failure> {
        let branches = (1..=BRANCHES).map(|number| {
            Entry::Branch(Branch {
                name: branch(number),
                display_name: format!("营业部 {number}"),
                ..Branch::default()
            })
        });
        let employees = (1..=EMPLOYEES).map(|number| {
            Entry::Employee(Employee {
                name: employee(number),
                display_name: format!("员工 {number}"),
                branch: branch(1 + number % BRANCHES),
                roles: vec![Role::Staff.into()],
                active: true,
                ..Employee::default()
            })
        });
        let entries = branches.chain(employees).map(|entry| RosterEntry { entry: Some(entry) }).collect();
        let message = ImportRosterRequest { entries, request_id: ids::new_v4().to_string() };
        let mut roster = RosterServiceClient::new(self.channels[0].clone());
        let imported = roster.import_roster(with(&self.administrator, message)).await?.into_inner();
        if let Some(rejected) = imported.rejected.first() {
            return Err(format!("the roster was not taken: {}", rejected.description).into());
        }
        Ok(())
    }

    async fn register_calls(&mut self) -> Result<(), Failure> {
        let mut calls = CallServiceClient::new(self.channels[0].clone());
        for number in 0..CALLS {
            let message = RegisterCallRequest {
                parent: branch(1 + (number + 1) % BRANCHES),
                channel: ContactChannel::Phone.into(),
                caller: "13812345678".to_owned(),
                request_id: ids::new_v4().to_string(),
                ..RegisterCallRequest::default()
            };
            let registered = calls.register_call(with(&self.tokens[number % EMPLOYEES], message)).await?;
            self.calls.push(registered.into_inner().name);
        }
        Ok(())
    }

    /// Waits until every service has followed every feed to its end, so that no side of a comparison works off the other's rest. Answers how long
    /// that took.
    pub(crate) async fn settle(&self) -> Result<Duration, Failure> {
        let begun = Instant::now();
        while !self.settled().await? {
            if begun.elapsed() > PATIENCE {
                return Err("the followers did not catch up".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(begun.elapsed())
    }

    async fn settled(&self) -> Result<bool, Failure> {
        let mut operator = OperatorServiceClient::new(self.channels[0].clone());
        let mut heads = Vec::new();
        let mut cursors = Vec::new();
        for service in SERVICES {
            let message = GetStatusRequest { service: service.to_owned(), idle_after: Vec::new() };
            let status = operator.get_status(with(&self.administrator, message)).await?.into_inner();
            heads.push((service.to_owned(), status.head.unwrap_or_default().position));
            cursors.extend(
                status
                    .followers
                    .into_iter()
                    .map(|follower| (follower.feed, follower.cursor.unwrap_or_default().position)),
            );
        }
        Ok(cursors.iter().all(|(feed, at)| heads.iter().any(|(service, head)| service == feed && at >= head)))
    }

    /// Lets `clients` clients work for a time, each with its own share of the employees. Any refusal ends the run: a figure with refusals in it
    /// would mean nothing.
    pub(crate) async fn load(&self, work: Work, clients: usize, time: Duration) -> Result<Load, Failure> {
        let until = Instant::now() + time;
        let mut running: JoinSet<Result<Vec<u32>, tonic::Status>> = JoinSet::new();
        for client in 0..clients {
            let channel = self.channels[client % self.channels.len()].clone();
            let tokens: Vec<(usize, Token)> =
                self.tokens.iter().cloned().enumerate().skip(client).step_by(clients).collect();
            let names = self.calls.clone();
            running.spawn(async move {
                let mut cases = CaseServiceClient::new(channel.clone());
                let mut calls = CallServiceClient::new(channel);
                let mut latencies = Vec::new();
                for (employee, token) in tokens.iter().cycle() {
                    let sent = Instant::now();
                    match work {
                        Work::Claim => drop(cases.claim(with(token, claim())).await?),
                        Work::Read => {
                            // Employees and contacts are dealt out to the branches alike, and a contact is read in its own branch.
                            let any = rand::rng().random_range(0..names.len() / BRANCHES);
                            let name = names[any * BRANCHES + employee % BRANCHES].clone();
                            drop(calls.get_call(with(token, GetCallRequest { name })).await?);
                        }
                    }
                    if sent.elapsed() > until.saturating_duration_since(sent) {
                        break;
                    }
                    latencies.push(micros(sent));
                }
                Ok(latencies)
            });
        }
        let mut latencies = Vec::new();
        while let Some(ended) = running.join_next().await {
            latencies.extend(ended?.map_err(|status| {
                format!("{work:?} was refused: {:?}: {}", status.code(), status.message())
            })?);
        }
        Ok(Load { seconds: time.as_secs_f64(), latencies })
    }
}

/// As in the SQL of the baseline.
fn employee(number: usize) -> String {
    format!("employees/bench-{number:04}")
}

fn branch(number: usize) -> String {
    format!("branches/bench-{number}")
}

fn claim() -> ClaimRequest {
    ClaimRequest {
        contact: format!("contacts/{}", ids::new_v4()),
        channel: ContactChannel::Phone.into(),
        request_id: ids::new_v4().to_string(),
        ..ClaimRequest::default()
    }
}

fn with<T>(token: &Token, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", token.clone());
    request
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}
