//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// shouwen (首问): first-responder ownership for a brokerage's customer service.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 success; 1 the command found something wrong; 2 it could not run.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process on loopback, with a private Postgres of its own.
    #[command(
        after_help = "SHOUWEN_PG_BIN names the directory of the Postgres programs; without it they are looked for where systems install them. SHOUWEN_TELEMETRY__LEVEL sets the log's levels (default: warn)."
    )]
    Up(Up),
    /// Run one service.
    #[command(
        after_help = "--print-config shows every setting that has a value, good or not; --check ends with exit code 0 if all are good and with 2 if not, naming the setting. Secrets can be read from files: url_file = \"/path\" in place of url, or the value file:/path. SIGTERM drains and ends with exit code 0; a second signal ends at once."
    )]
    Serve(Serve),
    /// Create or migrate the schemas and roles of the services. Safe to repeat.
    #[command(
        after_help = "Needs admin.url (SHOUWEN_ADMIN__URL), of a role that may create roles and schemas. passwords.calls (SHOUWEN_PASSWORDS__CALLS) sets the password as which calls connects, and so for ownership (the gateway's), callbacks, clients and complaints."
    )]
    Migrate(Migrate),
    /// Sign a token with the key of `up`, or make the first administrator.
    #[command(
        after_help = "The key is that which `up` has made in --data-dir, and only the gateway of that `up` accepts its tokens. --bootstrap takes the gateway's settings (--config, --set, SHOUWEN_DATABASE__URL), without any a running `up`; where tokens come from an identity provider it prints none."
    )]
    Token(Token),
    /// Verify the ledgers, or export signed checkpoints.
    Audit(Audit),
    /// Ask a service whether it is ready: exit code 0 if so, 1 if not.
    #[command(
        after_help = "With --ca, --cert or --server-name TLS is spoken whatever the address begins with. Where an address is none or a file cannot be used, the exit code is 2."
    )]
    Healthcheck(Healthcheck),
    /// Play a branch's month of contacts, clients and complaints through the public API and compare the report with an independent computation.
    #[command(
        after_help = "Exit codes: 0 the report agrees and every ledger is intact; 1 something differs; 2 the month could not be played."
    )]
    Demo(Demo),
}

/// Where `up` keeps its cluster, keys and state.
#[derive(Clone, Debug, Args)]
pub(crate) struct DataDir {
    /// Directory of the private cluster, keys and state.
    #[arg(long, env = "SHOUWEN_DATA_DIR", default_value = ".shouwen")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// Address of the gateway.
    #[arg(long, env = "SHOUWEN_LISTEN", default_value = "127.0.0.1:50051")]
    pub(crate) listen: SocketAddr,
    /// Address of metrics, liveness and readiness over HTTP.
    #[arg(long, env = "SHOUWEN_ADMIN_LISTEN", default_value = "127.0.0.1:50052")]
    pub(crate) admin_listen: SocketAddr,
    /// Let business time stand still from this time on (RFC 3339), to be moved by an operator. Only on empty ledgers.
    #[arg(long)]
    pub(crate) simulate_from: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServiceName {
    Gateway,
    Calls,
    Callbacks,
    Clients,
    Complaints,
}

impl ServiceName {
    pub(crate) const ALL: [Self; 5] =
        [Self::Gateway, Self::Calls, Self::Callbacks, Self::Clients, Self::Complaints];

    /// The service's name in contexts, feeds and schemas.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::Gateway => "ownership",
            Self::Calls => "calls",
            Self::Callbacks => "callbacks",
            Self::Clients => "clients",
            Self::Complaints => "complaints",
        }
    }
}

