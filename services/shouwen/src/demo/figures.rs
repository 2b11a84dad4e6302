//! What the month amounted to, read off the product: its ledgers as the feeds show them, and its cases and contacts as they stand in the end. The
//! keys are those of `expected.json`; nothing is computed from the input but what only a caller can know, the refusals.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use shouwen_proto::{
    calls::v1::call,
    events::v1::{CallOutcome, CloseKind, callbacks_event, calls_event, complaints_event, ownership_event},
    ownership::v1::{Case, case::State},
    r#type::v1::{CallbackKind, Channel, EscalationLevel, Satisfaction},
};

use super::{play::Tally, product::Product};

mod clients;
mod complaints;

/// Numbers by name; what never happened is zero.
#[derive(Debug, Default)]
struct Count(HashMap<&'static str, i64>);

impl Count {
    fn add(&mut self, what: &'static str, happened: bool) {
        *self.0.entry(what).or_default() += i64::from(happened);
    }

    fn get(&self, what: &str) -> i64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// As an object with these keys.
    fn pick(&self, keys: &[&str]) -> Value {
        keys.iter().map(|key| ((*key).to_owned(), Value::from(self.get(key)))).collect()
    }
}

/// All figures.
pub(super) fn figures(product: &Product, tally: &Tally) -> Value {
    let ownership = ownership(product);
    let callbacks = callbacks(product);
    let mut limits = callbacks.limits;
    limits.insert("answer".to_owned(), answer_limits(product));
    json!({
        "contacts": contacts(product, tally),
        "records": records(product),
        "cases": cases(product, &ownership),
        "hand_overs": ownership.pick(&["offered", "accepted", "declined", "withdrawn", "expired"]),
        "overrides": ownership.get("overrides"),
        "assists": product.cases.iter().map(|case| case.assistants.len()).sum::<usize>(),
        "refused_actions": tally.refused_actions,
        "limits": limits,
        "escalations": escalations(product),
        "callbacks": callbacks.count.pick(&[
            "promised", "missed_call", "after_hours", "verification", "coalesced", "attempts", "completed", "exhausted",
            "cancelled", "leases_lost",
        ]),
        "satisfaction": callbacks.satisfaction,
        "clients": clients::figures(product),
        "complaints": complaints::figures(product),
        "responsible": responsible(product),
    })
}

fn no_concern(outcome: CallOutcome) -> bool {
    matches!(outcome, CallOutcome::WrongNumber | CallOutcome::Silent | CallOutcome::Private)
}

fn contacts(product: &Product, tally: &Tally) -> Value {
    let mut count = Count::default();
    for (_, event) in product.of_calls() {
        match event {
            calls_event::Event::CallRegistered(registered) => {
                count.add("total", true);
                count.add(channel_key(registered.channel()), true);
                count.add("outside_working_hours", registered.outside_working_hours);
            }
            calls_event::Event::CallAnswered(answered) => {
                count.add("answered", true);
                count.add("late", answered.late);
            }
            calls_event::Event::CallMissed(_) => count.add("missed", true),
            calls_event::Event::CallEnded(ended) => {
                count.add("no_concern", no_concern(ended.outcome()));
                count.add("violations", ended.violation);
            }
            _ => {}
        }
    }
    let mut contacts = count.pick(&[
        "total",
        "phone",
        "counter",
        "email",
        "web",
        "letter",
        "opinion_book",
        "answered",
        "missed",
        "no_concern",
        "outside_working_hours",
        "late",
        "violations",
    ]);
    if let Value::Object(contacts) = &mut contacts {
        contacts.insert("second_answers_refused".to_owned(), tally.second_answers_refused.into());
    }
    contacts
}

fn channel_key(channel: Channel) -> &'static str {
    match channel {
        Channel::Phone => "phone",
        Channel::Counter => "counter",
        Channel::Email => "email",
        Channel::Web => "web",
        Channel::Letter => "letter",
        Channel::OpinionBook => "opinion_book",
        Channel::Unspecified => "unknown",
    }
}

