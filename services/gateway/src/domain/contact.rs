//! A contact: who answered it (O1), to which case it belongs, and whether the backend has taken the first touch.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::events::v1::{
    AssistantAdded, CaseOpened, CaseVoided, ClientIdentified, ContactClaimed, ContactJoined, TouchCompleted,
    TouchVoided, ownership_event::Event,
};
use shouwen_serving::timestamps::to_proto;
use shouwen_vault::Sealed;

use super::{
    Mutants, Snapshot, State,
    case::{self, CaseState, Phase, open_key},
    command::{Claim, ContactCommand},
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
    mutants: Mutants,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    match command {
        ContactCommand::Claim(claim) => decide_claim(world, claim, context, snapshot, mutants),
        ContactCommand::Identify { contact, client, topic, by } => {
            identify(world, contact, client, topic.as_deref(), by)
        }
        ContactCommand::CompleteTouch { contact } => match find(world, contact) {
            Some(state) if matches!(state.touch, Touch::Pending { .. }) => {
                Ok(Decision::on(contact.clone(), [Event::TouchCompleted(TouchCompleted {})]))
            }
            _ => Ok(Decision::nothing(contact.clone())),
        },
        ContactCommand::VoidTouch { contact, request_id, reason } => void_touch(world, contact, request_id, reason),
    }
}

fn find<'a>(world: &World<'a, State>, contact: &AggregateId) -> Option<&'a ContactState> {
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
    mutants: Mutants,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    if let Some(known) =
        find(world, &claim.contact).filter(|known| !matches!(known.touch, Touch::Voided { .. }))
    {
        let case = AggregateId(known.case.clone());
        if !world.holds(&case) {
            return Err(Refusal::Moved);
        }
        if known.employee == claim.employee {
            let (survivor, _) = merge::survivor(world, &case)?;
            return Ok(Decision::nothing(survivor));
        }
        if !mutants.second_first_responder {
            let (survivor, state) = merge::survivor(world, &case)?;
            return Err(Rejection::ContactClaimed {
                contact: claim.contact.0.clone(),
                employee: known.employee.clone(),
                responsible: state.responsible(&survivor),
            }
            .into());
        }
    }
    // O6: the client's open case takes the contact in.
    if let Some(key) = open_key(claim.client.as_deref(), &claim.topic)
        && let Some(open) = world.key_holder(&key)
    {
        let state = case::find(world, open)?;
        let mut events = vec![(claim.contact.clone(), claimed(claim, open, false))];
        events.extend(assistant(open, state, &claim.employee, &claim.contact));
        return Ok(Decision { events, counters: Vec::new(), primary: open.clone() });
    }
    let policy = case::policy_versions(snapshot, &claim.branch, context.at);
    let clock = case::clock(snapshot, &policy, context.at);
    let opened = Event::CaseOpened(CaseOpened {
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
    });
    Ok(Decision {
        events: vec![
            (claim.contact.clone(), claimed(claim, &claim.case, true)),
            (claim.case.clone(), opened),
        ],
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

/// Who answers a later contact assists, unless responsible anyway (O6).
fn assistant(
    case: &AggregateId,
    state: &CaseState,
    employee: &str,
    contact: &AggregateId,
) -> Option<(AggregateId, Event)> {
    let needless = state.may_decide(employee) || state.assistants.iter().any(|known| known == employee);
    (!needless).then(|| {
        let added = AssistantAdded { employee: employee.to_owned(), contact: contact.0.clone() };
        (case.clone(), Event::AssistantAdded(added))
    })
}

/// Joins the contact's case to the client: the case gets its client, or is merged into the client's open case on the topic.
fn identify(
    world: &World<'_, State>,
    contact: &AggregateId,
    client: &str,
    topic: Option<&str>,
    by: &str,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let known = find(world, contact).ok_or_else(|| Rejection::ContactNotFound(contact.0.clone()))?;
    let named = AggregateId(known.case.clone());
    if !world.holds(&named) {
        return Err(Refusal::Moved);
    }
    let (id, state) = merge::survivor(world, &named)?;
    if !state.may_decide(by) && !state.assistants.iter().any(|known| known == by) {
        return Err(Rejection::NotResponsible(state.responsible(&id)).into());
    }
    match &state.client {
        Some(known) if known == client => return Ok(Decision::nothing(id)),
        Some(_) => return Err(Rejection::ClientAlreadyIdentified(id.0).into()),
        None => {}
    }
    if matches!(state.phase, Phase::Void { .. }) {
        return Err(state.illegal(&id, "identify the client").into());
    }
    let topic = topic.unwrap_or(&state.topic);
    let identified =
        Event::ClientIdentified(ClientIdentified { client: client.to_owned(), topic: topic.to_owned() });
    let Some(key) = open_key(Some(client), topic).filter(|_| state.is_live()) else {
        return Ok(Decision::on(id, [identified]));
    };
    if !world.covers(&key) {
        return Err(Refusal::Moved);
    }
    let Some(open) = world.key_holder(&key) else { return Ok(Decision::on(id, [identified])) };
    let winner = case::find(world, open)?;
    let mut events = merge::merge((&id, state), (open, winner));
    let joined = ContactJoined { contact: contact.0.clone(), case: open.0.clone() };
    events.push((contact.clone(), Event::ContactJoined(joined)));
    Ok(Decision { events, counters: Vec::new(), primary: open.clone() })
}

/// Takes a claim back that no backend accepts: the case that it opened is void.
fn void_touch(
    world: &World<'_, State>,
    contact: &AggregateId,
    request_id: &str,
    reason: &str,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let owed = |known: &&ContactState| matches!(&known.touch, Touch::Pending { request_id: owed, .. } if owed == request_id);
    let Some(known) = find(world, contact).filter(owed) else {
        return Ok(Decision::nothing(contact.clone()));
    };
    let mut events = vec![(contact.clone(), Event::TouchVoided(TouchVoided { reason: reason.to_owned() }))];
    let case = AggregateId(known.case.clone());
    if !world.holds(&case) {
        return Err(Refusal::Moved);
    }
    let state = case::find(world, &case)?;
    if known.first_responder && state.is_live() && state.contact == contact.0 && state.client.is_none() {
        let voided = CaseVoided { reason: reason.to_owned(), epoch: state.epoch + 1 };
        events.push((case, Event::CaseVoided(voided)));
    }
    Ok(Decision { events, counters: Vec::new(), primary: contact.clone() })
}
