//! What the engine wants from this service: decisions from the domain, rows from the store.

use std::collections::BTreeSet;

use prost::Message as _;
use serde_json::value::{RawValue, to_raw_value};
use shouwen_engine::{
    AggregateId, Deadline, DecideContext, Decision, Domain, DueDeadline, Footprint, Key, Recorded, Refusal,
    Saved, World,
};
use shouwen_policy::{AdoptedPolicies, PolicyBook, adopt};
use shouwen_proto::events::v1::{ClientsEvent, clients_event::Event};
use sqlx::PgConnection;

use crate::{
    domain::{
        Client, Command, Import, Rejection, State,
        client::{FileKeys, account_key, account_keys, identity_number_key},
        evolve, import, lookups, manager, save,
        verification::{self, Answer},
    },
    store,
};

type Decided = Result<Decision<Event>, Refusal<Rejection>>;

/// The domain of this service as the engine drives it.
#[derive(Debug)]
pub struct ClientsDomain {
    policies: AdoptedPolicies,
}

impl ClientsDomain {
    /// Over the policies that are stored.
    pub(crate) fn new(policies: AdoptedPolicies) -> Self {
        Self { policies }
    }

    /// The policies that this process knows.
    pub(crate) fn policies(&self) -> &AdoptedPolicies {
        &self.policies
    }

    fn footprint(command: &Command) -> Footprint {
        let mut footprint = Footprint { aggregates: vec![command.aggregate()], ..Footprint::default() };
        if let Command::Save(save) = command {
            let identity_number = FileKeys::of(&save.file).identity_number;
            footprint.keys.extend(identity_number.iter().map(identity_number_key));
            footprint.keys.extend(account_keys(&save.file).flatten().map(|key| account_key(&key)));
        }
        footprint
    }

    fn on_client(
        client: &Client,
        command: &Command,
        context: &DecideContext<'_>,
        book: &PolicyBook,
    ) -> Result<Vec<Event>, Rejection> {
        let now = context.now;
        match command {
            Command::Assign { employee, roster, reason, etag, .. } => {
                if etag.is_some_and(|etag| etag != client.revision) {
                    return Err(Rejection::EtagMismatch(client.name.to_string()));
                }
                // The client has moved since the roster was read.
                if roster.branch() != client.branch {
                    return Err(Rejection::ManagerInvalid);
                }
                Ok(manager::assign(client, employee, roster, reason)?.into_iter().collect())
            }
            Command::Reassign { roster, .. } => Ok(manager::reassign(client, roster).into_iter().collect()),
            Command::StartVerification { employee, verification, .. } => {
                verification::start(client, employee, verification, now, book)
            }
            Command::AnswerVerification { employee, verification, factor, key, security, .. } => {
                let (factor, security) = (*factor, *security);
                let answer = Answer { employee, verification, factor, key, security };
                verification::answer(client, &answer, now, book)
            }
            Command::Disclose { employee, purpose, .. } => {
                verification::disclose(client, employee, purpose, now)
            }
            _ => Err(Rejection::Internal("a command that concerns no client")),
        }
    }

    fn on_import(import: &Import, command: &Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::ProgressImport { attempt, progressed, .. } => {
                import::progress(import, *attempt, progressed)
            }
            Command::EndImport { attempt, error, .. } => import::end(import, *attempt, error),
            _ => Err(Rejection::Internal("a command that concerns no import")),
        }
    }
}

