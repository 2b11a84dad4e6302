//! Verifying who a client is (K11): factors are compared by their keys, and wrong answers lock the verification, whoever asks. The state lies in the
//! client's file, so that guesses made at once are counted one after the other.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_policy::{ClientsPolicy, PolicyBook};
use shouwen_proto::events::v1::{
    ClientDisclosed, IdentityFactor, VerificationAnswered, VerificationLocked, VerificationStarted,
    clients_event::Event,
};

use super::{client::Client, codec, factor::Factor, key::OpaqueKey, rejection::Rejection};

/// What is known about a client's verifications.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifications {
    /// The last one of each employee; what had expired when another began is forgotten.
    pub running: BTreeMap<String, Verification>,
    /// Wrong answers since the last verification that passed or the last lock.
    pub failures: u32,
    pub locked_until: Option<DateTime<Utc>>,
}

/// One employee's verification of the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    pub id: String,
    pub expires: DateTime<Utc>,
    /// Under which it began (P1).
    pub policy_version: String,
    pub matched: Vec<Factor>,
    pub failed: Vec<Factor>,
    /// Keys of the codes of securities that matched, one for each factor that asks for one.
    #[serde(default)]
    pub securities: Vec<OpaqueKey>,
    /// Enough factors have matched.
    pub passed: bool,
}

impl Verification {
    /// How many factors have matched; one code that was given for two of them counts once.
    pub fn counted(&self) -> usize {
        let codes: BTreeSet<&OpaqueKey> = self.securities.iter().collect();
        self.matched.len() + codes.len() - self.securities.len()
    }
}

impl Verifications {
    /// Until when nobody verifies this client, if that is so now.
    pub fn locked(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.locked_until.filter(|until| now < *until)
    }

    /// The employee's verification, unless it has expired.
    fn of(&self, employee: &str, now: DateTime<Utc>) -> Option<&Verification> {
        self.running.get(employee).filter(|running| now < running.expires)
    }

    /// Takes in an event about verifications.
    pub fn apply(&mut self, event: &Event, time: DateTime<Utc>) {
        match event {
            Event::VerificationStarted(started) => self.started(started, time),
            Event::VerificationAnswered(answered) => self.answered(answered),
            Event::VerificationLocked(locked) => {
                self.locked_until = codec::time(locked.until.as_ref());
                self.failures = 0;
            }
            _ => {}
        }
    }

    fn started(&mut self, started: &VerificationStarted, time: DateTime<Utc>) {
        self.running.retain(|_, running| time < running.expires);
        self.locked_until = self.locked(time);
        let begun = Verification {
            id: started.verification.clone(),
            expires: codec::time(started.expire_time.as_ref()).unwrap_or(time),
            policy_version: started.policy_version.clone(),
            matched: Vec::new(),
            failed: Vec::new(),
            securities: Vec::new(),
            passed: false,
        };
        self.running.insert(started.employee.clone(), begun);
    }

    fn answered(&mut self, answered: &VerificationAnswered) {
        let factor = Factor::of_message(IdentityFactor::try_from(answered.factor).unwrap_or_default());
        let running = self.running.values_mut().find(|running| running.id == answered.verification);
        if let (Some(running), Some(factor)) = (running, factor) {
            if answered.matched { &mut running.matched } else { &mut running.failed }.push(factor);
            running.securities.extend(OpaqueKey::of_bytes(&answered.security_key));
            running.passed = answered.passed;
        }
        if !answered.matched {
            self.failures = self.failures.saturating_add(1);
        } else if answered.passed {
            self.failures = 0;
        }
    }
}

/// Begins; what the employee had answered before is forgotten, the failures are not.
pub fn start(
    client: &Client,
    employee: &str,
    verification: &str,
    now: DateTime<Utc>,
    book: &PolicyBook,
) -> Result<Vec<Event>, Rejection> {
    unlocked(client, now)?;
    let policy = book.clients(Some(&client.branch), now);
    let expires = now.checked_add_signed(policy.value.verification_length()).unwrap_or(now);
    Ok(vec![Event::VerificationStarted(VerificationStarted {
        verification: verification.to_owned(),
        employee: employee.to_owned(),
        expire_time: codec::timestamp(expires),
        policy_version: policy.version.to_string(),
    })])
}

