//! Laws of the pure domain over generated figures, rosters and lives.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use shouwen_access::Reach;
use shouwen_clients::domain::{
    BranchRoster, Client, ClientClass, ClientName, Colleague, Factor, OpaqueKey, Position, Rejection,
    class::classify,
    command::Save,
    coverage::coverage,
    evolve,
    manager::{self, Standing},
    marks::marks,
    save::{self, Judged},
    verification::{self, Answer},
};
use shouwen_engine::{AggregateId, Recorded};
use shouwen_policy::{ClientsPolicy, PolicyBook};
use shouwen_proto::events::v1::{CapitalAccountSaved, ClientSaved, clients_event::Event};

use crate::service::{BRANCH, MORNING, at};

/// Figures around every bound, and anywhere.
fn fen() -> impl Strategy<Value = i64> {
    let bounds = vec![0, 1_000_000, 10_000_000, 50_000_000, 100_000_000, 500_000_000, 1_000_000_000_000_000];
    prop_oneof![
        (prop::sample::select(bounds), -2..=2_i64).prop_map(|(bound, off)| (bound + off).max(0)),
        0..=1_000_000_000_000_000_i64,
    ]
}

fn turnover() -> impl Strategy<Value = i64> {
    prop_oneof![298..=302_i64, 0..=1_000_000_i64]
}

/// The grid as the rulebook words it: lower bounds inclusive, turnover at or above the threshold gives the first of a pair.
fn worded(class: ClientClass, assets_fen: i64, turnover_percent: i64) -> bool {
    use ClientClass::{A, APlus, B, BPlus, C, CMinus, D, DMinus, E, F, G};
    let (low, high, lively) = match class {
        APlus => (500_000_000, i64::MAX, Some(true)),
        BPlus => (500_000_000, i64::MAX, Some(false)),
        A => (100_000_000, 499_999_999, Some(true)),
        B => (100_000_000, 499_999_999, Some(false)),
        C => (50_000_000, 99_999_999, Some(true)),
        D => (50_000_000, 99_999_999, Some(false)),
        CMinus => (10_000_000, 49_999_999, Some(true)),
        DMinus => (10_000_000, 49_999_999, Some(false)),
        E => (1_000_000, 9_999_999, Some(true)),
        F => (1_000_000, 9_999_999, Some(false)),
        G => (0, 999_999, None),
    };
    (low..=high).contains(&assets_fen) && lively.is_none_or(|lively| (turnover_percent >= 300) == lively)
}

fn roster() -> impl Strategy<Value = BranchRoster> {
    let colleague = (0..12_u8, prop::sample::select(Position::ALL.to_vec()), any::<bool>());
    prop::collection::vec(colleague, 0..8).prop_map(|colleagues| {
        let mut colleagues: Vec<Colleague> = colleagues
            .into_iter()
            .map(|(name, position, serves)| Colleague {
                name: format!("employees/e{name}"),
                position,
                serves,
            })
            .collect();
        colleagues.sort_by(|a, b| a.name.cmp(&b.name));
        colleagues.dedup_by(|a, b| a.name == b.name);
        BranchRoster::new(BRANCH, colleagues)
    })
}

fn key(byte: u8) -> OpaqueKey {
    OpaqueKey::new([byte; 32])
}

fn file(assets_fen: i64, turnover_percent: i64, variant: u8) -> ClientSaved {
    let bytes = |byte: u8| key(byte).as_bytes().to_vec();
    ClientSaved {
        client: "clients/C-1".into(),
        branch: BRANCH.into(),
        assets_fen,
        turnover_percent,
        lookup_keys: vec![bytes(1), bytes(2), bytes(3 + variant % 2)],
        text_keys: vec![bytes(10 + variant), bytes(11), Vec::new()],
        holding_keys: vec![bytes(21), bytes(22)],
        holdings_key: bytes(23),
        last_purchase_key: bytes(24),
        capital_accounts: vec![CapitalAccountSaved { primary: true, ..CapitalAccountSaved::default() }],
        ..ClientSaved::default()
    }
}

