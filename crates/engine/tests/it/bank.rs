//! The domain of the tests.

mod vocabulary;

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use prost::Message as _;
use serde_json::value::{RawValue, to_raw_value};
use shouwen_engine::{
    AggregateId, Deadline, DecideContext, Decision, Domain, DueDeadline, Footprint, Gauge, Key, Reading,
    Recorded, Refusal, World,
};
use sqlx::{PgConnection, Row as _};

use self::vocabulary::KINDS;
pub(crate) use self::vocabulary::{Account, Command, Entry, Refused, Reminder};

/// The tables of the domain, beside the engine's.
pub(crate) const TABLES: &str = "
    create table account (
        id text primary key,
        version bigint not null,
        state jsonb not null,
        constraint wholesome check (not (state ->> 'poisoned')::boolean)
    );
    create table projected (position bigint primary key, times integer not null);
    create table latest (aggregate text primary key, position bigint not null);
    create sequence mutant_position;
    select keep_states_in('{\"accounts\": \"account\", \"notes\": \"account\", \"settings\": \"account\"}');";

/// What a follower may not credit.
pub(crate) const UNLUCKY: i64 = 13;
/// What makes a follower's statement fail.
pub(crate) const POISON: i64 = 666;
/// An amount on which a decision panics unless the account is lenient.
pub(crate) const DREADFUL: i64 = 667;
/// An amount at which the domain panics once it is committed.
pub(crate) const FATAL: i64 = 668;
/// An account at whose deadlines the domain panics.
pub(crate) const UNBEARABLE: &str = "accounts/unbearable";
/// A calendar at which the domain panics when it is asked something beside the batches.
pub(crate) const UNREADABLE: &str = "unreadable";

pub(crate) struct Bank {
    limit: AtomicI64,
    calendar: Mutex<Option<String>>,
    days_left: Mutex<Option<i64>>,
}

impl Bank {
    pub(crate) fn new() -> Self {
        Self { limit: AtomicI64::new(i64::MAX), calendar: Mutex::new(None), days_left: Mutex::new(None) }
    }

    pub(crate) fn set_calendar(&self, version: &str) {
        *self.calendar.lock().unwrap() = Some(version.to_owned());
    }

    pub(crate) fn set_days_left(&self, days: i64) {
        *self.days_left.lock().unwrap() = Some(days);
    }

    fn calendar(&self) -> String {
        self.calendar.lock().unwrap().clone().unwrap_or_default()
    }

    fn readable_calendar(&self) -> Option<String> {
        let calendar = self.calendar.lock().unwrap().clone();
        assert_ne!(calendar.as_deref(), Some(UNREADABLE));
        calendar
    }
}

pub(crate) fn key(name: &str) -> Key {
    Key { kind: "name", key: name.to_owned() }
}

const LIMIT: &str = "settings/limit";

const ACCOUNTS: Gauge = Gauge {
    name: "shouwen.bank.accounts",
    unit: "{account}",
    description: "Accounts, by whether there is money on them",
};

/// The account of a command, if it exists.
fn existing<'a>(world: &World<'a, Account>, id: &AggregateId) -> Result<&'a Account, Refusal<Refused>> {
    world.state(id).ok_or(Refusal::Rejected(Refused::Missing))
}

/// The name, if nobody else holds it.
fn free(world: &World<'_, Account>, name: &str) -> Result<(), Refused> {
    match world.key_holder(&key(name)) {
        None => Ok(()),
        Some(holder) => {
            let holds = world.state(holder).is_some_and(|state| state.name.as_deref() == Some(name));
            Err(Refused::Held { holder: holder.clone(), holds })
        }
    }
}

