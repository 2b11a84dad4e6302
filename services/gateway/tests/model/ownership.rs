//! Ownership as it really stands: one case, the people who answer for it, and what may happen to both (O3, O4, O7, O8, O9). Each step is one batch of
//! the engine and therefore happens at once, whichever gateway it comes through.

use crate::protocol::Flaw;

/// A number of an employee.
pub(crate) type Employee = usize;

/// How many employees there are.
pub(crate) const STAFF: usize = 4;

/// Who answered the client (首问责任人) and is accountable at first.
pub(crate) const ANSWERER: Employee = 0;
/// Who handles the case at first.
pub(crate) const HANDLER: Employee = 1;
/// The lead of the branch (营业部主管).
pub(crate) const LEAD: Employee = 2;

/// A set of small numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Set(u8);

impl Set {
    pub(crate) fn of(members: impl IntoIterator<Item = usize>) -> Self {
        members.into_iter().fold(Self::default(), Self::with)
    }

    pub(crate) fn with(self, member: usize) -> Self {
        Self(self.0 | 1 << member)
    }

    pub(crate) fn contains(self, member: usize) -> bool {
        self.0 & 1 << member != 0
    }

    pub(crate) fn len(self) -> u32 {
        self.0.count_ones()
    }
}

/// Whether somebody is there at all. Presence in the narrow sense (a pause, a busy line) is none of ownership's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Presence {
    AtWork,
    /// Absence (离岗): the deputy's window is open. Only a broken protocol knows an absence without one.
    Away {
        deputy: Option<Employee>,
    },
    /// Left the firm.
    Gone,
}

/// The case and its people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ownership {
    pub(crate) live: bool,
    pub(crate) epoch: u8,
    pub(crate) handler: Employee,
    pub(crate) accountable: Employee,
    pub(crate) overriding: Option<Employee>,
    /// Whom the work is offered (O4).
    pub(crate) offer: Option<Employee>,
    pub(crate) staff: [Presence; STAFF],
}

/// What somebody does about the case or about their work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Offer {
        to: Employee,
    },
    Accept,
    /// Declined, withdrawn or expired, which may be at any moment: all leave the case where it was.
    EndOffer,
    BeginOverride,
    /// By who overrides, or by time.
    EndOverride,
    Leave {
        employee: Employee,
        deputy: Option<Employee>,
    },
    Return {
        employee: Employee,
    },
    Depart {
        employee: Employee,
    },
    Close,
    Reopen,
}

impl Ownership {
    /// The answerer has handed the case over to the handler; everybody is at work.
    pub(crate) fn handed_over() -> Self {
        Self {
            live: true,
            epoch: 1,
            handler: HANDLER,
            accountable: ANSWERER,
            overriding: None,
            offer: None,
            staff: [Presence::AtWork; STAFF],
        }
    }

    /// Who may decide on the case: handler, accountable person, their deputies, who overrides (O7).
    pub(crate) fn acting(&self) -> Set {
        let responsible = [self.handler, self.accountable];
        let deputies = responsible.iter().filter_map(|employee| self.deputy_of(*employee));
        Set::of(responsible.into_iter().chain(deputies).chain(self.overriding))
    }

    /// Whether the employee is at work, or a deputy who is.
    pub(crate) fn is_covered(&self, employee: Employee) -> bool {
        match self.staff[employee] {
            Presence::AtWork => true,
            Presence::Away { deputy } => deputy.is_some_and(|deputy| self.at_work(deputy)),
            Presence::Gone => false,
        }
    }

    pub(crate) fn at_work(&self, employee: Employee) -> bool {
        self.staff[employee] == Presence::AtWork
    }

    /// Whether a step changes who may act, and so raises the epoch.
    pub(crate) fn raises(&self, step: Step) -> bool {
        match step {
            Step::Accept | Step::BeginOverride | Step::EndOverride => true,
            // Of a case that is closed too: who was a deputy then must not act after it is reopened.
            Step::Leave { employee, .. } | Step::Return { employee } => self.is_responsible(employee),
            Step::Reopen => {
                [self.handler, self.accountable].iter().any(|who| self.staff[*who] == Presence::Gone)
            }
            // An override ends with its holder's right to it.
            Step::Depart { employee } => self.overriding == Some(employee),
            Step::Offer { .. } | Step::EndOffer | Step::Close => false,
        }
    }

    /// Every step that could be tried.
    pub(crate) fn steps() -> impl Iterator<Item = Step> {
        let fixed =
            [Step::Accept, Step::EndOffer, Step::BeginOverride, Step::EndOverride, Step::Close, Step::Reopen];
        let of_one = (0..STAFF).flat_map(|employee| {
            let deputies = std::iter::once(None).chain((0..STAFF).map(Some));
            deputies.map(move |deputy| Step::Leave { employee, deputy }).chain([
                Step::Offer { to: employee },
                Step::Return { employee },
                Step::Depart { employee },
            ])
        });
        fixed.into_iter().chain(of_one)
    }

    /// What a step leaves; `None` where it is refused.
    pub(crate) fn after(&self, step: Step, flaw: Option<Flaw>) -> Option<Self> {
        let mut next = self.clone();
        if self.raises(step) && !(step == Step::Accept && flaw == Some(Flaw::AcceptKeepsTheEpoch)) {
            next.epoch += 1;
        }
        let allowed = match step {
            Step::Offer { to } => {
                next.offer = Some(to);
                self.live && self.offer.is_none() && to != self.handler && self.at_work(to)
            }
            Step::Accept => {
                let to = next.offer.take()?;
                next.handler = to;
                self.at_work(to)
            }
            Step::EndOffer => next.offer.take().is_some(),
            Step::BeginOverride => {
                next.overriding = Some(LEAD);
                self.live && self.overriding.is_none() && self.at_work(LEAD)
            }
            Step::EndOverride => next.overriding.take().is_some(),
            Step::Leave { employee, deputy } => {
                next.staff[employee] = Presence::Away { deputy };
                let agreed = match deputy {
                    Some(deputy) => deputy != employee && self.at_work(deputy),
                    None => flaw == Some(Flaw::AbsenceWithoutDeputy),
                };
                let free = !self.is_deputy(employee) || flaw == Some(Flaw::DeputyOfDeputy);
                agreed && free && self.at_work(employee)
            }
            Step::Return { employee } => {
                let away = matches!(self.staff[employee], Presence::Away { .. });
                next.staff[employee] = Presence::AtWork;
                away
            }
            Step::Depart { employee } => {
                next.staff[employee] = Presence::Gone;
                next.overriding = self.overriding.filter(|overriding| *overriding != employee);
                let owes = self.live && self.is_responsible(employee);
                self.at_work(employee) && !owes && !self.is_deputy(employee)
            }
            Step::Close => {
                next.live = false;
                next.offer = None;
                self.live && self.overriding.is_none()
            }
            Step::Reopen => {
                next.live = true;
                for who in [&mut next.handler, &mut next.accountable] {
                    if self.staff[*who] == Presence::Gone {
                        *who = LEAD;
                    }
                }
                !self.live && self.staff[LEAD] != Presence::Gone
            }
        };
        allowed.then_some(next)
    }

    fn is_responsible(&self, employee: Employee) -> bool {
        self.handler == employee || self.accountable == employee
    }

    fn deputy_of(&self, employee: Employee) -> Option<Employee> {
        match self.staff[employee] {
            Presence::Away { deputy } => deputy,
            Presence::AtWork | Presence::Gone => None,
        }
    }

    fn is_deputy(&self, employee: Employee) -> bool {
        (0..STAFF).any(|other| self.deputy_of(other) == Some(employee))
    }
}
