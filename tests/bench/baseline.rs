//! What the product is compared with: pgbench on the same cluster, in another database with the same schema, writing the same rows.

use std::{path::PathBuf, process::Stdio, time::Duration};

use shouwen_runtime::postgres_cluster::Binaries;
use sqlx::{Connection as _, Executor as _, PgConnection, postgres::PgConnectOptions};
use tokio::process::Command;

use crate::{Failure, client::EMPLOYEES, stack::Stack};

const FIVE_ROUND_TRIPS: &str = include_str!("claim_five_round_trips.sql");
const ONE_STATEMENT: &str = include_str!("claim_one_statement.sql");
const WITHOUT_HEAD: &str = include_str!("claim_without_head.sql");
const DATABASE: &str = "bench";
/// pgbench's own threads.
const THREADS: usize = 2;

/// Ways to write a claim by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// (a) BEGIN, three statements, COMMIT.
    FiveRoundTrips,
    /// (b) one statement.
    OneStatement,
    /// As (b), but positions come from a sequence and nothing is chained: what a ledger in commit order costs by hand. No target.
    WithoutHead,
}

impl Script {
    const ALL: [Self; 3] = [Self::FiveRoundTrips, Self::OneStatement, Self::WithoutHead];

    fn file(self) -> &'static str {
        match self {
            Self::FiveRoundTrips => "five_round_trips.sql",
            Self::OneStatement => "one_statement.sql",
            Self::WithoutHead => "without_head.sql",
        }
    }

    fn text(self) -> Result<String, Failure> {
        Ok(match self {
            Self::FiveRoundTrips => FIVE_ROUND_TRIPS.to_owned(),
            Self::OneStatement => ONE_STATEMENT.to_owned(),
            Self::WithoutHead => {
                let parts =
                    ONE_STATEMENT.split_once("-- The end of the ledger\n").and_then(|(before, rest)| {
                        rest.split_once("-- The rows of the ledger\n").map(|(_, after)| (before, after))
                    });
                let (before, after) = parts.ok_or("claim_one_statement.sql has lost its marks")?;
                format!("{before}{WITHOUT_HEAD}{after}")
            }
        })
    }
}

/// The other database and the program that loads it.
pub(crate) struct Baseline {
    program: PathBuf,
    scripts: PathBuf,
    server: PgConnectOptions,
    password: String,
}

/// What pgbench came to.
pub(crate) struct Transactions {
    pub(crate) count: f64,
    pub(crate) per_second: f64,
    /// Of every transaction, microseconds; empty unless asked for.
    pub(crate) latencies: Vec<u32>,
}

impl Baseline {
    /// Finds pgbench, lays the product's own schema out in another database.
    pub(crate) async fn prepare(stack: &Stack) -> Result<Self, Failure> {
        let binaries = Binaries::find(None).await?;
        let program = binaries.program("pgbench");
        if !program.exists() {
            return Err(format!(
                "pgbench is not installed beside {}; Debian and Ubuntu have it in postgresql-{}, others in a package like postgresql-contrib",
                binaries.dir.display(),
                binaries.major
            )
            .into());
        }
        let server: PgConnectOptions = stack.admin_url.parse()?;
        let mut connection = PgConnection::connect_with(&server).await?;
        let durable = sqlx::query_scalar::<_, String>(
            "select string_agg(setting, ' ' order by name) from pg_settings
             where name in ('fsync', 'synchronous_commit', 'full_page_writes')",
        )
        .fetch_one(&mut connection)
        .await?;
        if durable != "on on on" {
            return Err("the cluster is not durable (fsync, synchronous_commit, full_page_writes)".into());
        }
        connection.execute("create database bench").await?;
        connection.execute("alter database bench set search_path = ownership").await?;
        connection.close().await?;
        let server = server.database(DATABASE);
        shouwen_gateway::schema().provision(&server, None).await?;
        let mut connection = PgConnection::connect_with(&server).await?;
        // Past what the other scripts reach; the ledger has a partition there.
        connection.execute("create sequence ledger_position start 2500000").await?;
        connection.close().await?;
        let scripts = stack.scratch("pgbench");
        std::fs::create_dir(&scripts)?;
        for script in Script::ALL {
            std::fs::write(scripts.join(script.file()), script.text()?)?;
        }
        let password = stack.admin_url.split(['@', ':']).nth(2).unwrap_or_default().to_owned();
        Ok(Self { program, scripts, server, password })
    }

    /// Runs a script with so many clients for a time, with prepared statements.
    pub(crate) async fn run(
        &self,
        script: Script,
        clients: usize,
        time: Duration,
        log: bool,
    ) -> Result<Transactions, Failure> {
        let before = self.rows().await?;
        let mut command = Command::new(&self.program);
        command
            .args(["--no-vacuum", "--protocol=prepared", "--random-seed=rand"])
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={}", THREADS.min(clients)))
            // pgbench knows whole seconds only.
            .arg(format!("--time={}", time.as_secs().max(1)))
            .arg(format!("--define=employees={EMPLOYEES}"))
            .arg(format!("--file={}", self.scripts.join(script.file()).display()))
            .current_dir(&self.scripts)
            .env("PGHOST", self.host())
            .env("PGPORT", self.server.get_port().to_string())
            .env("PGUSER", self.server.get_username())
            .env("PGPASSWORD", &self.password)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if log {
            command.args(["--log", "--log-prefix=latency"]);
        }
        let output = command.arg(DATABASE).output().await?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(format!("pgbench failed:\n{}", String::from_utf8_lossy(&output.stderr).trim()).into());
        }
        let figure = |label: &str| -> Result<f64, Failure> {
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix(label))
                .ok_or_else(|| format!("pgbench did not say `{label}`:\n{said}"))?;
            let number: String =
                line.trim().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            Ok(number.parse()?)
        };
        let count = figure("number of transactions actually processed:")?;
        let written = (self.rows().await? - before) as f64;
        if (written - 2.0 * count).abs() > f64::EPSILON {
            return Err(format!(
                "pgbench reports {count} transactions, but the ledger grew by {written} rows"
            )
            .into());
        }
        let latencies = if log { self.latencies()? } else { Vec::new() };
        Ok(Transactions { count, per_second: figure("tps =")?, latencies })
    }

    /// The way that the product takes too: the directory of the server's socket, or a name.
    fn host(&self) -> PathBuf {
        self.server.get_socket().cloned().unwrap_or_else(|| self.server.get_host().into())
    }

    /// Writes all dirty pages out, so that a slice pays only for its own.
    pub(crate) async fn checkpoint(&self) -> Result<(), Failure> {
        let mut connection = PgConnection::connect_with(&self.server).await?;
        connection.execute("checkpoint").await?;
        connection.close().await?;
        Ok(())
    }

    /// Rows of the baseline's ledger.
    async fn rows(&self) -> Result<i64, Failure> {
        let mut connection = PgConnection::connect_with(&self.server).await?;
        let rows =
            sqlx::query_scalar("select count(*) from ownership.ledger").fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(rows)
    }

    /// Reads and removes pgbench's logs: `client transaction microseconds …` a line.
    fn latencies(&self) -> Result<Vec<u32>, Failure> {
        let mut latencies = Vec::new();
        for entry in std::fs::read_dir(&self.scripts)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with("latency.") {
                continue;
            }
            for line in std::fs::read_to_string(entry.path())?.lines() {
                let micros = line.split_whitespace().nth(2).ok_or("a line of pgbench's log is short")?;
                latencies.push(micros.parse()?);
            }
            std::fs::remove_file(entry.path())?;
        }
        Ok(latencies)
    }
}
