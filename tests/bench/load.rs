//! Load, made by one thread: a closed loop, in which each client waits for its answer, for what a side can do at most; an open loop, in which calls come
//! whether or not earlier ones were answered, for how long a call takes.

use std::{
    thread,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, task::JoinSet};
use tonic::Status;

use crate::Failure;

/// What a slice of load came to.
pub(crate) struct Load {
    pub(crate) seconds: f64,
    /// Of every call answered within the slice, microseconds.
    pub(crate) latencies: Vec<u32>,
}

impl Load {
    /// Calls answered.
    pub(crate) fn calls(&self) -> f64 {
        self.latencies.len() as f64
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.calls() / self.seconds
    }
}

/// Lets so many clients work for a time; `client` makes the one with this number. Any refusal ends the run: a figure with refusals in it would mean
/// nothing.
pub(crate) async fn closed<C, F>(
    clients: usize,
    time: Duration,
    client: impl Fn(usize) -> C,
) -> Result<Load, Failure>
where
    C: FnMut() -> F + Send + 'static,
    F: Future<Output = Result<(), Status>> + Send,
{
    let until = Instant::now() + time;
    let mut running: JoinSet<Result<Vec<u32>, Status>> = JoinSet::new();
    for number in 0..clients {
        let mut call = client(number);
        running.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let sent = Instant::now();
                call().await?;
                if sent.elapsed() > until.saturating_duration_since(sent) {
                    return Ok(latencies);
                }
                latencies.push(micros(sent));
            }
        });
    }
    let mut latencies = Vec::new();
    while let Some(ended) = running.join_next().await {
        latencies.extend(ended?.map_err(|status| refused(&status))?);
    }
    Ok(Load { seconds: time.as_secs_f64(), latencies })
}

/// Makes so many calls a second for a time. A latency begins when its call was to be made, so a call that had to wait behind others says so (corrected
/// for coordinated omission).
pub(crate) async fn open<F>(
    per_second: f64,
    time: Duration,
    mut call: impl FnMut() -> F,
) -> Result<Vec<u32>, Failure>
where
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let interval = Duration::from_secs_f64(1.0 / per_second);
    let calls = (per_second * time.as_secs_f64()) as u32;
    let (due, mut next) = mpsc::unbounded_channel();
    // A thread that sleeps is more exact than the timers of the runtime, which know whole milliseconds.
    let pacer = thread::spawn(move || {
        let begun = Instant::now();
        for number in 0..calls {
            let at = begun + interval * number;
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if due.send(at).is_err() {
                return;
            }
        }
    });
    let mut running: JoinSet<Result<u32, Status>> = JoinSet::new();
    let mut latencies = Vec::with_capacity(calls as usize);
    while let Some(at) = next.recv().await {
        let answer = call();
        running.spawn(async move { answer.await.map(|()| micros(at)) });
        while let Some(ended) = running.try_join_next() {
            latencies.push(ended?.map_err(|status| refused(&status))?);
        }
    }
    while let Some(ended) = running.join_next().await {
        latencies.push(ended?.map_err(|status| refused(&status))?);
    }
    pacer.join().map_err(|_| "the pacer of calls failed")?;
    Ok(latencies)
}

fn refused(status: &Status) -> Failure {
    format!("a call was refused: {:?}: {}", status.code(), status.message()).into()
}

pub(crate) fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}
