//! The gateways: what they remember of ownership, and how they pass one call on. A remembered reading may admit up to an age and never refuses; a
//! `STALE_EPOCH` is answered once by a fresh reading; who is not responsible gets the former result at most.

use crate::ownership::{Employee, Ownership, Set};
use crate::protocol::{CACHE_AGE, Flaw, TOO_OLD};

/// Whose the case is, as read some ticks ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reading {
    epoch: u8,
    acting: Set,
    age: u8,
}

/// One process of the edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Gateway {
    /// By how many ticks its clock is ahead of the slowest one.
    pub(crate) ahead: u8,
    remembered: Option<Reading>,
}

/// What a gateway tells a backend, signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Context {
    pub(crate) epoch: u8,
    /// True age of the reading it rests on, which a host's clock shows with that host's error.
    pub(crate) age: u8,
    pub(crate) replay: bool,
}

/// What a backend answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Done,
    Stale,
    NotAReplay,
}

/// One sending of a call. The network may lose it, delay it, deliver it twice and after others; so may the answer be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sending {
    pub(crate) context: Context,
    pub(crate) answer: Option<Answer>,
}

/// How one gateway passes one call on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Relay {
    /// The second one only after a `STALE_EPOCH`; the last may be a replay.
    pub(crate) sendings: [Option<Sending>; SENDINGS],
    /// It has answered the caller.
    pub(crate) over: bool,
}

/// How often one gateway sends one call at most: by what it remembers, after a fresh reading, for a replay.
pub(crate) const SENDINGS: usize = 2;

impl Gateway {
    pub(crate) fn new(ahead: u8) -> Self {
        Self { ahead, remembered: None }
    }

    pub(crate) fn remembers(&self) -> bool {
        self.remembered.is_some()
    }

    /// Reads ownership anew.
    pub(crate) fn read(&mut self, ownership: &Ownership) -> Reading {
        let reading = Reading { epoch: ownership.epoch, acting: ownership.acting(), age: 0 };
        self.remembered = Some(reading);
        reading
    }

    /// The context under which a call of the employee goes on, and whether it rests on what was remembered.
    pub(crate) fn judge(
        &mut self,
        by: Employee,
        ownership: &Ownership,
        fresh: bool,
        flaw: Option<Flaw>,
    ) -> (Context, bool) {
        let unbounded = matches!(flaw, Some(Flaw::UnboundedCache | Flaw::UndatedCache));
        let remembered = self.remembered.filter(|reading| {
            !fresh && reading.acting.contains(by) && (unbounded || reading.age <= CACHE_AGE)
        });
        let reading = remembered.unwrap_or_else(|| self.read(ownership));
        let age = if flaw == Some(Flaw::UndatedCache) { 0 } else { reading.age };
        let replay = !reading.acting.contains(by);
        (Context { epoch: reading.epoch, age, replay }, remembered.is_some())
    }

    pub(crate) fn tick(&mut self, flaw: Option<Flaw>) {
        self.remembered = self.remembered.and_then(|mut reading| {
            reading.age = (reading.age + 1).min(TOO_OLD);
            let unbounded = matches!(flaw, Some(Flaw::UnboundedCache | Flaw::UndatedCache));
            (unbounded || reading.age <= CACHE_AGE).then_some(reading)
        });
    }
}

impl Relay {
    pub(crate) fn begun(&self) -> bool {
        self.over || self.sendings[0].is_some()
    }

    /// What no backend takes any more and no gateway waits for is forgotten.
    pub(crate) fn tick(&mut self) {
        for slot in &mut self.sendings {
            if let Some(sending) = slot {
                sending.context.tick();
                if self.over && sending.context.age == TOO_OLD {
                    *slot = None;
                }
            }
        }
    }

    /// The number and the answer of the sending that the gateway waits for.
    pub(crate) fn heard(&self) -> Option<(usize, Answer)> {
        let last = self.sendings.iter().rposition(Option::is_some)?;
        let answer = self.sendings[last]?.answer?;
        (!self.over).then_some((last, answer))
    }

    pub(crate) fn send(&mut self, number: usize, context: Context) {
        self.sendings[number] = Some(Sending { context, answer: None });
    }
}

impl Context {
    pub(crate) fn tick(&mut self) {
        if !self.replay {
            self.age = (self.age + 1).min(TOO_OLD);
        }
    }
}
