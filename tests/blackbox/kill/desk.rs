//! Who writes while processes die: desks that take contacts from the ring to the end, enter clients, hand over, promise, and take complaints down.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use shouwen_proto::{
    clients::v1::{
        AnswerVerificationRequest, GetFullClientRequest, SaveClientRequest, StartVerificationRequest,
    },
    events::v1::{CallOutcome, IdentityFactor},
    ownership::v1::AcceptOfferRequest,
};
use shouwen_runtime::clock::now;
use tokio::sync::mpsc;
use tonic::Code;

use super::{
    callbacks::Promised,
    caller::Caller,
    complaints::{Complained, Complaints},
    journal::Journal,
};
use crate::harness::{Suite, files, id, requests};

/// Promises lie so far ahead that one which took a few attempts is still made for the future.
const AHEAD: TimeDelta = TimeDelta::seconds(5);

/// The employee at a desk.
pub(super) fn name(index: usize) -> String {
    format!("desk-{index}")
}

pub(super) struct Desk<'a> {
    index: usize,
    names: Vec<String>,
    telephony: Caller,
    people: Vec<Caller>,
    random: StdRng,
    journal: &'a Journal,
    promised: mpsc::UnboundedSender<Promised>,
    complained: mpsc::UnboundedSender<Complained>,
    complaints: Complaints<'a>,
}

/// Where a desk passes on what others go on with.
#[derive(Clone)]
pub(super) struct Trays {
    pub(super) promised: mpsc::UnboundedSender<Promised>,
    pub(super) complained: mpsc::UnboundedSender<Complained>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        suite: &'a Suite,
        index: usize,
        desks: usize,
        seed: u64,
        journal: &'a Journal,
        trays: Trays,
    ) -> Self {
        let names: Vec<String> = (0..desks).map(|desk| format!("employees/{}", name(desk))).collect();
        Self {
            index,
            people: names.iter().map(|name| Caller::new(suite, name)).collect(),
            names,
            telephony: Caller::new(suite, "serviceAccounts/telephony"),
            random: StdRng::seed_from_u64(seed.wrapping_add(index as u64)),
            journal,
            promised: trays.promised,
            complained: trays.complained,
            complaints: Complaints::new(suite, journal),
        }
    }

    /// Takes one contact after the other.
    pub(super) async fn work(mut self, stop: &AtomicBool) {
        let mut number = 0;
        while !stop.load(Ordering::SeqCst) {
            self.contact(number).await;
            number += 1;
        }
    }

    async fn contact(&mut self, number: u32) {
        let call = format!("kill-{}-{number}", self.index);
        let client =
            if self.random.random_ratio(1, 2) { self.client(&call, number).await } else { String::new() };
        let request = requests::register(&call);
        self.telephony.achieve("register", async |it| it.calls().register_call(request.clone()).await).await;
        self.journal.note("registered", &call, "-");

        let rival = (self.index + 1 + self.random.random_range(0..self.people.len() - 1)) % self.people.len();
        let (me, case) = self.answered(&call, &client, rival).await;
        let person = self.people[me].clone();
        let mut request = requests::record(&call);
        request.inquiry_type = format!("mark-{}", self.random.random_range(0..1_000_000));
        let mark = request.inquiry_type.clone();
        person.achieve("record", async |it| it.calls().record_call(request.clone()).await).await;
        self.journal.note("recorded", &call, &mark);
        if !client.is_empty() && self.random.random_ratio(1, 2) {
            self.disclose(&client, self.serial(number), &person).await;
        }

        match self.random.random_range(0..4) {
            0 => self.end(&call, &person, CallOutcome::AnsweredClear).await,
            1 => {
                let (callback, agreed) = self.promise(&call, &person).await;
                let employee = self.names[me].clone();
                self.promised.send(Promised { callback, employee, agreed }).unwrap();
                self.end(&call, &person, CallOutcome::CallbackPromised).await;
            }
            2 => {
                self.hand_over(&case, me).await;
                self.end(&call, &person, CallOutcome::AnswerOwed).await;
            }
            _ => {
                self.end(&call, &person, CallOutcome::AnswerOwed).await;
                let about = self.names
                    [(me + 1 + self.random.random_range(0..self.names.len() - 1)) % self.names.len()]
                .clone();
                let complained = self.complaints.taken_down(&case, self.names[me].clone(), about).await;
                self.complained.send(complained).unwrap();
            }
        }
    }

    /// Each contact's client has a serial number of its own.
    fn serial(&self, number: u32) -> u32 {
        u32::try_from(self.index).unwrap() * 10_000 + number
    }

    /// The CRM enters a client; returns its id.
    async fn client(&self, client: &str, number: u32) -> String {
        let input = files::input(client, "east", self.serial(number));
        let request = SaveClientRequest { client: Some(input), etag: String::new(), request_id: id() };
        self.telephony.achieve("save", async |it| it.clients().save_client(request.clone()).await).await;
        self.journal.note("saved", client, "-");
        client.to_owned()
    }

    /// The client proves who they are, and is shown in full (K11).
    async fn disclose(&self, client: &str, serial: u32, person: &Caller) {
        let name = format!("clients/{client}");
        let start = StartVerificationRequest { name: name.clone(), request_id: id() };
        let started =
            person.achieve("start", async |it| it.clients().start_verification(start.clone()).await).await;
        for factor in [IdentityFactor::ReservedPhone, IdentityFactor::IdentityNumber] {
            let answer = AnswerVerificationRequest {
                name: name.clone(),
                verification: started.verification.clone(),
                factor: factor.into(),
                value: files::answer(serial, factor),
                request_id: id(),
            };
            person.achieve("answer", async |it| it.clients().answer_verification(answer.clone()).await).await;
        }
        let full = GetFullClientRequest { name, purpose: "核对资料".to_owned(), request_id: id() };
        let shown = person.achieve("show", async |it| it.clients().get_full_client(full.clone()).await).await;
        assert_eq!(shown.identity_number, files::identity_number(serial));
        self.journal.note("disclosed", client, "-");
    }

    async fn end(&self, call: &str, person: &Caller, outcome: CallOutcome) {
        let request = requests::end(call, outcome);
        person.achieve("end", async |it| it.calls().end_call(request.clone()).await).await;
        self.journal.note("ended", call, outcome.as_str_name());
    }

    /// Two desks answer at once; returns who was first, and the case.
    async fn answered(&self, call: &str, client: &str, rival: usize) -> (usize, String) {
        let answer = async |desk: usize| {
            let mut request = requests::answer(call);
            client.clone_into(&mut request.client);
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

    async fn promise(&self, call: &str, person: &Caller) -> (String, DateTime<Utc>) {
        loop {
            let agreed = now() + AHEAD;
            let request = requests::promise(call, agreed);
            let answer =
                person.insist("promise", async |it| it.calls().promise_callback(request.clone()).await).await;
            match answer {
                Ok(promised) => {
                    assert_eq!(promised.callbacks.len(), 1, "{call}");
                    self.journal.note("promised", call, &promised.callbacks[0]);
                    return (promised.callbacks[0].clone(), agreed);
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
            .achieve("offer", async |it| it.cases().offer_transfer(request.clone()).await)
            .await;
        let offer = offered.offer.unwrap().offer;
        self.journal.note("offered", case, &self.names[to]);
        if self.random.random_ratio(1, 3) {
            return;
        }
        let request = AcceptOfferRequest { name: case.to_owned(), offer, request_id: id() };
        self.people[to].achieve("accept", async |it| it.cases().accept_offer(request.clone()).await).await;
        self.journal.note("accepted", case, &self.names[to]);
    }
}
