//! What idle services take, as proportional set size (PSS), and how soon `up` is ready on a cluster that exists.

use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    Failure,
    deployment::{Deployment, PROCESSES},
    plan::{IDLE, Plan},
    processor,
    report::Line,
    stack::Stack,
    statistics::{Estimate, Target},
};

/// Memory hardly differs from start to start.
const ROUNDS: usize = 3;

/// On the directory of an `up` that was stopped, which it gives back.
pub(crate) async fn measure(plan: &Plan, mut dir: TempDir) -> Result<(Vec<Line>, TempDir), Failure> {
    let (mut ready, mut together) = (Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        let stack = Stack::start_in(dir).await?;
        sleep(IDLE).await;
        ready.push(stack.ready_after.as_secs_f64());
        together.push(processor::memory(stack.pid())?);
        eprintln!(
            "bench: `up`, start {round} of {}: ready after {:.2} s, {:.1} MiB",
            plan.rounds,
            ready[round - 1],
            together[round - 1]
        );
        dir = stack.stop().await?;
    }
    let mut lines = vec![
        Line::judged("`up` ready on an existing cluster", "s", Estimate::of(ready), Target::AtMost(5.0)),
        Line::judged(
            "five idle services in one process",
            "MiB",
            Estimate::of(together),
            Target::AtMost(150.0),
        ),
    ];
    let deployment = Deployment::start(dir, &[]).await?;
    for process in PROCESSES {
        let mut alone = Vec::new();
        for _ in 0..ROUNDS.min(plan.rounds) {
            // Alone: others would share the program's pages with it.
            let running = deployment.serve(process).await?;
            sleep(IDLE).await;
            alone.push(processor::memory(running.pid)?);
            running.stop().await?;
        }
        eprintln!("bench: {} alone: {:.1} MiB", process.0, alone[0]);
        let name = format!("{} idle, alone", process.0);
        lines.push(Line::judged(name, "MiB", Estimate::of(alone), Target::AtMost(50.0)));
    }
    Ok((lines, deployment.stop().await?))
}
