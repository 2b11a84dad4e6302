//! Offers expire and limits pass and climb while both gateways are killed, one after the other: each step is on the ledger exactly once, at its own time
//! (O4, O10).
//!
//! Business time stands still where the test sets it, so that the steps of all cases fall due at one moment, for both gateways at once.

mod history;
mod time;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use shouwen_proto::{
    ownership::v1::{AcceptOfferRequest, BatchGetCasesRequest, Case, ClaimRequest},
    r#type::v1::{Channel, EscalationLevel},
};
use shouwen_serving::timestamps::from_proto;
use shouwen_testkit::until;
use sqlx::PgConnection;
use tonic::Code;

use crate::harness::{
    PATIENCE, Shape, Suite, id, ledgers,
    place::Place,
    process::{Process, text},
    refused, requests,
};
use history::Happened;
use time::Clock;

const SEED: u64 = 20_260_507;
const CASES: usize = 100;
const KILLS: usize = 10;
/// In each of the five rounds.
const KILLS_OF_A_ROUND: usize = 2;
/// Commands in a batch: a gateway writes the steps of a round in many, so that it dies between them.
const BATCH: usize = 4;

/// The minutes that the standard sets: until an offer expires, and from the limit to each level above those responsible.
const EXPIRY: i64 = 30;
const LADDER: [(EscalationLevel, i64); 4] = [
    (EscalationLevel::Responsible, 0),
    (EscalationLevel::Lead, 60),
    (EscalationLevel::Hq, 480),
    (EscalationLevel::CompanyLeader, 1_440),
];

/// Two gateways on one database. What they own falls due without any other service.
struct Gateways {
    suite: Suite,
    /// A superuser's connection that sees what is written while no gateway answers.
    watching: PgConnection,
    clock: Clock,
    random: StdRng,
    kills: usize,
}

impl Gateways {
    async fn start(at: DateTime<Utc>) -> Self {
        let shape = Shape {
            gateways: 2,
            gateway_set: vec![("engine.batch_commands", BATCH.to_string())],
            ..Shape::default()
        };
        let suite = Suite::prepared(Place::shared().await, &shape);
        let mut watching = suite.place.connect("ownership").await;
        let clock = Clock::simulated(&mut watching, at).await;
        suite.gateways.iter().for_each(Process::start);
        let gateways = Self { suite, watching, clock, random: StdRng::seed_from_u64(SEED), kills: 0 };
        gateways.ready().await;
        gateways.suite.fill_roster().await;
        gateways
    }

    async fn ready(&self) {
        for gateway in &self.suite.gateways {
            gateway.ready(PATIENCE).await;
        }
    }

    async fn head(&mut self) -> i64 {
        let head = sqlx::query_scalar("select position from ledger_head");
        head.fetch_one(&mut self.watching).await.unwrap()
    }

    async fn written(&mut self, position: i64) {
        until("more steps on the ledger", PATIENCE, async || (self.head().await >= position).then_some(()))
            .await;
    }

    /// Moves the time on to where the next steps are due, that write so many events. While they are written each gateway is killed once.
    async fn round(&mut self, to: DateTime<Utc>, events: usize) {
        let before = self.head().await;
        self.clock.move_on(&self.suite, to).await;
        let events = i64::try_from(events).unwrap();
        // The last third leaves time to strike before all is done.
        let moments = 0..events * 2 / 3;
        let mut after: [i64; KILLS_OF_A_ROUND] =
            std::array::from_fn(|_| self.random.random_range(moments.clone()));
        after.sort_unstable();
        for some in after {
            self.written(before + some).await;
            let victim = self.kills % 2;
            let there = self.head().await - before;
            println!("{to}: after {there} of {events} events gateway {victim} dies");
            self.suite.gateways[victim].kill();
            self.suite.gateways[victim].start();
            self.kills += 1;
        }
        self.written(before + events).await;
        self.ready().await;
        assert_eq!(self.head().await - before, events, "{to}");
    }

    /// A case for each contact, claimed through one gateway or the other.
    async fn cases(&self) -> Vec<Case> {
        let claims = (0..CASES).map(async |index| {
            let claim = ClaimRequest {
                contact: format!("contacts/due-{index}"),
                topic: "trading".to_owned(),
                channel: Channel::Phone.into(),
                client: String::new(),
                request_id: id(),
            };
            let claimed = self.suite.employee_at(index % 2, "li").cases().claim(claim).await.unwrap();
            claimed.into_inner().case.unwrap()
        });
        join_all(claims).await
    }

