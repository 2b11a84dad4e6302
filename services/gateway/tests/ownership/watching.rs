//! A desk as a stream: from all that waits, or after a cursor; every change once and in order, whatever is cut; who may watch whose.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use shouwen_engine::Options;
use shouwen_gateway::{desk as desks, domain::Mutants};
use shouwen_proto::{
    access::v1::Role,
    ownership::v1::roster_entry::Entry,
    routing::v1::{
        DeskItem, DeskItemKind, WatchDeskResponse, desk_change::Kind as ChangeKind,
        watch_desk_response::Event,
    },
};
use tokio::time::timeout;
use tonic::{Code, Streaming};

use crate::{
    desk::{Answer, Desk, IntoEntry as _, Refused, colleague, employee, reason},
    ground::{Ground, Office, PATIENCE, still, tuesday},
};

/// A desk as its stream showed it so far.
pub(crate) struct Watch {
    stream: Streaming<WatchDeskResponse>,
    pub(crate) cursor: String,
    pub(crate) items: BTreeMap<String, DeskItem>,
    /// Kinds and ids of the changes, in order.
    pub(crate) changes: Vec<(ChangeKind, String)>,
}

impl Watch {
    /// The whole desk of an employee.
    pub(crate) async fn of(office: &Office, id: &str) -> Self {
        Self::begun(office.desk(id).watch("", "").await).await
    }

    /// The whole desk of an employee, as somebody else sees it.
    pub(crate) async fn by(office: &Office, watcher: &str, whose: &str) -> Self {
        Self::begun(office.desk(watcher).watch(&employee(whose), "").await).await
    }

    async fn begun(stream: Answer<Streaming<WatchDeskResponse>>) -> Self {
        let mut watch = Self::after(stream.unwrap(), "");
        while watch.cursor.is_empty() {
            watch.next().await.unwrap();
        }
        watch
    }

    fn after(stream: Streaming<WatchDeskResponse>, cursor: &str) -> Self {
        Self { stream, cursor: cursor.to_owned(), items: BTreeMap::new(), changes: Vec::new() }
    }

    async fn next(&mut self) -> Result<(), Refused> {
        let response = timeout(PATIENCE, self.stream.message()).await.unwrap()?.unwrap();
        match response.event.unwrap() {
            Event::Snapshot(snapshot) => {
                assert_eq!(snapshot.complete, !response.cursor.is_empty());
                self.items.extend(snapshot.items.into_iter().map(|item| (item.item.clone(), item)));
            }
            Event::Changes(changes) => {
                for change in changes.changes {
                    let (kind, item) = (change.kind(), change.item.unwrap());
                    self.changes.push((kind, item.item.clone()));
                    match kind {
                        ChangeKind::Cleared => self.items.remove(&item.item),
                        _ => self.items.insert(item.item.clone(), item),
                    };
                }
            }
            Event::Heartbeat(_) => {}
        }
        self.cursor = response.cursor;
        Ok(())
    }

    /// Reads on until the desk is so.
    pub(crate) async fn until(&mut self, so: impl Fn(&Self) -> bool) -> &mut Self {
        while !so(self) {
            self.next().await.unwrap();
        }
        self
    }

    /// What waits, as kinds and subjects.
    pub(crate) fn waiting(&self) -> Vec<(DeskItemKind, &str)> {
        self.items.values().map(|item| (item.kind(), &*item.subject)).collect()
    }
}

/// What a desk holds at present.
pub(crate) async fn waiting(office: &Office, id: &str) -> Vec<(DeskItemKind, String)> {
    let watch = Watch::of(office, id).await;
    watch.waiting().into_iter().map(|(kind, subject)| (kind, subject.to_owned())).collect()
}

#[tokio::test]
async fn o4_a_stream_shows_what_waits_and_then_each_change_also_of_other_processes() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let (first, second) = (zhang.open("call-1", "C-1").await, zhang.open("call-2", "C-2").await);
    let offered = zhang.offered(&first, "li").await;
    let another = ground.another().await;
    for watched in [&office, &another] {
        let mut li = Watch::of(watched, "li").await;
        assert_eq!(li.waiting(), [(DeskItemKind::Offer, &*format!("{first}/offers/{offered}"))]);
        let item = li.items.values().next().unwrap().clone();
        assert_eq!((&*item.case, &*item.branch, &*item.recipient), (&*first, "branches/b1", "employees/li"));
        let offer = zhang.get(&first).await.unwrap().offer.unwrap();
        assert_eq!(
            (item.due_time, item.since_time),
            (offer.expire_time, Some(shouwen_serving::timestamps::to_proto(tuesday())))
        );
        let more = zhang.offered(&second, "li").await;
        li.until(|li| li.items.len() == 2).await;
        office.desk("li").decline(&second, &more).await.unwrap();
        li.until(|li| li.items.len() == 1).await;
        let id = format!("employees/li offer {second}/offers/{more}");
        assert_eq!(li.changes, [(ChangeKind::Added, id.clone()), (ChangeKind::Cleared, id)]);
    }
    // Nobody else's; the giver has what came back last.
    assert!(matches!(&*waiting(&office, "zhang").await, [(DeskItemKind::Returned, _)]));
    assert_eq!(waiting(&office, "wang").await, []);
}