impl Domain for ClientsDomain {
    const SERVICE: &'static str = "clients";
    const OBSERVED: &'static [&'static str] = &["policy_adopted"];
    type Command = Command;
    type State = State;
    type Event = Event;
    type Rejection = Rejection;

    async fn footprints(
        &self,
        _connection: &mut PgConnection,
        commands: &[&Command],
    ) -> sqlx::Result<Vec<Footprint>> {
        Ok(commands.iter().map(|command| Self::footprint(command)).collect())
    }

    fn decide(&self, world: &World<'_, State>, command: &Command, context: &DecideContext<'_>) -> Decided {
        let book = self.policies.book();
        let id = command.aggregate();
        match command {
            Command::AdoptPolicy(adopted) => {
                let known = world.state(&id).and_then(State::policy);
                let adopted = adopt(known, adopted, &book).map_err(Rejection::from)?;
                Ok(Decision::on(id, adopted.map(Event::PolicyAdopted)))
            }
            Command::Save(entered) => save::decide(world, entered, context.now, &book),
            Command::Due { aggregate } => Ok(Decision::nothing(aggregate.clone())),
            Command::RecordLookup(lookup) => {
                let known = world.state(&id).and_then(State::lookups);
                Ok(Decision::on(id, lookups::record(known, lookup, context.now, &book)?))
            }
            Command::BeginImport { operation } => {
                let import = world.state(&id).and_then(State::import);
                Ok(Decision::on(id, import::begin(operation, import)))
            }
            Command::ProgressImport { .. } | Command::EndImport { .. } => {
                let import = world.state(&id).and_then(State::import);
                let import = import.ok_or_else(|| Rejection::ImportNotFound(id.0.clone()))?;
                Ok(Decision::on(id, Self::on_import(import, command)?))
            }
            on_client => {
                let client = world.state(&id).and_then(State::client);
                let client = client.ok_or_else(|| Rejection::NotFound(id.0.clone()))?;
                Ok(Decision::on(id, Self::on_client(client, on_client, context, &book)?))
            }
        }
    }

    fn evolve(&self, state: Option<State>, event: &Recorded<'_, Event>) -> State {
        evolve::evolve(state, event)
    }

    fn deadlines(&self, _state: &State) -> Vec<Deadline> {
        Vec::new()
    }

    fn keys(&self, state: &State) -> BTreeSet<Key> {
        state.client().map(Client::keys).unwrap_or_default()
    }

    fn place(&self, _id: &AggregateId, state: &State) -> (String, String) {
        (String::new(), state.client().map(|client| client.branch.clone()).unwrap_or_default())
    }

    fn due(&self, deadline: &DueDeadline) -> Command {
        Command::Due { aggregate: deadline.aggregate.clone() }
    }

    fn encode(event: &Event) -> (&'static str, Vec<u8>) {
        let name = match event {
            Event::PolicyAdopted(_) => "policy_adopted",
            Event::ClientSaved(_) => "client_saved",
            Event::ClientClassified(_) => "client_classified",
            Event::ClientMarked(_) => "client_marked",
            Event::ServiceManagerAssigned(_) => "service_manager_assigned",
            Event::VerificationStarted(_) => "verification_started",
            Event::VerificationAnswered(_) => "verification_answered",
            Event::VerificationLocked(_) => "verification_locked",
            Event::ClientDisclosed(_) => "client_disclosed",
            Event::ClientSought(_) => "client_sought",
            Event::ImportBegun(_) => "import_begun",
            Event::ImportProgressed(_) => "import_progressed",
            Event::ImportEnded(_) => "import_ended",
        };
        (name, ClientsEvent { event: Some(event.clone()) }.encode_to_vec())
    }

    fn decode(payload: &[u8]) -> Result<Event, prost::DecodeError> {
        let unknown =
            || prost::DecodeError::new_unexpected_type_url("an event of this release", "an unknown event");
        ClientsEvent::decode(payload)?.event.ok_or_else(unknown)
    }

    fn kept(state: &State) -> serde_json::Result<Box<RawValue>> {
        match state {
            State::Client(client) => to_raw_value(client),
            State::Import(import) => to_raw_value(import),
            State::Lookups(lookups) => to_raw_value(lookups),
            State::Policy(version) => to_raw_value(version),
        }
    }

    fn restored(id: &AggregateId, kept: &RawValue) -> serde_json::Result<State> {
        Ok(match id.collection() {
            "policies" => State::Policy(serde_json::from_str(kept.get())?),
            "operations" => State::Import(serde_json::from_str(kept.get())?),
            "lookups" => State::Lookups(serde_json::from_str(kept.get())?),
            _ => State::Client(serde_json::from_str(kept.get())?),
        })
    }

    async fn attach(&self, connection: &mut PgConnection, rows: &[Saved<State>]) -> sqlx::Result<()> {
        store::attach(connection, rows).await
    }

    async fn owed(&self, connection: &mut PgConnection) -> sqlx::Result<i64> {
        store::handovers::count(connection).await
    }

    async fn refresh(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        self.policies.take_in(&store::policies::all(connection).await?);
        Ok(())
    }

    fn committed(&self, events: &[(AggregateId, Event)]) {
        self.policies.adopted(events.iter().filter_map(|(_, event)| match event {
            Event::PolicyAdopted(adopted) => Some(adopted),
            _ => None,
        }));
    }
}