    /// Offers every case to a colleague; returns the ids of the offers. Only who is responsible can do so.
    async fn offered(&self, cases: &[Case]) -> Vec<String> {
        let offers = cases.iter().enumerate().map(async |(index, case)| {
            let li = self.suite.employee_at(index % 2, "li");
            let offered = li.cases().offer_transfer(requests::offer(&case.name, "wang")).await.unwrap();
            offered.into_inner().offer.unwrap().offer
        });
        join_all(offers).await
    }
}

#[tokio::test]
async fn o10_o4_two_gateways_killed_ten_times_put_each_step_on_the_ledger_exactly_once() {
    println!("seed {SEED}");
    let opened = time::tuesday();
    let mut gateways = Gateways::start(opened).await;
    let cases = gateways.cases().await;
    let limit = cases[0].clocks[0].due_time.as_ref().and_then(from_proto).unwrap();
    let [told, lead, hq, leader] = LADDER.map(|(_, minutes)| limit + TimeDelta::minutes(minutes));
    let expiry = TimeDelta::minutes(EXPIRY);

    let first = gateways.offered(&cases).await;
    gateways.round(opened + expiry, CASES).await;
    // The limit is missed, and those responsible are told.
    gateways.round(told, 2 * CASES).await;
    // The offerer has the case again. This time the offer expires at the moment at which the limit reaches the lead.
    gateways.clock.move_on(&gateways.suite, lead - expiry).await;
    let second = gateways.offered(&cases).await;
    gateways.round(lead, 2 * CASES).await;
    gateways.round(hq, CASES).await;
    gateways.round(leader, CASES).await;
    assert_eq!(gateways.kills, KILLS);

    let suite = &gateways.suite;
    time::nothing_is_due(suite).await;
    let mut histories = history::of_cases(&ledgers::events(suite, "ownership").await);
    for (index, case) in cases.iter().enumerate() {
        let mut expected = history::climbed(limit);
        for (offer, at) in [(&first[index], opened), (&second[index], lead - expiry)] {
            expected.push(Happened::made(offer, at, at + expiry));
            expected.push(Happened::expired(offer, at + expiry));
        }
        expected.sort();
        let mut happened = histories.remove(&case.name).unwrap();
        assert!(happened.is_sorted_by_key(Happened::at), "{}: {happened:#?}", case.name);
        happened.sort();
        assert_eq!(happened, expected, "{}", case.name);
    }
    assert!(histories.is_empty(), "{histories:#?}");

    for gateway in 0..2 {
        belong_to_the_offerer(suite, gateway, &cases).await;
        let accept =
            AcceptOfferRequest { name: cases[0].name.clone(), offer: second[0].clone(), request_id: id() };
        let refusal = refused(suite.employee_at(gateway, "wang").cases().accept_offer(accept).await);
        assert_eq!(refusal.kind(), (Code::FailedPrecondition, "NO_SUCH_OFFER"), "{refusal:?}");
    }
    let verified = suite.audit_verify();
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    assert!(text(&verified).contains("ownership: intact: "), "{}", text(&verified));
}

/// What a gateway says of the cases at the end.
async fn belong_to_the_offerer(suite: &Suite, gateway: usize, cases: &[Case]) {
    let request = BatchGetCasesRequest { names: cases.iter().map(|case| case.name.clone()).collect() };
    let shown = suite.employee_at(gateway, "auditor").cases().batch_get_cases(request).await.unwrap();
    let shown = shown.into_inner().cases;
    assert_eq!(shown.len(), cases.len());
    for case in shown {
        let people = [&*case.first_responder, &*case.accountable, &*case.handler];
        assert_eq!(people, ["employees/li"; 3], "{case:?}");
        assert_eq!(case.offer, None, "{case:?}");
        assert_eq!(case.clocks.len(), 1, "{case:?}");
        assert!(case.clocks[0].missed, "{case:?}");
        assert_eq!(case.clocks[0].escalation(), EscalationLevel::CompanyLeader, "{case:?}");
    }
}
