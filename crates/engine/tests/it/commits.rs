//! The connection is lost at COMMIT: callers are told that the outcome is not known, and their repetition finds out.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use shouwen_engine::{SubmitError, options::Step};
use shouwen_runtime::clock::MachineClock;
use sqlx::postgres::PgSslMode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    gate::Gate,
    ground::{Answer, Ground, calm, deposit, probed, requested},
};

/// Where the proxy cuts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// COMMIT never reaches Postgres.
    Before,
    /// Postgres has committed; its answer never arrives.
    After,
}

/// Forwards connections to Postgres until it sees the COMMIT after arming.
struct Proxy {
    address: SocketAddr,
    armed: Arc<AtomicBool>,
}

impl Proxy {
    async fn start(postgres: SocketAddr, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let armed = Arc::new(AtomicBool::new(false));
        tokio::spawn({
            let armed = Arc::clone(&armed);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let server = TcpStream::connect(postgres).await.unwrap();
                    tokio::spawn(forward(client, server, Arc::clone(&armed), cut));
                }
            }
        });
        Self { address, armed }
    }

    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }
}

/// Ends when either side closes, or with the cut.
async fn forward(mut client: TcpStream, mut server: TcpStream, armed: Arc<AtomicBool>, cut: Cut) {
    let (mut question, mut answer) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut question) => {
                let Ok(length @ 1..) = read else { return };
                let commits = question[..length].windows(7).any(|bytes| bytes.eq_ignore_ascii_case(b"COMMIT\0"));
                let cuts = commits && armed.swap(false, Ordering::SeqCst);
                if cuts && cut == Cut::Before {
                    return;
                }
                if server.write_all(&question[..length]).await.is_err() {
                    return;
                }
                if cuts {
                    // Postgres's answer says that it is done; nobody hears it.
                    let _answered = server.read(&mut answer).await;
                    return;
                }
            }
            read = server.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn unknown(answer: &Answer) -> bool {
    matches!(answer, Err(SubmitError::OutcomeUnknown))
}

async fn cut_at_commit(cut: Cut) {
    let ground = Ground::new().await;
    let direct = ground.options("bank");
    let postgres = SocketAddr::from(([127, 0, 0, 1], direct.get_port()));
    let proxy = Proxy::start(postgres, cut).await;
    let through = direct.port(proxy.address.port()).ssl_mode(PgSslMode::Disable);
    let engine = ground.engine_at("bank", calm(), MachineClock::system(), through).await;
    engine.open("accounts/a").await;
    let batch =
        || (0..32).map(|n| requested(deposit("accounts/a", 1 << n), format!("r{n}"))).collect::<Vec<_>>();
    proxy.arm();
    let answers = engine.together(&ground, batch()).await;
    assert!(answers.iter().all(unknown), "{answers:?}");
    // A new connection works, and every repetition finds out what became of it.
    let again = engine.together(&ground, batch()).await;
    for answer in &again {
        assert_eq!(answer.as_ref().unwrap().replayed, cut == Cut::After);
    }
    assert_eq!(ground.balance("accounts/a").await, (1 << 32) - 1);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_connection_cut_before_commit_arrives_leaves_no_effect() {
    cut_at_commit(Cut::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_connection_cut_after_commit_leaves_one_effect() {
    cut_at_commit(Cut::After).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_ended_by_postgres_before_commit_leaves_no_effect() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let engine = ground.engine(probed(probe)).await;
    engine.open("accounts/a").await;
    let attempt = || requested(deposit("accounts/a", 1), "r1");
    gate.close();
    let held = tokio::spawn(engine.queued(vec![attempt()]).await);
    gate.reached().await;
    ground
        .tamper(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity
             where datname = current_database() and state = 'idle in transaction'",
        )
        .await;
    gate.open();
    let answer = held.await.unwrap().remove(0);
    assert!(matches!(answer, Err(SubmitError::OutcomeUnknown | SubmitError::Unavailable)), "{answer:?}");
    assert!(!engine.submit(attempt()).await.unwrap().replayed);
    assert!(engine.submit(attempt()).await.unwrap().replayed);
    assert_eq!(ground.balance("accounts/a").await, 1);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_lost_while_idle_is_replaced_unnoticed() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    for _ in 0..3 {
        ground
            .tamper(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()",
            )
            .await;
        engine.run(deposit("accounts/a", 1)).await.unwrap();
    }
    assert_eq!(ground.balance("accounts/a").await, 3);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_postgres_is_away_commands_are_refused_and_afterwards_accepted() {
    let ground = Ground::new().await;
    let direct = ground.options("bank");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let away = direct.clone().port(address.port()).ssl_mode(PgSslMode::Disable);
    let engine = ground.engine_at("bank", calm(), MachineClock::system(), away).await;
    let attempt = || requested(crate::ground::open("accounts/a", None), "r1");
    assert!(matches!(engine.submit(attempt()).await, Err(SubmitError::Unavailable)));
    let back = TcpListener::bind(address).await.unwrap();
    let postgres = SocketAddr::from(([127, 0, 0, 1], direct.get_port()));
    tokio::spawn(async move {
        let (client, _) = back.accept().await.unwrap();
        let server = TcpStream::connect(postgres).await.unwrap();
        forward(client, server, Arc::default(), Cut::Before).await;
    });
    assert!(!engine.submit(attempt()).await.unwrap().replayed);
}
