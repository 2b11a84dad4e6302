//! The order of candidates as a law: whoever is chosen is the first of the order who can be, and nobody else is passed over without a reason.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn moment(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
}

fn free(employee: &str, branch: &str, since: i64) -> Person {
    Person {
        employee: employee.to_owned(),
        branch: branch.to_owned(),
        hq: branch == "hq",
        active: true,
        skills: BTreeSet::new(),
        vip_seat: false,
        duty: false,
        absent: false,
        standing: Standing::Free { since: moment(since) },
    }
}

fn inquiry() -> Inquiry {
    Inquiry { branch: "b1".to_owned(), same_concern: true, working: true, ..Inquiry::default() }
}

fn skills(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn chosen(inquiry: &Inquiry, people: &[Person]) -> Option<(String, CandidateRank)> {
    let order = order(inquiry, people);
    let last = order.last().filter(|last| last.is_chosen())?;
    Some((last.employee.clone(), CandidateRank::try_from(last.rank).unwrap()))
}

#[test]
fn o6_handler_then_deputy_then_accountable_then_manager_then_colleague_then_hq() {
    let names = ["handler", "deputy", "accountable", "manager", "colleague", "hq"];
    let ranks = [
        CandidateRank::Handler,
        CandidateRank::Deputy,
        CandidateRank::Accountable,
        CandidateRank::ServiceManager,
        CandidateRank::Colleague,
        CandidateRank::Hq,
    ];
    let named = ranks[..4].iter().copied().zip(names.map(str::to_owned)).collect();
    let inquiry = Inquiry { named, ..inquiry() };
    let mut people: Vec<Person> =
        names.iter().map(|name| free(name, if *name == "hq" { "hq" } else { "b1" }, 0)).collect();
    people.push(free("elsewhere", "b2", -60));
    for (name, rank) in names.iter().zip(ranks) {
        assert_eq!(chosen(&inquiry, &people), Some(((*name).to_owned(), rank)));
        people.iter_mut().find(|person| person.employee == *name).unwrap().standing = Standing::Busy;
    }
    assert_eq!(chosen(&inquiry, &people), None, "a colleague of another branch is not asked");
}

#[test]
fn o6_who_works_on_another_concern_of_the_client_is_asked_within_reach_and_qualified() {
    let named = vec![
        (CandidateRank::Handler, "elsewhere".to_owned()),
        (CandidateRank::Deputy, "b".to_owned()),
        (CandidateRank::Accountable, "hq".to_owned()),
    ];
    let same = Inquiry { named, skills: skills(&["margin"]), ..inquiry() };
    let other = Inquiry { same_concern: false, ..same.clone() };
    let people = [
        free("elsewhere", "b2", 0),
        free("b", "b1", 0),
        Person { skills: skills(&["margin"]), ..free("hq", "hq", 0) },
    ];
    assert_eq!(chosen(&same, &people), Some(("elsewhere".to_owned(), CandidateRank::Handler)));
    let passed: Vec<i32> = order(&other, &people).iter().map(|considered| considered.verdict).collect();
    let expected = [CandidateVerdict::OutOfReach, CandidateVerdict::Unqualified, CandidateVerdict::Chosen]
        .map(i32::from);
    assert_eq!(passed, expected);
}

#[test]
fn k2_the_longest_idle_is_asked_first() {
    let people = [free("a", "b1", 30), free("b", "b1", 10), free("c", "b1", 20)];
    assert_eq!(chosen(&inquiry(), &people), Some(("b".to_owned(), CandidateRank::Colleague)));
    let tried = Inquiry { tried: skills(&["b"]), ..inquiry() };
    assert_eq!(chosen(&tried, &people), Some(("c".to_owned(), CandidateRank::Colleague)));
}

#[test]
fn l12_a_vip_client_gets_a_vip_seat_first_and_anybody_before_waiting() {
    let mut people = [free("a", "b1", 10), Person { vip_seat: true, ..free("b", "b1", 30) }];
    let vip = Inquiry { vip: true, ..inquiry() };
    assert_eq!(chosen(&vip, &people).unwrap().0, "b");
    assert_eq!(chosen(&inquiry(), &people).unwrap().0, "a");
    people[1].standing = Standing::Reserved;
    assert_eq!(chosen(&vip, &people).unwrap().0, "a");
}

#[test]
fn l8_the_service_manager_is_asked_when_free_and_qualified() {
    let named = vec![(CandidateRank::ServiceManager, "m".to_owned())];
    let inquiry = Inquiry { named, skills: skills(&["margin"]), ..inquiry() };
    let mut people = [free("m", "b1", 50), Person { skills: skills(&["margin"]), ..free("a", "b1", 10) }];
    assert_eq!(chosen(&inquiry, &people).unwrap().0, "a");
    people[0].skills = skills(&["margin", "funds"]);
    assert_eq!(chosen(&inquiry, &people).unwrap(), ("m".to_owned(), CandidateRank::ServiceManager));
}

#[test]
fn o12_whom_a_complaint_is_about_is_never_asked() {
    let named = vec![(CandidateRank::Handler, "a".to_owned())];
    let inquiry = Inquiry { named, recused: skills(&["a"]), ..inquiry() };
    assert_eq!(chosen(&inquiry, &[free("a", "b1", 0)]), None);
}

#[test]
fn k21_outside_working_hours_only_duty_employees_serve() {
    let night = Inquiry { working: false, ..inquiry() };
    let people = [free("a", "b1", 0), Person { duty: true, ..free("b", "b1", 30) }];
    assert_eq!(chosen(&night, &people).unwrap().0, "b");
    assert_eq!(chosen(&night, &people[..1]), None);
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        (0i64..5).prop_map(|since| Standing::Free { since: moment(since) }),
        Just(Standing::Reserved),
        Just(Standing::Busy),
        Just(Standing::Paused),
        Just(Standing::Offline),
    ]
}

