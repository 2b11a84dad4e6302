//! The case rule: what a caller must be to the case that a request names (O3, O6, O7), and the branch scope.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use shouwen_access::contract::{CaseCondition, RequestField};
use shouwen_access::{BranchName, Failure, Reach};
use shouwen_proto::access::v1::{Capacity, CaseRule};
use shouwen_runtime::clock::MachineClock;

use super::first_touch::Won;
use super::identify::Identity;
use super::owners::Owners;
use super::refusal;
use crate::api::is_id;
use crate::ownership::CaseView;

/// As what a caller comes to a backend.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) capacity: Capacity,
    pub(super) view: Option<Arc<CaseView>>,
    /// Whether a first touch joined a case that was open before (O6).
    pub(super) joined: bool,
}

impl Standing {
    /// Of a call that concerns no case.
    pub(super) const NONE: Self = Self { capacity: Capacity::Unspecified, view: None, joined: false };

    fn of(capacity: Capacity, view: Arc<CaseView>) -> Self {
        Self { capacity, view: Some(view), ..Self::NONE }
    }

    /// Of who is not responsible (any more) and may only get the result of an earlier call.
    pub(super) fn replay(view: Arc<CaseView>) -> Self {
        Self::of(Capacity::Replay, view)
    }
}

/// The outcome of the case rule.
pub(super) enum Verdict {
    Admitted(Standing),
    /// The caller is not what the rule demands; an earlier call may still be repeated.
    Refused(Box<Failure>, Arc<CaseView>),
}

/// How many readings are remembered at most, those that are too old to admit included.
const REMEMBERED: usize = 20_000;

/// Judges callers by ownership, of which it remembers readings for a moment.
pub(super) struct Judge<O> {
    owners: Arc<O>,
    clock: MachineClock,
    /// By the name of the case or contact that was asked for, without what lies below it.
    readings: Cache<String, Arc<CaseView>>,
    /// Up to which age a reading may admit.
    max_age: Duration,
}

impl<O: Owners> Judge<O> {
    pub(super) fn new(owners: Arc<O>, clock: MachineClock, max_age: Duration) -> Self {
        Self { owners, clock, readings: Cache::new(REMEMBERED), max_age }
    }

    /// Applies the rule to the case that `name` leads to. A remembered reading may admit; before a refusal, and if `fresh`, ownership
    /// is read anew. Fails with `FIELD_INVALID`, `CASE_NOT_FOUND`, `CONTACT_NOT_FOUND`, and `BRANCH_OUT_OF_REACH` for work without a case.
    pub(super) async fn judge(
        &self,
        condition: &CaseCondition,
        name: &str,
        identity: &Identity,
        fresh: bool,
    ) -> Result<Verdict, Failure> {
        let whole = name;
        let (name, missing): (_, fn(&str) -> Failure) = match Named::parse(&condition.field, name)? {
            Named::Branch(branch) if identity.reach.covers(branch.as_str()) => {
                return Ok(Verdict::Admitted(Standing { capacity: Capacity::Branch, ..Standing::NONE }));
            }
            Named::Branch(branch) => return Err(refusal::branch_out_of_reach(branch.as_str())),
            Named::Case(name) => (name, |name| Failure::not_found("case", name)),
            Named::Contact(name) => (name, refusal::contact_not_found),
        };
        if !fresh
            && let Some(view) = self.remembered(name)
            && let Some(capacity) = capacity(condition, &view, whole, identity)
        {
            return Ok(Verdict::Admitted(Standing::of(capacity, view)));
        }
        // Boxed, because most calls are admitted without it and it is large.
        let found = Box::pin(self.owners.find(name)).await?;
        let view = Arc::new(found.ok_or_else(|| missing(name))?);
        self.readings.insert(name.to_owned(), Arc::clone(&view));
        Ok(match capacity(condition, &view, whole, identity) {
            Some(capacity) => Verdict::Admitted(Standing::of(capacity, view)),
            None => Verdict::Refused(Box::new(refuse(condition, &view, identity)), view),
        })
    }

    fn remembered(&self, name: &str) -> Option<Arc<CaseView>> {
        let view = self.readings.get(name)?;
        let age = self.clock.now() - view.read_at;
        age.to_std().is_ok_and(|age| age < self.max_age).then_some(view)
    }
}

