//! The load of claims: clients of the public API, with the tokens of a large roster, so that no employee's rate limit is what is measured.

use std::time::{Duration, Instant};

use shouwen_proto::{
    access::v1::Role,
    operator::v1::{GetStatusRequest, operator_service_client::OperatorServiceClient},
    ownership::v1::{
        Branch, ClaimRequest, Employee, ImportRosterRequest, RosterEntry,
        case_service_client::CaseServiceClient, roster_entry::Entry,
        roster_service_client::RosterServiceClient,
    },
    r#type::v1::Channel as ContactChannel,
};
use shouwen_runtime::{
    channel::{self, Channel, ChannelOptions},
    ids,
};
use tokio::time::timeout;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
};

use crate::{
    Failure,
    load::{self, Load},
    stack::Stack,
};

/// Each may make 100 calls a second.
pub(crate) const EMPLOYEES: usize = 700;
pub(crate) const BRANCHES: usize = 4;
/// Connections that the clients share; the edge allows 100 calls at once on each.
const CONNECTIONS: usize = 4;
/// All services of the suite.
const SERVICES: [&str; 5] = ["ownership", "calls", "callbacks", "clients", "complaints"];
/// Entries of the roster that even a slow machine takes within a call's time.
const ENTRIES_AT_ONCE: usize = 50;
const ADMINISTRATOR: &str = "employees/admin";
/// How long followers may take to catch up.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) type Token = MetadataValue<Ascii>;

/// What clients need.
pub(crate) struct Clients {
    channels: Vec<Channel>,
    pub(crate) tokens: Vec<Token>,
    administrator: Token,
}

impl Clients {
    /// Imports the roster, in which everybody has the same role.
    pub(crate) async fn prepare(stack: &Stack, role: Role) -> Result<Self, Failure> {
        let token = |subject: &str| -> Result<Token, Failure> {
            Ok(format!("Bearer {}", stack.token(subject)?).parse()?)
        };
        let tokens = (1..=EMPLOYEES).map(|number| token(&employee(number))).collect::<Result<_, _>>()?;
        let clients = Self {
            channels: connect(&stack.address, CONNECTIONS).await?,
            tokens,
            administrator: token(ADMINISTRATOR)?,
        };
        eprintln!("bench: importing {EMPLOYEES} employees");
        clients.import_roster(role).await?;
        clients.settle().await?;
        Ok(clients)
    }

    /// A connection to the gateway.
    pub(crate) fn channel(&self) -> Channel {
        self.channels[0].clone()
    }

    async fn import_roster(&self, role: Role) -> Result<(), Failure> {
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
                roles: vec![role.into()],
                active: true,
                ..Employee::default()
            })
        });
        let entries: Vec<RosterEntry> =
            branches.chain(employees).map(|entry| RosterEntry { entry: Some(entry) }).collect();
        let mut roster = RosterServiceClient::new(self.channel());
        for some in entries.chunks(ENTRIES_AT_ONCE) {
            let message =
                ImportRosterRequest { entries: some.to_vec(), request_id: ids::new_v4().to_string() };
            let imported = roster.import_roster(with(&self.administrator, message)).await?.into_inner();
            if let Some(rejected) = imported.rejected.first() {
                return Err(format!("the roster was not taken: {}", rejected.description).into());
            }
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

    /// Lets `clients` clients claim new contacts for a time, each with its own share of the employees.
    pub(crate) async fn claim(&self, clients: usize, time: Duration) -> Result<Load, Failure> {
        load::closed(clients, time, |number| {
            let channel = self.channels[number % self.channels.len()].clone();
            let tokens: Vec<Token> = self.tokens.iter().skip(number).step_by(clients).cloned().collect();
            let mut tokens = tokens.into_iter().cycle();
            move || {
                let mut cases = CaseServiceClient::new(channel.clone());
                let request = tokens.next().map(|token| with(&token, claim()));
                async move {
                    let request =
                        request.ok_or_else(|| tonic::Status::internal("nobody is in the roster"))?;
                    cases.claim(request).await.map(drop)
                }
            }
        })
        .await
    }
}

/// So many connections to an address. Each call's head and message go out as one write: hyper's client makes two of them, and every side would be woken
/// twice.
pub(crate) async fn connect(address: &str, connections: usize) -> Result<Vec<Channel>, Failure> {
    let mut channels = Vec::with_capacity(connections);
    for _ in 0..connections {
        let channel = channel::connect(&[address], &ChannelOptions::default())?;
        timeout(PATIENCE, channel.wait_connected(1))
            .await
            .map_err(|_| format!("{address} does not answer"))?;
        channels.push(channel);
    }
    Ok(channels)
}

/// As in the SQL of the baseline.
pub(crate) fn employee(number: usize) -> String {
    format!("employees/bench-{number:04}")
}

pub(crate) fn branch(number: usize) -> String {
    format!("branches/bench-{number}")
}

/// Of a new contact.
pub(crate) fn claim() -> ClaimRequest {
    ClaimRequest {
        contact: format!("contacts/{}", ids::new_v4()),
        channel: ContactChannel::Phone.into(),
        request_id: ids::new_v4().to_string(),
        ..ClaimRequest::default()
    }
}

pub(crate) fn with<T>(token: &Token, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", token.clone());
    request
}
