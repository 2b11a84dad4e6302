//! The database of one test, the services that run on it, and the time there.

use std::{ops::Deref, str::FromStr as _, time::Duration};

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use ring::rand::SystemRandom;
use shouwen_access::page_token::PageTokens;
use shouwen_calendar::SHANGHAI;
use shouwen_engine::{Options, clock, follower};
use shouwen_gateway::{
    Dependencies, Directory, Feeds, Service,
    domain::{Mutants, OwnershipDomain},
};
use shouwen_runtime::clock::MachineClock;
use shouwen_serving::timestamps;
use shouwen_testkit::{TestDatabase, until};
use shouwen_vault::{Keyring, Vault};
use sqlx::Connection as _;
use sqlx::{
    PgConnection, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio_util::sync::CancellationToken;

use crate::{desk::Desk, directory, feeds::Feed};

/// Longer than anything here takes, shorter than anybody's patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The database of one test with the feeds that its services follow.
pub(crate) struct Ground {
    database: TestDatabase,
    keyring: Keyring,
    feeds: [Feed; 4],
    directory: Directory,
}

/// A running ownership service; it stops with the value.
pub(crate) struct Office {
    service: Service,
    stop: CancellationToken,
    feeds: [Feed; 4],
}

/// A moment in Shanghai: `local(2025, 9, 30, 10, 15)`.
pub(crate) fn local(year: i32, month: u32, day: u32, hour: u32, minute: u32) -> DateTime<Utc> {
    SHANGHAI.with_ymd_and_hms(year, month, day, hour, minute, 0).unwrap().with_timezone(&Utc)
}

/// A time of an answer.
pub(crate) fn at(time: Option<prost_types::Timestamp>) -> DateTime<Utc> {
    timestamps::from_proto(&time.unwrap()).unwrap()
}

/// Where simulated tests begin: a Tuesday in working hours.
pub(crate) fn tuesday() -> DateTime<Utc> {
    local(2025, 9, 9, 10, 0)
}

/// Settings under which nothing happens but on demand: no sweep comes by itself.
pub(crate) fn still() -> Options {
    Options {
        sweep_interval: Duration::from_secs(24 * 3600),
        feed_poll: Duration::from_millis(5),
        ..Options::default()
    }
}

impl Ground {
    /// A database with the schema and nothing in it; time is real.
    pub(crate) async fn empty() -> Self {
        let database = TestDatabase::create("ownership", async |url: &str| {
            let admin = PgConnectOptions::from_str(url).unwrap();
            shouwen_gateway::schema().provision(&admin, None).await.unwrap();
        })
        .await;
        let keyring = Keyring::generate(&SystemRandom::new()).unwrap();
        let feeds = ["calls", "callbacks", "complaints", "clients"].map(Feed::new);
        Self { database, keyring, feeds, directory: directory::nowhere() }
    }

    /// A database in which time stands still at `start`, and a service that knows the usual roster.
    pub(crate) async fn at(start: DateTime<Utc>) -> (Self, Office) {
        Self::with(start, Mutants::default()).await
    }

    /// As [`Ground::at`], with a rule switched off.
    pub(crate) async fn with(start: DateTime<Utc>, mutants: Mutants) -> (Self, Office) {
        Self::empty().await.opened(start, mutants).await
    }

    /// As [`Ground::at`], with a clients service to ask.
    pub(crate) async fn asking(start: DateTime<Utc>, directory: Directory) -> (Self, Office) {
        let ground = Self { directory, ..Self::empty().await };
        ground.opened(start, Mutants::default()).await
    }

    async fn opened(self, start: DateTime<Utc>, mutants: Mutants) -> (Self, Office) {
        let ground = self;
        clock::simulate_from(&ground.pool(1).await, start).await.unwrap();
        let office = ground.office(still(), mutants).await;
        office.admin().import_usual().await;
        (ground, office)
    }

    /// A pool of the runtime role.
    pub(crate) async fn pool(&self, connections: u32) -> PgPool {
        PgPoolOptions::new().max_connections(connections).connect_with(self.connect()).await.unwrap()
    }

    fn connect(&self) -> PgConnectOptions {
        let role = shouwen_gateway::schema().runtime_role();
        PgConnectOptions::from_str(&self.database.url_as(&role)).unwrap()
    }

    /// A further service on the same schema.
    pub(crate) async fn another(&self) -> Office {
        self.office(still(), Mutants::default()).await
    }

    pub(crate) async fn office(&self, options: Options, mutants: Mutants) -> Office {
        let stop = CancellationToken::new();
        let pool = self.pool(8).await;
        let vault = Vault::new(pool.clone(), self.keyring.clone(), "ownership", 1000);
        let [calls, callbacks, complaints, clients] = self.feeds.each_ref().map(Feed::source);
        let service = Service::start(Dependencies {
            pool,
            connect: self.connect(),
            vault,
            pages: PageTokens::new(&[7; 32]).unwrap(),
            clock: MachineClock::system(),
            options,
            stop: stop.clone(),
            feeds: Feeds { calls, callbacks, complaints, clients },
            directory: self.directory.clone(),
            mutants,
        })
        .await
        .unwrap();
        Office { service, stop, feeds: self.feeds.clone() }
    }

    async fn superuser(&self) -> PgConnection {
        let options = PgConnectOptions::from_str(&self.database.url()).unwrap();
        PgConnection::connect_with(&options.options([("search_path", "ownership")])).await.unwrap()
    }

    /// A number that a query answers.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let mut connection = self.superuser().await;
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
    }

    /// Changes the database past the service.
    pub(crate) async fn run(&self, sql: &str) {
        let mut connection = self.superuser().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }

    /// The first column of each row, as text.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let mut connection = self.superuser().await;
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        rows.into_iter().map(|row| row.get(0)).collect()
    }

    /// Names of the events of an aggregate, in order.
    pub(crate) async fn events(&self, aggregate: &str) -> Vec<String> {
        self.texts(&format!("select type from ledger where aggregate = '{aggregate}' order by position"))
            .await
    }

    /// How many events of this name the ledger holds.
    pub(crate) async fn count(&self, r#type: &str) -> i64 {
        self.number(&format!("select count(*) from ledger where type = '{type}'")).await
    }

    /// The clients service has told of a file: VIP or not, and who looks after the client.
    pub(crate) async fn client_file(&self, client: &str, vip: bool, manager: &str) {
        let mut connection = self.superuser().await;
        let told = "insert into client_file (client, branch, vip, core, service_manager)
                    values ($1, 'branches/b1', $2, false, $3)";
        sqlx::query(told).bind(client).bind(vip).bind(manager).execute(&mut connection).await.unwrap();
    }

    /// Time passes while no service is at work: an outage.
    pub(crate) async fn outage(&self, until: DateTime<Utc>) {
        let mut connection = self.superuser().await;
        let moved = "update clock set simulated_at = $1";
        sqlx::query(moved).bind(until).execute(&mut connection).await.unwrap();
    }

    /// How Postgres reads a timeline among so many other rows.
    pub(crate) async fn explained_timeline(&self, rows: i64) -> String {
        let mut connection = self.superuser().await;
        let fill = format!(
            "insert into ledger select 1000 + i, 'x', 'cases/' || i, 1, '', '', '', '', 'cases/' || i, '', '', '', now(), ''
               from generate_series(1, {rows}) i;
             insert into timeline select 'calls', i, now(), 'x', 'calls/' || i, 'cases/' || i, '', '', '', ''
               from generate_series(1, {rows}) i;
             insert into contacts select 'contacts/' || i, 1, jsonb_build_object('case', 'cases/' || i)
               from generate_series(1, {rows}) i;
             insert into cases select 'cases/' || i, 1, jsonb_build_object('branch', 'branches/b9', 'topic', 'x')
               from generate_series(1, {rows}) i;
             analyze ledger, timeline, contacts, cases"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(fill)).execute(&mut connection).await.unwrap();
        let query = include_str!("../../src/store/timeline.sql")
            .replace("$1", "'cases/7'")
            .replace("$2", "'{ownership,calls}'")
            .replace("$3", "'{1000000,1000000}'");
        self.texts(&format!("explain {query}")).await.join("\n")
    }
}

