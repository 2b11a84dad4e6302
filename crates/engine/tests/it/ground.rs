//! A database of one's own with two services' schemas, `bank` and `shop`, engines on it, and what every test asks of the result.

use std::{
    collections::BTreeMap, future::poll_fn, ops::Deref, pin::Pin, str::FromStr as _, sync::Arc, task::Poll,
    time::Duration,
};

use futures_util::{FutureExt as _, future::join_all};
use shouwen_engine::{
    Actor, AggregateId, Domain as _, Engine, Fence, Options, Outcome, RequestKey, Submission, SubmitError,
    audit, ledger,
    options::{Mutants, Probe},
    provision::{MIGRATOR, Schema},
};
use shouwen_runtime::clock::MachineClock;
use shouwen_testkit::{TestDatabase, until};
use sqlx::{
    Connection as _, Executor as _, PgConnection, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
    types::Json,
};
use tokio_util::sync::CancellationToken;

use crate::bank::{self, Account, Bank, Command, Refused};

/// Longer than anything here takes, shorter than anybody's patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Answer = Result<Outcome<Account>, SubmitError<Refused>>;
/// What a check found.
pub(crate) type Found = Result<(), String>;

/// `Err` with the text unless the condition holds.
macro_rules! demand {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}
pub(crate) use demand;

/// A check must have found something, and for this reason.
pub(crate) fn red(found: Found, because: &str) {
    let text = found.expect_err("the check saw nothing");
    assert!(text.contains(because), "red for another reason: {text}");
}

/// The database of one test.
pub(crate) struct Ground {
    database: TestDatabase,
}

/// An engine that stops with the value.
pub(crate) struct Running {
    pub(crate) engine: Engine<Bank>,
    stop: CancellationToken,
}