fn some_of(names: &'static [&'static str]) -> impl Strategy<Value = BTreeSet<String>> {
    proptest::sample::subsequence(names, 0..=names.len()).prop_map(|names| skills(&names))
}

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

fn people() -> impl Strategy<Value = Vec<Person>> {
    let one = (0usize..3, some_of(&["margin", "funds"]), any::<[bool; 4]>(), standing());
    proptest::collection::vec(one, 0..=NAMES.len()).prop_map(|people| {
        let people = people.into_iter().zip(NAMES);
        people
            .map(|((branch, skills, [vip_seat, duty, absent, active], standing), name)| Person {
                active,
                skills,
                vip_seat,
                duty,
                absent,
                standing,
                ..free(name, ["b1", "b2", "hq"][branch], 0)
            })
            .collect()
    })
}

fn inquiries() -> impl Strategy<Value = Inquiry> {
    let named = proptest::collection::vec(proptest::sample::select(NAMES.to_vec()), 0..=4);
    let ranks = [
        CandidateRank::Handler,
        CandidateRank::Deputy,
        CandidateRank::Accountable,
        CandidateRank::ServiceManager,
    ];
    (named, some_of(&["margin"]), some_of(&["a", "b"]), some_of(&["c", "d"]), any::<[bool; 3]>()).prop_map(
        move |(named, skills, recused, tried, [vip, working, same_concern])| Inquiry {
            branch: "b1".to_owned(),
            named: ranks.into_iter().zip(named.into_iter().map(str::to_owned)).collect(),
            skills,
            recused,
            tried,
            vip,
            same_concern,
            working,
        },
    )
}

/// The rule once more, in other words: whether somebody can be asked at a rank.
fn can(inquiry: &Inquiry, person: &Person, rank: CandidateRank) -> bool {
    let knows = inquiry.same_concern && (rank as i32) <= CandidateRank::Accountable as i32;
    matches!(person.standing, Standing::Free { .. })
        && person.active
        && (knows || person.branch == inquiry.branch || person.hq)
        && !person.absent
        && !inquiry.recused.contains(&person.employee)
        && !inquiry.tried.contains(&person.employee)
        && (inquiry.working || person.duty)
        && (knows || inquiry.skills.iter().all(|skill| person.skills.contains(skill)))
}

/// The best rank of somebody, and among equals what decides.
fn weight(inquiry: &Inquiry, person: &Person) -> Option<(i32, usize, bool, DateTime<Utc>, String)> {
    let Standing::Free { since } = person.standing else { return None };
    if let Some(place) = inquiry.named.iter().position(|(_, name)| *name == person.employee) {
        return Some((0, place, false, moment(0), String::new()));
    }
    let rank = if person.branch == "b1" {
        1
    } else if person.hq {
        2
    } else {
        return None;
    };
    Some((rank, 0, inquiry.vip && !person.vip_seat, since, person.employee.clone()))
}

fn rank_of_named(inquiry: &Inquiry, person: &Person) -> CandidateRank {
    let named = inquiry.named.iter().find(|(_, name)| *name == person.employee);
    named.map_or(CandidateRank::Colleague, |(rank, _)| *rank)
}

proptest! {
    #[test]
    fn k2_the_choice_is_always_the_first_of_the_order_who_can_be_asked(inquiry in inquiries(), people in people()) {
        let expected = people
            .iter()
            .filter(|person| can(&inquiry, person, rank_of_named(&inquiry, person)))
            .filter_map(|person| Some((weight(&inquiry, person)?, person)))
            .min_by(|(one, _), (other, _)| one.cmp(other))
            .map(|(_, person)| person.employee.clone());
        let considered = order(&inquiry, &people);
        let chosen = considered.last().filter(|last| last.is_chosen()).map(|last| last.employee.clone());
        prop_assert_eq!(&chosen, &expected);
        let passed = considered.len() - usize::from(chosen.is_some());
        prop_assert!(considered[..passed].iter().all(|passed| !passed.is_chosen() && passed.verdict != 0));
        let names: BTreeSet<&String> = considered.iter().map(|considered| &considered.employee).collect();
        prop_assert_eq!(names.len(), considered.len(), "nobody is considered twice");
        let first = eligible(&inquiry, &people).next().map(|person| person.employee.clone());
        prop_assert_eq!(first, expected);
    }
}
