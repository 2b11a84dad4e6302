//! Random sequences of absences, leaving, returning, offers, reopenings and complaints: whatever happens in whatever order, no open case is without a
//! responsible person at work (O9). Who is absent the test keeps count of by itself.

use std::{cell::Cell, collections::BTreeMap};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use shouwen_proto::{
    access::v1::Role,
    ownership::v1::{Case, CreateAbsenceRequest, Employee, case::State, roster_entry::Entry},
};
use shouwen_serving::timestamps::to_proto;

use crate::{
    absence::sudden,
    desk::{Answer, IntoEntry as _, colleague, employee},
    ground::{Ground, Office, tuesday},
};

/// Who comes and goes; the last two are leads. HQ is always there.
const STAFF: [&str; 5] = ["zhang", "li", "wang", "zhao", "qian"];

#[derive(Clone, Debug)]
enum Happening {
    Claim { who: usize },
    Offer { who: usize, case: usize, to: usize },
    Accept { who: usize, case: usize },
    Close { who: usize, case: usize },
    Reopen { case: usize },
    Complain { case: usize, about: usize },
    Absent { who: usize, deputy: usize, minutes: Option<i64>, only: Option<usize> },
    Back { who: usize },
    Change { who: usize, deputy: usize },
    Leave { who: usize },
    Return { who: usize },
    Reassign { from: usize, to: usize },
    Pass { minutes: i64 },
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let (who, case, minutes) = (0..STAFF.len(), 0..5_usize, 1..300_i64);
    let absent =
        (who.clone(), who.clone(), prop::option::of(minutes.clone()), prop::option::of(case.clone()));
    prop_oneof![
        4 => who.clone().prop_map(|who| Claim { who }),
        4 => (who.clone(), case.clone(), who.clone()).prop_map(|(who, case, to)| Offer { who, case, to }),
        4 => (who.clone(), case.clone()).prop_map(|(who, case)| Accept { who, case }),
        3 => (who.clone(), case.clone()).prop_map(|(who, case)| Close { who, case }),
        3 => case.clone().prop_map(|case| Reopen { case }),
        1 => (case, who.clone()).prop_map(|(case, about)| Complain { case, about }),
        8 => absent.prop_map(|(who, deputy, minutes, only)| Absent { who, deputy, minutes, only }),
        3 => who.clone().prop_map(|who| Back { who }),
        2 => (who.clone(), who.clone()).prop_map(|(who, deputy)| Change { who, deputy }),
        4 => who.clone().prop_map(|who| Leave { who }),
        2 => who.clone().prop_map(|who| Return { who }),
        3 => (who.clone(), who).prop_map(|(from, to)| Reassign { from, to }),
        3 => minutes.prop_map(|minutes| Pass { minutes }),
    ]
}

struct Play<'a> {
    office: &'a Office,
    /// Names of its cases, in order of opening.
    cases: Vec<String>,
    /// The running absence of each, and when it ends.
    absent: BTreeMap<usize, (String, Option<DateTime<Utc>>)>,
    gone: [bool; STAFF.len()],
}

/// Whether it was accepted; a refusal is an answer, anything else is not.
fn answered<T>(answer: Answer<T>) -> Result<Option<T>, TestCaseError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(refused) if ["INTERNAL", "CONTENTION", "OUTCOME_UNKNOWN"].contains(&&*refused.reason) => {
            Err(TestCaseError::fail(format!("{refused:?}")))
        }
        Err(_) => Ok(None),
    }
}

