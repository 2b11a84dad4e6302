//! A callback on which commands are tried without a database.

use chrono::{DateTime, Utc};
use shouwen_callbacks::domain::{
    Callback, Command, Met, Rejection, Stage, Verification,
    command::{Cause, MissedCall, Schedule, Tried},
    evolve, schedule,
    talk::{Measures, Satisfaction, Talk},
    transitions,
};
use shouwen_policy::PolicyBook;
use shouwen_proto::events::v1::callbacks_event::Event;

/// Shanghai time, `2026-05-06T09:00`.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    format!("{text}:00+08:00").parse::<DateTime<chrono::FixedOffset>>().unwrap().to_utc()
}

/// A callback on which commands are tried, with the time they are tried at.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) callback: Callback,
    pub(crate) book: PolicyBook,
}

pub(crate) const ZHANG: &str = "employees/zhang";
pub(crate) const LI: &str = "employees/li";
/// Whom the complaints of these tests are about.
pub(crate) const WANG: &str = "employees/wang";

/// A complaint that is verified.
pub(crate) fn about(complaint: &str, round: i32, recused: &[&str]) -> Verification {
    let recused = recused.iter().map(|employee| (*employee).to_owned()).collect();
    Verification { complaint: complaint.parse().unwrap(), round, recused }
}

/// A call from a number of nobody who is known.
pub(crate) fn missed_call() -> Cause {
    Cause::MissedCall(MissedCall { call: "calls/c".into(), caller_key: vec![7], number_key: vec![7] })
}

impl Bench {
    pub(crate) fn begun(name: &str, cause: Cause, began: DateTime<Utc>) -> Self {
        let wanted = Schedule {
            name: name.parse().unwrap(),
            cause,
            branch: "branches/b1".into(),
            client: String::new(),
            phone: None,
            phone_masked: String::new(),
            subject: None,
        };
        let book = PolicyBook::standard();
        let scheduled = schedule::scheduled(&wanted, began, &book).unwrap();
        Self { callback: evolve::begun(&scheduled, began).unwrap(), book }
    }

    pub(crate) fn promised(agreed: &str, client_asked: bool) -> Self {
        let cause = Cause::Promise { agreed: at(agreed), client_asked };
        Self::begun("cases/1/callbacks/c", cause, at("2026-05-06T08:31"))
    }

    pub(crate) fn missed(began: &str) -> Self {
        Self::begun("branches/b1/callbacks/c", missed_call(), at(began))
    }

    /// A complaint about Wang, handled at a time.
    pub(crate) fn verification(handled: &str) -> Self {
        let cause = Cause::Verification(about("cases/1/complaints/c", 1, &[WANG]));
        Self::begun("branches/b1/callbacks/c-1", cause, at(handled))
    }

    /// A further call of the client is missed.
    pub(crate) fn join(&mut self, now: DateTime<Utc>, call: &str) -> Vec<Event> {
        let joined = schedule::coalesced(&self.callback, call, now, &self.book).unwrap();
        let event = Event::CallbackCoalesced(joined);
        evolve::apply(&mut self.callback, &event, now);
        vec![event]
    }

    pub(crate) fn after_hours(began: &str) -> Self {
        Self::begun("cases/1/callbacks/c", Cause::AfterHours, at(began))
    }

    /// Decides a command and applies what was decided.
    pub(crate) fn tell(&mut self, now: DateTime<Utc>, command: &Command) -> Result<Vec<Event>, Rejection> {
        // No other callback talks about its case.
        let talks = match &self.callback.stage {
            Stage::Completed(results) => results.number,
            _ => 0,
        };
        let events = transitions::decide(&self.callback, command, talks, now, now, &self.book)?;
        for event in &events {
            evolve::apply(&mut self.callback, event, now);
        }
        Ok(events)
    }

    pub(crate) fn lease(&mut self, now: DateTime<Utc>, employee: &str) -> Result<Vec<Event>, Rejection> {
        self.tell(now, &Command::Lease { callback: self.id(), employee: employee.into() })
    }

    pub(crate) fn attempt(
        &mut self,
        now: DateTime<Utc>,
        employee: &str,
        tried: Tried,
    ) -> Result<Vec<Event>, Rejection> {
        self.tell(now, &Command::RecordAttempt { callback: self.id(), employee: employee.into(), tried })
    }

    /// Leases at a time and fails to reach the client.
    pub(crate) fn try_in_vain(&mut self, now: &str) -> Vec<Event> {
        self.lease(at(now), ZHANG).unwrap();
        self.attempt(at(now), ZHANG, Tried::Unreached(Met::NoAnswer)).unwrap()
    }

    /// A lead sets the time of the next attempt.
    pub(crate) fn postponement(&self, not_before: &str) -> Command {
        Command::Postpone {
            callback: self.id(),
            employee: LI.into(),
            not_before: at(not_before),
            reason: "on holiday until then".into(),
        }
    }

    pub(crate) fn complete(&mut self, now: DateTime<Utc>, employee: &str) -> Result<Vec<Event>, Rejection> {
        let command = self.completion(employee);
        self.tell(now, &command)
    }

    /// The talk took place, and the client is content.
    pub(crate) fn completion(&self, employee: &str) -> Command {
        Command::Complete {
            callback: self.id(),
            case: self.callback.case().into(),
            employee: employee.into(),
            talk: self.talk(true),
            suggestions: None,
            answers: None,
        }
    }

    /// The recorded result was wrong.
    pub(crate) fn superseding(&self, employee: &str, solved: bool) -> Command {
        Command::Supersede {
            callback: self.id(),
            case: self.callback.case().into(),
            employee: employee.into(),
            talk: self.talk(solved),
            reason: "heard wrongly".into(),
        }
    }

    /// With everything that the kind asks for.
    pub(crate) fn talk(&self, solved: bool) -> Talk {
        Talk {
            solved,
            attitude: Some(Satisfaction::Satisfied),
            overall: Some(Satisfaction::Neutral),
            score: 9,
            charged: false,
            measures: self.callback.kind.verification().map(|_| Measures::CarriedOut),
        }
    }

    pub(crate) fn id(&self) -> shouwen_engine::AggregateId {
        self.callback.name.aggregate()
    }

    pub(crate) fn steps(&self) -> Vec<&'static str> {
        self.callback.deadlines().iter().map(|deadline| deadline.step).collect()
    }
}
