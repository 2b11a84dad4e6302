//! Random sequences of what people, deadlines and other services do to a few clients' cases: whatever happens in whatever order, the facts of O1 to O8
//! hold after every step.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use chrono::TimeDelta;
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use shouwen_engine::{Actor, AggregateId, Loaded, Submission, ledger, states};
use shouwen_gateway::domain::{
    CaseState, Command, OwnershipDomain, State as Stored,
    case::{Complaint, Phase},
    command::FollowUp,
};
use shouwen_proto::{
    events::v1::{CallOutcome, ComplaintEnd},
    r#type::v1::CallbackKind,
};

use crate::{
    desk::{Answer, employee},
    ground::{Ground, Office, tuesday},
};

const STAFF: [&str; 5] = ["zhang", "li", "wang", "zhao", "qian"];
const LEADS: [&str; 2] = ["zhao", "qian"];
/// Who answers for a case when both leads are complained about; nobody complains about them here.
const HEADQUARTERS: [&str; 2] = ["chen", "lin"];

/// One thing that happens. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Happening {
    Claim { who: usize, contact: usize, client: Option<usize> },
    Identify { who: usize, contact: usize, client: usize },
    Offer { who: usize, case: usize, to: usize },
    Accept { who: usize, case: usize },
    Decline { who: usize, case: usize },
    Withdraw { who: usize, case: usize },
    BeginOverride { lead: usize, case: usize },
    EndOverride { lead: usize, case: usize },
    Resolve { who: usize, case: usize },
    Confirm { who: usize, case: usize, satisfied: bool },
    Close { lead: usize, case: usize },
    Reopen { who: usize, case: usize },
    Ended { who: usize, contact: usize, clear: bool },
    Promised { case: usize, callback: usize },
    Completed { case: usize, callback: usize, satisfied: bool, minutes_ago: i64 },
    Complained { case: usize, complaint: usize, about: Option<usize> },
    Settled { case: usize, complaint: usize, satisfied: bool },
    Anew { case: usize, complaint: usize },
    Pass { minutes: i64 },
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let (who, lead, case, contact, client) =
        (0..STAFF.len(), 0..LEADS.len(), 0..6_usize, 0..6_usize, 0..2_usize);
    prop_oneof![
        6 => (who.clone(), contact.clone(), prop::option::of(client.clone()))
            .prop_map(|(who, contact, client)| Claim { who, contact, client }),
        6 => (who.clone(), contact.clone(), client).prop_map(|(who, contact, client)| Identify { who, contact, client }),
        5 => (who.clone(), case.clone(), who.clone()).prop_map(|(who, case, to)| Offer { who, case, to }),
        5 => (who.clone(), case.clone()).prop_map(|(who, case)| Accept { who, case }),
        1 => (who.clone(), case.clone()).prop_map(|(who, case)| Decline { who, case }),
        1 => (who.clone(), case.clone()).prop_map(|(who, case)| Withdraw { who, case }),
        3 => (lead.clone(), case.clone()).prop_map(|(lead, case)| BeginOverride { lead, case }),
        1 => (lead.clone(), case.clone()).prop_map(|(lead, case)| EndOverride { lead, case }),
        3 => (who.clone(), case.clone()).prop_map(|(who, case)| Resolve { who, case }),
        4 => (who.clone(), case.clone(), any::<bool>())
            .prop_map(|(who, case, satisfied)| Confirm { who, case, satisfied }),
        1 => (lead, case.clone()).prop_map(|(lead, case)| Close { lead, case }),
        4 => (who.clone(), case.clone()).prop_map(|(who, case)| Reopen { who, case }),
        2 => (who.clone(), contact, any::<bool>()).prop_map(|(who, contact, clear)| Ended { who, contact, clear }),
        2 => (case.clone(), 0..3_usize).prop_map(|(case, callback)| Promised { case, callback }),
        3 => (case.clone(), 0..3_usize, any::<bool>(), prop_oneof![Just(0), 1..3000_i64])
            .prop_map(|(case, callback, satisfied, minutes_ago)| Completed { case, callback, satisfied, minutes_ago }),
        3 => (case.clone(), 0..2_usize, prop::option::of(who))
            .prop_map(|(case, complaint, about)| Complained { case, complaint, about }),
        4 => (case.clone(), 0..2_usize, any::<bool>())
            .prop_map(|(case, complaint, satisfied)| Settled { case, complaint, satisfied }),
        1 => (case, 0..2_usize).prop_map(|(case, complaint)| Anew { case, complaint }),
        2 => (1..3000_i64).prop_map(|minutes| Pass { minutes }),
    ]
}