#[tokio::test]
async fn a_desk_that_is_still_gives_signs_of_life_with_a_cursor() {
    let (ground, _office) = Ground::at(tuesday()).await;
    let options = Options { feed_heartbeat: std::time::Duration::from_millis(20), ..still() };
    let office = ground.office(options, Mutants::default()).await;
    let mut li = Watch::of(&office, "li").await;
    for _ in 0..3 {
        let response = timeout(PATIENCE, li.stream.message()).await.unwrap().unwrap().unwrap();
        assert!(matches!(response.event, Some(Event::Heartbeat(_))) && !response.cursor.is_empty());
    }
}

#[tokio::test]
async fn a_large_desk_comes_in_pages() {
    let (ground, _office) = Ground::at(tuesday()).await;
    let office = ground.office(Options { feed_events: 3, ..still() }, Mutants::default()).await;
    let zhang = office.desk("zhang");
    for number in 0..7 {
        let name = zhang.open(&format!("call-{number}"), "").await;
        zhang.offered(&name, "li").await;
    }
    let mut stream = office.desk("li").watch("", "").await.unwrap();
    let mut sizes = Vec::new();
    loop {
        let response = timeout(PATIENCE, stream.message()).await.unwrap().unwrap().unwrap();
        let Some(Event::Snapshot(snapshot)) = response.event else { panic!("{response:?}") };
        sizes.push(snapshot.items.len());
        if snapshot.complete {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
}

#[tokio::test]
async fn a_cursor_goes_on_right_behind_it_over_any_number_of_cuts_while_many_write() {
    let (ground, office) = Ground::at(tuesday()).await;
    let another = ground.another().await;
    let start = Watch::of(&another, "li").await.cursor;
    let rounds = 6;
    let writers: Vec<_> = (0..8)
        .map(|number| {
            let zhang = if number % 2 == 0 { office.desk("zhang") } else { another.desk("zhang") };
            let li = office.desk("li");
            tokio::spawn(async move {
                let name = zhang.open(&format!("call-{number}"), &format!("C-{number}")).await;
                for round in 0..rounds {
                    let offer = zhang.offered(&name, "li").await;
                    if round % 2 == 0 {
                        zhang.withdraw(&name, &offer).await.unwrap();
                    } else {
                        li.decline(&name, &offer).await.unwrap();
                    }
                }
            })
        })
        .collect();
    let all = 8 * rounds * 2;
    // One reads without a pause, one is cut after every answer and goes on by its cursor, at either process in turn.
    let whole = async {
        let mut watch = Watch::after(office.desk("li").watch("", &start).await.unwrap(), &start);
        watch.until(|watch| watch.changes.len() >= all).await;
        watch.changes
    };
    let cut = async {
        let (mut cursor, mut seen, mut turn) = (start.clone(), Vec::new(), 0);
        while seen.len() < all {
            let at = if turn % 2 == 0 { &office } else { &another };
            turn += 1;
            let mut watch = Watch::after(at.desk("li").watch("", &cursor).await.unwrap(), &cursor);
            watch.next().await.unwrap();
            seen.extend(watch.changes);
            cursor = watch.cursor;
        }
        seen
    };
    let (whole, cut) = tokio::join!(whole, cut);
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(whole.len(), all);
    assert_eq!(whole, cut);
    let mut open = std::collections::BTreeSet::new();
    for (kind, item) in &whole {
        match kind {
            ChangeKind::Added => assert!(open.insert(item), "{item} came twice"),
            ChangeKind::Cleared => assert!(open.remove(item), "{item} went before it came"),
            _ => panic!("{item} changed"),
        }
    }
    assert!(open.is_empty());
    // As they were committed, without a gap.
    let stored = "select 'employees/li offer ' || subject from (select since as n, * from desk union all select cleared, * from desk) d where recipient = 'employees/li' order by n";
    assert_eq!(ground.texts(stored).await, whole.into_iter().map(|(_, item)| item).collect::<Vec<_>>());
    let numbers = "select count(since) from (select since from desk union select cleared from desk) d";
    assert_eq!(ground.number(numbers).await, ground.number("select position from desk_head").await);
}

#[tokio::test]
async fn o3_a_desk_is_seen_by_its_employee_a_lead_of_the_branch_and_hq() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    zhang.offered(&name, "li").await;
    for who in ["li", "zhao", "chen"] {
        let watch = Watch::by(&office, who, "li").await;
        assert_eq!(watch.items.len(), 1, "{who}");
    }
    let refused = async |desk: Desk, whose: &str| desk.watch(whose, "").await.unwrap_err();
    for (who, whose, expected) in [
        ("zhang", "employees/li", "DESK_OF_COLLEAGUE"),
        ("sun", "employees/li", "DESK_OF_COLLEAGUE"),
        ("zhou", "employees/li", "BRANCH_OUT_OF_REACH"),
        ("zhao", "employees/sun", "BRANCH_OUT_OF_REACH"),
        ("chen", "employees/nobody", "EMPLOYEE_NOT_FOUND"),
        ("chen", "employees/gone", "EMPLOYEE_NOT_FOUND"),
        ("chen", "li", "FIELD_INVALID"),
    ] {
        assert_eq!(refused(office.desk(who), whose).await.reason, expected, "{who} {whose}");
    }
    let account = Desk::of_account(office.routes(), "crm");
    assert_eq!(refused(account, "").await.reason, "EMPLOYEE_REQUIRED");
}

#[tokio::test]
async fn a_cursor_that_cannot_be_resumed_is_refused_and_says_why() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    let before = Watch::of(&office, "li").await.cursor;
    let offer = zhang.offered(&name, "li").await;
    let watch = Watch::of(&office, "li").await;
    // Another's, another desk's, none at all.
    for (desk, whose, cursor) in [
        (&office.desk("wang"), "", &*before),
        (&office.desk("zhao"), "employees/li", &*before),
        (&office.desk("li"), "", "nonsense"),
    ] {
        let refused = desk.watch(whose, cursor).await.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::InvalidArgument, "CURSOR_INVALID"));
    }
    // What was dealt with is forgotten in time.
    zhang.withdraw(&name, &offer).await.unwrap();
    desks::forget(&office.engine, tuesday()).await.unwrap();
    assert!(li.watch("", &before).await.is_ok(), "nothing is old enough");
    desks::forget(&office.engine, tuesday() + TimeDelta::days(8)).await.unwrap();
    let refused = li.watch("", &before).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::OutOfRange, "CURSOR_BELOW_RETENTION"));
    assert_eq!(waiting(&office, "li").await, []);
    assert_eq!(ground.number("select count(*) from desk").await, 0);
    // A database that was taken back, and one that is another.
    ground.run("update desk_head set position = 0, forgotten = 0").await;
    assert_eq!(reason(li.watch("", &watch.cursor).await.map(|_| ())), "CURSOR_BEYOND_HEAD");
    ground.run("update ledger_head set incarnation = gen_random_uuid()").await;
    assert_eq!(reason(li.watch("", &watch.cursor).await.map(|_| ())), "INCARNATION_CHANGED");
}

