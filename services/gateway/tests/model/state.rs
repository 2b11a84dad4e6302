//! What the checker tells apart: everything the protocol knows at a moment, what its properties ask about the past, and what may happen next.

use crate::backend::{Backend, Job, Store};
use crate::edge::{Answer, Gateway, Relay};
use crate::ownership::{Employee, Ownership, STAFF, Set, Step};
use crate::protocol::BOUND;

/// A call (a mutating one, with its request id) and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) by: Employee,
    pub(crate) to: usize,
    pub(crate) relays: [Relay; 2],
    pub(crate) acknowledged: bool,
    pub(crate) effects: u8,
}

/// How late the latest write came, after its author had lost the right to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lateness {
    #[default]
    Within,
    AtTheBound,
    Past,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) ownership: Ownership,
    /// How often the epoch may still rise.
    pub(crate) changes: u8,
    pub(crate) gateways: [Gateway; 2],
    pub(crate) backends: [Backend; 2],
    pub(crate) stores: [Store; 2],
    pub(crate) calls: Vec<Call>,
    pub(crate) history: History,
}

/// What properties ask about the past.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct History {
    /// Who has been handler in the current epoch.
    pub(crate) handlers: Set,
    /// Who may act changed within an epoch.
    pub(crate) unmarked: bool,
    /// Whose calls there are; nobody else's rights leave a trace.
    callers: Set,
    /// Ticks since each caller could act.
    lost: [u8; STAFF],
    pub(crate) lateness: Lateness,
    /// A backend took a write although it knew a newer epoch.
    pub(crate) known_better: bool,
    /// A gateway admitted somebody who had lost the right longer ago than what it remembers may count.
    pub(crate) admitted_late: bool,
}

/// What may happen. Losses are actions that never come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Tick,
    Own(Step),
    /// Somebody else's call makes the gateway read ownership.
    Read {
        gateway: usize,
    },
    /// The caller sends its call, or repeats it through the other gateway.
    Send {
        call: usize,
        gateway: usize,
    },
    /// A sending arrives, perhaps not for the first time.
    Arrive {
        call: usize,
        gateway: usize,
        sending: usize,
        backend: usize,
    },
    Lock {
        backend: usize,
    },
    Commit {
        backend: usize,
    },
    /// Ownership's feed brings the next epoch.
    Follow {
        store: usize,
    },
    /// The gateway hears the answer.
    Hear {
        call: usize,
        gateway: usize,
    },
}

impl State {
    /// A backend answers; the first answer to a sending counts.
    pub(crate) fn answer(&mut self, job: &Job, said: Answer) {
        if let Some(sending) = &mut self.calls[job.call].relays[job.gateway].sendings[job.sending] {
            sending.answer.get_or_insert(said);
        }
    }
}

impl History {
    /// Of a case as it begins, with the calls of these employees.
    pub(crate) fn of(ownership: &Ownership, callers: Set) -> Self {
        let mut history = Self {
            handlers: Set::of([ownership.handler]),
            unmarked: false,
            callers,
            lost: [BOUND + 1; STAFF],
            lateness: Lateness::Within,
            known_better: false,
            admitted_late: false,
        };
        history.note(ownership);
        history
    }

    /// Ticks since the caller could act; 0 for who can.
    pub(crate) fn lost(&self, caller: Employee) -> u8 {
        self.lost[caller]
    }

    pub(crate) fn stepped(&mut self, before: &Ownership, after: &Ownership) {
        if after.epoch == before.epoch {
            self.handlers = self.handlers.with(after.handler);
            self.unmarked |= after.acting() != before.acting();
        } else {
            self.handlers = Set::of([after.handler]);
        }
        self.note(after);
    }

    /// A backend took a write of the caller, under that epoch and although it knew this one.
    pub(crate) fn written(&mut self, caller: Employee, epoch: u8, known: u8) {
        let lateness = match self.lost(caller) {
            0..BOUND => Lateness::Within,
            BOUND => Lateness::AtTheBound,
            _ => Lateness::Past,
        };
        self.lateness = self.lateness.max(lateness);
        self.known_better |= known > epoch;
    }

    pub(crate) fn tick(&mut self, ownership: &Ownership) {
        for lost in &mut self.lost {
            *lost = (*lost + 1).min(BOUND + 1);
        }
        self.note(ownership);
    }

    fn note(&mut self, ownership: &Ownership) {
        let acting = ownership.acting();
        for (employee, lost) in self.lost.iter_mut().enumerate() {
            if acting.contains(employee) || !self.callers.contains(employee) {
                *lost = 0;
            }
        }
    }
}
