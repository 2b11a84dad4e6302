//! Parts of the protocol that are small enough to be looked at as a whole, and the two questions that are asked of them: does everything hold, and does
//! a flaw show?

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker as _, Expectation, HasDiscoveries, Model};

use crate::ownership::{HANDLER, LEAD, Step};
use crate::properties;
use crate::protocol::{Flaw, Protocol};

/// The left gateway's clock is ahead of the first backend's, the second backend's of the right gateway's.
const SKEWED: &[[u8; 4]] = &[[1, 0, 0, 1]];

/// Every setting of two gateways and the first backend that is not another one shifted or mirrored.
const ALL_CLOCKS: &[[u8; 4]] = &[[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 0]];

const QUIET: Protocol = Protocol {
    flaw: None,
    steps: |_| true,
    changes: 6,
    calls: Vec::new(),
    repeats: false,
    reads: false,
    replicas: false,
    clocks: &[[0; 4]],
    aims: properties::of_ownership,
};

/// Everything that four employees can do about a case, their absences, and leaving the firm.
pub(crate) fn people() -> Protocol {
    QUIET
}

/// The handler hands over to the lead while calls are under way.
pub(crate) fn hand_over(calls: &[(usize, usize)]) -> Protocol {
    Protocol {
        steps: |step| matches!(step, Step::Offer { to: LEAD } | Step::Accept),
        changes: 1,
        calls: calls.to_vec(),
        clocks: SKEWED,
        aims: properties::of_hand_over,
        ..QUIET
    }
}

/// The handler hands over and calls through gateways that may remember the case as it was.
pub(crate) fn remembered() -> Protocol {
    Protocol { reads: true, aims: properties::of_losing, clocks: ALL_CLOCKS, ..hand_over(&[(HANDLER, 0)]) }
}

/// The lead overrides for a while and writes to the first backend.
pub(crate) fn override_() -> Protocol {
    Protocol {
        steps: |step| matches!(step, Step::BeginOverride | Step::EndOverride),
        changes: 2,
        calls: vec![(LEAD, 0)],
        reads: true,
        clocks: ALL_CLOCKS,
        aims: properties::of_losing,
        ..QUIET
    }
}

/// The lead is the handler's deputy for a while and writes to the first backend.
pub(crate) fn deputy() -> Protocol {
    let steps: fn(Step) -> bool = |step| {
        matches!(
            step,
            Step::Leave { employee: HANDLER, deputy: Some(LEAD) } | Step::Return { employee: HANDLER }
        )
    };
    Protocol { steps, ..override_() }
}

/// The handler repeats a call through both gateways while the case is handed over.
pub(crate) fn repeated() -> Protocol {
    Protocol { repeats: true, aims: properties::of_repeating, ..hand_over(&[(HANDLER, 0)]) }
}

/// Asserts that every property holds and everything is reachable that has to be.
pub(crate) fn holds<M>(model: M)
where
    M: Model<State: Clone + Debug + PartialEq + Hash + Send + Sync, Action: Clone + Debug + PartialEq>
        + Send
        + Sync
        + 'static,
{
    let properties = model.properties().into_iter();
    let aims: BTreeSet<&str> = properties
        .filter(|property| property.expectation == Expectation::Sometimes)
        .map(|property| property.name)
        .collect();
    let checker = model.checker().spawn_bfs().join();
    assert!(checker.is_done());
    let mut discoveries = checker.discoveries();
    for aim in aims {
        assert!(discoveries.remove(aim).is_some(), "never: {aim}");
    }
    if let Some((name, path)) = discoveries.into_iter().next() {
        panic!("{name}: {:?}", path.into_actions());
    }
}

/// Asserts that the property has a counterexample.
pub(crate) fn breaks<M>(model: M, property: &'static str)
where
    M: Model<State: Clone + Debug + PartialEq + Hash + Send + Sync, Action: Clone + Debug + PartialEq>
        + Send
        + Sync
        + 'static,
{
    let enough = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = model.checker().finish_when(enough).spawn_bfs().join();
    assert!(checker.discovery(property).is_some(), "holds without the mechanism: {property}");
}

/// The scene with a flaw.
pub(crate) fn flawed(flaw: Flaw, scene: Protocol) -> Protocol {
    Protocol { flaw: Some(flaw), ..scene }
}