/// What a case field leads to: the first two segments of what it says.
enum Named<'a> {
    Case(&'a str),
    Contact(&'a str),
    Branch(BranchName),
}

impl<'a> Named<'a> {
    fn parse(field: &RequestField, name: &'a str) -> Result<Self, Failure> {
        let mut parts = name.splitn(3, '/');
        let (collection, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let head = name.get(..collection.len() + 1 + id.len()).unwrap_or_default();
        let named = match collection {
            "cases" if is_id(id) => Some(Self::Case(head)),
            "calls" | "contacts" if is_id(id) => Some(Self::Contact(head)),
            "branches" => BranchName::parse(head).ok().map(Self::Branch),
            _ => None,
        };
        named.ok_or_else(|| {
            Failure::field_invalid(
                &field.name,
                "the name of a case, a call or a contact with an id of 1-64 of `a-z A-Z 0-9 . _ -`, or of something below a case or a branch",
                "须为事项、来电或来访的名称（编号为 1-64 个 `a-z A-Z 0-9 . _ -`），或事项、营业部之下的名称",
            )
        })
    }
}

/// As what the caller acts on the case, or on what `name` says of it, under the rule, if at all.
fn capacity(condition: &CaseCondition, view: &CaseView, name: &str, identity: &Identity) -> Option<Capacity> {
    let acting = responsible(view, identity, condition.override_allowed);
    match condition.rule {
        CaseRule::Responsible => acting,
        CaseRule::Assisting => acting.or_else(|| assisting(view, identity)),
        CaseRule::Branch => {
            let reads = || !condition.mutation && assisting(view, identity).is_some();
            let involved = || responsible(view, identity, true).is_some() || reads();
            let within = identity.reach.covers(&view.branch) || received(view, name, identity);
            (within || involved()).then_some(Capacity::Reader)
        }
        // The contract does not load a condition without a rule.
        CaseRule::Unspecified => None,
    }
}

/// C2: what a unit received is its own, whichever branch has the case.
fn received(view: &CaseView, name: &str, identity: &Identity) -> bool {
    view.complaints.iter().any(|(complaint, unit)| complaint == name && identity.reach.covers(unit))
}

/// O7, O9: handler, accountable person, a deputy of theirs, or a lead under an override.
fn responsible(view: &CaseView, identity: &Identity, override_allowed: bool) -> Option<Capacity> {
    if identity.is(&view.handler) {
        Some(Capacity::Handler)
    } else if identity.is(&view.accountable) {
        Some(Capacity::Accountable)
    } else if view.deputies.iter().any(|name| identity.is(name)) {
        Some(Capacity::Deputy)
    } else if override_allowed && view.overriding.as_deref().is_some_and(|name| identity.is(name)) {
        Some(Capacity::Override)
    } else {
        None
    }
}

/// O6: who answered a later contact about the case.
fn assisting(view: &CaseView, identity: &Identity) -> Option<Capacity> {
    view.assistants.iter().any(|name| identity.is(name)).then_some(Capacity::Assisting)
}

/// As what the winner of a first touch comes to the backend: by responsibility, or assisting on the client's open case (O6). What is still owed to the
/// backend goes there as assistance where the responsibility has moved on since.
pub(super) fn after_touch(view: CaseView, identity: &Identity, won: &Won<'_>) -> Standing {
    let view = Arc::new(view);
    let joined = view.contact != won.contact;
    let standing = match responsible(&view, identity, true).or_else(|| assisting(&view, identity)) {
        Some(capacity) => Standing::of(capacity, view),
        None if won.owed => Standing::of(Capacity::Assisting, view),
        None => Standing::replay(view),
    };
    Standing { joined, ..standing }
}

fn refuse(condition: &CaseCondition, view: &CaseView, identity: &Identity) -> Failure {
    match condition.rule {
        CaseRule::Branch => refusal::branch_out_of_reach(&view.branch).resource("case", &view.case),
        _ => refusal::not_responsible(view, assisting(view, identity).is_some()),
    }
}

/// The branch scope: `name` must be a branch within reach; `branches/-`, all of them, is for who reaches all.
pub(super) fn check_branch(field: &RequestField, name: &str, reach: &Reach) -> Result<(), Failure> {
    if name != "branches/-" && BranchName::parse(name).is_err() {
        return Err(Failure::field_invalid(
            &field.name,
            "the name of a branch, `branches/{branch}`",
            "须为营业部名称 `branches/{branch}`",
        ));
    }
    if reach.covers(name) { Ok(()) } else { Err(refusal::branch_out_of_reach(name)) }
}
