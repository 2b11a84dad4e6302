//! Entering clients, one or a chunk: the branches' rosters are read, the texts sealed, the commands submitted together in their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use shouwen_access::Failure;
use shouwen_engine::{Engine, Outcome};
use shouwen_proto::events::v1::ClientSaved;
use shouwen_serving::{Call, refusal};
use shouwen_vault::Vault;

use super::{entry::Entry, failures, sealing};
use crate::{
    domain::{BranchRoster, Command, State, command::Save},
    followers,
    together::together,
    write_path::ClientsDomain,
};

type Rosters = BTreeMap<String, Arc<BranchRoster>>;
type Saved = Result<Outcome<State>, Failure>;

/// Where clients are entered.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) engine: Engine<ClientsDomain>,
    pub(super) vault: Vault,
}

/// A client to be entered, with the call that asks for it.
pub(super) struct Line {
    pub(super) entry: Entry,
    pub(super) etag: Option<i64>,
    pub(super) call: Call,
}

impl Desk {
    /// Enters clients in their order; each has its own answer. Fails as a whole where the database cannot be asked.
    pub(super) async fn save(&self, lines: &[Line]) -> Result<Vec<Saved>, Failure> {
        let branches = lines.iter().map(|line| line.entry.branch.to_string()).collect();
        let rosters = self.rosters(branches).await?;
        let mut answers: BTreeMap<usize, Saved> = BTreeMap::new();
        let mut open: Vec<(usize, &Line, &Arc<BranchRoster>)> = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            match admit(line, &rosters) {
                Ok(roster) => open.push((index, line, roster)),
                Err(failure) => drop(answers.insert(index, Err(failure))),
            }
        }
        let entries: Vec<&Entry> = open.iter().map(|(_, line, _)| &line.entry).collect();
        let mut indices = Vec::with_capacity(open.len());
        let mut commands = Vec::with_capacity(open.len());
        for ((index, line, roster), sealed) in
            open.into_iter().zip(sealing::seal(&self.vault, &entries).await?)
        {
            match sealed {
                Ok(file) => {
                    let submission = line.call.submission(save(line, file, roster));
                    indices.push(index);
                    commands.push(line.call.submit(&self.engine, submission));
                }
                Err(failure) => drop(answers.insert(index, Err(failure))),
            }
        }
        answers.extend(indices.into_iter().zip(together(commands).await));
        let clients = lines.iter().map(|line| (line.entry.client.to_string(), line.entry.branch.to_string()));
        self.settle(&rosters, clients.collect()).await?;
        Ok(answers.into_values().collect())
    }

    /// The rosters of those of the branches that exist.
    pub(super) async fn rosters(&self, branches: BTreeSet<String>) -> Result<Rosters, Failure> {
        followers::rosters(self.engine.pool(), branches).await.map_err(|error| refusal::database(&error))
    }

    /// Looks again at clients, with their branches, whose managers were chosen from a roster that has changed meanwhile: whoever looks through the
    /// clients of somebody who left may have come too early for them.
    pub(super) async fn settle(
        &self,
        before: &Rosters,
        mut clients: Vec<(String, String)>,
    ) -> Result<(), Failure> {
        let now = self.rosters(before.keys().cloned().collect()).await?;
        clients.retain(|(_, branch)| now.get(branch) != before.get(branch));
        if !clients.is_empty() {
            followers::reassign(&self.engine, &clients).await.map_err(|error| refusal::database(&error))?;
        }
        Ok(())
    }
}

/// The roster of the line's branch, if the caller may enter clients there.
fn admit<'a>(line: &Line, rosters: &'a Rosters) -> Result<&'a Arc<BranchRoster>, Failure> {
    let branch = line.entry.branch.as_str();
    if !line.call.caller.reach.covers(branch) {
        return Err(failures::branch_out_of_reach(branch).with("field", "client.branch"));
    }
    rosters.get(branch).ok_or_else(|| failures::branch_unknown(branch))
}

fn save(line: &Line, file: ClientSaved, roster: &Arc<BranchRoster>) -> Command {
    let Line { entry, etag, call } = line;
    Command::Save(Box::new(Save {
        client: entry.client.clone(),
        file: Box::new(file),
        evidence: entry.evidence.clone(),
        manager: entry.manager.clone(),
        roster: Arc::clone(roster),
        reach: call.caller.reach.clone(),
        etag: *etag,
    }))
}
