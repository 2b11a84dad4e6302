//! Processes die at any moment: whatever was acknowledged is there afterwards, and nothing has happened twice.
//!
//! Clients write down each acknowledged write in a log of their own, on disk before they go on, and repeat with the same request id what got no answer.
//! A killer ends random processes with -9 all the while.

mod callbacks;
mod caller;
mod check;
mod complaints;
mod desk;
mod journal;
mod limits;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use shouwen_proto::{
    access::v1::Role,
    ownership::v1::{RosterEntry, roster_entry::Entry},
};
use shouwen_testkit::until;
use tokio::sync::{Mutex, mpsc};

use crate::harness::{PATIENCE, Shape, Suite, ledgers, process::text, roster};
use desk::{Desk, Trays};
use journal::Journal;

const SEED: u64 = 20_260_506;
const KILLS: usize = 20;
const DESKS: usize = 24;
const DIALLERS: usize = 8;
const VERIFIERS: u64 = 8;
/// Acknowledged writes a second that must be kept up while processes die.
const RATE: f64 = 50.0;
/// The killer strikes after so many more of them.
const BETWEEN: std::ops::Range<usize> = 60..200;

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_happens_twice_while_processes_are_killed() {
    println!("seed {SEED}");
    let suite = Suite::of(Shape::doubled()).await;
    let desks = (0..DESKS).map(|index| roster::employee(&desk::name(index), "east", &[Role::Staff], true));
    let entries = desks.map(|employee| RosterEntry { entry: Some(Entry::Employee(employee)) });
    roster::import(&suite.employee("admin"), entries.collect()).await;
    suite.known_everywhere(&desk::name(DESKS - 1)).await;

    limits::that_pass_at_once(&suite).await;

    let journal = Journal::create(&suite.deployment.dir().join("acknowledged.log"));
    let stop = AtomicBool::new(false);
    let (promised, to_dial) = mpsc::unbounded_channel();
    let (complained, to_verify) = mpsc::unbounded_channel();
    let trays = Trays { promised, complained };
    let started = Instant::now();
    let (to_dial, to_verify) = (Mutex::new(to_dial), Mutex::new(to_verify));
    let desks = (0..DESKS).map(|index| Desk::new(&suite, index, DESKS, SEED, &journal, trays.clone()));
    let working = join_all(desks.map(|desk| desk.work(&stop)).collect::<Vec<_>>());
    drop(trays);
    let dialling = join_all((0..DIALLERS).map(|_| callbacks::dial(&suite, &journal, &to_dial)));
    let verifying =
        join_all((0..VERIFIERS).map(|index| complaints::verify(&suite, &journal, SEED + index, &to_verify)));
    let killing = async {
        kill(&suite, &journal).await;
        stop.store(true, Ordering::SeqCst);
        (started.elapsed(), journal.len())
    };
    let (_, _, _, (lasted, acknowledged)) = tokio::join!(working, dialling, verifying, killing);
    let rate = f64::from(u32::try_from(acknowledged).unwrap()) / lasted.as_secs_f64();
    println!("{acknowledged} acknowledged writes in {lasted:.1?} ({rate:.0}/s) under {KILLS} kills");
    assert!(rate >= RATE, "{rate:.0} writes/s");

    suite.ready().await;
    ledgers::caught_up(&suite).await;
    check::all_is_there_once(&suite, journal.lines()).await;
    let verified = suite.audit_verify();
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    assert_eq!(text(&verified).matches(": intact: ").count(), 5, "{}", text(&verified));
    println!("{}", text(&verified));
}

/// Kills and restarts, each time after some more acknowledged writes; mostly, but not always, the last victim is back before. Nobody is a victim again
/// before all others were.
async fn kill(suite: &Suite, journal: &Journal) {
    let started = Instant::now();
    let mut random = StdRng::seed_from_u64(SEED);
    let mut victims = Vec::new();
    for _ in 0..KILLS {
        let enough = journal.len() + random.random_range(BETWEEN);
        let limit = Duration::from_secs(20);
        until("more acknowledged writes", limit, async || (journal.len() >= enough).then_some(())).await;
        if victims.is_empty() {
            victims.extend(suite.processes());
        }
        let victim = victims.swap_remove(random.random_range(0..victims.len()));
        println!("{:.1?}: {} writes, kills {}", started.elapsed(), journal.len(), victim.name);
        victim.kill();
        victim.start();
        if random.random_ratio(2, 3) {
            victim.ready(PATIENCE).await;
        }
    }
}