impl Domain for Bank {
    const SERVICE: &'static str = "bank";
    type Command = Command;
    type State = Account;
    type Event = Entry;
    type Rejection = Refused;
    const OBSERVED: &'static [&'static str] = &["limit_set"];
    const STIRRING: &'static [&'static str] = &["limit_set"];

    async fn footprints(
        &self,
        connection: &mut PgConnection,
        commands: &[&Command],
    ) -> sqlx::Result<Vec<Footprint>> {
        let mut footprints = Vec::new();
        for command in commands {
            let mut footprint = Footprint::default();
            match command {
                Command::Open { account, name } => {
                    footprint.aggregates.push(account.into());
                    footprint.keys.extend(name.as_deref().map(key));
                    footprint.makes = Some(account.into());
                }
                Command::Rename { account, name } => {
                    footprint.aggregates.push(account.into());
                    footprint.keys.extend(name.as_deref().map(key));
                }
                Command::Deposit { account, .. } => {
                    footprint.aggregates.push(account.into());
                    // It never makes one: what it answers is another version, or it is refused.
                    footprint.makes = Some(account.into());
                }
                Command::Seize { account, name } => {
                    footprint.aggregates.push(account.into());
                    footprint.keys.push(key(name));
                }
                Command::Transfer { from, to, .. } => {
                    footprint.aggregates.extend([from.into(), to.into()]);
                }
                Command::PayPartner { account, .. } => {
                    let partner = sqlx::query_scalar::<_, Option<String>>(
                        "select state ->> 'partner' from account where id = $1",
                    )
                    .bind(account)
                    .fetch_optional(&mut *connection)
                    .await?;
                    footprint.aggregates.push(account.into());
                    footprint.aggregates.extend(partner.flatten().map(AggregateId));
                }
                Command::Note { note, counter, .. } => {
                    footprint.aggregates.push(note.into());
                    footprint.counters.push(counter.clone());
                }
                Command::SetLimit { .. } => footprint.aggregates.push(LIMIT.into()),
                Command::Poison { account }
                | Command::Panic { account }
                | Command::Overreach { account, .. }
                | Command::Remind { account, .. }
                | Command::Link { account, .. }
                | Command::Fire { account }
                | Command::Recompute { account }
                | Command::Receive { account, .. }
                | Command::Soften { account } => footprint.aggregates.push(account.into()),
            }
            footprints.push(footprint);
        }
        Ok(footprints)
    }

    fn decide(
        &self,
        world: &World<'_, Account>,
        command: &Command,
        context: &DecideContext<'_>,
    ) -> Result<Decision<Entry>, Refusal<Refused>> {
        self.decide_after(world, command, context, &[])
    }

    fn decide_after(
        &self,
        world: &World<'_, Account>,
        command: &Command,
        context: &DecideContext<'_>,
        earlier: &[Entry],
    ) -> Result<Decision<Entry>, Refusal<Refused>> {
        match command {
            Command::Open { account, name } => {
                let id = AggregateId::from(account);
                if world.state(&id).is_some() {
                    return Err(Refused::Exists.into());
                }
                name.as_deref().map_or(Ok(()), |name| free(world, name))?;
                Ok(Decision::on(id, [Entry::named("opened", name.as_ref())]))
            }
            Command::Rename { account, name } => {
                let id = AggregateId::from(account);
                existing(world, &id)?;
                name.as_deref().map_or(Ok(()), |name| free(world, name))?;
                Ok(Decision::on(id, [Entry::named("named", name.as_ref())]))
            }
            Command::Seize { account, name } => {
                let id = AggregateId::from(account);
                let mine = existing(world, &id)?;
                if mine.name.as_ref() == Some(name) {
                    return Ok(Decision::nothing(id));
                }
                let mut events = Vec::new();
                if let Some(holder) = world.key_holder(&key(name)) {
                    events.push((holder.clone(), Entry::named("named", None)));
                }
                events.push((id.clone(), Entry::named("named", Some(name))));
                Ok(Decision { events, counters: Vec::new(), primary: id })
            }
            Command::Deposit { account, amount } => {
                let id = AggregateId::from(account);
                existing(world, &id)?;
                let set = earlier.iter().rev().find(|entry| entry.kind == "limit_set");
                if *amount > set.map_or_else(|| self.limit.load(Ordering::SeqCst), |set| set.amount) {
                    return Err(Refused::OverLimit.into());
                }
                Ok(Decision::on(id, [Entry::amount("deposited", *amount)]))
            }
            Command::Transfer { from, to, amount } => {
                let (from, to) = (AggregateId::from(from), AggregateId::from(to));
                if existing(world, &from)?.balance < *amount {
                    return Err(Refused::Insufficient.into());
                }
                existing(world, &to)?;
                let events = vec![
                    (from.clone(), Entry::amount("deposited", -amount)),
                    (to, Entry::amount("deposited", *amount)),
                ];
                Ok(Decision { events, counters: Vec::new(), primary: from })
            }
            Command::Link { account, partner } => {
                let id = AggregateId::from(account);
                existing(world, &id)?;
                Ok(Decision::on(id, [Entry::named("linked", Some(partner))]))
            }
            Command::PayPartner { account, amount } => {
                let partner = existing(world, &account.into())?.partner.clone().ok_or(Refused::Missing)?;
                let partner = AggregateId(partner);
                // Read without locks, the partner was another one.
                if !world.holds(&partner) {
                    return Err(Refusal::Moved);
                }
                Ok(Decision::on(partner, [Entry::amount("deposited", *amount)]))
            }
            Command::Note { note, counter, accept } => {
                if !accept {
                    return Err(Refused::Unwanted.into());
                }
                let number = world.counter(counter) + 1;
                Ok(Decision {
                    counters: vec![(counter.clone(), number)],
                    ..Decision::on(note.into(), [Entry::amount("numbered", number)])
                })
            }
            Command::Poison { account } => Ok(Decision::on(account.into(), [Entry::new("poisoned")])),
            Command::Panic { account } => panic!("{account} cannot bear it"),
            Command::Overreach { account, other } => {
                let events = [account, other].map(|id| (id.into(), Entry::amount("deposited", 1))).to_vec();
                Ok(Decision { events, counters: Vec::new(), primary: account.into() })
            }
            Command::Remind { account, due } => {
                let id = AggregateId::from(account);
                existing(world, &id)?;
                let reminded = Entry {
                    micros: due.timestamp_micros(),
                    text: self.calendar(),
                    ..Entry::new("reminded_provisionally")
                };
                Ok(Decision::on(id, [reminded]))
            }
            Command::Fire { account } => {
                let fired = Entry { micros: context.at.timestamp_micros(), ..Entry::new("fired") };
                Ok(Decision::on(account.into(), [fired]))
            }
            Command::Recompute { account } => {
                let id = AggregateId::from(account);
                let Some(reminder) = existing(world, &id)?.reminder.clone() else {
                    return Ok(Decision::nothing(id));
                };
                let due = reminder.due + chrono::TimeDelta::days(1);
                let reminded =
                    Entry { micros: due.timestamp_micros(), text: self.calendar(), ..Entry::new("reminded") };
                Ok(Decision::on(id, [reminded]))
            }
            Command::Receive { account, amount } => {
                let id = AggregateId::from(account);
                let lenient = world.state(&id).is_some_and(|state| state.lenient);
                if *amount == UNLUCKY && !lenient {
                    return Err(Refused::Unlucky.into());
                }
                assert!(*amount != DREADFUL || lenient, "nobody decides on this");
                let kind = if *amount == POISON && !lenient { "poisoned" } else { "received" };
                let received =
                    Entry { micros: context.at.timestamp_micros(), ..Entry::amount(kind, *amount) };
                Ok(Decision::on(id, [received]))
            }
            Command::Soften { account } => Ok(Decision::on(account.into(), [Entry::new("softened")])),
            Command::SetLimit { amount } => {
                Ok(Decision::on(LIMIT.into(), [Entry::amount("limit_set", *amount)]))
            }
        }
    }

    fn evolve(&self, state: Option<Account>, recorded: &Recorded<'_, Entry>) -> Account {
        let mut account = state.unwrap_or_default();
        let event = recorded.event;
        let time = DateTime::from_timestamp_micros(event.micros).unwrap();
        match event.kind.as_str() {
            "opened" | "named" => account.name = Some(event.text.clone()).filter(|name| !name.is_empty()),
            "linked" => account.partner = Some(event.text.clone()),
            "deposited" => account.balance += event.amount,
            "limit_set" => account.balance = event.amount,
            "received" => {
                account.balance += event.amount;
                account.heard.push(time);
            }
            "numbered" => account.number = event.amount,
            "poisoned" => account.poisoned = true,
            "softened" => account.lenient = true,
            "reminded" | "reminded_provisionally" => {
                let provisional = event.kind == "reminded_provisionally";
                account.reminder = Some(Reminder { due: time, calendar: event.text.clone(), provisional });
            }
            "fired" => {
                account.reminder = None;
                account.fired.push(time);
            }
            other => panic!("{other} is not an event of the bank"),
        }
        account
    }

    fn deadlines(&self, state: &Account) -> Vec<Deadline> {
        let deadline = |reminder: &Reminder| Deadline {
            step: "remind",
            due: reminder.due,
            policy: "reminders/1".to_owned(),
            calendar: reminder.calendar.clone(),
            provisional: reminder.provisional,
        };
        state.reminder.iter().map(deadline).collect()
    }

    fn keys(&self, state: &Account) -> BTreeSet<Key> {
        state.name.iter().map(|name| key(name)).collect()
    }

    fn due(&self, deadline: &DueDeadline) -> Command {
        assert_ne!(deadline.aggregate.0, UNBEARABLE);
        Command::Fire { account: deadline.aggregate.0.clone() }
    }

    fn encode(event: &Entry) -> (&'static str, Vec<u8>) {
        let kind = KINDS.into_iter().find(|kind| *kind == event.kind).unwrap();
        (kind, event.encode_to_vec())
    }

    fn decode(payload: &[u8]) -> Result<Entry, prost::DecodeError> {
        Entry::decode(payload)
    }

    fn kept(state: &Account) -> serde_json::Result<Box<RawValue>> {
        to_raw_value(state)
    }

    fn restored(_id: &AggregateId, kept: &RawValue) -> serde_json::Result<Account> {
        serde_json::from_str(kept.get())
    }

    async fn refresh(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let limit =
            sqlx::query_scalar::<_, i64>("select (state ->> 'balance')::bigint from account where id = $1")
                .bind(LIMIT)
                .fetch_optional(connection)
                .await?;
        self.limit.store(limit.unwrap_or(i64::MAX), Ordering::SeqCst);
        Ok(())
    }

    fn calendar_version(&self, _now: DateTime<Utc>) -> Option<String> {
        self.readable_calendar()
    }

    fn calendar_days_left(&self, _now: DateTime<Utc>) -> Option<i64> {
        *self.days_left.lock().unwrap()
    }

    fn recompute(&self, aggregate: &AggregateId) -> Option<Command> {
        assert_ne!(aggregate.0, UNBEARABLE);
        Some(Command::Recompute { account: aggregate.0.clone() })
    }

    /// Nothing is ever due that way.
    async fn pending(&self, _: &mut PgConnection, _: DateTime<Utc>) -> sqlx::Result<Vec<Command>> {
        self.readable_calendar();
        Ok(Vec::new())
    }

    fn committed(&self, events: &[(AggregateId, Entry)]) {
        assert!(events.iter().all(|(_, event)| event.amount != FATAL), "nobody can live with this");
    }

    async fn readings(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<Reading>> {
        self.readable_calendar();
        let rows = sqlx::query(
            "select case when (state ->> 'balance')::bigint > 0 then 'full' else 'empty' end as kind, count(*) as accounts
             from account group by 1",
        )
        .fetch_all(connection)
        .await?;
        let reading = |row: &sqlx::postgres::PgRow| {
            ACCOUNTS.reads(row.get("accounts")).of("shouwen.kind", row.get::<String, _>("kind"))
        };
        Ok(rows.iter().map(reading).collect())
    }
}
