//! The whole as a state machine: ownership, two gateways, two backends, their clocks and the network between them. Times are ages that stop growing
//! where they make no difference any more, so time has no end in the model; what is bounded is what people do.

use stateright::{Model, Property};

use crate::backend::{Backend, Batch, Job, Store};
use crate::edge::{Answer, Gateway, Relay};
use crate::ownership::{Employee, Ownership, Set, Step};
use crate::properties;
use crate::state::{Action, Call, History, State};

/// Up to which age a remembered reading admits, in ticks.
pub(crate) const CACHE_AGE: u8 = 1;
/// Up to which age a backend takes a context.
pub(crate) const CONTEXT_AGE: u8 = 2;
/// By how much two clocks differ at most.
pub(crate) const SKEW: u8 = 1;
/// How long a batch lives under its locks.
pub(crate) const WRITE_TIMEOUT: u8 = 1;
/// The stated bound: how long after the loss of a right its last write may be accepted.
pub(crate) const BOUND: u8 = CONTEXT_AGE + SKEW + WRITE_TIMEOUT;
/// An age at which no clock takes a context any more.
pub(crate) const TOO_OLD: u8 = CONTEXT_AGE + SKEW + 1;

/// One mechanism left out or turned wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Backends look neither at the epoch nor at the age.
    NoFence,
    /// Gateways admit by readings of any age; contexts still say how old the reading is.
    UnboundedCache,
    /// Gateways admit by readings of any age and do not know it: contexts are dated by their signing.
    UndatedCache,
    /// The age is looked at when a call arrives, and not again under the fence's lock.
    AgeOnArrivalOnly,
    /// Raising a fence does not wait for batches that share-lock it.
    RaiseDoesNotWait,
    /// Request rows are not looked at.
    ForgetsRequests,
    AcceptKeepsTheEpoch,
    AbsenceWithoutDeputy,
    /// A deputy may leave by naming a deputy.
    DeputyOfDeputy,
}

/// What is checked: the protocol, or one with a flaw, and how much happens in it.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) flaw: Option<Flaw>,
    /// Which steps are tried.
    pub(crate) steps: fn(Step) -> bool,
    /// How often the epoch may rise.
    pub(crate) changes: u8,
    /// Calls, each by an employee to a backend.
    pub(crate) calls: Vec<(Employee, usize)>,
    /// Callers repeat their calls through the other gateway.
    pub(crate) repeats: bool,
    /// Others' calls make gateways read ownership too.
    pub(crate) reads: bool,
    /// The backends are two replicas over one schema, instead of two services.
    pub(crate) replicas: bool,
    /// Settings of the clocks: by how much those of the gateways, then those of the backends are ahead.
    pub(crate) clocks: &'static [[u8; 4]],
    /// What must be reachable.
    pub(crate) aims: fn() -> Vec<Property<Self>>,
}

impl Protocol {
    fn store_of(&self, backend: usize) -> usize {
        if self.replicas { 0 } else { backend }
    }

    fn share_locked(&self, state: &State, store: usize) -> bool {
        self.flaw != Some(Flaw::RaiseDoesNotWait)
            && (0..2).any(|backend| self.store_of(backend) == store && state.backends[backend].holds_fence())
    }

    fn request_locked(&self, state: &State, store: usize, call: usize) -> bool {
        (0..2).any(|backend| self.store_of(backend) == store && state.backends[backend].holds_request(call))
    }

    fn own(&self, state: &mut State, step: Step) -> Option<()> {
        let before = &state.ownership;
        let after = before.after(step, self.flaw)?;
        if before.raises(step) {
            state.changes = state.changes.checked_sub(1)?;
        }
        state.history.stepped(before, &after);
        state.ownership = after;
        Some(())
    }

    fn send(&self, state: &mut State, call: usize, gateway: usize, sending: usize) {
        let by = state.calls[call].by;
        let (context, remembered) =
            state.gateways[gateway].judge(by, &state.ownership, sending > 0, self.flaw);
        state.history.admitted_late |= remembered && state.history.lost(by) > CACHE_AGE;
        state.calls[call].relays[gateway].send(sending, context);
    }

    fn arrive(&self, state: &mut State, job: Job, backend: usize) -> Option<()> {
        let store = self.store_of(backend);
        if job.context.replay {
            // Inserting the request key waits for an attempt under way.
            let waits = self.request_locked(state, store, job.call);
            let done = state.stores[store].done.contains(job.call);
            state.answer(&job, if done { Answer::Done } else { Answer::NotAReplay });
            return (!waits).then_some(());
        }
        if state.backends[backend].batch != Batch::Idle {
            return None;
        }
        if self.flaw == Some(Flaw::AgeOnArrivalOnly) && !state.backends[backend].is_fresh(&job) {
            state.answer(&job, Answer::Stale);
            return Some(());
        }
        if state.stores[store].fence < job.context.epoch {
            if self.share_locked(state, store) {
                return None;
            }
            state.stores[store].fence = job.context.epoch;
        }
        state.backends[backend].batch = Batch::Queued(job);
        Some(())
    }

