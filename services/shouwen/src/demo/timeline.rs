//! The month in order: contacts' steps and actions by time, contacts first where times are equal, then by line. It only orders; what a step
//! does is for [`super::play`].

use chrono::{DateTime, Utc};

use super::input::{Action, Contact, Input};

/// Something that people do at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub(super) at: DateTime<Utc>,
    pub(super) what: What<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What<'a> {
    /// It rings, comes in or arrives.
    Register(&'a Contact),
    /// Everything that happens at the answer.
    Answer(&'a Contact),
    End(&'a Contact),
    Miss(&'a Contact),
    Act(&'a Action),
}

/// All steps of the month in their order.
pub(super) fn steps(input: &Input) -> Vec<Step<'_>> {
    let mut steps = Vec::with_capacity(input.contacts.len() * 3 + input.actions.len());
    for contact in &input.contacts {
        // A paper record does all its steps when it is entered (K20).
        let step = |at, what| Step { at: contact.entered_later_at.unwrap_or(at), what };
        steps.push(step(contact.time, What::Register(contact)));
        match &contact.answer {
            Some(answer) => {
                steps.push(step(answer.at, What::Answer(contact)));
                steps.push(step(contact.ended_at, What::End(contact)));
            }
            None => steps.push(step(contact.ended_at, What::Miss(contact))),
        }
    }
    steps.extend(input.actions.iter().map(|action| Step { at: action.time, what: What::Act(action) }));
    // Stable: what was put in first comes first at the same time.
    steps.sort_by_key(|step| step.at);
    steps
}
