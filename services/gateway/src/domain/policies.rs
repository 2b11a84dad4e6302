//! Proposals of policies: what one person proposed another approves, at HQ (P1-P3). The life of a proposal is `shouwen_policy`'s; here it becomes
//! decisions on the ledger.

use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_policy::{Person, PolicyState, Reach};
use shouwen_proto::events::v1::ownership_event::Event;

use super::{Snapshot, State, command::PolicyCommand, rejection::Rejection};

pub fn decide(
    world: &World<'_, State>,
    command: &PolicyCommand,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let refused = |rejection| Refusal::Rejected(Rejection::Policy(rejection));
    match command {
        PolicyCommand::Propose { propose, proposer, branches } => {
            let id = AggregateId(propose.policy.clone());
            let counter = shouwen_policy::revision_counter(propose.kind, &propose.scope);
            let revision = world.counter(&counter) + 1;
            let person = person(proposer, branches.as_deref());
            let proposed =
                shouwen_policy::propose(propose, revision, context.now, person, &snapshot.policies)
                    .map_err(refused)?;
            let mut decision = Decision::on(id, [Event::PolicyProposed(proposed)]);
            decision.counters.push((counter, revision));
            Ok(decision)
        }
        PolicyCommand::Approve { policy, approver, branches, etag } => {
            let state = find(world, policy)?;
            if etag.is_some_and(|etag| etag != world.version(policy)) {
                return Err(Rejection::EtagMismatch(policy.0.clone()).into());
            }
            let person = person(approver, branches.as_deref());
            let approved =
                shouwen_policy::approve(state, context.now, person, &snapshot.policies).map_err(refused)?;
            Ok(Decision::on(policy.clone(), [Event::PolicyApproved(approved)]))
        }
        PolicyCommand::Reject { policy, by, branches, reason } => {
            let state = find(world, policy)?;
            let rejected =
                shouwen_policy::reject(state, reason, person(by, branches.as_deref())).map_err(refused)?;
            Ok(Decision::on(policy.clone(), [Event::PolicyRejected(rejected)]))
        }
    }
}

/// `branches` is `None` for HQ.
fn person<'a>(name: &'a str, branches: Option<&'a [String]>) -> Person<'a> {
    Person { name, reach: branches.map_or(Reach::Headquarters, Reach::Branches) }
}

fn find<'a>(world: &World<'a, State>, policy: &AggregateId) -> Result<&'a PolicyState, Refusal<Rejection>> {
    match world.state(policy) {
        Some(State::Policy(state)) => Ok(state),
        _ => Err(Rejection::PolicyNotFound(policy.0.clone()).into()),
    }
}