/// K10: of the contacts that were answered and held a concern.
fn records(product: &Product) -> Value {
    let mut count = Count::default();
    for call in &product.calls {
        let answered = matches!(call.state(), call::State::Answered | call::State::Ended);
        if answered && !no_concern(call.outcome()) {
            let complete = call.record.as_ref().is_some_and(|record| record.complete);
            count.add(if complete { "complete" } else { "incomplete" }, true);
        }
    }
    count.pick(&["complete", "incomplete"])
}

fn ownership(product: &Product) -> Count {
    use ownership_event::Event as Of;
    let mut count = Count::default();
    for (_, event) in product.of_ownership() {
        let what = match event {
            Of::CaseOpened(_) => "opened",
            Of::CaseReopened(_) => "reopenings",
            Of::OfferMade(_) => "offered",
            Of::OfferAccepted(_) => "accepted",
            Of::OfferDeclined(_) => "declined",
            Of::OfferWithdrawn(_) => "withdrawn",
            Of::OfferExpired(_) => "expired",
            Of::OverrideBegun(_) => "overrides",
            _ => continue,
        };
        count.add(what, true);
    }
    count
}

fn cases(product: &Product, ownership: &Count) -> Value {
    let mut count = Count::default();
    for case in &product.cases {
        let standing = match (case.state(), case.close_kind()) {
            (State::Merged, _) => "merged",
            (State::Void, _) => "void",
            (State::AwaitingSatisfaction, _) => "awaiting",
            (State::Closed, CloseKind::Unreachable) => "closed_unreachable",
            (State::Closed, CloseKind::Explained) => "closed_explained",
            (State::Closed, _) => "closed_satisfied",
            (State::Open | State::Unspecified, _) => "open",
        };
        count.add(standing, true);
    }
    for what in ["opened", "reopenings"] {
        count.0.insert(what, ownership.get(what));
    }
    for case in counted(product) {
        count.add("with_client_file", !case.client_file.is_empty());
    }
    count.pick(&[
        "opened",
        "merged",
        "void",
        "closed_satisfied",
        "closed_unreachable",
        "closed_explained",
        "awaiting",
        "open",
        "reopenings",
        "with_client_file",
    ])
}

/// Cases that are neither redirects nor void.
fn counted(product: &Product) -> impl Iterator<Item = &Case> {
    product.cases.iter().filter(|case| !matches!(case.state(), State::Merged | State::Void))
}

fn standing(kept: bool, missed: bool) -> &'static str {
    match (missed, kept) {
        (true, _) => "missed",
        (false, true) => "kept",
        (false, false) => "running",
    }
}

const STANDINGS: [&str; 3] = ["kept", "missed", "running"];

/// O10: how often each level was told of a missed limit.
fn escalations(product: &Product) -> Value {
    let (mut cases, mut callbacks, mut complaints) = (Count::default(), Count::default(), Count::default());
    for (_, event) in product.of_ownership() {
        if let ownership_event::Event::LimitEscalated(step) = event {
            cases.add(level_key(step.level()), true);
        }
    }
    for (_, event) in product.of_callbacks() {
        if let callbacks_event::Event::CallbackEscalated(step) = event {
            callbacks.add(level_key(step.level()), true);
        }
    }
    for (_, event) in product.of_complaints() {
        if let complaints_event::Event::ComplaintEscalated(step) = event {
            complaints.add(level_key(step.level()), true);
        }
    }
    let levels = ["responsible", "lead", "hq", "company_leader"];
    json!({
        "cases": cases.pick(&levels), "callbacks": callbacks.pick(&levels), "complaints": complaints.pick(&levels),
    })
}

fn level_key(level: EscalationLevel) -> &'static str {
    match level {
        EscalationLevel::Responsible => "responsible",
        EscalationLevel::Lead => "lead",
        EscalationLevel::Hq => "hq",
        EscalationLevel::CompanyLeader => "company_leader",
        EscalationLevel::Unspecified => "unknown",
    }
}

fn answer_limits(product: &Product) -> Value {
    let mut count = Count::default();
    for clock in counted(product).flat_map(|case| &case.clocks) {
        count.add(standing(clock.met_time.is_some(), clock.missed), true);
    }
    count.pick(&STANDINGS)
}