impl Play<'_> {
    fn case(&self, case: usize) -> String {
        let chosen = case.checked_rem(self.cases.len()).map(|index| self.cases[index].clone());
        chosen.unwrap_or_else(|| "cases/none".to_owned())
    }

    /// An employee's entry as it was, but for whether it is active; answers whether that was accepted.
    async fn save(&self, who: usize, active: bool) -> bool {
        let role = if who < 3 { Role::Staff } else { Role::Lead };
        let entry = Entry::Employee(Employee { active, ..colleague(STAFF[who], "b1", &[role]) });
        let saved = self.office.admin().import(vec![entry.into_entry()]).await.unwrap();
        saved.rejected.is_empty()
    }

    async fn happen(&mut self, happening: &Happening) -> Result<(), TestCaseError> {
        let office = self.office;
        let desk = |who: usize| office.desk(STAFF[who]);
        let now = office.here().await;
        match *happening {
            Happening::Claim { who } => {
                let contact = format!("call-{}", self.cases.len());
                let claimed = desk(who).claim_of(&contact, &format!("C-{}", self.cases.len())).await;
                self.cases.extend(answered(claimed)?.and_then(|claimed| claimed.case).map(|case| case.name));
            }
            Happening::Offer { who, case, to } => {
                answered(desk(who).offer(&self.case(case), STAFF[to]).await)?;
            }
            Happening::Accept { who, case } => {
                let case = self.case(case);
                let pending = desk(who).get(&case).await.ok().and_then(|case| case.offer);
                let offer = pending.map_or_else(|| "gone".to_owned(), |offer| offer.offer);
                answered(desk(who).accept(&case, &offer).await)?;
            }
            Happening::Close { who, case } => {
                answered(desk(who).confirm(&self.case(case), true).await)?;
            }
            Happening::Reopen { case } => {
                answered(office.desk("chen").reopen(&self.case(case)).await)?;
            }
            Happening::Complain { case, about } => {
                if !self.cases.is_empty() {
                    let complaint = format!("{}/complaints/{about}", self.case(case));
                    office.complaints().filed(now, &complaint, &[STAFF[about]]);
                    office.followed().await;
                }
            }
            Happening::Absent { who, deputy, minutes, only } => {
                let end = minutes.map(|minutes| now + TimeDelta::minutes(minutes));
                let whole =
                    CreateAbsenceRequest { end_time: end.map(to_proto), ..sudden(STAFF[who], STAFF[deputy]) };
                let request = match only {
                    Some(case) if !self.cases.is_empty() => {
                        let selected = crate::absence::selected(&self.case(case), "chen");
                        CreateAbsenceRequest { selected: vec![selected], ..whole }
                    }
                    _ => whole,
                };
                if let Some(absence) = answered(office.desk("chen").be_absent(request).await)? {
                    prop_assert!(!self.is_absent(who, now), "absent twice");
                    prop_assert!(!self.is_absent(deputy, now), "a deputy who is absent");
                    self.absent.insert(who, (absence.name, end));
                }
            }
            Happening::Back { who } => {
                if let Some((absence, _)) = self.absent.get(&who)
                    && answered(desk(who).be_back(absence).await)?.is_some()
                {
                    self.absent.remove(&who);
                }
            }
            Happening::Change { who, deputy } => {
                if let Some((absence, _)) = self.absent.get(&who) {
                    answered(office.desk("chen").change_deputy(absence, STAFF[deputy]).await)?;
                    // What was changed is carried on in rounds; until then who was named before deputises.
                    office.engine.sweep_once().await.unwrap();
                }
            }
            Happening::Leave { who } => self.gone[who] |= self.save(who, false).await,
            Happening::Return { who } => {
                prop_assert!(self.save(who, true).await);
                self.gone[who] = false;
            }
            Happening::Reassign { from, to } => {
                answered(office.desk("chen").reassign(STAFF[from], &[STAFF[to]], &[]).await)?;
            }
            Happening::Pass { minutes } => office.pass(TimeDelta::minutes(minutes)).await,
        }
        Ok(())
    }

    fn is_absent(&self, who: usize, now: DateTime<Utc>) -> bool {
        self.absent.get(&who).is_some_and(|(_, end)| end.is_none_or(|end| now < end))
    }

    /// Whether somebody of the roster is at work.
    fn at_work(&self, name: &str, now: DateTime<Utc>) -> bool {
        let known = STAFF.iter().position(|who| name == employee(who));
        known.is_none_or(|who| !self.gone[who] && !self.is_absent(who, now))
    }

    fn holds(&self, case: &Case, now: DateTime<Utc>) -> Result<(), TestCaseError> {
        let deputies: Vec<(&str, &str)> =
            case.deputies.iter().map(|deputy| (&*deputy.employee, &*deputy.of)).collect();
        if !matches!(case.state(), State::Open | State::AwaitingSatisfaction) {
            prop_assert!(deputies.is_empty(), "a deputy of what is not open: {:?}", case);
            return Ok(());
        }
        let responsible = [&*case.handler, &*case.accountable];
        for person in responsible {
            let acting: Vec<&str> =
                deputies.iter().filter(|(_, of)| *of == person).map(|(who, _)| *who).collect();
            let gone = STAFF.iter().zip(self.gone).any(|(who, gone)| gone && person == employee(who));
            prop_assert!(!gone, "{} has left an open case: {:?}", person, case);
            if self.at_work(person, now) {
                prop_assert!(acting.is_empty(), "{} is at work and has a deputy: {:?}", person, case);
            } else {
                prop_assert_eq!(acting.len(), 1, "nobody at work for {}: {:?}", person, case);
                prop_assert!(self.at_work(acting[0], now), "a deputy who is not at work: {:?}", case);
                prop_assert!(!case.recused.iter().any(|recused| recused == acting[0]), "O12: {:?}", case);
            }
        }
        prop_assert!(deputies.iter().all(|(_, of)| responsible.contains(of)), "of nobody: {:?}", case);
        Ok(())
    }
}

type Standing = (String, String, Vec<String>, i64);

/// Who may act on a case, and its epoch.
fn standing(case: &Case) -> Standing {
    let mut deputies: Vec<String> = case.deputies.iter().map(|deputy| deputy.employee.clone()).collect();
    deputies.sort();
    (case.handler.clone(), case.accountable.clone(), deputies, case.epoch)
}

async fn play(happenings: &[Happening]) -> Result<(), TestCaseError> {
    let (_ground, office) = Ground::at(tuesday()).await;
    let mut play =
        Play { office: &office, cases: Vec::new(), absent: BTreeMap::new(), gone: [false; STAFF.len()] };
    let mut before: BTreeMap<String, Standing> = BTreeMap::new();
    for happening in happenings {
        play.happen(happening).await?;
        let now = office.here().await;
        for name in &play.cases {
            let case = office.desk("auditor").get(name).await.unwrap();
            play.holds(&case, now)?;
            let after = standing(&case);
            if let Some(before) = before.get(name) {
                let same = (&before.0, &before.1, &before.2) == (&after.0, &after.1, &after.2);
                prop_assert!(after.3 >= before.3, "epochs rise");
                prop_assert!(same || after.3 > before.3, "with who may act: {:?} {:?}", before, after);
            }
            before.insert(name.clone(), after);
        }
    }
    Ok(())
}

#[test]
fn o9_no_open_case_is_without_a_responsible_person_at_work_under_any_sequence_of_what_happens() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 16, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let plays = Cell::new(0);
    let outcome = TestRunner::new(config).run(&prop::collection::vec(happening(), 1..50), |happenings| {
        plays.set(plays.get() + 1);
        runtime.block_on(play(&happenings))
    });
    outcome.unwrap_or_else(|failure| panic!("after {} plays: {failure}", plays.get()));
}
