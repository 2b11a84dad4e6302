//! What holds in every state, and what must be reachable, lest the rest say nothing.

use stateright::Property;

use crate::edge::{Answer, Sending};
use crate::ownership::{LEAD, Presence};
use crate::protocol::Protocol;
use crate::state::{Lateness, State};

/// O3: at most one handler per case and epoch.
pub(crate) const ONE_HANDLER: &str = "an epoch has one handler";
/// The epoch rises whenever it changes who may act.
pub(crate) const EPOCH_RISES: &str = "an epoch says who may act";
/// O7: whoever lost the right writes no more past the stated bound.
pub(crate) const BOUNDED: &str = "no stale write past the bound";
/// O7: a backend takes nothing of an older epoch than it knows.
pub(crate) const FENCED: &str = "no write of an older epoch than the backend knows";
/// O7: a gateway admits by what it remembers only while that may count. For reading calls, which no fence sees, this is the bound.
pub(crate) const ADMITTED: &str = "no admission by an old reading";
/// O9: a live case has a handler and an accountable person, each at work or with a deputy who is.
pub(crate) const NOT_OWNERLESS: &str = "no live case is ownerless";
/// No call has two effects, and an acknowledged one has one.
pub(crate) const ONE_EFFECT: &str = "a request has one effect";

pub(crate) fn always() -> Vec<Property<Protocol>> {
    vec![
        Property::always(ONE_HANDLER, |_, state: &State| state.history.handlers.len() == 1),
        Property::always(EPOCH_RISES, |_, state: &State| !state.history.unmarked),
        Property::always(BOUNDED, |_, state: &State| state.history.lateness < Lateness::Past),
        Property::always(FENCED, |_, state: &State| !state.history.known_better),
        Property::always(ADMITTED, |_, state: &State| !state.history.admitted_late),
        Property::always(NOT_OWNERLESS, |_, state: &State| {
            let case = &state.ownership;
            !case.live || (case.is_covered(case.handler) && case.is_covered(case.accountable))
        }),
        Property::always(ONE_EFFECT, |_, state: &State| {
            state.calls.iter().all(|call| call.effects < 2 && (!call.acknowledged || call.effects == 1))
        }),
    ]
}

/// Of what people do about the case.
pub(crate) fn of_ownership() -> Vec<Property<Protocol>> {
    vec![
        Property::sometimes("a hand-over completes", |_, state: &State| {
            state.ownership.live && state.ownership.handler == LEAD
        }),
        Property::sometimes("a deputy stands in", |_, state: &State| {
            let case = &state.ownership;
            case.live && matches!(case.staff[case.handler], Presence::Away { .. })
        }),
        Property::sometimes("a case outlives its people", |_, state: &State| {
            let case = &state.ownership;
            case.live && case.accountable == LEAD
        }),
    ]
}

/// Of writes by somebody who has the right and loses it.
pub(crate) fn of_losing() -> Vec<Property<Protocol>> {
    vec![
        Property::sometimes("the bound is sharp", |_, state: &State| {
            state.history.lateness == Lateness::AtTheBound
        }),
        Property::sometimes("a fresh reading mends a stale one", |_, state: &State| {
            sendings(state).any(|(number, sent)| {
                number == 1 && !sent.context.replay && sent.answer == Some(Answer::Done)
            })
        }),
    ]
}

/// Of a hand-over to the lead, who then writes.
pub(crate) fn of_hand_over() -> Vec<Property<Protocol>> {
    let mut aims = of_losing();
    aims.push(Property::sometimes("the new handler writes", |_, state: &State| {
        state.calls.iter().any(|call| call.by == LEAD && call.acknowledged)
    }));
    aims
}

/// Of calls that are repeated.
pub(crate) fn of_repeating() -> Vec<Property<Protocol>> {
    let mut aims = of_losing();
    aims.push(Property::sometimes("a former handler hears the former result", |_, state: &State| {
        sendings(state).any(|(_, sent)| sent.context.replay && sent.answer == Some(Answer::Done))
    }));
    aims
}

fn sendings(state: &State) -> impl Iterator<Item = (usize, Sending)> {
    let relays = state.calls.iter().flat_map(|call| &call.relays);
    relays.flat_map(|relay| {
        relay.sendings.iter().enumerate().filter_map(|(number, sent)| sent.map(|sent| (number, sent)))
    })
}