/// What one sequence happens to: contacts and clients of its own.
struct Play<'a> {
    ground: &'a Ground,
    office: &'a Office,
    number: usize,
    /// Names of its cases, in order of opening.
    cases: Vec<String>,
}

type Cases = BTreeMap<String, CaseState>;

impl Play<'_> {
    fn contact(&self, contact: usize) -> String {
        format!("p{}-{contact}", self.number)
    }

    fn client(&self, client: usize) -> String {
        format!("P{}-{client}", self.number)
    }

    /// A case of the play; before there is one, one that does not exist.
    fn case(&self, case: usize) -> String {
        let chosen = case.checked_rem(self.cases.len()).map(|index| self.cases[index].clone());
        chosen.unwrap_or_else(|| "cases/none".to_owned())
    }

    /// A complaint under a case of the play.
    fn complaint(&self, case: usize, complaint: usize) -> (AggregateId, String) {
        let case = self.case(case);
        let complaint = format!("{case}/complaints/{complaint}");
        (case.into(), complaint)
    }

    /// The offer pending on a case, or one that is gone.
    fn offer(case: &str, now: &Cases) -> String {
        let pending = now.get(case).and_then(|case| case.offer.as_ref());
        pending.map_or_else(|| "gone".to_owned(), |offer| offer.id.clone())
    }

    /// Lets it happen; answers whether it was accepted.
    async fn happen(&mut self, happening: &Happening, now: &Cases) -> Result<bool, TestCaseError> {
        let office = self.office;
        let desk = |who: usize| office.desk(STAFF[who]);
        let lead = |lead: usize| office.desk(LEADS[lead]);
        let told = match *happening {
            Happening::Claim { who, contact, client } => {
                let client = client.map(|client| self.client(client)).unwrap_or_default();
                let claimed = desk(who).claim_of(&self.contact(contact), &client).await;
                if let Some(case) = claimed.as_ref().ok().and_then(|claimed| claimed.case.as_ref())
                    && !self.cases.contains(&case.name)
                {
                    self.cases.push(case.name.clone());
                }
                answered(claimed)
            }
            Happening::Identify { who, contact, client } => {
                answered(desk(who).identify(&self.contact(contact), &self.client(client)).await)
            }
            Happening::Offer { who, case, to } => {
                answered(desk(who).offer(&self.case(case), STAFF[to]).await)
            }
            Happening::Accept { who, case } => {
                let case = self.case(case);
                answered(desk(who).accept(&case, &Self::offer(&case, now)).await)
            }
            Happening::Decline { who, case } => {
                let case = self.case(case);
                answered(desk(who).decline(&case, &Self::offer(&case, now)).await)
            }
            Happening::Withdraw { who, case } => {
                let case = self.case(case);
                answered(desk(who).withdraw(&case, &Self::offer(&case, now)).await)
            }
            Happening::BeginOverride { lead: by, case } => {
                answered(lead(by).begin_override(&self.case(case)).await)
            }
            Happening::EndOverride { lead: by, case } => {
                answered(lead(by).end_override(&self.case(case)).await)
            }
            Happening::Resolve { who, case } => answered(desk(who).resolve(&self.case(case)).await),
            Happening::Confirm { who, case, satisfied } => {
                answered(desk(who).confirm(&self.case(case), satisfied).await)
            }
            Happening::Close { lead: by, case } => answered(lead(by).close(&self.case(case)).await),
            Happening::Reopen { who, case } => answered(desk(who).reopen(&self.case(case)).await),
            Happening::Ended { who, contact, clear } => {
                let outcome = if clear { CallOutcome::AnsweredClear } else { CallOutcome::Silent };
                self.follow(FollowUp::CallEnded {
                    contact: format!("contacts/{}", self.contact(contact)).into(),
                    by: employee(STAFF[who]),
                    outcome,
                })
                .await
            }
            Happening::Promised { case, callback } => {
                let case = self.case(case);
                let due = office.here().await + TimeDelta::hours(1);
                let callback = format!("{case}/callbacks/{callback}");
                self.follow(FollowUp::Promised {
                    case: case.into(),
                    callback,
                    kind: CallbackKind::default(),
                    due,
                })
                .await
            }
            Happening::Completed { case, callback, satisfied, minutes_ago } => {
                let case = self.case(case);
                let callback = callback.to_string();
                let said = Some(office.here().await - TimeDelta::minutes(minutes_ago));
                self.follow(FollowUp::CallbackCompleted { case: case.into(), callback, satisfied, said })
                    .await
            }
            Happening::Complained { case, complaint, about } => {
                let (case, complaint) = self.complaint(case, complaint);
                let about = about.map(|about| employee(STAFF[about])).into_iter().collect();
                self.follow(FollowUp::ComplaintOpened { case, complaint, about, unit: String::new() }).await
            }
            Happening::Settled { case, complaint, satisfied } => {
                let (case, complaint) = self.complaint(case, complaint);
                let end = if satisfied { ComplaintEnd::Satisfied } else { ComplaintEnd::Declined };
                let reason = String::new();
                self.follow(FollowUp::ComplaintEnded { case, complaint, end, reason }).await
            }
            Happening::Anew { case, complaint } => {
                let (case, complaint) = self.complaint(case, complaint);
                let reason = "dissatisfied".to_owned();
                self.follow(FollowUp::ComplaintReopened { case, complaint, reason }).await
            }
            Happening::Pass { minutes } => {
                office.pass(TimeDelta::minutes(minutes)).await;
                Ok(true)
            }
        };
        told.map_err(TestCaseError::fail)
    }

    async fn follow(&self, follow_up: FollowUp) -> Result<bool, String> {
        let submission = Submission::new(Command::FollowUp(follow_up), Actor::default());
        self.office.engine.submit(submission).await.map(|_| true).map_err(|error| error.to_string())
    }

    /// The cases as they stand.
    async fn now(&self) -> Cases {
        let mut connection = self.office.engine.pool().acquire().await.unwrap();
        let loaded = states::load::<OwnershipDomain>(&mut connection, &self.cases).await.unwrap();
        loaded
            .into_iter()
            .filter_map(|Loaded { id, state, .. }| match state {
                Stored::Case(case) => Some((id.0, *case)),
                _ => None,
            })
            .collect()
    }

    /// The tables beside the states, and the ledger, say the same as the states.
    async fn agrees(&self, now: &Cases) -> Result<(), TestCaseError> {
        let own = format!("key like 'P{}-%'", self.number);
        let held =
            self.ground.texts(&format!("select key || ' ' || holder from unique_key where {own}")).await;
        let held: BTreeSet<String> = held.into_iter().collect();
        let keys = now.iter().filter_map(|(name, case)| Some(format!("{} {name}", case.key()?.key)));
        let keys: Vec<String> = keys.collect();
        prop_assert_eq!(&held, &keys.iter().cloned().collect(), "keys");
        prop_assert_eq!(held.len(), keys.len(), "two open cases of one client and topic");
        for (name, case) in now {
            let sql = format!("select step from deadline where aggregate = '{name}' order by step");
            let steps = self.ground.texts(&sql).await;
            let mut expected = Vec::new();
            if case.is_live() {
                expected.extend(case.running_clock().filter(|clock| !clock.missed).map(|_| "answer"));
                expected.extend(case.running_clock().and_then(|clock| clock.escalates).map(|_| "escalation"));
                expected.extend(case.offer.as_ref().map(|_| "offer"));
                expected.extend(case.overriding.as_ref().map(|_| "override"));
            }
            prop_assert_eq!(steps, expected, "deadlines of {}", name);
            let history = ledger::history(self.office.engine.pool(), name, i64::MAX).await.unwrap();
            let rebuilt = self.office.engine.rebuild(&AggregateId(name.clone()), &history).unwrap();
            let Some(Stored::Case(rebuilt)) = rebuilt else { return Err(TestCaseError::fail("no case")) };
            prop_assert_eq!(&*rebuilt, case, "the ledger of {}", name);
        }
        let stray = shouwen_gateway::desk::mend(&self.office.engine).await.unwrap();
        prop_assert_eq!(stray, 0, "desks show what waits by the states, and nothing else");
        Ok(())
    }
}