/// What an employee heard.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    pub employee: &'a str,
    pub verification: &'a str,
    pub factor: Factor,
    /// As it would be on file.
    pub key: &'a OpaqueKey,
    /// That of the code, whichever factor asks for it; `None` where the answer is no security.
    pub security: Option<OpaqueKey>,
}

/// Compares an answer with the file.
pub fn answer(
    client: &Client,
    answer: &Answer<'_>,
    now: DateTime<Utc>,
    book: &PolicyBook,
) -> Result<Vec<Event>, Rejection> {
    unlocked(client, now)?;
    let Answer { employee, verification, factor, key, security } = *answer;
    let running = client
        .verifications
        .of(employee, now)
        .filter(|running| running.id == verification)
        .ok_or(Rejection::VerificationNotStarted)?;
    if running.matched.contains(&factor) || running.failed.contains(&factor) {
        return Err(Rejection::FactorAnswered(factor));
    }
    let matched = matches(client, factor, key).ok_or(Rejection::FactorNotOnFile(factor))?;
    let policy = policy(&running.policy_version, book)?;
    let repeated = security.is_some_and(|code| running.securities.contains(&code));
    let count = running.counted() + usize::from(matched && !repeated);
    let passed = running.passed || missing(count, &policy) == 0;
    let mut events = vec![Event::VerificationAnswered(VerificationAnswered {
        verification: verification.to_owned(),
        factor: IdentityFactor::from(factor).into(),
        matched,
        passed,
        security_key: security.filter(|_| matched).map(|code| code.as_bytes().to_vec()).unwrap_or_default(),
    })];
    if !matched && client.verifications.failures + 1 >= policy.verification_failures {
        let until = now.checked_add_signed(policy.verification_lock()).unwrap_or(now);
        let until = codec::timestamp(until);
        events.push(Event::VerificationLocked(VerificationLocked { until }));
    }
    Ok(events)
}

/// The employee's verification that has passed and still holds. A lock by the guesses of others does not end it.
pub fn verified<'a>(
    client: &'a Client,
    employee: &str,
    now: DateTime<Utc>,
) -> Result<&'a Verification, Rejection> {
    if let Some(passed) = client.verifications.of(employee, now).filter(|running| running.passed) {
        return Ok(passed);
    }
    unlocked(client, now)?;
    Err(Rejection::IdentityNotVerified)
}

/// L10: shows the file in full to who has verified the identity.
pub fn disclose(
    client: &Client,
    employee: &str,
    purpose: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Event>, Rejection> {
    let passed = verified(client, employee, now)?;
    Ok(vec![Event::ClientDisclosed(ClientDisclosed {
        employee: employee.to_owned(),
        verification: passed.id.clone(),
        purpose: purpose.to_owned(),
    })])
}

/// How many factors are missing after `matched` ones.
pub fn missing(matched: usize, policy: &ClientsPolicy) -> u32 {
    policy.verification_factors.saturating_sub(u32::try_from(matched).unwrap_or(u32::MAX))
}

/// P1: a verification keeps the policy under which it began.
pub fn policy(version: &str, book: &PolicyBook) -> Result<ClientsPolicy, Rejection> {
    book.resolve_clients(version)
        .map(|effective| effective.value.clone())
        .map_err(|unknown| Rejection::PolicyUnknown(unknown.to_string()))
}

fn unlocked(client: &Client, now: DateTime<Utc>) -> Result<(), Rejection> {
    client.verifications.locked(now).map_or(Ok(()), |until| Err(Rejection::VerificationLocked(until)))
}

/// Whether the answer is on file; `None` where the file has no such value.
fn matches(client: &Client, factor: Factor, key: &OpaqueKey) -> Option<bool> {
    let keys = &client.keys;
    match factor {
        Factor::ReservedPhone => keys.phone.map(|known| known == *key),
        Factor::IdentityNumber => keys.identity_number.map(|known| known == *key),
        Factor::LastPurchase => keys.last_purchase.map(|known| known == *key),
        Factor::Holdings => (!keys.securities.is_empty()).then(|| keys.securities.contains(key)),
    }
}
