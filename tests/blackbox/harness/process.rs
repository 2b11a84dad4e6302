//! The built binary as a child process: started, asked for its readiness, killed, started again. Its log is shown if the test fails.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::Mutex,
    time::Duration,
};

use shouwen_testkit::until;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How many lines of a log are shown after a failure.
const SHOWN: usize = 40;

/// The binary, without what the environment of the tests might tell it.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shouwen"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SHOUWEN_") && name != "SHOUWEN_PG_BIN" {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run<I: Into<OsString>>(arguments: impl IntoIterator<Item = I>) -> Output {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    command().args(arguments).output().unwrap()
}

/// Both streams of a finished command as text.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A `serve` process and where it is reached.
pub(crate) struct Process {
    pub(crate) name: String,
    /// gRPC, for the gateway the outer side.
    pub(crate) address: SocketAddr,
    /// `/readyz`, `/healthz`, `/metrics`.
    pub(crate) admin: SocketAddr,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Process {
    pub(crate) fn new(
        name: &str,
        (address, admin): (SocketAddr, SocketAddr),
        arguments: Vec<String>,
        environment: Vec<(String, String)>,
        logs: &Path,
    ) -> Self {
        let log = logs.join(format!("{name}.log"));
        Self { name: name.to_owned(), address, admin, arguments, environment, log, child: Mutex::new(None) }
    }

    /// Starts it; it must not run.
    pub(crate) fn start(&self) {
        let log: File = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut child = self.child.lock().unwrap();
        assert!(child.is_none(), "{} runs already", self.name);
        let started = command()
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        *child = Some(started.unwrap());
    }

    /// As `kill -9`.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to end, as an orchestrator does.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.lock().unwrap().as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        let status =
            until(&what, limit, async || self.child.lock().unwrap().as_mut().unwrap().try_wait().unwrap());
        let status = status.await;
        self.child.lock().unwrap().take();
        status
    }

    /// Whether it still runs.
    pub(crate) fn runs(&self) -> bool {
        self.child.lock().unwrap().as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&self, limit: Duration) {
        let what = format!("readiness of {}", self.name);
        until(&what, limit, async || {
            assert!(self.runs(), "{} ended before it was ready", self.name);
            self.page("/readyz").await.filter(|(status, _)| *status == 200)
        })
        .await;
    }

    /// Waits until `/readyz` says this, and returns the page.
    pub(crate) async fn unready(&self, saying: &str, limit: Duration) -> String {
        let what = format!("{} says `{saying}`", self.name);
        until(&what, limit, async || {
            assert!(self.runs(), "{} ended", self.name);
            let (status, body) = self.page("/readyz").await?;
            (status == 503 && body.contains(saying)).then_some(body)
        })
        .await
    }

    /// Whether it is alive, ready or not.
    pub(crate) async fn alive(&self) -> bool {
        self.page("/healthz").await.is_some_and(|(status, _)| status == 200)
    }

    /// Status and body of a page of the admin listener; `None` while it does not answer.
    pub(crate) async fn page(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.admin).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// Shows the end of its log to who reads about a failed test.
    pub(crate) fn show_log(&self) {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("--- the last of {} lines of {}:", lines.len(), self.name);
        for line in &lines[lines.len().saturating_sub(SHOWN)..] {
            eprintln!("{line}");
        }
    }

    /// Everything it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.get_mut().ok().and_then(Option::take) {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            self.show_log();
        }
    }
}
