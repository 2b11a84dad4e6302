//! What the gateway is compared with: proxies before the same backend, which add a ready-made context to each call and check nothing. Both keep their
//! connections and speak HTTP/2 on both sides.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{self, Stdio},
    thread,
    time::{Duration, Instant},
};

use http::HeaderValue;
use shouwen_access::context::HEADER;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::sleep,
};

use crate::{Failure, deployment::free};

const PATIENCE: Duration = Duration::from_secs(10);

/// A running proxy. Dropped, it ends.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    child: Child,
}

impl Drop for Proxy {
    /// Asks it to end, since a master that is killed leaves its workers behind.
    fn drop(&mut self) {
        let begun = Instant::now();
        let asked = process::Command::new("kill").arg("-TERM").arg(self.pid.to_string()).status();
        while asked.is_ok() && matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What proxies are given.
pub(crate) struct Behind<'a> {
    pub(crate) backend: SocketAddr,
    pub(crate) context: &'a HeaderValue,
    pub(crate) dir: &'a Path,
}

impl Behind<'_> {
    /// nginx with so many workers.
    pub(crate) async fn nginx(&self, workers: usize) -> Result<Proxy, Failure> {
        let address = free()?;
        let dir = self.dir.join(format!("nginx-{workers}"));
        fs::create_dir(&dir)?;
        let context = self.context.to_str()?;
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("    {kind}_temp_path {kind};\n"))
            .concat();
        // Its upstream connections carry one call at a time; so there are as many as clients, and none is ever given up. `reuseport` deals the
        // clients' connections out to the workers.
        let text = format!(
            "daemon off;\nworker_processes {workers};\npid nginx.pid;\nerror_log error.log warn;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n    access_log off;\n    keepalive_requests 1000000000;\n{temporary}    \
             upstream backend {{\n        server {};\n        keepalive 128;\n        keepalive_requests 1000000000;\n    }}\n    \
             server {{\n        listen {address} http2 reuseport;\n        \
             location / {{\n            grpc_pass grpc://backend;\n            grpc_set_header {HEADER} \"{context}\";\n            \
             grpc_set_header authorization \"\";\n        }}\n    }}\n}}\n",
            self.backend
        );
        fs::write(dir.join("nginx.conf"), text)?;
        let mut command = Command::new(program("nginx")?);
        command.arg("-p").arg(&dir).args(["-c", "nginx.conf", "-e", "error.log"]);
        start(command, address).await
    }

    /// `haproxy` with one thread.
    pub(crate) async fn haproxy(&self) -> Result<Proxy, Failure> {
        let address = free()?;
        let file = self.dir.join("haproxy.cfg");
        let context = self.context.to_str()?;
        let text = format!(
            "global\n    nbthread 1\n    maxconn 1024\n\
             defaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n    http-reuse always\n\
             frontend clients\n    bind {address} proto h2\n    http-request set-header {HEADER} {context}\n    \
             http-request del-header authorization\n    default_backend services\n\
             backend services\n    server one {} proto h2\n",
            self.backend
        );
        fs::write(&file, text)?;
        let mut command = Command::new(program("haproxy")?);
        command.arg("-db").arg("-f").arg(file);
        start(command, address).await
    }
}

async fn start(mut command: Command, address: SocketAddr) -> Result<Proxy, Failure> {
    let name = command.as_std().get_program().display().to_string();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn()?;
    let pid = child.id().ok_or("a proxy ended at once")?;
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        if child.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
            return Err(format!("{name} did not start").into());
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(Proxy { address, pid, child })
}

/// Servers often lie where only root's PATH leads.
fn program(name: &str) -> Result<PathBuf, Failure> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            format!("{name} is not installed; `scripts/setup bench` installs it or says how").into()
        })
}
