//! A private Postgres cluster made and run from the server programs that are installed, for `up`, the demo and tests.
//! It is not how production runs Postgres, it never downloads anything, and it never outlives this process.

mod account;
mod binaries;
mod supervisor;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ring::rand::SecureRandom;
use tokio::process::Command;

use account::Account;
pub use binaries::Binaries;
use supervisor::{StartFailure, Supervisor};

/// The superuser of a private cluster.
pub const SUPERUSER: &str = "postgres";

/// Attempts to start when the port that was free a moment ago no longer is.
const ATTEMPTS: u32 = 5;

/// The path of a socket has at most 107 bytes, of which the file's own name takes up to 16.
const LONGEST_SOCKET_DIR: usize = 90;

/// How to run a private cluster.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Where the cluster lives: `pgdata/`, `password` (mode 0600) and `postgres.log`. Made if missing; if root runs
    /// this, the directory becomes the property of the account that Postgres runs as.
    pub data_dir: PathBuf,
    /// The TCP port on 127.0.0.1; `None` takes a free one at each start.
    pub port: Option<u16>,
    /// Whether a commit survives a crash of the machine. `false` turns fsync off: for tests only. A crash of the
    /// server alone loses no commit either way.
    pub durable: bool,
    /// Remove `data_dir` when the server has stopped, even if this process was killed.
    pub ephemeral: bool,
    /// Further server settings (`postgres -c name=value`).
    pub settings: Vec<(String, String)>,
}

impl ClusterOptions {
    /// A durable cluster in `data_dir` on a free port.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), port: None, durable: true, ephemeral: false, settings: Vec::new() }
    }
}

/// Why a private cluster could not be started or stopped. The texts say what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable server programs were found.
    #[error(
        "no Postgres server of version {wanted} is installed (found: {seen}); install one (Debian and Ubuntu: \
         apt-get install {package}) or point SHOUWEN_PG_BIN at the directory that holds `postgres` and `initdb`"
    )]
    NotInstalled { wanted: String, package: String, seen: String },
    /// Running as root, and there is no other account to run Postgres as.
    #[error(
        "Postgres does not run as root, and this system has neither a user `postgres` nor a user `nobody`"
    )]
    NoAccount,
    /// Running as root, and the account that Postgres runs as cannot reach the data directory.
    #[error(
        "the user that runs Postgres (uid {uid}) cannot enter {}; choose a data directory outside of it, or allow \
         passage with `chmod o+x`", parent.display()
    )]
    Unreachable { parent: PathBuf, uid: u32 },
    /// Another server runs on the data directory.
    #[error("{} is in use by another Postgres server (process {pid}); stop that one first", pgdata.display())]
    InUse { pgdata: PathBuf, pid: u32 },
    /// `initdb` failed.
    #[error("initdb failed: {0}")]
    InitFailed(String),
    /// The server did not come up.
    #[error("Postgres did not start; it said:\n{log}")]
    StartFailed { log: String },
    /// The server did not stop in time.
    #[error("Postgres did not stop within a minute")]
    StopTimedOut,
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl ClusterError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// A running private cluster. Stop it with [`stop`](Self::stop); if it is dropped instead, or the process dies, the
/// server stops by itself in the background.
pub struct Cluster {
    supervisor: Supervisor,
    port: u16,
    password: String,
    data_dir: PathBuf,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("port", &self.port)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Makes the data directory with `initdb` if there is none, without starting the server. Returns the programs
    /// that fit the data.
    pub async fn initialize(data_dir: &Path, durable: bool) -> Result<Binaries, ClusterError> {
        let account = Account::to_run_as().await?;
        let data_dir = account::private_dir(data_dir)?;
        if let Some(account) = account {
            account.take_over(&data_dir)?;
        }
        let pgdata = data_dir.join("pgdata");
        let made_by =
            fs::read_to_string(pgdata.join("PG_VERSION")).ok().and_then(|text| text.trim().parse().ok());
        let binaries = Binaries::find(made_by).await?;
        if made_by.is_none() {
            initdb(&binaries, &data_dir, &pgdata, account, durable).await?;
        }
        Ok(binaries)
    }

