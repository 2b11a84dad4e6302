//! A case while a command is decided on it: its state as of the command's moment, and the events decided so far.
//!
//! What has run out by that moment counts as over even before a sweep has come by, so whether an offer, an override or a limit still stands is a matter
//! of time alone. Each event is folded in at once: epochs follow from it.

use std::{borrow::Cow, ops::Deref};

use chrono::{DateTime, Utc};
use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::{
    events::v1::{
        AccountabilityMoved, AssistantAdded, CaseAbsorbed, CaseClosed, CaseMerged, CaseOpened, CaseReopened,
        CaseResolved, CaseVoided, ClientHeard, CloseKind, ContactJoined, DeputyAppointed, DeputyEnded,
        LimitMoved, MessageReturned, OfferMade, OfferWithdrawn, OverrideEnded, PromiseNoted,
        ownership_event::Event,
    },
    r#type::v1::Private,
};
use shouwen_serving::timestamps::to_proto;

use super::{
    Snapshot, State,
    attendance::Attendance,
    case::{self, CaseState, Clock, Deputy},
    deadlines, evolve, message, recusal,
    rejection::{Rejection, Responsible},
};

/// A case and what has been decided about it.
pub(super) struct Draft<'a> {
    pub(super) id: AggregateId,
    /// Version before the command; 1 means that nothing has happened since it was opened.
    pub(super) version: i64,
    at: DateTime<Utc>,
    /// When that was said or done which is decided on; the command's moment, unless it tells of something earlier.
    said: DateTime<Utc>,
    attendance: Attendance,
    state: Cow<'a, CaseState>,
    events: Vec<Event>,
    /// How many of the events only say what has changed by itself.
    passed: usize,
}

impl Deref for Draft<'_> {
    type Target = CaseState;

    fn deref(&self) -> &CaseState {
        &self.state
    }
}

impl<'a> Draft<'a> {
    /// The case as it stands at the command's moment. `CaseNotFound` for a name that is not known.
    pub(super) fn of(
        world: &World<'a, State>,
        id: &AggregateId,
        context: &DecideContext<'_>,
        snapshot: &Snapshot,
    ) -> Result<Self, Refusal<Rejection>> {
        let mut draft = Self {
            id: id.clone(),
            version: world.version(id),
            at: context.at,
            said: context.at,
            attendance: Attendance::at(snapshot, context.now),
            state: Cow::Borrowed(case::find(world, id)?),
            events: Vec::new(),
            passed: 0,
        };
        while let Some(step) = deadlines::passed(&draft.state, context.at, snapshot.mutants) {
            let events = deadlines::events(&draft.state, step, snapshot);
            if events.is_empty() {
                break;
            }
            for event in events {
                draft.then(event);
            }
        }
        draft.attend();
        draft.passed = draft.events.len();
        Ok(draft)
    }

    /// A case that a decision opens.
    pub(super) fn opened(
        id: &AggregateId,
        opened: CaseOpened,
        context: &DecideContext<'_>,
        snapshot: &Snapshot,
    ) -> Self {
        Self {
            id: id.clone(),
            version: 0,
            at: context.at,
            said: context.at,
            attendance: Attendance::at(snapshot, context.now),
            state: Cow::Owned(evolve::opened(&opened, context.at)),
            events: vec![Event::CaseOpened(opened)],
            passed: 0,
        }
    }

    /// Decides an event.
    pub(super) fn then(&mut self, event: Event) {
        evolve::case_after(self.state.to_mut(), &event, self.at);
        self.events.push(event);
    }

    /// What was decided, and who deputises after it (O9). Where nothing else was decided, sweeps and rounds say what has changed by itself.
    pub(super) fn events(self) -> impl Iterator<Item = (AggregateId, Event)> {
        let decided = self.events.len() > self.passed;
        self.attended().filter(move |_| decided)
    }

    /// Whatever there is to say, also where only those who are at work have changed.
    pub(super) fn attended(mut self) -> impl Iterator<Item = (AggregateId, Event)> {
        self.attend();
        let Self { id, events, .. } = self;
        events.into_iter().map(move |event| (id.clone(), event))
    }

    /// O7, O9: whom the roster does not let override any more overrides no longer, who has left answers for it no longer, and whoever is absent has a
    /// deputy. What is not open has none.
    fn attend(&mut self) {
        let mut expected = Vec::new();
        if self.is_live() {
            let may = |employee: &str| self.attendance.may_override(employee, &self.branch);
            if self.overriding.as_ref().is_some_and(|running| !may(&running.employee)) {
                self.end_override("not_entitled");
            }
            self.succeed();
            expected = self.attendance.deputies(&self.id.0, &self.state);
        }
        let over: Vec<Deputy> =
            self.deputies.iter().filter(|deputy| !expected.contains(deputy)).cloned().collect();
        for deputy in over {
            self.end(deputy);
        }
        for deputy in expected {
            if !self.deputies.contains(&deputy) {
                let Deputy { employee, of, absence, until, revision } = deputy;
                let (until, epoch) = (until.map(to_proto), self.epoch + 1);
                let appointed = DeputyAppointed { employee, of, absence, until, epoch, revision };
                self.then(Event::DeputyAppointed(appointed));
            }
        }
    }

