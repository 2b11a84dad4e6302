//! Processes, database and roster together, ready to be called.

use std::{net::SocketAddr, path::PathBuf, process::Output};

use shouwen_proto::ownership::v1::GetEmployeeRequest;
use shouwen_testkit::{TestCertificate, until};

use super::{
    PATIENCE, Refusal,
    client::{Client, channel, claims},
    deployment::{Addresses, Deployment, Kind},
    place::Place,
    ports,
    process::{self, Process},
    roster,
};

/// How many processes of each service run, and settings that differ from the usual ones.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) gateways: usize,
    pub(crate) calls: usize,
    pub(crate) callbacks: usize,
    pub(crate) clients: usize,
    pub(crate) complaints: usize,
    /// Given by `--set` to every process.
    pub(crate) set: Vec<(&'static str, String)>,
    /// Given by `--set` to the gateways.
    pub(crate) gateway_set: Vec<(&'static str, String)>,
    /// Every listener with TLS, and every service with a certificate of its own.
    pub(crate) tls: Option<TlsFiles>,
    /// Where `shouwen token` looks for its key; by default in the deployment's folder.
    pub(crate) data_dir: Option<PathBuf>,
}

/// The certificates of a deployment.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) server: TestCertificate,
    pub(crate) client: TestCertificate,
    pub(crate) ca: PathBuf,
    /// Whether callers must show a certificate.
    pub(crate) mutual: bool,
}

impl TlsFiles {
    fn settings(&self, kind: Kind) -> Vec<(String, String)> {
        let path = |path: &PathBuf| path.display().to_string();
        let mut settings = vec![
            ("tls.certificate".to_owned(), path(&self.server.certificate)),
            ("tls.key".to_owned(), path(&self.server.key)),
        ];
        if self.mutual {
            settings.push(("tls.client_ca".to_owned(), path(&self.ca)));
        }
        let channels: &[&str] =
            if kind == Kind::Gateway { &["channel", "edge.channel"] } else { &["channel"] };
        for channel in channels {
            settings.extend([
                (format!("{channel}.tls.ca"), path(&self.ca)),
                (format!("{channel}.tls.certificate"), path(&self.client.certificate)),
                (format!("{channel}.tls.key"), path(&self.client.key)),
            ]);
        }
        settings
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            gateways: 1,
            calls: 1,
            callbacks: 1,
            clients: 1,
            complaints: 1,
            set: Vec::new(),
            gateway_set: Vec::new(),
            tls: None,
            data_dir: None,
        }
    }
}

impl Shape {
    /// Two of each.
    pub(crate) fn doubled() -> Self {
        Self { gateways: 2, calls: 2, callbacks: 2, clients: 2, complaints: 2, ..Self::default() }
    }
}

/// A running deployment.
pub(crate) struct Suite {
    pub(crate) gateways: Vec<Process>,
    pub(crate) calls: Vec<Process>,
    pub(crate) callbacks: Vec<Process>,
    pub(crate) clients: Vec<Process>,
    pub(crate) complaints: Vec<Process>,
    /// The gateways' inner addresses.
    pub(crate) ownership: Vec<SocketAddr>,
    pub(crate) deployment: Deployment,
    pub(crate) place: Place,
    data_dir: PathBuf,
    gateway_set: Vec<(&'static str, String)>,
}

impl Suite {
    /// One process of each service, with the roster imported.
    pub(crate) async fn start() -> Self {
        Self::of(Shape::default()).await
    }

    /// These processes, with the roster imported.
    pub(crate) async fn of(shape: Shape) -> Self {
        let suite = Self::prepared(Place::shared().await, &shape);
        suite.start_all();
        suite.ready().await;
        suite.fill_roster().await;
        suite
    }

    /// Everything laid out, nothing started.
    pub(crate) fn prepared(place: Place, shape: &Shape) -> Self {
        let deployment = Deployment::new();
        let ownership: Vec<SocketAddr> = (0..shape.gateways).map(|_| ports::free()).collect();
        let make = |kind: Kind, count: usize| -> Vec<Process> {
            (0..count)
                .map(|index| {
                    let (address, admin) = (ports::free(), ports::free());
                    let mut arguments = vec![
                        "serve".to_owned(),
                        kind.argument().to_owned(),
                        "--config".to_owned(),
                        deployment.settings(kind).display().to_string(),
                    ];
                    let mut set = |key: &str, value: &str| {
                        arguments.extend(["--set".to_owned(), format!("{key}={value}")]);
                    };
                    set("listen", &address.to_string());
                    set("admin_listen", &admin.to_string());
                    for (key, value) in &shape.set {
                        set(key, value);
                    }
                    for (key, value) in shape.tls.iter().flat_map(|tls| tls.settings(kind)) {
                        set(&key, &value);
                    }
                    if kind == Kind::Gateway {
                        set("internal_listen", &ownership[index].to_string());
                        for (key, value) in &shape.gateway_set {
                            set(key, value);
                        }
                    }
                    let name = format!("{}-{index}", kind.argument());
                    let environment = Deployment::environment(&place, kind);
                    Process::new(&name, (address, admin), arguments, environment, deployment.dir())
                })
                .collect()
        };
        let gateways = make(Kind::Gateway, shape.gateways);
        let calls = make(Kind::Calls, shape.calls);
        let callbacks = make(Kind::Callbacks, shape.callbacks);
        let clients = make(Kind::Clients, shape.clients);
        let complaints = make(Kind::Complaints, shape.complaints);
        let at = |processes: &[Process]| processes.iter().map(|process| process.address).collect();
        let addresses = Addresses::from([
            ("ownership", ownership.clone()),
            ("calls", at(&calls)),
            ("callbacks", at(&callbacks)),
            ("clients", at(&clients)),
            ("complaints", at(&complaints)),
        ]);
        deployment.write_settings(&addresses, if shape.tls.is_some() { "https" } else { "http" });
        let data_dir = shape.data_dir.clone().unwrap_or_else(|| deployment.dir().join("data"));
        let gateway_set = shape.gateway_set.clone();
        Self {
            gateways,
            calls,
            callbacks,
            clients,
            complaints,
            ownership,
            deployment,
            place,
            data_dir,
            gateway_set,
        }
    }