impl Office {
    /// Moves the time on, sweeping at each deadline on the way.
    pub(crate) async fn until(&self, to: DateTime<Utc>) {
        loop {
            let here = self.here().await;
            let stop =
                clock::next_due(self.engine.pool()).await.unwrap().filter(|due| *due < to).unwrap_or(to);
            self.engine.step_clock(here, stop.max(here), true).await.unwrap();
            self.engine.sweep_once().await.unwrap();
            if stop == to {
                return;
            }
        }
    }

    pub(crate) async fn pass(&self, time: TimeDelta) {
        self.until(self.here().await + time).await;
    }

    /// Moves the time on to no more than the next deadline, and no sweep comes by: sweepers and followers keep still.
    pub(crate) async fn unswept(&self, to: DateTime<Utc>) {
        self.engine.step_clock(self.here().await, to, false).await.unwrap();
    }

    /// What the clock says.
    pub(crate) async fn here(&self) -> DateTime<Utc> {
        self.engine.now().await.unwrap()
    }

    /// Waits until what the feeds hold has had its effect.
    pub(crate) async fn followed(&self) {
        for feed in &self.feeds {
            let name = feed.service();
            until(name, PATIENCE, async || {
                let cursor = follower::cursor(&self.engine, name).await.unwrap();
                (cursor.position == feed.head()).then_some(())
            })
            .await;
        }
        assert_eq!(self.engine.status().await.unwrap().parked, 0, "an event was parked");
    }

    /// Waits until this service knows what the ledger holds by now.
    pub(crate) async fn learned(&self) {
        let head = shouwen_engine::ledger::head(self.engine.pool()).await.unwrap().position;
        until("roster and policies", PATIENCE, async || (self.domain().position() >= head).then_some(()))
            .await;
    }

    /// The feed of calls.
    pub(crate) fn calls(&self) -> &Feed {
        &self.feeds[0]
    }

    /// The feed of callbacks.
    pub(crate) fn callbacks(&self) -> &Feed {
        &self.feeds[1]
    }

    /// The feed of complaints.
    pub(crate) fn complaints(&self) -> &Feed {
        &self.feeds[2]
    }

    /// The feed of clients.
    pub(crate) fn clients(&self) -> &Feed {
        &self.feeds[3]
    }

    pub(crate) fn domain(&self) -> &OwnershipDomain {
        self.engine.domain()
    }

    /// Where an employee of the usual roster works.
    pub(crate) fn desk(&self, employee: &str) -> Desk {
        Desk::of(self.routes(), employee)
    }

    pub(crate) fn admin(&self) -> Desk {
        self.desk("root")
    }
}

impl Deref for Office {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
