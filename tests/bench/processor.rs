//! Processor time and memory of processes, read from `/proc`.

use std::fs;

use crate::Failure;

/// Ticks per second of `/proc/PID/stat`; fixed in Linux's interface to programs.
const TICKS: f64 = 100.0;

/// Seconds of processor time that a process has used, without its children.
pub(crate) fn of_process(pid: u32) -> Result<f64, Failure> {
    let stat = Stat::read(pid)?;
    Ok(stat.own / TICKS)
}

/// The same of a process with all its children, those that ended included: Postgres with its backends.
pub(crate) fn of_family(pid: u32) -> Result<f64, Failure> {
    let parent = Stat::read(pid)?;
    let mut ticks = parent.own + parent.ended_children;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(Ok(child)) = entry.file_name().to_str().map(str::parse::<u32>) else { continue };
        // A process may end while the list is read; then it counts among those that ended next time.
        if let Ok(stat) = Stat::read(child)
            && stat.parent == pid
        {
            ticks += stat.own;
        }
    }
    Ok(ticks / TICKS)
}

/// Proportional set size of a process in MiB: what it has for itself, and its share of what it has with others.
pub(crate) fn memory(pid: u32) -> Result<f64, Failure> {
    let file = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("smaps_rollup has no Pss")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

struct Stat {
    parent: u32,
    own: f64,
    ended_children: f64,
}

impl Stat {
    fn read(pid: u32) -> Result<Self, Failure> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))
            .map_err(|error| format!("process {pid} is gone: {error}"))?;
        // The name in parentheses may hold anything; what follows its last one does not.
        let fields: Vec<&str> = text.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let number = |index: usize| -> Result<f64, Failure> {
            Ok(fields.get(index).ok_or("/proc/PID/stat is short")?.parse::<f64>()?)
        };
        Ok(Self {
            parent: fields.get(1).ok_or("/proc/PID/stat is short")?.parse()?,
            own: number(11)? + number(12)?,
            ended_children: number(13)? + number(14)?,
        })
    }
}