    /// Who has left the firm is followed by a lead; the first responder stays a fact of history (O1).
    fn succeed(&mut self) {
        let (accountable, handler) = self.attendance.succession(&self.state);
        if accountable == self.accountable && handler == self.handler {
            return;
        }
        let moved = AccountabilityMoved {
            from: self.accountable.clone(),
            accountable,
            handler,
            reason: "left".to_owned(),
            complaint: String::new(),
            epoch: self.epoch + 1,
        };
        self.then(Event::AccountabilityMoved(moved));
    }

    /// The running override, if any, is over (O7): why, where it is neither its holder's word nor its time.
    pub(super) fn end_override(&mut self, reason: &str) {
        if let Some(running) = &self.overriding {
            let ended = OverrideEnded {
                employee: running.employee.clone(),
                epoch: self.epoch + 1,
                expired: false,
                reason: reason.to_owned(),
            };
            self.then(Event::OverrideEnded(ended));
        }
    }

    fn end(&mut self, deputy: Deputy) {
        let Deputy { employee, of, absence, .. } = deputy;
        let epoch = self.epoch + 1;
        self.then(Event::DeputyEnded(DeputyEnded { employee, of, absence, epoch }));
    }

    /// Who answers for the case in place of somebody who cannot any more.
    pub(super) fn successor(&self) -> Option<String> {
        self.attendance.successor(&self.state)
    }

    /// What was decided, with this case as the answer.
    pub(super) fn decided(self) -> Decision<Event> {
        let primary = self.id.clone();
        Decision { events: self.events().collect(), counters: Vec::new(), primary }
    }

    pub(super) fn responsible(&self) -> Responsible {
        self.state.responsible(&self.id)
    }

    /// The refusal of an action that does not fit the phase.
    pub(super) fn illegal(&self, action: &'static str) -> Refusal<Rejection> {
        self.state.illegal(&self.id, action).into()
    }

    /// Who answers a later contact assists, unless responsible anyway (O6).
    pub(super) fn joined(&mut self, employee: &str, contact: &AggregateId) {
        if self.needs_no_help_of(employee) {
            let (contact, case) = (contact.0.clone(), self.id.0.clone());
            self.then(Event::ContactJoined(ContactJoined { contact, case, employee: employee.to_owned() }));
        } else {
            let added = AssistantAdded { employee: employee.to_owned(), contact: contact.0.clone() };
            self.then(Event::AssistantAdded(added));
        }
    }

    /// Who takes a call over assists by it, unless responsible anyway (K5, O6).
    pub(super) fn helped_by(&mut self, employee: &str, contact: &str) {
        let (employee, contact) = (employee.to_owned(), contact.to_owned());
        if !self.needs_no_help_of(&employee) {
            self.then(Event::AssistantAdded(AssistantAdded { employee, contact }));
        } else if self.accountable != employee && !self.is_helped(&employee, &contact) {
            let case = self.id.0.clone();
            self.then(Event::ContactJoined(ContactJoined { contact, case, employee }));
        }
    }

    /// What is decided on was said at another time than the command's.
    pub(super) fn said_at(&mut self, said: DateTime<Utc>) {
        self.said = said;
    }

    /// Whether what is decided on says nothing about where the case stands: the client has said something else since.
    pub(super) fn is_late(&self, satisfied: bool) -> bool {
        self.is_overtaken(satisfied, self.said)
    }

    /// What the client said leaves the case as it is, and stands all the same against what they said before it (B5).
    pub(super) fn hear(&mut self) {
        if self.heard.is_none_or(|heard| heard < self.said) {
            let said_time = Some(to_proto(self.said));
            self.then(Event::ClientHeard(ClientHeard { said_time }));
        }
    }

    /// Answers the case.
    pub(super) fn resolve(&mut self, answer: Option<Private>) {
        let answer_time = Some(to_proto(self.said));
        self.then(Event::CaseResolved(CaseResolved { answer, answer_time }));
    }

    /// Closes the case.
    pub(super) fn close(&mut self, kind: CloseKind, reason: &str) {
        self.settle();
        let said_time = Some(to_proto(self.said));
        self.then(Event::CaseClosed(CaseClosed { kind: kind.into(), reason: reason.to_owned(), said_time }));
    }

