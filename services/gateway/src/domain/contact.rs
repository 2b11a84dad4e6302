//! A contact: who answered it (O1), to which case it belongs, and whether the backend has taken the first touch.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::events::v1::{
    CaseOpened, ClientIdentified, ContactClaimed, ContactJoined, ContactLeft, TouchCompleted, TouchVoided,
    ownership_event::Event,
};
use shouwen_serving::timestamps::to_proto;
use shouwen_vault::Sealed;

use super::{
    Snapshot, State,
    case::{self, Phase, open_key},
    command::{Claim, ContactCommand},
    draft::Draft,
    merge,
    rejection::Rejection,
};

/// The state of a contact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContactState {
    /// Who answered it.
    pub employee: String,
    pub case: String,
    /// Whether the employee became the case's first responder by it.
    pub first_responder: bool,
    pub branch: String,
    /// A number of `shouwen.type.v1.Channel`.
    pub channel: i32,
    pub claimed_at: DateTime<Utc>,
    pub touch: Touch,
}

/// The first touch as owed to a backend.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Touch {
    /// The claim stands by itself.
    None,
    Pending {
        method: String,
        request: Option<Sealed>,
        request_id: String,
        principal: String,
    },
    Done,
    /// Refused for good; the contact can be claimed anew.
    Voided {
        reason: String,
    },
}

/// Decides what happens to a contact.
pub fn decide(
    world: &World<'_, State>,
    command: &ContactCommand,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    match command {
        ContactCommand::Claim(claim) => decide_claim(world, claim, context, snapshot),
        ContactCommand::Identify { contact, client, topic, by } => {
            identify(world, (contact, client, topic.as_deref()), by, context, snapshot)
        }
        // An answer of a touch that is void meanwhile says nothing about the one that is owed now.
        ContactCommand::CompleteTouch { contact, employee, case } => match find(world, contact) {
            Some(state)
                if matches!(state.touch, Touch::Pending { .. })
                    && (&state.employee, &state.case) == (employee, case) =>
            {
                Ok(Decision::on(contact.clone(), [Event::TouchCompleted(TouchCompleted {})]))
            }
            _ => Ok(Decision::nothing(contact.clone())),
        },
        ContactCommand::VoidTouch { contact, request_id, reason } => {
            void_touch(world, (contact, request_id), reason, context, snapshot)
        }
    }
}

/// The contact, if it is known.
pub(super) fn find<'a>(world: &World<'a, State>, contact: &AggregateId) -> Option<&'a ContactState> {
    match world.state(contact) {
        Some(State::Contact(state)) => Some(state),
        _ => None,
    }
}

fn decide_claim(
    world: &World<'_, State>,
    claim: &Claim,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    if let Some(known) =
        find(world, &claim.contact).filter(|known| !matches!(known.touch, Touch::Voided { .. }))
    {
        let case = merge::case_of(world, &known.case)?;
        if known.employee == claim.employee {
            return Ok(Decision::nothing(case));
        }
        if !snapshot.mutants.second_first_responder {
            return Err(Rejection::ContactClaimed {
                contact: claim.contact.0.clone(),
                employee: known.employee.clone(),
                responsible: case::find(world, &case)?.responsible(&case),
            }
            .into());
        }
    }
    // O6: the client's open case takes the contact in.
    if let Some(key) = open_key(claim.client.as_deref(), &claim.topic)
        && let Some(open) = world.key_holder(&key)
    {
        let mut case = Draft::of(world, open, context, snapshot)?;
        case.joined(&claim.employee, &claim.contact);
        let claimed = (claim.contact.clone(), claimed(claim, open, false));
        let events = std::iter::once(claimed).chain(case.events()).collect();
        return Ok(Decision { events, counters: Vec::new(), primary: open.clone() });
    }
    let policy = case::policy_versions(snapshot, &claim.branch, context.at);
    let clock = case::clock(snapshot, &policy, context.at, context.now);
    let opened = CaseOpened {
        case: claim.case.0.clone(),
        contact: claim.contact.0.clone(),
        branch: claim.branch.clone(),
        topic: claim.topic.clone(),
        channel: claim.channel,
        client: claim.client.clone().unwrap_or_default(),
        first_responder: claim.employee.clone(),
        epoch: 1,
        answer_due: Some(to_proto(clock.due)),
        provisional: clock.provisional,
        calendar_version: clock.calendar,
        policy_version: policy,
    };
    // Who answered is the first responder, also while absent (O1): somebody deputises then.
    let case = Draft::opened(&claim.case, opened, context, snapshot);
    let claimed = (claim.contact.clone(), claimed(claim, &claim.case, true));
    Ok(Decision {
        events: std::iter::once(claimed).chain(case.events()).collect(),
        counters: Vec::new(),
        primary: claim.case.clone(),
    })
}

