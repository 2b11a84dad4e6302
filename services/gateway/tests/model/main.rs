//! The protocol of ownership as a state machine that a model checker walks through as a whole: claims, offers, deputies, overrides, the gateways' caches,
//! contexts, fences and replays, with clocks that differ and a network that loses, delays, reorders and doubles.
//!
//! The model stands beside the code, not under it: what it shows is that the rules suffice. Its names are those of `domain/`, `edge/` and the engine's
//! batches, so that whoever changes a rule there changes it here first. Left out is what decides nothing about responsibility: clients, mergers,
//! complaints, limits.

mod backend;
mod broken;
mod claims;
mod edge;
mod ownership;
mod properties;
mod protocol;
mod scenes;
mod state;

use claims::Claims;
use ownership::{HANDLER, LEAD};
use scenes::{deputy, hand_over, holds, override_, people, remembered, repeated};

#[test]
fn o1_one_first_responder() {
    holds(Claims { unique: true });
}

#[test]
fn o3_at_most_one_handler_per_epoch() {
    holds(people());
}

#[test]
fn o7_no_stale_write_past_the_bound() {
    holds(remembered());
    holds(hand_over(&[(HANDLER, 0), (LEAD, 0)]));
    holds(hand_over(&[(HANDLER, 0), (LEAD, 1)]));
}

#[test]
fn o7_a_lent_right_ends_within_the_bound() {
    holds(override_());
    holds(deputy());
}

#[test]
fn o9_no_open_case_is_ownerless() {
    holds(people());
}

#[test]
fn an_acknowledged_request_has_one_effect() {
    holds(repeated());
    holds(protocol::Protocol { replicas: true, ..repeated() });
}
