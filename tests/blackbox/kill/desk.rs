//! Who writes while processes die: desks that take contacts from the ring to the end, and diallers who call back.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrono::TimeDelta;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use shouwen_proto::{events::v1::CallOutcome, ownership::v1::AcceptOfferRequest, r#type::v1::Satisfaction};
use shouwen_runtime::clock::now;
use shouwen_testkit::until;
use tokio::sync::{Mutex, mpsc};
use tonic::{Code, Response, Status};

use super::journal::Journal;
use crate::harness::{Client, Refusal, Suite, id, requests};

/// How long a client insists. Two replicas that died one after the other are back long before.
const INSISTS: Duration = Duration::from_secs(60);
/// Promises lie so far ahead that one which took a few attempts is still made for the future.
const AHEAD: TimeDelta = TimeDelta::seconds(5);

/// The employee at a desk.
pub(super) fn name(index: usize) -> String {
    format!("desk-{index}")
}

/// A person or system that reaches the suite through either gateway.
#[derive(Clone)]
struct Caller([Client; 2]);

impl Caller {
    fn new(suite: &Suite, subject: &str) -> Self {
        Self([suite.subject_at(0, subject), suite.subject_at(1, subject)])
    }

    /// Repeats a call until it has an answer that is one: a result, or a refusal for good.
    async fn insist<T>(
        &self,
        what: &str,
        call: impl AsyncFn(Client) -> Result<Response<T>, Status>,
    ) -> Result<T, Refusal> {
        let mut attempt = 0;
        until(what, INSISTS, async || {
            let client = self.0[attempt % 2].clone();
            attempt += 1;
            match call(client).await {
                Ok(answer) => Some(Ok(answer.into_inner())),
                Err(status) => Refusal::of(&status).filter(|refusal| !is_passing(refusal)).map(Err),
            }
        })
        .await
    }
}

/// Whether the same request may be sent again.
fn is_passing(refusal: &Refusal) -> bool {
    matches!(
        refusal.code,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted
    ) || ["CONTENTION", "STALE_EPOCH"].contains(&&*refusal.reason)
}

/// A callback to be made, and by whom.
pub(super) type Promised = (String, String);

