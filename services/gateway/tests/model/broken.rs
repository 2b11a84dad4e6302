//! Each mechanism is there for a reason: without it the model checker finds what it prevents.

use crate::claims::{Claims, ONE_NAME, ONE_RESPONDER};
use crate::ownership::{HANDLER, LEAD};
use crate::properties::{ADMITTED, BOUNDED, EPOCH_RISES, FENCED, NOT_OWNERLESS, ONE_EFFECT, ONE_HANDLER};
use crate::protocol::Flaw;
use crate::scenes::{breaks, deputy, flawed, hand_over, override_, people, remembered, repeated};

#[test]
fn o1_without_the_unique_key_two_gateways_make_two_first_responders() {
    breaks(Claims { unique: false }, ONE_RESPONDER);
    breaks(Claims { unique: false }, ONE_NAME);
}

#[test]
fn o3_an_acceptance_that_keeps_the_epoch_gives_it_two_handlers() {
    breaks(flawed(Flaw::AcceptKeepsTheEpoch, people()), ONE_HANDLER);
    breaks(flawed(Flaw::AcceptKeepsTheEpoch, people()), EPOCH_RISES);
}

#[test]
fn o7_without_a_fence_a_former_handler_writes_for_ever() {
    breaks(flawed(Flaw::NoFence, hand_over(&[(HANDLER, 0)])), BOUNDED);
    breaks(flawed(Flaw::NoFence, hand_over(&[(HANDLER, 0), (LEAD, 0)])), FENCED);
    breaks(flawed(Flaw::NoFence, override_()), BOUNDED);
    breaks(flawed(Flaw::NoFence, deputy()), BOUNDED);
}

/// It admits for ever; as long as contexts say how old the reading is, backends take no write by it.
#[test]
fn o7_an_unbounded_cache_admits_for_ever() {
    breaks(flawed(Flaw::UnboundedCache, override_()), ADMITTED);
    breaks(flawed(Flaw::UnboundedCache, remembered()), ADMITTED);
}

#[test]
fn o7_an_unbounded_cache_that_forgets_its_age_lets_a_former_handler_write_for_ever() {
    breaks(flawed(Flaw::UndatedCache, override_()), BOUNDED);
    breaks(flawed(Flaw::UndatedCache, remembered()), BOUNDED);
}

#[test]
fn o7_an_age_that_is_not_checked_again_under_the_lock_bounds_nothing() {
    breaks(flawed(Flaw::AgeOnArrivalOnly, hand_over(&[(HANDLER, 0)])), BOUNDED);
    breaks(flawed(Flaw::AgeOnArrivalOnly, deputy()), BOUNDED);
}

#[test]
fn o7_a_raise_that_does_not_wait_is_overtaken_by_an_older_write() {
    breaks(flawed(Flaw::RaiseDoesNotWait, hand_over(&[(HANDLER, 0)])), FENCED);
}

#[test]
fn o9_an_absence_without_a_deputy_leaves_a_case_ownerless() {
    breaks(flawed(Flaw::AbsenceWithoutDeputy, people()), NOT_OWNERLESS);
}

#[test]
fn o9_a_deputy_who_may_leave_leaves_a_case_ownerless() {
    breaks(flawed(Flaw::DeputyOfDeputy, people()), NOT_OWNERLESS);
}

#[test]
fn a_repetition_that_is_not_recognised_has_a_second_effect() {
    breaks(flawed(Flaw::ForgetsRequests, repeated()), ONE_EFFECT);
}
