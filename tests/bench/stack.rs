//! The measured program: `shouwen up` as a child process on a fresh data directory, with its own durable Postgres.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use serde::Deserialize;
use shouwen_access::{
    Principal,
    token::{Issuer, TokenClaims},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::Failure;

/// How long it may take to make a cluster and start, and to stop.
const PATIENCE: Duration = Duration::from_secs(120);
/// Issuer and audience of the tokens of `up`.
pub(crate) const ISSUER: &str = "shouwen-up";
pub(crate) const AUDIENCE: &str = "shouwen";

/// A running `up`. Dropped, it takes its processes with it.
pub(crate) struct Stack {
    /// Of the gateway, `http://host:port`.
    pub(crate) address: String,
    /// The administrator's URL of its database.
    pub(crate) admin_url: String,
    child: Child,
    pid: u32,
    issuer: Issuer,
    /// From the start of the process until it said that it was ready.
    pub(crate) ready_after: Duration,
    dir: TempDir,
}

/// The file by which `up` says where it is.
#[derive(Deserialize)]
struct State {
    address: String,
    admin_url: String,
}

impl Stack {
    /// On a new data directory.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let dir = tempfile::Builder::new().prefix("shouwen-bench-").tempdir()?;
        // Run by root, Postgres runs as another account, which has to pass.
        fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        eprintln!("bench: starting `shouwen up` in {}", dir.path().display());
        Self::start_in(dir).await
    }

    /// On the directory of one that was stopped.
    pub(crate) async fn start_in(dir: TempDir) -> Result<Self, Failure> {
        let data = dir.path().join("data");
        let begun = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_shouwen"))
            .arg("up")
            .arg("--data-dir")
            .arg(&data)
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(dir.path().join("stderr"))?)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().ok_or("`shouwen up` ended at once")?;
        let stdout = child.stdout.take().ok_or("`shouwen up` has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                if line.contains("is ready at") {
                    return Ok::<_, std::io::Error>(true);
                }
            }
            Ok(false)
        };
        if !timeout(PATIENCE, ready).await?? {
            let said = fs::read_to_string(dir.path().join("stderr")).unwrap_or_default();
            return Err(format!("`shouwen up` did not start; it said:\n{said}").into());
        }
        let ready_after = begun.elapsed();
        // Whatever else it prints must find a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let state: State = toml::from_str(&fs::read_to_string(data.join("up.toml"))?)?;
        let issuer = Issuer::open(&data.join("keys/issuer.pem"))?;
        Ok(Self { address: state.address, admin_url: state.admin_url, child, pid, issuer, ready_after, dir })
    }

    /// A token for a subject such as `employees/x`.
    pub(crate) fn token(&self, subject: &str) -> Result<String, Failure> {
        let subject = Principal::of_subject(subject).ok_or("not a subject")?;
        Ok(self.issuer.token(&TokenClaims {
            issuer: ISSUER,
            audience: AUDIENCE,
            subject: &subject,
            issued_at: shouwen_runtime::clock::now(),
            lifetime: TimeDelta::hours(12),
        }))
    }

    /// Process id of `up`.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Process id of its Postgres.
    pub(crate) fn postgres_pid(&self) -> Result<u32, Failure> {
        let file = self.dir.path().join("data/postgres/pgdata/postmaster.pid");
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(text.lines().next().unwrap_or_default().trim().parse()?)
    }

    /// A place for files of the run; goes with it.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The end of what it wrote to standard error.
    pub(crate) fn last_words(&self) -> String {
        let said = fs::read_to_string(self.dir.path().join("stderr")).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Stops it as an operator would. The directory with its data goes when it is dropped.
    pub(crate) async fn stop(mut self) -> Result<TempDir, Failure> {
        Command::new("kill").arg("-TERM").arg(self.pid.to_string()).status().await?;
        timeout(PATIENCE, self.child.wait()).await??;
        Ok(self.dir)
    }
}
