//! A forwarded read: the gateway authenticates, checks the case and signs; nginx and `haproxy` before the same backend add a ready-made context.

mod added;
mod capacity;
mod proxies;
mod reading;

use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use shouwen_proto::access::v1::Role;
use shouwen_runtime::channel::Channel;
use tempfile::TempDir;
use tonic::{
    Status,
    metadata::{Binary, MetadataValue},
};

use self::{
    proxies::{Behind, Proxy},
    reading::Reading,
};
use crate::{
    Failure,
    client::{self, Clients, Token},
    deployment::{Deployment, PROCESSES, Process},
    load::{self, Load},
    plan::{CLIENTS, Plan},
    report::Line,
    stack::Stack,
};

/// Connections of the clients to each side; enough that both workers of nginx get their share.
const CONNECTIONS: usize = 16;

/// What a read is forwarded by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Gateway,
    /// With one worker.
    Nginx,
    /// With two.
    NginxOfTwo,
    Haproxy,
    /// Nothing: straight to the backend.
    Direct,
}

/// A side, ready to be called.
struct Door {
    channels: Vec<Channel>,
    /// The process whose time counts: the forwarder with its workers.
    pid: u32,
}

/// Everything that runs.
struct Scene {
    deployment: Deployment,
    reading: Arc<Reading>,
    context: HeaderValue,
    tokens: Arc<[Token]>,
    doors: Vec<(Side, Door)>,
    /// The process id of the backend.
    backend: u32,
    postgres: u32,
    _services: Vec<Process>,
    _proxies: Vec<Proxy>,
}

/// Prepares data through the API of an `up`, which is stopped then: on its directory anything else can start.
pub(crate) struct Prepared {
    reading: Reading,
    tokens: Vec<Token>,
}

impl Prepared {
    pub(crate) async fn make(stack: &Stack) -> Result<Self, Failure> {
        // HQ reaches every branch, so each of them may read the one callback.
        let clients = Clients::prepare(stack, Role::Hq).await?;
        let reading = Reading::prepare(&clients).await?;
        clients.settle().await?;
        Ok(Self { reading, tokens: clients.tokens })
    }
}

/// All of it, on the directory of the `up` of [`Prepared`].
pub(crate) async fn measure(plan: &Plan, dir: TempDir, prepared: Prepared) -> Result<Vec<Line>, Failure> {
    let scene = Scene::start(dir, prepared).await?;
    eprintln!("bench: warming up the forwarded read");
    for (side, _) in &scene.doors {
        scene.load(*side, plan.warm_up).await?;
    }
    let rounds = capacity::rounds(plan, &scene).await?;
    let rate = capacity::half_of_the_slower(&rounds);
    let mut lines = capacity::lines(&rounds);
    lines.extend(added::measure(plan, &scene, rate).await?);
    scene.deployment.stop().await?;
    Ok(lines)
}

impl Scene {
    async fn start(dir: TempDir, Prepared { reading, tokens }: Prepared) -> Result<Self, Failure> {
        let deployment = Deployment::start(dir, &[]).await?;
        let mut services = Vec::new();
        for process in PROCESSES {
            services.push(deployment.serve(process).await?);
        }
        let pid = |wanted: &str| {
            let place = PROCESSES.iter().position(|(name, _)| *name == wanted);
            place.map(|place| services[place].pid).ok_or("there is no such process")
        };
        let (gateway, backend) = (pid("gateway")?, pid("callbacks")?);
        let context = reading.context(&deployment)?;
        let at = deployment.address("callbacks");
        let behind = Behind { backend: at, context: &context, dir: deployment.dir() };
        let proxies = vec![behind.nginx(1).await?, behind.nginx(2).await?, behind.haproxy().await?];
        let ways = [
            (Side::Gateway, deployment.address("gateway"), gateway),
            (Side::Nginx, proxies[0].address, proxies[0].pid),
            (Side::NginxOfTwo, proxies[1].address, proxies[1].pid),
            (Side::Haproxy, proxies[2].address, proxies[2].pid),
            (Side::Direct, at, backend),
        ];
        let mut doors = Vec::new();
        for (side, address, pid) in ways {
            let channels = client::connect(&format!("http://{address}"), CONNECTIONS).await?;
            doors.push((side, Door { channels, pid }));
        }
        let postgres = deployment.postgres_pid()?;
        Ok(Self {
            deployment,
            reading: Arc::new(reading),
            context,
            tokens: tokens.into(),
            doors,
            backend,
            postgres,
            _services: services,
            _proxies: proxies,
        })
    }

    fn door(&self, side: Side) -> Result<&Door, Failure> {
        let door = self.doors.iter().find(|(of, _)| *of == side);
        door.map(|(_, door)| door).ok_or_else(|| "there is no such door".into())
    }

    /// The client with this number, of so many: on one connection, with its own share of the employees.
    fn caller(&self, side: Side, number: usize, of: usize) -> Result<Caller, Failure> {
        let channels = &self.door(side)?.channels;
        Ok(Caller {
            straight: side == Side::Direct,
            channel: channels[number % channels.len()].clone(),
            reading: Arc::clone(&self.reading),
            context: reading::metadata(&self.context)?,
            tokens: Arc::clone(&self.tokens),
            next: number,
            step: of,
        })
    }

    /// As much as closed-loop clients get through a side.
    async fn load(&self, side: Side, time: Duration) -> Result<Load, Failure> {
        let callers = (0..CLIENTS).map(|number| self.caller(side, number, CLIENTS));
        let callers: Vec<Caller> = callers.collect::<Result<_, _>>()?;
        load::closed(CLIENTS, time, |number| {
            let mut caller = callers[number].clone();
            move || caller.call()
        })
        .await
    }

    /// So many calls a second through a side, dealt out to its connections and to the employees.
    async fn pace(&self, side: Side, per_second: f64, time: Duration) -> Result<Vec<u32>, Failure> {
        let callers = (0..CONNECTIONS).map(|number| self.caller(side, number, CONNECTIONS));
        let mut callers: Vec<Caller> = callers.collect::<Result<_, _>>()?;
        let mut turn = 0;
        load::open(per_second, time, || {
            turn = (turn + 1) % CONNECTIONS;
            callers[turn].call()
        })
        .await
    }
}

/// Makes the read again and again.
#[derive(Clone)]
struct Caller {
    straight: bool,
    channel: Channel,
    reading: Arc<Reading>,
    context: MetadataValue<Binary>,
    tokens: Arc<[Token]>,
    /// Whose token is next, and by how many it goes on.
    next: usize,
    step: usize,
}

impl Caller {
    fn call(&mut self) -> impl Future<Output = Result<(), Status>> + Send + use<> {
        let request = if self.straight {
            self.reading.under(&self.context)
        } else {
            self.next = (self.next + self.step) % self.tokens.len();
            self.reading.by(&self.tokens[self.next])
        };
        reading::get(self.channel.clone(), request)
    }
}