fn name() -> ClientName {
    "clients/C-1".parse().unwrap()
}

fn told(client: &mut Client, events: &[Event], time: DateTime<Utc>) {
    let aggregate = AggregateId("clients/C-1".into());
    for event in events {
        let version = client.revision + 1;
        let recorded = Recorded { event, aggregate: &aggregate, version, time, principal: "", on_behalf: "" };
        evolve::apply(client, &recorded);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Start(u8),
    Answer { who: u8, factor: Factor, right: bool },
    Disclose(u8),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let factor = prop::sample::select(Factor::ALL.to_vec());
    prop_oneof![
        3 => (0..3_u8).prop_map(Step::Start),
        8 => (0..3_u8, factor, prop::bool::weighted(0.4))
            .prop_map(|(who, factor, right)| Step::Answer { who, factor, right }),
        2 => (0..3_u8).prop_map(Step::Disclose),
        2 => (1..40_i64).prop_map(Step::Wait),
    ]
}

/// How many matched factors count: both that ask for a security are answered by the same one.
fn counted(matched: &[Factor]) -> usize {
    let code = |factor: &&Factor| matches!(factor, Factor::Holdings | Factor::LastPurchase);
    matched.len() - matched.iter().filter(code).count().saturating_sub(1)
}

/// The key that is on file, or another.
fn said(factor: Factor, right: bool) -> OpaqueKey {
    match (factor, right) {
        (Factor::ReservedPhone, true) => key(1),
        (Factor::IdentityNumber, true) => key(2),
        (Factor::Holdings, true) => key(22),
        (Factor::LastPurchase, true) => key(24),
        (_, false) => key(200),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn l2_every_pair_of_figures_has_exactly_one_class(assets in fen(), turnover in turnover()) {
        let worded: Vec<ClientClass> =
            ClientClass::ALL.into_iter().filter(|class| worded(*class, assets, turnover)).collect();
        prop_assert_eq!(worded, [classify(assets, turnover, &ClientsPolicy::default())]);
    }

    #[test]
    fn l2_l8_l12_more_never_means_less(a in fen(), b in fen(), turnover in turnover()) {
        let policy = ClientsPolicy::default();
        let (less, more) = (a.min(b), a.max(b));
        prop_assert!(coverage(less, &policy) <= coverage(more, &policy));
        let (before, after) = (marks(less, turnover, &policy), marks(more, turnover, &policy));
        prop_assert!(before.vip <= after.vip && before.core <= after.core);
        // Within the same activity a better class is an earlier one.
        prop_assert!(classify(less, turnover, &policy) >= classify(more, turnover, &policy));
    }

    #[test]
    fn l8_the_choice_is_the_lowest_position_that_suffices_and_always_the_same(
        roster in roster(), id in "[a-z0-9]{1,8}", needed in prop::sample::select(Position::ALL.to_vec()),
    ) {
        let client: ClientName = format!("clients/{id}").parse().unwrap();
        let chosen = manager::choose(&client, needed, &roster);
        prop_assert_eq!(chosen, manager::choose(&client, needed, &roster));
        let lowest = Position::ALL.into_iter().find(|position| *position >= needed && !roster.serving(*position).is_empty());
        match chosen {
            None => prop_assert_eq!(lowest, None),
            Some(name) => {
                prop_assert_eq!(Some(roster.find(name).unwrap().position), lowest);
                prop_assert_eq!(manager::standing(name, needed, &roster), Standing::Fits);
            }
        }
    }

    #[test]
    fn l1_l8_entering_a_file_twice_changes_nothing_and_everything_follows_from_the_figures(
        lives in prop::collection::vec((fen(), turnover(), roster(), 0..3_u8), 1..6),
    ) {
        let policy = ClientsPolicy::default();
        let mut client: Option<Client> = None;
        for (assets, turnover, roster, variant) in lives {
            let save = Save {
                client: name(),
                file: Box::new(file(assets, turnover, variant)),
                evidence: String::new(),
                manager: None,
                roster: Arc::new(roster),
                reach: Reach::All,
                etag: None,
            };
            let judged = Judged::of(assets, turnover, &policy, "clients@default".into());
            let events = save::events(&save, client.as_ref(), &judged).unwrap();
            let mut after = client.take().unwrap_or_else(|| Client::blank(name(), at(MORNING)));
            let former = after.manager.clone();
            told(&mut after, &events, at(MORNING));
            prop_assert_eq!(save::events(&save, Some(&after), &judged), Ok(Vec::new()));
            prop_assert_eq!(after.class, Some(classify(assets, turnover, &policy)));
            prop_assert_eq!(after.coverage, coverage(assets, &policy));
            prop_assert_eq!((after.vip, after.core), (judged.marks.vip, judged.marks.core));
            prop_assert!(after.is_as(&save.file));
            // Who may serve serves on; whoever does may.
            if manager::standing(&former, after.coverage, &save.roster) == Standing::Fits {
                prop_assert_eq!(&after.manager, &former);
            }
            prop_assert!(
                after.manager.is_empty()
                    || manager::standing(&after.manager, after.coverage, &save.roster) == Standing::Fits
            );
            prop_assert_eq!(manager::reassign(&after, &save.roster), None);
            client = Some(after);
        }
    }

    #[test]
    fn k11_nobody_sees_a_file_without_two_right_answers_nor_guesses_more_than_three_times(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let book = PolicyBook::standard();
        let mut client = Client::blank(name(), at(MORNING));
        client.enter(&file(1, 1, 0));
        let mut now = at(MORNING);
        let mut wrong = 0;
        let mut locked: Option<DateTime<Utc>> = None;
        for step in steps {
            let who = |number: u8| format!("employees/e{number}");
            let is_locked = locked.is_some_and(|until| now < until);
            match step {
                Step::Wait(minutes) => now += TimeDelta::minutes(minutes),
                Step::Start(number) => {
                    let id = format!("{number}-{now}");
                    let begun = verification::start(&client, &who(number), &id, now, &book);
                    prop_assert_eq!(begun.is_err(), is_locked);
                    told(&mut client, &begun.unwrap_or_default(), now);
                }
                Step::Answer { who: number, factor, right } => {
                    let employee = who(number);
                    let running = client.verifications.running.get(&employee).cloned();
                    let id = running.as_ref().map(|running| running.id.clone()).unwrap_or_default();
                    let key = said(factor, right);
                    let security = matches!(factor, Factor::Holdings | Factor::LastPurchase)
                        .then(|| said(Factor::Holdings, right));
                    let answer = Answer { employee: &employee, verification: &id, factor, key: &key, security };
                    let heard = verification::answer(&client, &answer, now, &book);
                    if is_locked {
                        prop_assert!(matches!(heard, Err(Rejection::VerificationLocked(_))));
                    }
                    let events = heard.unwrap_or_default();
                    told(&mut client, &events, now);
                    for event in &events {
                        match event {
                            Event::VerificationAnswered(answered) => {
                                prop_assert_eq!(answered.matched, right);
                                let running = &client.verifications.running[&employee];
                                prop_assert_eq!(answered.passed, counted(&running.matched) >= 2);
                                if right && answered.passed { wrong = 0 } else if !right { wrong += 1 }
                                prop_assert!(wrong <= 3);
                            }
                            Event::VerificationLocked(_) => {
                                prop_assert_eq!(wrong, 3);
                                wrong = 0;
                                locked = Some(now + TimeDelta::minutes(30));
                            }
                            other => prop_assert!(false, "{:?}", other),
                        }
                    }
                    prop_assert!(wrong < 3, "three wrong answers lock");
                }
                Step::Disclose(number) => {
                    let may = client.verifications.running.get(&who(number)).is_some_and(|running| {
                        now < running.expires && counted(&running.matched) >= 2
                    });
                    prop_assert_eq!(verification::disclose(&client, &who(number), "why", now).is_ok(), may);
                }
            }
        }
    }
}