/// Whether a call was accepted. A refusal is an answer; anything else is not.
fn answered<T>(answer: Answer<T>) -> Result<bool, String> {
    match answer {
        Ok(_) => Ok(true),
        Err(refused) if ["INTERNAL", "CONTENTION", "OUTCOME_UNKNOWN"].contains(&&*refused.reason) => {
            Err(format!("{refused:?}"))
        }
        Err(_) => Ok(false),
    }
}

/// Who may decide on a case.
fn deciders(case: &CaseState) -> (bool, &str, &str, Option<&str>) {
    let gone = matches!(case.phase, Phase::Merged { .. } | Phase::Void { .. });
    let overriding = case.overriding.as_ref().map(|running| &*running.employee);
    (gone, &case.accountable, &case.handler, overriding)
}

/// What one step may make of a case.
fn follows(before: &CaseState, after: &CaseState) -> Result<(), TestCaseError> {
    prop_assert_eq!(&before.first_responder, &after.first_responder, "O1: a fact of history");
    let moved = before.accountable != after.accountable;
    prop_assert!(
        !moved || after.is_recused(&before.accountable),
        "O3, O12: accountability moves from the recused only"
    );
    let unsettled = |complaint: &Complaint| after.open_complaints().any(|open| open.name == complaint.name);
    let closes = before.is_live() && matches!(after.phase, Phase::Closed { .. });
    prop_assert!(
        !closes || !before.open_complaints().any(unsettled),
        "O8: a case does not end before its complaints"
    );
    prop_assert!(after.epoch >= before.epoch, "epochs rise");
    prop_assert_eq!(
        after.epoch > before.epoch,
        deciders(before) != deciders(after),
        "with who may act, and only then"
    );
    prop_assert!(before.client.is_none() || before.client == after.client, "a client once known stays");
    prop_assert!(after.heard >= before.heard, "B5: what the client said last is not forgotten");
    prop_assert!(after.clocks.len() >= before.clocks.len() && after.reopenings >= before.reopenings);
    for (old, new) in before.clocks.iter().zip(&after.clocks) {
        prop_assert_eq!((old.started, old.due), (new.started, new.due), "O8: the original clock is kept");
        prop_assert!((old.met.is_none() || old.met == new.met) && (!old.missed || new.missed));
        prop_assert!(
            new.escalation >= old.escalation && (new.missed || new.escalation == 0),
            "O10: it only climbs"
        );
    }
    let ended = |case: &CaseState| matches!(case.phase, Phase::Merged { .. } | Phase::Void { .. });
    prop_assert!(!ended(before) || before.phase == after.phase, "merged and void are for good");
    for assistant in &before.assistants {
        prop_assert!(after.assistants.contains(assistant));
    }
    for promise in &before.promises {
        let kept = after.promises.iter().any(|other| other.callback == promise.callback);
        prop_assert!(kept, "a promise is never lost");
    }
    Ok(())
}

