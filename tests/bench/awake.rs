//! Keeps idle cores awake while latencies are taken: waking a core up takes longer than much of what is measured, and how long depends on the machine.

use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::Failure;

/// One spinning process per core, each at the idle priority, so that everything else goes before it. Dropped, they end.
pub(crate) struct Awake {
    _spinning: Vec<Child>,
}

impl Awake {
    pub(crate) fn keep() -> Result<Self, Failure> {
        let cores = std::thread::available_parallelism()?.get();
        let spin = || {
            Command::new("chrt")
                .args(["--idle", "0", "sh", "-c", "while :; do :; done"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .map_err(|error| format!("chrt: {error}; it is part of util-linux"))
        };
        Ok(Self { _spinning: (0..cores).map(|_| spin()).collect::<Result<_, _>>()? })
    }
}
