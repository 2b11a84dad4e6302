//! One run of the server under a small shell that stops it when this process ends in whatever way. Knows processes
//! and `postmaster.pid`; what the server is told to do is the caller's.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

use super::ClusterError;
use super::account::Account;

const SCRIPT: &str = include_str!("supervisor.sh");
/// How long a start may take; replaying much WAL after an unclean stop takes longest.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a server that is on its way down may take.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How long a server that holds the data directory without shutting down is waited for.
const BUSY_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);

/// A running server and the shell that watches over it. Dropping it closes the shell's input, so the server stops.
#[derive(Debug)]
pub(super) struct Supervisor {
    shell: Child,
    input: Option<ChildStdin>,
}

/// Why one attempt to start failed.
#[derive(Debug)]
pub(super) enum StartFailure {
    /// Somebody else had the port or the shared memory; another attempt may succeed.
    Busy(String),
    Fatal(ClusterError),
}

impl From<ClusterError> for StartFailure {
    fn from(error: ClusterError) -> Self {
        Self::Fatal(error)
    }
}

impl Supervisor {
    /// Starts `command` (the server and its arguments) and returns when it accepts connections. What it logs is
    /// appended to `log`.
    pub(super) async fn start(
        command: &[OsString],
        pgdata: &Path,
        log: &Path,
        account: Option<Account>,
        cleanup: Option<&Path>,
    ) -> Result<Self, StartFailure> {
        let log_file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(log)
            .map_err(|error| ClusterError::io(log, error))?;
        let log_start = log_file.metadata().map_or(0, |metadata| metadata.len());
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(SCRIPT).arg("postgres-supervisor");
        shell.arg(cleanup.map_or_else(OsString::new, |dir| dir.as_os_str().to_owned())).args(command);
        shell.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log_file);
        // Its own process group: Ctrl-C in a terminal is for us, who drain before the database goes.
        shell.process_group(0);
        if let Some(account) = account {
            shell.uid(account.uid).gid(account.gid);
        }
        let mut shell = shell.spawn().map_err(|error| ClusterError::io(Path::new("/bin/sh"), error))?;
        let input = shell.stdin.take();
        let stdout = shell.stdout.take();
        let mut supervisor = Self { shell, input };
        let server = match stdout {
            Some(stdout) => BufReader::new(stdout).lines().next_line().await.ok().flatten(),
            None => None,
        };
        let server: Option<u32> = server.and_then(|line| line.trim().parse().ok());
        let started = Instant::now();
        loop {
            if let Ok(Some(_)) = supervisor.shell.try_wait() {
                return Err(failure(log, log_start));
            }
            if let Some(lock) = LockFile::read(pgdata)
                && lock.ready
                && Some(lock.pid) == server
            {
                return Ok(supervisor);
            }
            if started.elapsed() > START_LIMIT {
                return Err(ClusterError::StartFailed { log: log_tail(log, log_start) }.into());
            }
            sleep(POLL).await;
        }
    }

    /// Fast shutdown; returns when the server has stopped.
    pub(super) async fn stop(mut self) -> Result<(), ClusterError> {
        drop(self.input.take());
        match timeout(STOP_LIMIT, self.shell.wait()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(ClusterError::io(Path::new("/bin/sh"), error)),
            Err(_) => Err(ClusterError::StopTimedOut),
        }
    }
}

fn failure(log: &Path, log_start: u64) -> StartFailure {
    let tail = log_tail(log, log_start);
    let passing = [
        "Address already in use",
        "could not bind",
        "is still in use",
        "could not create any TCP/IP sockets",
    ];
    if passing.iter().any(|sign| tail.contains(sign)) {
        StartFailure::Busy(tail)
    } else {
        StartFailure::Fatal(ClusterError::StartFailed { log: tail })
    }
}

/// The last lines that the server logged since `start` (bytes into the file).
fn log_tail(log: &Path, start: u64) -> String {
    const LINES: usize = 12;
    let bytes = fs::read(log).unwrap_or_default();
    let new = bytes.get(usize::try_from(start).unwrap_or(usize::MAX)..).unwrap_or_default();
    let text = String::from_utf8_lossy(new);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// What `postmaster.pid` says: who serves this data directory and how far it is.
#[derive(Debug)]
struct LockFile {
    pid: u32,
    ready: bool,
    stopping: bool,
}

impl LockFile {
    fn path(pgdata: &Path) -> PathBuf {
        pgdata.join("postmaster.pid")
    }

    fn read(pgdata: &Path) -> Option<Self> {
        let text = fs::read_to_string(Self::path(pgdata)).ok()?;
        let status = text.lines().nth(7).unwrap_or_default().trim();
        Some(Self {
            pid: text.lines().next()?.trim().parse().ok()?,
            ready: status == "ready",
            stopping: status == "stopping",
        })
    }

    /// Whether the process of that number really is a server on this data directory. Numbers are reused, in
    /// containers at once, and a server's working directory is its data directory. `None` where the system does not
    /// tell; the server then decides by itself.
    fn is_alive(&self, pgdata: &Path) -> Option<bool> {
        if !Path::new("/proc/self/cwd").exists() {
            return None;
        }
        Some(fs::read_link(format!("/proc/{}/cwd", self.pid)).is_ok_and(|cwd| cwd == pgdata))
    }
}

/// Makes sure that no server holds the data directory: waits for one on its way down (its parent was killed a moment
/// ago), and removes the lock file of one that is gone. `pgdata` must be canonical.
pub(super) async fn wait_until_free(pgdata: &Path) -> Result<(), ClusterError> {
    let started = Instant::now();
    let mut told = false;
    loop {
        let Some(lock) = LockFile::read(pgdata) else { return Ok(()) };
        match lock.is_alive(pgdata) {
            None => return Ok(()),
            Some(false) => {
                let path = LockFile::path(pgdata);
                tracing::info!(
                    pid = lock.pid,
                    "the last Postgres server did not stop cleanly; it will recover"
                );
                return fs::remove_file(&path).map_err(|error| ClusterError::io(&path, error));
            }
            Some(true) => {}
        }
        if !told {
            tracing::info!(
                pid = lock.pid,
                "waiting for the last Postgres server to let go of the data directory"
            );
            told = true;
        }
        let limit = if lock.stopping { STOP_LIMIT } else { BUSY_LIMIT };
        if started.elapsed() > limit {
            return Err(ClusterError::InUse { pgdata: pgdata.to_owned(), pid: lock.pid });
        }
        sleep(POLL).await;
    }
}