fn claimed(claim: &Claim, case: &AggregateId, first_responder: bool) -> Event {
    let touch = claim.touch.clone();
    Event::ContactClaimed(ContactClaimed {
        contact: claim.contact.0.clone(),
        employee: claim.employee.clone(),
        case: case.0.clone(),
        first_responder,
        channel: claim.channel,
        branch: claim.branch.clone(),
        touch_method: touch.as_ref().map(|touch| touch.method.clone()).unwrap_or_default(),
        touch_request_id: touch.as_ref().map(|touch| touch.request_id.clone()).unwrap_or_default(),
        touch_request: touch.and_then(|touch| touch.request),
    })
}

/// Joins the contact's case to the client: the case gets its client, or is merged into the client's open case on the topic. While the client is
/// unknown, the contact identified first makes the first responder (O1).
fn identify(
    world: &World<'_, State>,
    (contact, client, topic): (&AggregateId, &str, Option<&str>),
    by: &str,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let known = find(world, contact).ok_or_else(|| Rejection::ContactNotFound(contact.0.clone()))?;
    let mut case = Draft::of(world, &merge::case_of(world, &known.case)?, context, snapshot)?;
    if !case.may_decide(by) && !case.assists(by) {
        return Err(Rejection::NotResponsible(case.responsible()).into());
    }
    match &case.client {
        Some(known) if known == client => return Ok(Decision::nothing(case.id)),
        Some(_) => return Err(Rejection::ClientAlreadyIdentified(case.id.0).into()),
        None => {}
    }
    if matches!(case.phase, Phase::Void { .. }) {
        return Err(case.illegal("identify the client"));
    }
    let topic = topic.unwrap_or(&case.topic).to_owned();
    if case.is_live()
        && let Some(key) = open_key(Some(client), &topic)
    {
        if !world.covers(&key) {
            return Err(Refusal::Moved);
        }
        if let Some(open) = world.key_holder(&key) {
            let mut survivor = Draft::of(world, open, context, snapshot)?;
            let limit = survivor.absorb(&mut case);
            survivor.keep(limit);
            let (name, employee) = (contact.0.clone(), String::new());
            let joined = ContactJoined { contact: name, case: open.0.clone(), employee };
            let mut events: Vec<_> = case.events().chain(survivor.events()).collect();
            events.push((contact.clone(), Event::ContactJoined(joined)));
            return Ok(Decision { events, counters: Vec::new(), primary: open.clone() });
        }
    }
    case.then(Event::ClientIdentified(ClientIdentified { client: client.to_owned(), topic }));
    Ok(case.decided())
}

/// Takes a claim back that no backend accepts, and with it the case that it opened, unless something has come of that already; in another case whoever
/// answered assists by it no longer. Either way the epoch rises: an attempt that is still under way finds its reading of ownership outdated.
fn void_touch(
    world: &World<'_, State>,
    (contact, request_id): (&AggregateId, &str),
    reason: &str,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let owed = |touch: &Touch| matches!(touch, Touch::Pending { request_id: owed, .. } if owed == request_id);
    let Some(known) = find(world, contact).filter(|known| owed(&known.touch)) else {
        return Ok(Decision::nothing(contact.clone()));
    };
    let voided = TouchVoided { reason: reason.to_owned(), request_id: request_id.to_owned() };
    let mut events = vec![(contact.clone(), Event::TouchVoided(voided))];
    let mut case = Draft::of(world, &merge::case_of(world, &known.case)?, context, snapshot)?;
    let opened_here = known.first_responder && case.id.0 == known.case && case.contact == contact.0;
    // A deputy is nothing that came of it.
    let untouched = usize::try_from(case.version).is_ok_and(|version| version <= 1 + case.deputies.len());
    let provisional = case.client.is_none() || untouched;
    if opened_here && provisional && case.complaints.is_empty() && case.is_live() {
        case.void(reason);
    } else {
        let (contact, employee) = (contact.0.clone(), known.employee.clone());
        let epoch = case.epoch + 1;
        case.then(Event::ContactLeft(ContactLeft { contact, epoch, employee }));
    }
    events.extend(case.events());
    Ok(Decision { events, counters: Vec::new(), primary: contact.clone() })
}
