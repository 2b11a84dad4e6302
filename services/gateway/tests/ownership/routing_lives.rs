//! Random lives of a branch's telephone: whatever people and clients do in whatever order, somebody or a deadline has the next step of every contact.

use chrono::TimeDelta;
use proptest::{prelude::*, test_runner::TestRunner};
use shouwen_proto::events::v1::PresenceState as Wanted;

use crate::{
    ground::{Ground, Office, local},
    telephone::{call, presence},
};

const PEOPLE: [&str; 3] = ["zhang", "li", "chen"];

#[derive(Clone, Debug)]
enum Deed {
    Presence(usize, Wanted),
    Route,
    Decline(usize),
    Answer(usize, usize),
    Cancel(usize),
    Callback(usize),
    Pass(i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let states = prop_oneof![
        4 => Just(Wanted::Available),
        1 => Just(Wanted::Paused),
        1 => Just(Wanted::Busy),
        1 => Just(Wanted::Offline)
    ];
    let who = 0..PEOPLE.len();
    prop_oneof![
        5 => (who.clone(), states).prop_map(|(who, state)| Deed::Presence(who, state)),
        5 => Just(Deed::Route),
        2 => (0usize..20).prop_map(Deed::Decline),
        3 => (who, 0usize..20).prop_map(|(who, contact)| Deed::Answer(who, contact)),
        1 => (0usize..20).prop_map(Deed::Cancel),
        1 => (0usize..20).prop_map(Deed::Callback),
        4 => prop_oneof![Just(1), Just(5), Just(15), Just(50), Just(400)].prop_map(Deed::Pass),
    ]
}

async fn live(deeds: Vec<Deed>) {
    let (ground, office) = Ground::at(local(2025, 9, 9, 16, 50)).await;
    let mut contacts = 0;
    for deed in deeds {
        act(&office, &deed, &mut contacts).await;
        office.engine.sweep_once().await.unwrap();
        next_steps(&ground, &deed).await;
    }
}

/// Refusals are answers like others here.
async fn act(office: &Office, deed: &Deed, contacts: &mut usize) {
    let telephony = office.telephony();
    match deed {
        Deed::Presence(who, state) => {
            let _answer = office.desk(PEOPLE[*who]).set_presence(presence(*state, "desk-1")).await;
        }
        Deed::Route => {
            telephony.route(call(&format!("c-{contacts}"))).await.unwrap();
            *contacts += 1;
        }
        Deed::Decline(contact) => {
            let contact = format!("c-{contact}");
            for who in PEOPLE {
                let _answer = office.desk(who).decline_ringing(&contact).await;
            }
        }
        Deed::Answer(who, contact) if contact < contacts => {
            let _answer = office.desk(PEOPLE[*who]).claim(&format!("c-{contact}")).await;
        }
        Deed::Answer(..) => {}
        Deed::Cancel(contact) => {
            let _answer = telephony.cancel(&format!("c-{contact}")).await;
        }
        Deed::Callback(contact) => {
            let _answer = telephony.call_back(&format!("c-{contact}")).await;
        }
        Deed::Pass(seconds) => office.pass(TimeDelta::seconds(*seconds)).await,
    }
}

async fn next_steps(ground: &Ground, deed: &Deed) {
    let stranded = "select id from routings r
        where phase in ('reserved', 'queued') and not exists (select from deadline d where d.aggregate = r.id)
           or phase not in ('reserved', 'queued', 'after_hours', 'answered', 'abandoned', 'callback')";
    assert_eq!(ground.texts(stranded).await, Vec::<String>::new(), "after {deed:?}");
    let twice =
        "select reserved from routings where reserved is not null group by reserved having count(*) > 1";
    assert_eq!(ground.texts(twice).await, Vec::<String>::new(), "after {deed:?}");
    let keys = "select count(*) from routings r full join
                    (select * from unique_key where kind = 'reserved_employee') k on k.key = r.reserved
                where (r.reserved is not null or k.key is not null) and (r.reserved is null or k.key is null)";
    assert_eq!(ground.number(keys).await, 0, "after {deed:?}");
    // Nobody rings at the desk of who is not free.
    let deaf = "select r.id from routings r join presences p on p.employee = r.reserved where not p.free";
    assert_eq!(ground.texts(deaf).await, Vec::<String>::new(), "after {deed:?}");
}

#[test]
fn k2_somebody_or_a_deadline_has_the_next_step_of_every_contact() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig { cases: 8, max_shrink_iters: 40, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&proptest::collection::vec(deed(), 1..60), |deeds| {
            runtime.block_on(live(deeds));
            Ok(())
        })
        .unwrap();
}