/// What holds of every case at every moment.
fn holds(name: &str, case: &CaseState, now: &Cases) -> Result<(), TestCaseError> {
    for person in [&case.handler, &case.accountable] {
        let known = STAFF.iter().chain(&HEADQUARTERS).any(|who| *person == employee(who));
        prop_assert!(known, "O9: a case without a responsible person");
        prop_assert!(!case.is_recused(person), "O12: {} is complained about", person);
    }
    if let Some(running) = &case.overriding {
        prop_assert!(!case.is_recused(&running.employee), "O12: {} overrides", running.employee);
    }
    if let Some(offer) = &case.offer {
        prop_assert!(!case.is_recused(&offer.from) && !case.is_recused(&offer.to), "O12: {:?}", offer);
    }
    prop_assert!(case.is_live() || !case.has_open_complaint(), "O8: {:?} with an open complaint", case.phase);
    prop_assert_eq!(
        case.clocks.len(),
        1 + usize::try_from(case.reopenings).unwrap(),
        "a clock for each reopening"
    );
    prop_assert!(
        case.is_live() || (case.offer.is_none() && case.overriding.is_none()),
        "what ends with the case"
    );
    let distinct: BTreeSet<&String> = case.assistants.iter().collect();
    prop_assert_eq!(distinct.len(), case.assistants.len(), "an assistant twice");
    let mut redirect = case;
    let mut steps = 0;
    while let Phase::Merged { into } = &redirect.phase {
        steps += 1;
        prop_assert!(steps <= now.len(), "{} leads in a circle", name);
        redirect = &now[into];
        prop_assert!(redirect.client.is_some());
    }
    Ok(())
}

async fn play(
    ground: &Ground,
    office: &Office,
    number: usize,
    happenings: &[Happening],
) -> Result<(), TestCaseError> {
    let mut play = Play { ground, office, number, cases: Vec::new() };
    let mut before = Cases::new();
    for happening in happenings {
        let accepted = play.happen(happening, &before).await?;
        let now = play.now().await;
        for (name, case) in &before {
            follows(case, &now[name])?;
        }
        if !accepted {
            prop_assert_eq!(&before, &now, "a refusal changes nothing");
        }
        for (name, case) in &now {
            holds(name, case, &now)?;
        }
        play.agrees(&now).await?;
        before = now;
    }
    Ok(())
}

#[test]
fn o1_to_o12_hold_under_any_sequence_of_what_happens() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (ground, office) = runtime.block_on(Ground::at(tuesday()));
    let config = Config { cases: 24, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let plays = Cell::new(0);
    let outcome = TestRunner::new(config).run(&prop::collection::vec(happening(), 1..60), |happenings| {
        plays.set(plays.get() + 1);
        runtime.block_on(play(&ground, &office, plays.get(), &happenings))
    });
    runtime.block_on(async { drop(office) });
    outcome.unwrap();
}
