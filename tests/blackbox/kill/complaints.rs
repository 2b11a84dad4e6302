//! Who complains, and who handles it while processes die: desks take complaints down and propose, the officer accepts, the lead approves, colleagues
//! verify; some clients are not satisfied at first, and everything is done a second time.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use shouwen_proto::{
    complaints::v1::GetComplaintRequest,
    events::v1::{ReplyKind, Severity},
    r#type::v1::{MeasuresFound, Satisfaction},
};
use shouwen_testkit::until;
use tokio::sync::{Mutex, mpsc};

use super::{
    callbacks::lease,
    caller::{Caller, INSISTS},
    desk,
    journal::Journal,
};
use crate::harness::{Suite, complaints, requests};

/// A handled complaint that waits for its verification.
pub(super) struct Complained {
    name: String,
    /// Who handles it.
    handler: String,
    /// Whom it is about.
    about: String,
}

/// The people who carry complaints through.
pub(super) struct Complaints<'a> {
    suite: &'a Suite,
    officer: Caller,
    lead: Caller,
    journal: &'a Journal,
}

impl<'a> Complaints<'a> {
    pub(super) fn new(suite: &'a Suite, journal: &'a Journal) -> Self {
        Self {
            suite,
            officer: Caller::new(suite, "employees/officer"),
            lead: Caller::new(suite, "employees/lead"),
            journal,
        }
    }

    /// A complaint on this case from its filing until it is handled once.
    pub(super) async fn taken_down(&self, case: &str, handler: String, about: String) -> Complained {
        let me = Caller::new(self.suite, &handler);
        let file = complaints::file(case, &[about.trim_start_matches("employees/")]);
        let filed = me.achieve("file", async |it| it.complaints().file_complaint(file.clone()).await).await;
        let name = filed.name;
        self.journal.note("filed", &name, case);
        let accept = complaints::accept(&name, Severity::Minor);
        let accepted = self
            .officer
            .achieve("accept", async |it| it.complaints().accept_complaint(accept.clone()).await)
            .await;
        self.journal.note("taken-up", &name, &accepted.number);
        let complained = Complained { name, handler, about };
        self.handled(&complained, 1).await;
        complained
    }

    /// One round, from the proposal to its being handled.
    async fn handled(&self, complained: &Complained, round: i32) {
        let (me, name) = (Caller::new(self.suite, &complained.handler), &complained.name);
        let note = |what: &str| self.journal.note(what, name, &round.to_string());
        let propose = complaints::propose(name, &["wang"]);
        let proposed =
            me.achieve("propose", async |it| it.complaints().propose_handling(propose.clone()).await).await;
        note("proposed");
        let approve = complaints::approve(&proposed);
        self.lead
            .achieve("approve", async |it| it.complaints().approve_proposal(approve.clone()).await)
            .await;
        note("approved");
        let reply = complaints::reply(name, ReplyKind::Outcome);
        me.achieve("reply", async |it| it.complaints().record_reply(reply.clone()).await).await;
        note("told");
        let measure = complaints::measure(name, 1);
        me.achieve("measure", async |it| it.complaints().record_measure(measure.clone()).await).await;
        note("measured");
        let handled = complaints::handled(name);
        me.achieve("handled", async |it| it.complaints().complete_handling(handled.clone()).await).await;
        note("handled");
    }

    /// A colleague calls back about one round (B7).
    async fn verified(&self, complained: &Complained, round: i32, satisfied: bool) {
        let colleague = (0..).map(|index| format!("employees/{}", desk::name(index)));
        let colleague = colleague.into_iter().find(|name| *name != complained.about).unwrap();
        let caller = Caller::new(self.suite, &colleague);
        let callback = complaints::verification("east", &complained.name, round);
        lease(&caller, &callback).await;
        self.journal.note("leased", &callback, &colleague);
        let overall = if satisfied { Satisfaction::Satisfied } else { Satisfaction::Dissatisfied };
        let request = requests::verify(&callback, overall, MeasuresFound::CarriedOut);
        caller.achieve("verify", async |it| it.callbacks().complete_callback(request.clone()).await).await;
        self.journal.note("verified", &callback, if satisfied { "satisfied" } else { "dissatisfied" });
    }

    /// Waits until the dissatisfied client's complaint goes on.
    async fn goes_on(&self, complained: &Complained) {
        let request = GetComplaintRequest { name: complained.name.clone() };
        until("the complaint goes on", INSISTS, async || {
            let get =
                self.lead.insist("read", async |it| it.complaints().get_complaint(request.clone()).await);
            get.await.ok().filter(|complaint| complaint.round == 2)
        })
        .await;
    }
}

/// Verifies handled complaints until no desk takes any down; a third of the clients must be asked twice.
pub(super) async fn verify(
    suite: &Suite,
    journal: &Journal,
    seed: u64,
    to_verify: &Mutex<mpsc::UnboundedReceiver<Complained>>,
) {
    let mut random = StdRng::seed_from_u64(seed);
    let people = Complaints::new(suite, journal);
    loop {
        let next = to_verify.lock().await.recv().await;
        let Some(complained) = next else { return };
        let satisfied = random.random_ratio(2, 3);
        people.verified(&complained, 1, satisfied).await;
        if !satisfied {
            people.goes_on(&complained).await;
            people.handled(&complained, 2).await;
            people.verified(&complained, 2, true).await;
        }
    }
}
