//! Keeps idle cores awake while latencies are taken: waking a core up takes longer than much of what is measured, and how long depends on the machine.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
};

/// Asks the kernel for no latency at all: idle cores poll instead of sleeping. Dropped, they sleep again.
///
/// A process that spins would do the same, but it is a competitor wherever the scheduler groups processes by session, however low its priority.
pub(crate) struct Awake {
    _request: Option<File>,
}

impl Awake {
    pub(crate) fn keep() -> Self {
        let request = OpenOptions::new().write(true).open("/dev/cpu_dma_latency").and_then(|mut file| {
            file.write_all(&0_i32.to_ne_bytes())?;
            Ok(file)
        });
        if let Err(error) = &request {
            eprintln!(
                "bench: idle cores cannot be kept awake (/dev/cpu_dma_latency: {error}): latencies include their waking up"
            );
        }
        Self { _request: request.ok() }
    }
}
