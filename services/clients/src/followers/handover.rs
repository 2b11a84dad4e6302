//! Handing clients over after the roster has changed (L8): who left, moved or fell in position keeps no clients that they cannot serve, and clients
//! whom nobody served get whoever came.
//!
//! What is to be done is a row, written with the feed's cursor, and goes when all is done: a process that dies leaves it to the next. Each client is an
//! ordinary command that changes nothing where nothing is to be changed, so any number of replicas may be at it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use shouwen_engine::Engine;
use sqlx::PgPool;

use super::submission;
use crate::{
    domain::{BranchRoster, Command},
    store::{
        handovers::{self, Handover},
        roster,
    },
    together::together,
    write_path::ClientsDomain,
};

/// Clients that are looked through at once.
const PAGE: i64 = 100;
/// Changes of the roster that are read at once.
const CHANGES: i64 = 50;

/// Works off changes of the roster.
pub(crate) struct HandOver {
    pub(crate) engine: Engine<ClientsDomain>,
}

impl HandOver {
    /// Looks for changes whenever this process has written something, and now and then, until the engine stops, over outages.
    pub(crate) async fn run(self) {
        let interval = self.engine.options().sweep_interval;
        let stopping = self.engine.stopping();
        tokio::pin!(stopping);
        loop {
            let progress = self.engine.progress();
            tokio::pin!(progress);
            // What is written from here on is not missed.
            progress.as_mut().enable();
            let done = tokio::select! {
                () = &mut stopping => return,
                done = self.work_off() => done.unwrap_or_else(|error| {
                    tracing::warn!(%error, "clients could not be handed over; trying again");
                    false
                }),
            };
            tokio::select! {
                () = &mut stopping => return,
                () = tokio::time::sleep(interval) => {}
                () = &mut progress, if done => {}
            }
        }
    }

    /// Whether nothing is left of what was found.
    async fn work_off(&self) -> sqlx::Result<bool> {
        let mut done = true;
        for change in handovers::open(self.engine.pool(), CHANGES).await? {
            if self.clients_of(&change).await? && self.unserved(&change).await? {
                handovers::close(self.engine.pool(), &change).await?;
                self.engine.progressed();
            } else {
                done = false;
            }
        }
        Ok(done)
    }

    /// Whether all of the employee's clients were looked through.
    async fn clients_of(&self, change: &Handover) -> sqlx::Result<bool> {
        let mut after = String::new();
        loop {
            let page = handovers::clients_of(self.engine.pool(), &change.employee, &after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(true) };
            after.clone_from(last);
            if !reassign(&self.engine, &page).await? {
                return Ok(false);
            }
        }
    }

    /// Whether all of the branch's clients were looked through whom nobody served.
    async fn unserved(&self, change: &Handover) -> sqlx::Result<bool> {
        let mut after = String::new();
        loop {
            let page = handovers::unserved(self.engine.pool(), &change.branch, &after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(true) };
            after.clone_from(last);
            if !reassign(&self.engine, &page).await? {
                return Ok(false);
            }
        }
    }
}

/// Gives clients, with their branches, somebody else where their manager cannot serve them. Whether all were looked through; nothing is lost by
/// trying again.
pub(crate) async fn reassign(
    engine: &Engine<ClientsDomain>,
    clients: &[(String, String)],
) -> sqlx::Result<bool> {
    let branches: BTreeSet<String> = clients.iter().map(|(_, branch)| branch.clone()).collect();
    let rosters = rosters(engine.pool(), branches).await?;
    let commands = clients.iter().filter_map(|(id, branch)| {
        let (client, roster) = (id.parse().ok()?, Arc::clone(rosters.get(branch)?));
        Some(engine.submit(submission(Command::Reassign { client, roster })))
    });
    let answers = together(commands.collect()).await;
    let failed = answers.into_iter().filter_map(Result::err).inspect(|error| {
        tracing::warn!(%error, "a client could not be handed over; trying again");
    });
    Ok(failed.count() == 0)
}

/// The rosters of those of the branches that exist.
pub(crate) async fn rosters(
    pool: &PgPool,
    branches: BTreeSet<String>,
) -> sqlx::Result<BTreeMap<String, Arc<BranchRoster>>> {
    let branches: Vec<String> = branches.into_iter().collect();
    let rosters = roster::of_branches(pool, &branches).await?;
    Ok(rosters.into_iter().map(|(branch, roster)| (branch, Arc::new(roster))).collect())
}