    /// Starts the cluster, making it first if need be, and returns when it accepts connections.
    pub async fn start(options: ClusterOptions) -> Result<Self, ClusterError> {
        let binaries = Self::initialize(&options.data_dir, options.durable).await?;
        let account = Account::to_run_as().await?;
        let data_dir = account::private_dir(&options.data_dir)?;
        let (pgdata, log) = (data_dir.join("pgdata"), data_dir.join("postgres.log"));
        let password_file = data_dir.join("password");
        let password = fs::read_to_string(&password_file)
            .map_err(|error| ClusterError::io(&password_file, error))?
            .trim()
            .to_owned();
        let cleanup = options.ephemeral.then_some(data_dir.as_path());
        supervisor::wait_until_free(&pgdata).await?;
        let mut attempt = 1;
        loop {
            let port = options.port.map_or_else(free_port, Ok)?;
            let command = server_command(&binaries, &data_dir, port, &options);
            match Supervisor::start(&command, &pgdata, &log, account, cleanup).await {
                Ok(supervisor) => return Ok(Self { supervisor, port, password, data_dir }),
                Err(StartFailure::Busy(log)) if attempt == ATTEMPTS => {
                    return Err(ClusterError::StartFailed { log });
                }
                Err(StartFailure::Busy(_)) => tokio::time::sleep(Duration::from_millis(200) * attempt).await,
                Err(StartFailure::Fatal(error)) => return Err(error),
            }
            attempt += 1;
        }
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory that holds the cluster.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The superuser's URL of the database `postgres`. It contains the password: not for logs.
    pub fn admin_url(&self) -> String {
        self.database_url("postgres")
    }

    /// The superuser's URL of a database. It contains the password: not for logs.
    pub fn database_url(&self, database: &str) -> String {
        self.role_url(SUPERUSER, &self.password, database)
    }

    /// The URL of a database for a role whose name and password need no escaping. It leads over the socket in the data directory, which is
    /// faster than TCP, or over TCP where that directory cannot be the path of a socket.
    pub fn role_url(&self, role: &str, password: &str, database: &str) -> String {
        let url = format!("postgres://{role}:{password}@127.0.0.1:{}/{database}", self.port);
        match socket_dir(&self.data_dir) {
            Some(dir) => format!("{url}?host={dir}"),
            None => url,
        }
    }

    /// Fast shutdown: ends all sessions, writes a checkpoint, returns when the server is gone.
    pub async fn stop(self) -> Result<(), ClusterError> {
        self.supervisor.stop().await
    }
}

async fn initdb(
    binaries: &Binaries,
    data_dir: &Path,
    pgdata: &Path,
    account: Option<Account>,
    durable: bool,
) -> Result<(), ClusterError> {
    let password_file = data_dir.join("password");
    write_password(&password_file)?;
    if let Some(account) = account {
        account.own_file(&password_file)?;
    }
    // Made beside its final place and moved there when complete: an interrupted initdb leaves nothing half-made.
    let making = data_dir.join("pgdata.new");
    if making.exists() {
        fs::remove_dir_all(&making).map_err(|error| ClusterError::io(&making, error))?;
    }
    let mut command = Command::new(binaries.program("initdb"));
    command.arg("-D").arg(&making).args(["-U", SUPERUSER, "-A", "scram-sha-256", "--no-instructions"]);
    // Byte order is the same on every machine and in every version.
    command.args(["--encoding=UTF8", "--locale=C"]).arg("--pwfile").arg(&password_file);
    command.arg(if durable { "--data-checksums" } else { "--no-sync" });
    command.current_dir("/").stdin(Stdio::null());
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    let output =
        command.output().await.map_err(|error| ClusterError::io(&binaries.program("initdb"), error))?;
    if !output.status.success() {
        return Err(ClusterError::InitFailed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    fs::rename(&making, pgdata).map_err(|error| ClusterError::io(pgdata, error))
}

fn write_password(path: &Path) -> Result<(), ClusterError> {
    let mut bytes = [0_u8; 24];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| ClusterError::io(path, io::Error::other("no randomness from the operating system")))?;
    let password = hex::encode(bytes);
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(password.as_bytes()))
        .map_err(|error| ClusterError::io(path, error))
}

fn server_command(
    binaries: &Binaries,
    data_dir: &Path,
    port: u16,
    options: &ClusterOptions,
) -> Vec<OsString> {
    let pgdata = data_dir.join("pgdata");
    let mut command: Vec<OsString> = vec![binaries.program("postgres").into(), "-D".into(), pgdata.into()];
    let mut set = |name: &str, value: &str| command.extend(["-c".into(), format!("{name}={value}").into()]);
    set("listen_addresses", "127.0.0.1");
    set("port", &port.to_string());
    set("unix_socket_directories", &socket_dir(data_dir).unwrap_or_default());
    set("logging_collector", "off");
    set("log_destination", "stderr");
    set("timezone", "UTC");
    set("log_timezone", "UTC");
    if !options.durable {
        set("fsync", "off");
        set("full_page_writes", "off");
    }
    for (name, value) in &options.settings {
        set(name, value);
    }
    command
}

/// The directory of the server's socket, if its name is short and plain enough for one, and for a URL.
fn socket_dir(data_dir: &Path) -> Option<String> {
    let name = data_dir.to_str().filter(|name| name.len() <= LONGEST_SOCKET_DIR)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    name.bytes().all(plain).then(|| name.to_owned())
}

fn free_port() -> Result<u16, ClusterError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| ClusterError::io(Path::new("127.0.0.1:0"), error))
}