#[tokio::test]
async fn a_desk_ends_when_its_employee_becomes_somebody_else() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let mut wang = Watch::of(&office, "wang").await;
    let lead = Entry::Employee(colleague("wang", "b1", &[Role::Lead])).into_entry();
    office.admin().import(vec![lead]).await.unwrap();
    let refused = loop {
        if let Err(refused) = wang.next().await {
            break refused;
        }
    };
    assert_eq!((refused.code, &*refused.reason), (Code::Aborted, "DESK_CHANGED"));
    let resumed = office.desk("wang").watch("", &wang.cursor).await;
    assert_eq!(reason(resumed.map(|_| ())), "CURSOR_INVALID");
    let wang = Watch::of(&office, "wang").await;
    assert_eq!(wang.items.len(), 0);
}

#[tokio::test]
async fn desks_are_mended_where_a_release_wrote_that_knows_of_none() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    for number in 0..3 {
        let name = zhang.open(&format!("call-{number}"), "").await;
        zhang.offered(&name, "li").await;
    }
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
    ground
        .run("delete from desk where since = 1; update desk set source = 'cases/none' where since = 2")
        .await;
    assert_eq!(waiting(&office, "li").await.len(), 2);
    // One is missing; one waits because of nothing, and is missing where it belongs.
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 3);
    assert_eq!(waiting(&office, "li").await.len(), 3);
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}