fn responsible(product: &Product) -> Value {
    let mut people: BTreeMap<String, [i64; 3]> = BTreeMap::new();
    for case in counted(product) {
        let live = matches!(case.state(), State::Open | State::AwaitingSatisfaction);
        for (place, (who, counts)) in
            [(&case.first_responder, true), (&case.accountable, true), (&case.handler, live)]
                .into_iter()
                .enumerate()
        {
            let who = who.strip_prefix("employees/").unwrap_or(who);
            if counts && let Some(tally) = people.entry(who.to_owned()).or_default().get_mut(place) {
                *tally += 1;
            }
        }
    }
    let shown = |(who, [first_responder, accountable, handling]): (String, [i64; 3])| {
        let tally =
            json!({"first_responder": first_responder, "accountable": accountable, "handling": handling});
        (who, tally)
    };
    people.into_iter().map(shown).collect()
}

/// What became of the callbacks.
struct Callbacks {
    count: Count,
    limits: serde_json::Map<String, Value>,
    satisfaction: Value,
}

/// One callback.
#[derive(Debug, Default)]
struct Callback {
    kind: CallbackKind,
    attempted: bool,
    missed: bool,
    cancelled: bool,
}

fn kind_key(kind: CallbackKind) -> &'static str {
    match kind {
        CallbackKind::Promised => "promised",
        CallbackKind::MissedCall => "missed_call",
        CallbackKind::AfterHours => "after_hours",
        CallbackKind::Verification => "verification",
        CallbackKind::Unspecified => "unknown",
    }
}

fn callbacks(product: &Product) -> Callbacks {
    use callbacks_event::Event as Of;
    let (mut count, mut opinions) = (Count::default(), Count::default());
    let mut callbacks: BTreeMap<&str, Callback> = BTreeMap::new();
    for (event, body) in product.of_callbacks() {
        let callback = callbacks.entry(&event.aggregate).or_default();
        match body {
            Of::CallbackScheduled(scheduled) => {
                callback.kind = scheduled.kind();
                count.add(kind_key(scheduled.kind()), true);
            }
            Of::CallbackCoalesced(_) => count.add("coalesced", true),
            Of::CallbackReleased(released) => count.add("leases_lost", released.reason == "expired"),
            Of::AttemptRecorded(_) => {
                callback.attempted = true;
                count.add("attempts", true);
            }
            Of::CallbackExhausted(_) => count.add("exhausted", true),
            Of::CallbackCompleted(completed) => {
                callback.attempted = true;
                // The talk is an attempt too, the one that reached the client.
                count.add("attempts", true);
                count.add("completed", true);
                opinions.add("satisfied", completed.overall() == Satisfaction::Satisfied);
                opinions.add("neutral", completed.overall() == Satisfaction::Neutral);
                opinions.add("dissatisfied", completed.overall() == Satisfaction::Dissatisfied);
                opinions.add("scored", completed.score > 0);
                *opinions.0.entry("score_total").or_default() += i64::from(completed.score);
            }
            Of::CallbackCancelled(_) => {
                callback.cancelled = true;
                count.add("cancelled", true);
            }
            Of::CallbackLimitMissed(_) => callback.missed = true,
            _ => {}
        }
    }
    let mut limits = serde_json::Map::new();
    let kinds = [
        CallbackKind::Promised,
        CallbackKind::MissedCall,
        CallbackKind::AfterHours,
        CallbackKind::Verification,
    ];
    for kind in kinds {
        let mut standings = Count::default();
        for callback in callbacks.values().filter(|callback| callback.kind == kind) {
            // What was cancelled before its limit kept nothing and missed nothing.
            let counts = callback.attempted || callback.missed || !callback.cancelled;
            standings.add(standing(callback.attempted, callback.missed), counts);
        }
        limits.insert(kind_key(kind).to_owned(), standings.pick(&STANDINGS));
    }
    let satisfaction = opinions.pick(&["satisfied", "neutral", "dissatisfied", "score_total", "scored"]);
    Callbacks { count, limits, satisfaction }
}