    fn lock(&self, state: &mut State, backend: usize) -> Option<()> {
        let Batch::Queued(job) = state.backends[backend].batch else { return None };
        let store = self.store_of(backend);
        if self.request_locked(state, store, job.call) {
            return None;
        }
        let refused = state.backends[backend].check(&job, state.stores[store], self.flaw);
        state.backends[backend].batch = match refused {
            Some(_) => Batch::Idle,
            None => Batch::Locked { job, held: 0 },
        };
        if let Some(said) = refused {
            state.answer(&job, said);
        }
        Some(())
    }

    fn commit(&self, state: &mut State, backend: usize) -> Option<()> {
        let Batch::Locked { job, .. } = state.backends[backend].batch else { return None };
        state.backends[backend].batch = Batch::Idle;
        let store = &mut state.stores[self.store_of(backend)];
        store.done = store.done.with(job.call);
        let written = &mut state.calls[job.call];
        written.effects = (written.effects + 1).min(2);
        let (by, known) = (written.by, store.fence);
        state.history.written(by, job.context.epoch, known);
        state.answer(&job, Answer::Done);
        Some(())
    }

    fn hear(&self, state: &mut State, call: usize, gateway: usize) -> Option<()> {
        let (sending, said) = state.calls[call].relays[gateway].heard()?;
        if said == Answer::Stale && sending == 0 {
            self.send(state, call, gateway, 1);
            return Some(());
        }
        let call = &mut state.calls[call];
        call.relays[gateway].over = true;
        call.acknowledged |= said == Answer::Done;
        Some(())
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let ownership = Ownership::handed_over();
        let callers = Set::of(self.calls.iter().map(|&(by, _)| by));
        let calls: Vec<Call> = self
            .calls
            .iter()
            .map(|&(by, to)| Call {
                by,
                to,
                relays: <[Relay; 2]>::default(),
                acknowledged: false,
                effects: 0,
            })
            .collect();
        let clocks = self.clocks.iter();
        clocks
            .map(|[left, right, first, second]| State {
                ownership: ownership.clone(),
                changes: self.changes,
                gateways: [Gateway::new(*left), Gateway::new(*right)],
                backends: [Backend::new(*first), Backend::new(*second)],
                stores: [Store::default(); 2],
                calls: calls.clone(),
                history: History::of(&ownership, callers),
            })
            .collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.push(Action::Tick);
        actions.extend(Ownership::steps().filter(|step| (self.steps)(*step)).map(Action::Own));
        for place in 0..2 {
            actions.extend([Action::Lock { backend: place }, Action::Commit { backend: place }]);
            if self.calls.is_empty() {
                continue;
            }
            if self.reads && !state.gateways[place].remembers() {
                actions.push(Action::Read { gateway: place });
            }
            if self.calls.iter().any(|&(_, backend)| self.store_of(backend) == place) {
                actions.push(Action::Follow { store: place });
            }
        }
        for (number, call) in state.calls.iter().enumerate() {
            for (gateway, relay) in call.relays.iter().enumerate() {
                let begun = call.relays.iter().any(Relay::begun);
                if !relay.begun() && !call.acknowledged && (self.repeats || !begun) {
                    actions.push(Action::Send { call: number, gateway });
                }
                actions.push(Action::Hear { call: number, gateway });
                for sending in 0..relay.sendings.len() {
                    for backend in 0..2 {
                        if relay.sendings[sending].is_some() && (self.replicas || backend == call.to) {
                            actions.push(Action::Arrive { call: number, gateway, sending, backend });
                        }
                    }
                }
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => {
                state.history.tick(&state.ownership);
                state.gateways.iter_mut().for_each(|gateway| gateway.tick(self.flaw));
                state.backends.iter_mut().for_each(Backend::tick);
                let relays = state.calls.iter_mut().flat_map(|call| &mut call.relays);
                relays.for_each(Relay::tick);
            }
            Action::Own(step) => self.own(&mut state, step)?,
            Action::Read { gateway } => {
                state.gateways[gateway].read(&state.ownership);
            }
            Action::Send { call, gateway } => self.send(&mut state, call, gateway, 0),
            Action::Arrive { call, gateway, sending, backend } => {
                let context = state.calls[call].relays[gateway].sendings[sending]?.context;
                let dated_ahead = state.gateways[gateway].ahead;
                self.arrive(&mut state, Job { call, gateway, sending, context, dated_ahead }, backend)?;
            }
            Action::Lock { backend } => self.lock(&mut state, backend)?,
            Action::Commit { backend } => self.commit(&mut state, backend)?,
            Action::Follow { store } => {
                if state.stores[store].fence >= state.ownership.epoch || self.share_locked(&state, store) {
                    return None;
                }
                state.stores[store].fence += 1;
            }
            Action::Hear { call, gateway } => self.hear(&mut state, call, gateway)?,
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::always().into_iter().chain((self.aims)()).collect()
    }
}