    /// Every process, in the order of the schemas.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        let backends = [&self.calls, &self.callbacks, &self.clients, &self.complaints];
        self.gateways.iter().chain(backends.into_iter().flatten())
    }

    pub(crate) fn start_all(&self) {
        self.processes().for_each(Process::start);
    }

    /// Waits until every process is ready.
    pub(crate) async fn ready(&self) {
        for process in self.processes() {
            process.ready(PATIENCE).await;
        }
    }

    /// Asks every process to end, and waits for it.
    pub(crate) async fn stop(&self) {
        self.processes().for_each(Process::terminate);
        for process in self.processes() {
            let status = process.ended(PATIENCE).await;
            assert_eq!(status.code(), Some(0), "{}", process.name);
        }
    }

    /// The first administrator, then everybody else; returns when every gateway knows them.
    pub(crate) async fn fill_roster(&self) {
        let made = self.bootstrap();
        assert!(made.status.success(), "{}", process::text(&made));
        self.fill_roster_as(&self.employee("admin")).await;
        self.known_everywhere("officer").await;
    }

    /// Everybody else, by a first administrator who exists already.
    pub(crate) async fn fill_roster_as(&self, admin: &Client) {
        // The gateway learns of the administrator from the ledger, that another process wrote.
        self.known("admin", admin).await;
        roster::import(admin, roster::entries()).await;
    }

    /// Waits until every gateway has learned of an employee, as it shows when the employee calls.
    pub(crate) async fn known_everywhere(&self, name: &str) {
        for gateway in 0..self.gateways.len() {
            self.known(name, &self.employee_at(gateway, name)).await;
        }
    }

    /// `shouwen token --bootstrap` with the settings of this deployment's gateways.
    pub(crate) fn bootstrap(&self) -> Output {
        let mut command = process::command();
        command.args(["token", "--bootstrap", "--subject", "employees/admin"]);
        command.arg("--config").arg(self.deployment.settings(Kind::Gateway));
        for (key, value) in &self.gateway_set {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command.arg("--data-dir").arg(&self.data_dir);
        command.envs(Deployment::environment(&self.place, Kind::Gateway));
        command.output().unwrap()
    }

    async fn known(&self, name: &str, caller: &Client) {
        let request = GetEmployeeRequest { name: format!("employees/{name}") };
        until(&format!("the gateway knows {name}"), PATIENCE, async || {
            match caller.roster().get_employee(request.clone()).await {
                Ok(_) => Some(()),
                // Known, but not let in for another reason.
                Err(status) => Refusal::of(&status).filter(|it| it.reason == "ROLE_REQUIRED").map(drop),
            }
        })
        .await;
    }

    /// A caller without a token at the first gateway.
    pub(crate) fn anonymous(&self) -> Client {
        Client::anonymous(channel(self.gateways[0].address))
    }

    /// An employee with their own token at the first gateway.
    pub(crate) fn employee(&self, name: &str) -> Client {
        self.employee_at(0, name)
    }

    /// An employee with their own token at a gateway.
    pub(crate) fn employee_at(&self, gateway: usize, name: &str) -> Client {
        self.subject_at(gateway, &format!("employees/{name}"))
    }

    /// A service account in its own name at the first gateway.
    pub(crate) fn account(&self, name: &str) -> Client {
        self.subject_at(0, &format!("serviceAccounts/{name}"))
    }

    pub(crate) fn subject_at(&self, gateway: usize, subject: &str) -> Client {
        let token = self.deployment.issuer.sign(&claims(subject));
        Client::anonymous(channel(self.gateways[gateway].address)).token(&token)
    }

    /// `shouwen audit verify` with the superuser's URL, the deployment's key and its exported checkpoints.
    pub(crate) fn audit_verify(&self) -> Output {
        audit(&self.deployment, "verify", &self.place.admin_url, &self.deployment.checkpoints())
    }
}

/// `shouwen audit verify|export`.
pub(crate) fn audit(deployment: &Deployment, what: &str, url: &str, checkpoints: &PathBuf) -> Output {
    let mut command = process::command();
    command.args(["audit", what, "--database-url", url]);
    command.arg("--key").arg(deployment.audit_key());
    command.arg("--checkpoints").arg(checkpoints);
    command.output().unwrap()
}