    /// The contact held no concern.
    pub(super) fn void(&mut self, reason: &str) {
        self.settle();
        let epoch = self.epoch + 1;
        self.then(Event::CaseVoided(CaseVoided { reason: reason.to_owned(), epoch }));
    }

    /// Takes the case up again, with a new clock beside the original one (O8).
    pub(super) fn reopen(&mut self, context: &DecideContext<'_>, snapshot: &Snapshot, reason: &str) {
        let clock = case::clock(snapshot, &self.policy, context.at, context.now);
        self.then(Event::CaseReopened(CaseReopened {
            reason: reason.to_owned(),
            answer_due: Some(to_proto(clock.due)),
            provisional: clock.provisional,
            calendar_version: clock.calendar,
            answer_from: Some(to_proto(clock.started)),
            said_time: Some(to_proto(self.said)),
        }));
    }

    /// Takes another case in, which becomes a redirect to this one: who answered there assists here, what was promised there is owed here, a message that
    /// waits there waits here or comes back, and what was complained about there hangs under this one. Answers the limit that ran there.
    pub(super) fn absorb(&mut self, other: &mut Draft<'_>) -> Option<Clock> {
        let limit = other.running_clock().cloned();
        let message = message::waiting(other);
        let back = message::back(&other.id, other);
        other.settle();
        let epoch = other.epoch + 1;
        other.then(Event::CaseMerged(CaseMerged { into: self.id.0.clone(), epoch }));
        let (case, contact) = (other.id.0.clone(), other.contact.clone());
        let answered = &other.first_responder;
        let assistant = if self.needs_no_help_of(answered) { String::new() } else { answered.clone() };
        let said_time = other.heard.map(to_proto);
        self.then(Event::CaseAbsorbed(CaseAbsorbed { case, assistant, contact, said_time }));
        self.helped_by(answered, &other.contact);
        let (handler, others) =
            (std::iter::once(&other.handler), other.assistants.iter().chain(&other.answered));
        for employee in handler.chain(others) {
            for contact in other.helps_by(employee) {
                self.helped_by(employee, &contact);
            }
        }
        for promise in other.promises.iter().filter(|promise| !promise.settled) {
            self.then(Event::PromiseNoted(PromiseNoted {
                callback: promise.callback.clone(),
                kind: promise.kind,
                due: Some(to_proto(promise.due)),
            }));
        }
        for complaint in other.complaints.iter().filter(|complaint| complaint.open) {
            recusal::open(self, &complaint.name, &complaint.recused, &complaint.unit);
        }
        self.pass_on(&other.id, message, back);
        limit
    }

    /// The message of a case that is absorbed waits here. Where it cannot, it has come to nothing like an offer that expired (O4): whoever took it is
    /// responsible for it still (K13), and told, as of those that had come back before.
    fn pass_on(&mut self, from: &AggregateId, message: Option<OfferMade>, mut back: Vec<MessageReturned>) {
        match message {
            Some(waiting) if self.takes(&waiting) => self.then(Event::OfferMade(waiting)),
            Some(waiting) => {
                back.push(MessageReturned { case: from.0.clone(), offer: waiting.offer, to: waiting.from });
            }
            None => {}
        }
        for mut message in back {
            if self.is_recused(&message.to) {
                message.to.clear();
            }
            self.then(Event::MessageReturned(message));
        }
    }

    /// Whether the message of a case that is absorbed can wait here. In the place of one that is back it would make that one neither told nor read any more.
    fn takes(&self, offer: &OfferMade) -> bool {
        self.offer.is_none()
            && message::own_back(self).is_none()
            && !self.is_recused(&offer.from)
            && !self.is_recused(&offer.to)
    }

    fn needs_no_help_of(&self, employee: &str) -> bool {
        self.may_decide(employee) || self.assistants.iter().any(|known| known == employee)
    }

    /// Goes on with the limit of a case that was absorbed, if that is the earlier one (O8, K15).
    pub(super) fn keep(&mut self, limit: Option<Clock>) {
        let (Some(theirs), Some(ours)) = (limit, self.running_clock()) else { return };
        if !ours.missed && theirs.due < ours.due {
            self.then(Event::LimitMoved(LimitMoved {
                due: Some(to_proto(theirs.due)),
                provisional: theirs.provisional,
                calendar_version: theirs.calendar,
                answer_from: Some(to_proto(theirs.started)),
            }));
        }
    }

    /// What ends with the case: a pending offer is withdrawn, a running override is over, and so is every deputy's power.
    fn settle(&mut self) {
        if let Some(offer) = &self.offer {
            let withdrawn = OfferWithdrawn { offer: offer.id.clone() };
            self.then(Event::OfferWithdrawn(withdrawn));
        }
        self.end_override("case_ended");
        for deputy in self.deputies.clone() {
            self.end(deputy);
        }
    }
}