/// Settings by precedence: `--set`, then `SHOUWEN_…` in the environment, then the file, then defaults.
#[derive(Clone, Debug, Args)]
pub(crate) struct Settings {
    /// Configuration file (TOML).
    #[arg(long, env = "SHOUWEN_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// One setting, e.g. `--set database.max_connections=20`. May be given several times. In the environment the same setting is
    /// `SHOUWEN_DATABASE__MAX_CONNECTIONS`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) settings: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.trim().to_owned(), value.to_owned()))
        .ok_or_else(|| "must be KEY=VALUE, e.g. database.max_connections=20".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Which service.
    pub(crate) service: ServiceName,
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Print the configuration as it results from all layers, without secrets, and exit.
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Check the configuration as starting would, with the files, keys and addresses in it, and exit. Nothing is connected to.
    #[arg(long, conflicts_with = "print_config")]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Only this service's schema; that of the gateway is `ownership`.
    #[arg(long)]
    pub(crate) service: Option<ServiceName>,
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// Whom the token speaks for: `employees/{employee}` or `serviceAccounts/{account}`.
    #[arg(long, default_value = "employees/admin")]
    pub(crate) subject: String,
    /// How long it holds, in minutes.
    #[arg(long, default_value_t = 480)]
    pub(crate) minutes: u32,
    /// Make the subject, an employee, the first administrator of an empty roster; works once.
    #[arg(long)]
    pub(crate) bootstrap: bool,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Recompute the hash chain of every ledger and compare it with checkpoints.
    #[command(
        after_help = "Exit codes: 0 every ledger is intact; 1 something was found, printed line by line; 2 it could not be verified."
    )]
    Verify(AuditVerify),
    /// Write a signed checkpoint of every ledger and export all checkpoints, one JSON object per line.
    Export(AuditOptions),
    /// Print the public half of the key that signs checkpoints (PEM), for those who verify.
    PublicKey(AuditKey),
}

#[derive(Debug, Args)]
pub(crate) struct AuditVerify {
    #[command(flatten)]
    pub(crate) ledgers: AuditOptions,
    /// The public half of the key that signs checkpoints (Ed25519, PEM), as `shouwen audit public-key` or `openssl pkey -pubout`
    /// writes it. With it the key itself is not needed.
    #[arg(long, conflicts_with = "key")]
    pub(crate) public_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditOptions {
    #[command(flatten)]
    pub(crate) signer: AuditKey,
    /// Only this service's ledger.
    #[arg(long)]
    pub(crate) service: Option<ServiceName>,
    /// Database to read instead of that of `up`: a URL of a role that may read the schemas.
    #[arg(long, env = "SHOUWEN_AUDIT_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// Checkpoints: the file to compare with (verify; it must be there) or to append to (export). Without it `checkpoints.jsonl` in the
    /// data directory.
    #[arg(long)]
    pub(crate) checkpoints: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditKey {
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// The key that signs checkpoints (Ed25519, PKCS#8 PEM); without it that of `up`.
    #[arg(long)]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// Address of the service, `https://…` where it has a certificate.
    #[arg(long, env = "SHOUWEN_ADDRESS", default_value = "http://127.0.0.1:50051")]
    pub(crate) address: String,
    /// Authorities to trust (PEM), instead of the machine's.
    #[arg(long)]
    pub(crate) ca: Option<PathBuf>,
    /// Certificate to show (PEM), where the service's `tls.client_ca` asks for one.
    #[arg(long, requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Private key of that certificate (PEM).
    #[arg(long, requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Name to expect in the service's certificate, instead of the host in the address.
    #[arg(long)]
    pub(crate) server_name: Option<String>,
    /// Seconds to wait for the answer.
    #[arg(long, default_value_t = 3)]
    pub(crate) timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder with the month's data.
    #[arg(long, default_value = "examples/branch-month")]
    pub(crate) input: PathBuf,
    /// Folder for the report: report.txt, report.json, report.csv, and rejected.csv with the lines that could not be used. The month's
    /// Postgres runs in its folder `data`, which must not be there, or be left from a demo that was stopped: it is removed.
    #[arg(long, default_value = ".shouwen/demo")]
    pub(crate) output: PathBuf,
    /// Figures to compare with, instead of those that `expected.py` of the input computes.
    #[arg(long)]
    pub(crate) expected: Option<PathBuf>,
    /// Switch a rule off on purpose, to see the comparison fail.
    #[arg(long)]
    pub(crate) mutant: Option<Mutant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mutant {
    /// Offers never expire (O4).
    OffersNeverExpire,
    /// The day after a public holiday began counts as a working day (S1).
    HolidayCounted,
    /// A second employee who answers a contact becomes a first responder too (O1).
    SecondFirstResponder,
    /// The day of acceptance is not the first of a complaint's limits (C6, C7).
    DayOfAcceptanceNotCounted,
    /// A dissatisfied client does not take a complaint up again (C10).
    DissatisfiedDoesNotReopen,
}
