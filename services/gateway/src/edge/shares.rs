//! How much each principal holds at once, and may hold at most: its share. Who holds nothing is not remembered.
//!
//! A principal is who authenticated. A service account says itself for whom it acts, so whatever it does for anybody counts as its own.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shouwen_access::{Failure, Principal};

/// Parts with a lock of their own, so that callers on different threads rarely wait for each other.
const PARTS: usize = 16;

/// What is held, by the hash of its principal. The hash is keyed, so nobody can choose a name to share a count with somebody else.
type Part = HashMap<u64, usize>;

/// The shares of one kind of thing, e.g. of streams.
pub(super) struct Shares {
    /// `None` for no bound.
    employees: Option<NonZeroUsize>,
    accounts: Option<NonZeroUsize>,
    taken: fn(&Principal, usize) -> Failure,
    hasher: RandomState,
    parts: [Mutex<Part>; PARTS],
}

/// One of what a principal holds, until it is dropped.
pub(super) struct Share {
    of: Arc<Shares>,
    key: u64,
}

impl Shares {
    /// With at most so many for an employee and for a service account (0 means no bound), and what a principal is told who holds as many.
    pub(super) fn new(
        employees: usize,
        accounts: usize,
        taken: fn(&Principal, usize) -> Failure,
    ) -> Arc<Self> {
        Arc::new(Self {
            employees: NonZeroUsize::new(employees),
            accounts: NonZeroUsize::new(accounts),
            taken,
            hasher: RandomState::new(),
            parts: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// One more for `principal`; `None` where it has no bound.
    pub(super) fn take(self: &Arc<Self>, principal: &Principal) -> Result<Option<Share>, Failure> {
        let limit = match principal {
            Principal::ServiceAccount(_) => self.accounts,
            Principal::Employee(_) | Principal::Service(_) => self.employees,
        };
        let Some(limit) = limit.map(NonZeroUsize::get) else { return Ok(None) };
        let key = self.hasher.hash_one(principal);
        if !self.add(key, limit) {
            return Err((self.taken)(principal, limit));
        }
        Ok(Some(Share { of: Arc::clone(self), key }))
    }

    /// Counts one more, unless there are as many as `limit`, which is not 0.
    fn add(&self, key: u64, limit: usize) -> bool {
        let mut part = self.part(key);
        let held = part.entry(key).or_default();
        let free = *held < limit;
        *held += usize::from(free);
        free
    }

    fn part(&self, key: u64) -> MutexGuard<'_, Part> {
        let [low, ..] = key.to_le_bytes();
        self.parts[usize::from(low) % PARTS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut part = self.of.part(self.key);
        if let Entry::Occupied(mut held) = part.entry(self.key) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn shares(employees: usize, accounts: usize) -> Arc<Shares> {
        Shares::new(employees, accounts, |principal, limit| {
            Failure::new(Code::ResourceExhausted, "TAKEN", format!("{principal} {limit}"), "")
        })
    }

    fn principal(name: &str) -> Principal {
        Principal::of_subject(name).unwrap()
    }

    /// How many principals are remembered.
    fn remembered(shares: &Shares) -> usize {
        shares.parts.iter().map(|part| part.lock().unwrap().len()).sum()
    }

    #[test]
    fn a_share_has_a_bound_and_what_is_given_back_can_be_taken_again() {
        let shares = shares(2, 3);
        for (name, limit) in [("employees/zhang", 2), ("employees/li", 2), ("serviceAccounts/crm", 3)] {
            let principal = principal(name);
            let mut held: Vec<_> = (0..limit).map(|_| shares.take(&principal).unwrap()).collect();
            assert!(held.iter().all(Option::is_some));
            let refused = shares.take(&principal).err().unwrap();
            assert_eq!(refused.message(shouwen_access::Language::En), format!("{name} {limit}"));
            held.pop();
            held.push(shares.take(&principal).unwrap());
            assert!(shares.take(&principal).is_err());
        }
    }

    #[test]
    fn who_holds_nothing_is_not_remembered() {
        let shares = shares(2, 2);
        let names: Vec<_> = (0..100).map(|number| principal(&format!("employees/e{number}"))).collect();
        let held: Vec<_> = names.iter().chain(&names).map(|name| shares.take(name).unwrap()).collect();
        assert!(names.iter().all(|name| shares.take(name).is_err()));
        assert_eq!(remembered(&shares), 100);
        drop(held);
        assert_eq!(remembered(&shares), 0);
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let shares = shares(0, 1);
        let held: Vec<_> = (0..1_000).map(|_| shares.take(&principal("employees/zhang")).unwrap()).collect();
        assert!(held.iter().all(Option::is_none));
        assert_eq!(remembered(&shares), 0);
    }
}
