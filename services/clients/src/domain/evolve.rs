//! The state after an event. Total: what cannot have happened changes nothing.

use shouwen_engine::Recorded;
use shouwen_policy::PolicyVersion;
use shouwen_proto::{events::v1::clients_event::Event, r#type::v1::ClientClass as ClientClassMessage};

use super::{
    State, class,
    client::{Client, Touched},
    import::Import,
    lookups::Lookups,
};

/// The state of an aggregate after an event on it.
pub fn evolve(state: Option<State>, recorded: &Recorded<'_, Event>) -> State {
    if let Event::ClientSought(sought) = recorded.event {
        return State::Lookups(Lookups::after(sought, recorded.time));
    }
    match state {
        Some(State::Client(mut client)) => {
            apply(&mut client, recorded);
            State::Client(client)
        }
        Some(State::Import(mut import)) => {
            import.apply(recorded.event);
            State::Import(import)
        }
        Some(other @ (State::Lookups(_) | State::Policy(Some(_)))) => other,
        Some(State::Policy(None)) | None => begun(recorded),
    }
}

fn begun(recorded: &Recorded<'_, Event>) -> State {
    if let Event::PolicyAdopted(adopted) = recorded.event {
        return State::Policy(PolicyVersion::try_from(adopted).ok().map(Box::new));
    }
    let id = &recorded.aggregate.0;
    if let Ok(name) = id.parse() {
        let mut client = Client::blank(name, recorded.time);
        apply(&mut client, recorded);
        return State::Client(Box::new(client));
    }
    match id.parse() {
        Ok(name) => {
            let mut import = Import::blank(name);
            import.apply(recorded.event);
            State::Import(Box::new(import))
        }
        Err(_) => State::Policy(None),
    }
}

/// Applies an event to a client.
pub fn apply(client: &mut Client, recorded: &Recorded<'_, Event>) {
    match recorded.event {
        Event::ClientSaved(saved) => client.enter(saved),
        Event::ClientClassified(classified) => {
            let message = ClientClassMessage::try_from(classified.client_class).unwrap_or_default();
            client.class = class::of_message(message);
            client.policy_version.clone_from(&classified.policy_version);
        }
        Event::ClientMarked(marked) => {
            (client.vip, client.core) = (marked.vip, marked.core);
            client.policy_version.clone_from(&marked.policy_version);
        }
        Event::ServiceManagerAssigned(assigned) => client.manager.clone_from(&assigned.employee),
        event => return client.verifications.apply(event, recorded.time),
    }
    let entered = client.revision == 0 || client.touched == Some(Touched::Entered);
    client.touched = Some(if entered { Touched::Entered } else { Touched::Changed });
    client.changed = recorded.time;
    client.revision = recorded.version;
}
