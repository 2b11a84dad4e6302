//! What operations of the gateway touch in the database as cases become many: shared buffers, the shape of each plan, and, for information, the time. It
//! looks at the running product's own statements with their own values, and at nothing that was copied from it.

mod filling;
mod operations;
mod plans;
mod report;

use std::{collections::BTreeMap, process::ExitCode, time::Instant};

use clap::Args;
use rand::{SeedableRng as _, rngs::StdRng};
use shouwen_proto::access::v1::Role;
use shouwen_runtime::channel::Channel;

use self::{
    filling::Filling,
    operations::Operation,
    plans::{Log, Statement},
    report::{Grown, Measured, Report},
};
use crate::{
    Failure,
    client::{self, Clients, Token},
    deployment::{Deployment, PROCESSES},
    load,
    machine::{self, Machine},
    stack::Stack,
    statistics,
};

/// Operations before those that count: prepared statements have found their plan, what is read anew at a start has been.
const WARM_UP: usize = 20;
/// Operations whose time is taken, and those that are looked into.
const TIMED: usize = 200;
const EXPLAINED: usize = 21;
const SEED: u64 = 42;
/// Of disk per case, with indexes and what the log of writes needs beside them.
const BYTES_PER_CASE: i64 = 6_000;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Numbers of cases, from the smallest. One for which there is no room on the disk is left out, and the result is inconclusive then.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000, 10_000_000])]
    cases: Vec<i64>,
}

pub(crate) async fn run(machine: Machine, options: &Options) -> Result<ExitCode, Failure> {
    let stack = Stack::start().await?;
    let clients = Clients::prepare(&stack, Role::Hq).await?;
    filling::make_templates(&clients).await?;
    clients.settle().await?;
    let tokens = clients.tokens;
    // Filling needs no durability, and what is counted here does not depend on it.
    let mut settings = vec![("fsync", "off"), ("max_wal_size", "2GB"), ("autovacuum", "off")];
    settings.extend(plans::SETTINGS);
    let deployment = Deployment::start(stack.stop().await?, &settings).await?;
    let mut filling = Filling::begin(&deployment.admin_url()).await?;
    let indexes = filling.indexes().await?.into_iter().map(|(table, count)| (table, count as f64)).collect();
    let mut grown = Operation::ALL.map(|operation| Grown { operation: operation.name(), sizes: Vec::new() });
    let mut left_out = None;
    for cases in &options.cases {
        let (needed, free) =
            (filling.missing(*cases) * BYTES_PER_CASE, machine::free_bytes(deployment.dir())?);
        if needed > free {
            let gigabytes = |bytes: i64| (bytes as f64 / 1e9).ceil();
            let (needed, free) = (gigabytes(needed), gigabytes(free));
            left_out = Some(format!("{cases} cases: they need {needed} GB of disk, {free} GB are free"));
            break;
        }
        filling.up_to(*cases).await?;
        // Started anew, it has no plans from when there were fewer.
        let gateway = deployment.serve(PROCESSES[0]).await?;
        let address = format!("http://{}", deployment.address(PROCESSES[0].0));
        let mut looking = Looking {
            cases: *cases,
            random: StdRng::seed_from_u64(SEED),
            channel: client::connect(&address, 1).await?.remove(0),
            tokens: &tokens,
            filling: &mut filling,
            log: Log::of(deployment.postgres_log()),
            indexes: &indexes,
        };
        // At the first size too there is a little of everything, and the planner knows of it.
        for operation in Operation::ALL {
            looking.times(operation, TIMED).await?;
        }
        looking.filling.rest().await?;
        for (operation, grown) in Operation::ALL.into_iter().zip(&mut grown) {
            let measured =
                looking.at(operation).await.map_err(|error| format!("{}: {error}", operation.name()))?;
            grown.sizes.push(measured);
            eprintln!("bench: {cases} cases, {}: done", operation.name());
        }
        gateway.stop().await?;
    }
    deployment.stop().await?;
    let report = Report { machine, operations: grown.into(), left_out };
    println!("{report}");
    println!("All figures: {}", report.write(&crate::figures())?.display());
    Ok(report.verdict().exit_code())
}

/// Looks at one size.
struct Looking<'a> {
    cases: i64,
    random: StdRng,
    channel: Channel,
    tokens: &'a [Token],
    filling: &'a mut Filling,
    log: Log,
    indexes: &'a BTreeMap<String, f64>,
}

impl Looking<'_> {
    async fn at(&mut self, operation: Operation) -> Result<Measured, Failure> {
        self.times(operation, WARM_UP).await?;
        let times = self.times(operation, TIMED).await?;
        Ok(Measured {
            cases: self.cases,
            p50_ms: statistics::latency(&times, 0.5) / 1e3,
            p99_ms: statistics::latency(&times, 0.99) / 1e3,
            statements: self.statements(operation).await?,
        })
    }

    async fn statements(&mut self, operation: Operation) -> Result<Vec<Statement>, Failure> {
        self.filling.explain(true).await?;
        // The server's processes hear of it between two statements.
        self.times(operation, WARM_UP).await?;
        self.log.next()?;
        self.times(operation, EXPLAINED).await?;
        let explained = self.log.next()?;
        self.filling.explain(false).await?;
        let statements = plans::statements(&explained, EXPLAINED, self.indexes);
        if statements.is_empty() { Err("no statement was explained".into()) } else { Ok(statements) }
    }

    /// So many operations one after another; their microseconds.
    async fn times(&mut self, operation: Operation, count: usize) -> Result<Vec<u32>, Failure> {
        let asked = operation.requests(count, self.cases, &mut self.random, self.filling).await?;
        let mut times = Vec::with_capacity(count);
        for (number, asked) in asked.into_iter().enumerate() {
            let begun = Instant::now();
            asked.send(&self.channel, &self.tokens[number % self.tokens.len()]).await?;
            times.push(load::micros(begun));
        }
        Ok(times)
    }
}