impl Ground {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create("engine", async |url: &str| {
            let admin = PgConnectOptions::from_str(url).unwrap();
            for service in ["bank", "shop"] {
                let schema = Schema { service, migrators: vec![&MIGRATOR] };
                schema.provision(&admin, Some("secret")).await.unwrap();
                let mut connection = PgConnection::connect_with(&admin).await.unwrap();
                let (owner, runtime) = (schema.owner_role(), schema.runtime_role());
                for sql in [
                    &format!("set role {owner}"),
                    &format!("set search_path = {service}"),
                    bank::TABLES,
                    &format!(
                        "grant select, insert, update, delete on account, projected, latest to {runtime}"
                    ),
                    &format!("grant usage on sequence mutant_position to {runtime}"),
                ] {
                    connection.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.unwrap();
                }
                connection.close().await.unwrap();
            }
        })
        .await;
        Self { database }
    }

    /// Connects as the runtime role of a service; its schema is the role's search path.
    pub(crate) fn options(&self, service: &str) -> PgConnectOptions {
        PgConnectOptions::from_str(&self.database.url_as(&format!("shouwen_{service}"))).unwrap()
    }

    pub(crate) async fn pool(&self, service: &str) -> PgPool {
        PgPoolOptions::new().max_connections(6).connect_with(self.options(service)).await.unwrap()
    }

    /// A superuser's connection to a service's schema.
    pub(crate) async fn superuser(&self, service: &str) -> PgConnection {
        let options = PgConnectOptions::from_str(&self.database.url()).unwrap();
        PgConnection::connect_with(&options.options([("search_path", service)])).await.unwrap()
    }

    /// An engine of the bank.
    pub(crate) async fn engine(&self, options: Options) -> Running {
        self.engine_at("bank", options, MachineClock::system(), self.options("bank")).await
    }

    /// An engine whose write path connects as it is told.
    pub(crate) async fn engine_at(
        &self,
        service: &str,
        options: Options,
        machine: MachineClock,
        connect: PgConnectOptions,
    ) -> Running {
        self.mutate(options.mutants).await;
        let stop = CancellationToken::new();
        let pool = self.pool(service).await;
        let engine = Engine::start(Arc::new(Bank::new()), pool, connect, machine, options, stop.clone())
            .await
            .unwrap();
        Running { engine, stop }
    }

    /// Takes out of the batch's SQL what a mutant does without.
    async fn mutate(&self, mutants: Mutants) {
        if mutants.locks_off {
            self.rewrite("lock_batch", "order by a.id for no key update of a", "order by a.id").await;
            self.rewrite("write_batch", "a.id = u.id and a.version = u.before", "a.id = u.id").await;
            self.rewrite("write_batch", "<> (batch -> 'states')::bigint", "< 0").await;
        }
        if mutants.positions_from_sequence {
            self.rewrite("lock_batch", "from ledger_head for no key update", "from ledger_head").await;
        }
    }

    /// Rewrites a function of the bank's schema, unless that was done before.
    pub(crate) async fn rewrite(&self, function: &str, from: &str, to: &str) {
        let mut connection = self.superuser("bank").await;
        let text = sqlx::query_scalar::<_, String>("select pg_get_functiondef($1::text::regproc)")
            .bind(function)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!(text.contains(from) || text.contains(to), "{function} does not say {from:?}");
        if text.contains(from) {
            connection.execute(sqlx::AssertSqlSafe(text.replace(from, to))).await.unwrap();
        }
    }

    /// Waits until so many sessions of the database wait for a lock.
    pub(crate) async fn waiting(&self, sessions: i64) {
        let mut connection = self.database.connect().await;
        let sql = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        until("sessions waiting for a lock", PATIENCE, async || {
            let waiting = sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await.unwrap();
            (waiting >= sessions).then_some(())
        })
        .await;
    }

    /// How often Postgres had to break a deadlock in this database. Asked when all other sessions have ended, so that all have reported.
    pub(crate) async fn deadlocks(&self) -> i64 {
        let sql = "select count(*) from pg_stat_activity
                   where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()";
        let mut connection = self.database.connect().await;
        until("the sessions have ended", PATIENCE, async || {
            let others = sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await.unwrap();
            (others == 0).then_some(())
        })
        .await;
        let sql = "select deadlocks from pg_stat_database where datname = current_database()";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await.unwrap()
    }

    /// Runs SQL in the bank's schema as a superuser.
    pub(crate) async fn tamper(&self, sql: &str) {
        let mut connection = self.superuser("bank").await;
        connection.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let mut connection = self.superuser("bank").await;
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap()
    }

    pub(crate) async fn account(&self, id: &str) -> Option<(i64, Account)> {
        let mut connection = self.superuser("bank").await;
        let row = sqlx::query("select version, state from account where id = $1")
            .bind(id)
            .fetch_optional(&mut connection)
            .await
            .unwrap()?;
        Some((row.get("version"), row.get::<Json<Account>, _>("state").0))
    }

    pub(crate) async fn balance(&self, id: &str) -> i64 {
        self.account(id).await.map_or(0, |(_, account)| account.balance)
    }

    /// What must hold whatever happened: the ledger is whole and dense, and the tables say what follows from it.
    pub(crate) async fn consistent(&self) -> Found {
        let running = self.engine(calm()).await;
        let pool = running.pool();
        let verification = audit::verify(pool, &[], &[], |_, _| {}).await.unwrap();
        demand!(verification.findings.is_empty(), "the ledger: {:?}", verification.findings);
        let rows = ledger::after(pool, 0, 1_000_000).await.unwrap();
        demand!(
            rows.windows(2).all(|pair| pair[0].time <= pair[1].time),
            "time runs backwards along positions"
        );
        let mut histories: BTreeMap<String, Vec<ledger::LedgerRow>> = BTreeMap::new();
        for row in rows {
            histories.entry(row.aggregate.clone()).or_default().push(row);
        }
        let versions = "select count(*) from account full join aggregate using (id)
                        where account.version is distinct from aggregate.version";
        demand!(self.number(versions).await == 0, "versions of lock rows and states differ");
        let accounts = self.number("select count(*) from account").await;
        demand!(
            usize::try_from(accounts) == Ok(histories.len()),
            "{accounts} accounts, {} in the ledger",
            histories.len()
        );
        let (mut keys, mut deadlines) = (0, 0);
        for (id, history) in histories {
            let dense = history.iter().zip(1..).all(|(row, version)| row.version == version);
            demand!(dense, "the versions of {id} on the ledger are not dense");
            let rebuilt = running.rebuild(&AggregateId(id.clone()), &history).unwrap();
            let (version, state) = self.account(&id).await.ok_or(format!("{id} has no state"))?;
            demand!(version == history.last().map_or(0, |row| row.version), "{id} is at version {version}");
            demand!(rebuilt.as_ref() == Some(&state), "{id} is {state:?}, its ledger says {rebuilt:?}");
            for key in running.domain().keys(&state) {
                keys += 1;
                let held =
                    format!("select count(*) from unique_key where key = '{}' and holder = '{id}'", key.key);
                demand!(self.number(&held).await == 1, "{id} does not hold {key:?}");
            }
            for deadline in running.domain().deadlines(&state) {
                deadlines += 1;
                let due = deadline.due.timestamp_micros();
                let row = format!(
                    "select count(*) from deadline where aggregate = '{id}' and due = 'epoch'::timestamptz + interval '{due} us'"
                );
                demand!(self.number(&row).await == 1, "the deadline of {id} is not in the table");
            }
        }
        demand!(self.number("select count(*) from unique_key").await == keys, "a key is held by nobody");
        demand!(self.number("select count(*) from deadline").await == deadlines, "a deadline is nobody's");
        Ok(())
    }
}

