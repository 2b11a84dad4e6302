//! Where and of what a figure is: figures without it cannot be compared.

use std::{
    fs::{self, File},
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    process::Command,
    time::Instant,
};

use serde::Serialize;
use shouwen_runtime::postgres_cluster::Binaries;

use crate::{Failure, statistics::quantile};

/// Writes of the probe of the disk.
const WRITES: usize = 200;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// Major version of the server.
    pub(crate) postgres: u32,
    pub(crate) file_system: String,
    /// Median time of writing 8 KiB and `fdatasync` where the databases lie.
    pub(crate) fdatasync_micros: f64,
    /// How TCP sends: `bbr` and others that pace by timers make small calls late.
    pub(crate) congestion_control: String,
    /// One-minute load average before the run.
    pub(crate) load_before: f64,
    pub(crate) commit: String,
    /// Whether the working tree differed from the commit.
    pub(crate) changed: bool,
    /// `profiled` is that of `make release`; `optimised` without counts, `unoptimised` for a smoke test.
    pub(crate) build: &'static str,
}

/// Looks at the machine; refuses one on which durability costs nothing.
pub(crate) async fn describe() -> Result<Machine, Failure> {
    let dir = std::env::temp_dir();
    let file_system = said("stat", &["--file-system", "--format=%T", &dir.display().to_string()]);
    if ["tmpfs", "ramfs"].contains(&file_system.as_str()) {
        return Err(format!(
            "{} is in memory, where durability costs nothing; let TMPDIR name a directory on a disk",
            dir.display()
        )
        .into());
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let memory = field(Path::new("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let memory: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Ok(Machine {
        cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        processor: field(Path::new("/proc/cpuinfo"), "model name").unwrap_or_default(),
        memory_mib: memory / 1024,
        kernel: said("uname", &["-sr"]),
        postgres: Binaries::find(None).await?.major,
        file_system,
        fdatasync_micros: fdatasync(&dir)?,
        congestion_control: fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control")
            .map(|name| name.trim().to_owned())
            .unwrap_or_default(),
        load_before: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default(),
        commit: said("git", &["-C", root, "rev-parse", "HEAD"]),
        changed: !said("git", &["-C", root, "status", "--porcelain"]).is_empty(),
        build: match option_env!("SHOUWEN_PROFILED") {
            _ if cfg!(debug_assertions) => "unoptimised",
            None => "optimised",
            Some(_) => "profiled",
        },
    })
}

impl Machine {
    /// Says what makes the figures doubtful.
    pub(crate) fn warn(&self) {
        if self.build == "unoptimised" {
            eprintln!("bench: this build is not optimised: a smoke test, its figures say nothing");
        }
        if self.load_before > 0.5 * self.cores as f64 {
            eprintln!(
                "bench: the machine is busy (load {} on {} cores); the figures will be noisy",
                self.load_before, self.cores
            );
        }
        if self.congestion_control == "bbr" {
            eprintln!("bench: TCP paces what it sends (bbr): latencies include its timers");
        }
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// What a directory's file system has left.
pub(crate) fn free_bytes(dir: &Path) -> Result<i64, Failure> {
    let told = said("df", &["--block-size=1", "--output=avail", &dir.display().to_string()]);
    let free = told.lines().last().and_then(|line| line.trim().parse().ok());
    free.ok_or_else(|| format!("`df` does not say how much room {} has", dir.display()).into())
}

/// The first `name: value` of a file in `/proc`.
fn field(file: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn fdatasync(dir: &Path) -> Result<f64, Failure> {
    let path = dir.join(format!("shouwen-bench-probe-{}", std::process::id()));
    let mut file = File::create(&path)?;
    let mut micros = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let begun = Instant::now();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&[0; 8192])?;
        file.sync_data()?;
        micros.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    fs::remove_file(&path)?;
    Ok(quantile(&mut micros, 0.5))
}