pub(super) struct Desk<'a> {
    index: usize,
    names: Vec<String>,
    telephony: Caller,
    people: Vec<Caller>,
    random: StdRng,
    journal: &'a Journal,
    promised: mpsc::UnboundedSender<Promised>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        suite: &Suite,
        index: usize,
        desks: usize,
        seed: u64,
        journal: &'a Journal,
        promised: mpsc::UnboundedSender<Promised>,
    ) -> Self {
        let names: Vec<String> = (0..desks).map(|desk| format!("employees/{}", name(desk))).collect();
        Self {
            index,
            people: names.iter().map(|name| Caller::new(suite, name)).collect(),
            names,
            telephony: Caller::new(suite, "serviceAccounts/telephony"),
            random: StdRng::seed_from_u64(seed.wrapping_add(index as u64)),
            journal,
            promised,
        }
    }

    /// Takes one contact after the other.
    pub(super) async fn work(mut self, stop: &AtomicBool) {
        let mut number = 0;
        while !stop.load(Ordering::SeqCst) {
            self.contact(&format!("kill-{}-{number}", self.index)).await;
            number += 1;
        }
    }

    async fn contact(&mut self, call: &str) {
        let request = requests::register(call);
        let registered =
            self.telephony.insist("register", async |it| it.calls().register_call(request.clone()).await);
        registered.await.unwrap();
        self.journal.note("registered", call, "-");

        let rival = (self.index + 1 + self.random.random_range(0..self.people.len() - 1)) % self.people.len();
        let (me, case) = self.answered(call, rival).await;
        let person = self.people[me].clone();
        let mut request = requests::record(call);
        request.inquiry_type = format!("mark-{}", self.random.random_range(0..1_000_000));
        let mark = request.inquiry_type.clone();
        person.insist("record", async |it| it.calls().record_call(request.clone()).await).await.unwrap();
        self.journal.note("recorded", call, &mark);

        let outcome = match self.random.random_range(0..3) {
            0 => CallOutcome::AnsweredClear,
            1 => {
                let callback = self.promise(call, &person).await;
                self.promised.send((callback, self.names[me].clone())).unwrap();
                CallOutcome::CallbackPromised
            }
            _ => {
                self.hand_over(&case, me).await;
                CallOutcome::AnswerOwed
            }
        };
        let request = requests::end(call, outcome);
        person.insist("end", async |it| it.calls().end_call(request.clone()).await).await.unwrap();
        self.journal.note("ended", call, outcome.as_str_name());
    }

    /// Two desks answer at once; returns who was first, and the case.
    async fn answered(&self, call: &str, rival: usize) -> (usize, String) {
        let answer = async |desk: usize| {
            let request = requests::answer(call);
            self.people[desk].insist("answer", async |it| it.calls().answer_call(request.clone()).await).await
        };
        let (winner, won, lost) = match tokio::join!(answer(self.index), answer(rival)) {
            (Ok(won), Err(lost)) => (self.index, won, lost),
            (Err(lost), Ok(won)) => (rival, won, lost),
            other => panic!("{call}: exactly one answers: {other:?}"),
        };
        assert_eq!(lost.kind(), (Code::AlreadyExists, "CONTACT_CLAIMED"), "{lost:?}");
        assert_eq!(lost.metadata["employee"], self.names[winner]);
        assert_eq!(won.employee, self.names[winner]);
        self.journal.note("answered", call, &format!("{} {}", won.employee, won.case));
        (winner, won.case)
    }

    async fn promise(&self, call: &str, person: &Caller) -> String {
        loop {
            let request = requests::promise(call, now() + AHEAD);
            let answer =
                person.insist("promise", async |it| it.calls().promise_callback(request.clone()).await).await;
            match answer {
                Ok(promised) => {
                    assert_eq!(promised.callbacks.len(), 1, "{call}");
                    self.journal.note("promised", call, &promised.callbacks[0]);
                    return promised.callbacks[0].clone();
                }
                // It took too long to get through; nothing was promised.
                Err(refusal) => assert_eq!(refusal.reason, "AGREED_TIME_PAST", "{refusal:?}"),
            }
        }
    }

    async fn hand_over(&mut self, case: &str, from: usize) {
        let to = (from + 1) % self.people.len();
        let request = requests::offer(case, &name(to));
        let offered = self.people[from]
            .insist("offer", async |it| it.cases().offer_transfer(request.clone()).await)
            .await
            .unwrap();
        let offer = offered.offer.unwrap().offer;
        self.journal.note("offered", case, &self.names[to]);
        if self.random.random_ratio(1, 3) {
            return;
        }
        let request = AcceptOfferRequest { name: case.to_owned(), offer, request_id: id() };
        let accepted =
            self.people[to].insist("accept", async |it| it.cases().accept_offer(request.clone()).await);
        accepted.await.unwrap();
        self.journal.note("accepted", case, &self.names[to]);
    }
}

/// Makes promised callbacks until no desk promises any more.
pub(super) async fn dial(
    suite: &Suite,
    journal: &Journal,
    to_dial: &Mutex<mpsc::UnboundedReceiver<Promised>>,
) {
    let mut random = StdRng::seed_from_u64(1);
    loop {
        let next = to_dial.lock().await.recv().await;
        let Some((callback, employee)) = next else { return };
        let caller = Caller::new(suite, &employee);
        lease(&caller, &callback).await;
        journal.note("leased", &callback, &employee);
        let mut request = requests::complete(&callback, Satisfaction::Satisfied);
        request.score = random.random_range(1..=10);
        let score = request.score.to_string();
        let completed =
            caller.insist("complete", async |it| it.callbacks().complete_callback(request.clone()).await);
        completed.await.unwrap();
        journal.note("completed", &callback, &score);
    }
}

/// Leases as soon as the callback has appeared and is due; always with the same request id.
async fn lease(caller: &Caller, callback: &str) {
    let request = requests::lease(callback);
    until("the callback can be leased", INSISTS, async || {
        let leased =
            caller.insist("lease", async |it| it.callbacks().lease_callback(request.clone()).await).await;
        match leased {
            Ok(_) => Some(()),
            Err(refusal) => {
                let waits = ["CALLBACK_NOT_FOUND", "TOO_EARLY"].contains(&&*refusal.reason);
                assert!(waits, "{refusal:?}");
                None
            }
        }
    })
    .await;
}