impl Deref for Running {
    type Target = Engine<Bank>;

    fn deref(&self) -> &Engine<Bank> {
        &self.engine
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        // Begins to stop; nobody waits for the end of it.
        let _begun = self.engine.stopped().now_or_never();
    }
}

impl Running {
    /// Stops and waits until everything taken in is answered and the connections are closed.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.stopped().await.unwrap();
        self.pool().close().await;
    }

    pub(crate) async fn run(&self, command: Command) -> Answer {
        self.submit(submission(command)).await
    }

    pub(crate) async fn open(&self, account: &str) {
        self.run(open(account, None)).await.unwrap();
    }

    /// Submits commands that make one batch, in this order, whatever the timing, and answers what became of them.
    pub(crate) async fn together(
        &self,
        ground: &Ground,
        submissions: Vec<Submission<Command>>,
    ) -> Vec<Answer> {
        // The committer is kept at the head by a command that leaves no trace.
        let mut blocker = ground.superuser("bank").await;
        blocker.execute("begin; select * from ledger_head for update").await.unwrap();
        let engine = self.engine.clone();
        let kept =
            tokio::spawn(async move { engine.submit(submission(deposit("accounts/nobody", 1))).await });
        ground.waiting(1).await;
        let all = self.queued(submissions).await;
        blocker.execute("rollback").await.unwrap();
        assert!(matches!(kept.await.unwrap(), Err(SubmitError::Rejected(Refused::Missing))));
        all.await
    }

    /// Submits commands so that they are taken in, in this order, when the future answers; the answers come later.
    pub(crate) async fn queued(
        &self,
        submissions: Vec<Submission<Command>>,
    ) -> Pin<Box<dyn Future<Output = Vec<Answer>> + Send>> {
        let engine = self.engine.clone();
        let submit = move |submission| {
            let engine = engine.clone();
            async move { engine.submit(submission).await }
        };
        let mut all = Box::pin(join_all(submissions.into_iter().map(submit)));
        let first = poll_fn(|context| Poll::Ready(all.as_mut().poll(context))).await;
        assert!(first.is_pending(), "the commands were answered before all of them were waiting");
        all
    }
}

/// Options with a probe and mutants.
pub(crate) fn options(probe: Probe, mutants: Mutants) -> Options {
    Options { probe, mutants, feed_poll: Duration::from_millis(5), ..calm() }
}

/// Options under which nothing ends because the machine is busy.
pub(crate) fn calm() -> Options {
    Options { context_age: PATIENCE, write_timeout: PATIENCE, ..Options::default() }
}

pub(crate) fn probed(probe: Probe) -> Options {
    options(probe, Mutants::default())
}

pub(crate) fn mutated(mutants: Mutants) -> Options {
    options(Probe::default(), mutants)
}

pub(crate) fn submission(command: Command) -> Submission<Command> {
    let actor = Actor {
        principal: "serviceAccounts/crm".to_owned(),
        on_behalf: "employees/li".to_owned(),
        capacity: "handler".to_owned(),
    };
    Submission::new(command, actor)
}

/// With a request id; the fingerprint is that of the command.
pub(crate) fn requested(command: Command, id: impl Into<String>) -> Submission<Command> {
    let request = request(&command, id);
    Submission { request: Some(request), ..submission(command) }
}

pub(crate) fn request(command: &Command, id: impl Into<String>) -> RequestKey {
    RequestKey {
        principal: "serviceAccounts/crm".to_owned(),
        method: "/bank/Do".to_owned(),
        id: id.into(),
        fingerprint: format!("{command:?}").into_bytes(),
    }
}

pub(crate) fn fenced(command: Command, case: &str, epoch: i64) -> Submission<Command> {
    let fence = Fence { case: case.to_owned(), epoch, read_at: shouwen_runtime::clock::now() };
    Submission { fence: Some(fence), case: case.to_owned(), ..submission(command) }
}

pub(crate) fn open(account: &str, name: Option<&str>) -> Command {
    Command::Open { account: account.to_owned(), name: name.map(str::to_owned) }
}

pub(crate) fn rename(account: &str, name: Option<&str>) -> Command {
    Command::Rename { account: account.to_owned(), name: name.map(str::to_owned) }
}

pub(crate) fn deposit(account: &str, amount: i64) -> Command {
    Command::Deposit { account: account.to_owned(), amount }
}
