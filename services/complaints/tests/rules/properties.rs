//! Random lives of complaints: whatever is tried when and by whom, somebody always has a next step, and the rules of approval, recusal and limits hold.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use shouwen_complaints::domain::{
    Rejection, Stage,
    command::{Action, Proposing, Verify},
    complaint::Complaint,
    evolve,
    settle::settled,
    terms::{End, Finding, Kind, Measures, ReplyKind, Severity},
};
use shouwen_proto::events::v1::complaints_event::Event;

use crate::bench::{
    Bench, HQ, LEAD, LEADER, OFFICER, ZHANG, accept, at, complete, measure, propose, reopen, reply, said,
};

/// Everybody who tries something. The complaint is about those of the second half.
const PEOPLE: [&str; 10] = [
    ZHANG,
    "employees/li",
    OFFICER,
    LEAD,
    HQ,
    LEADER,
    "employees/wu",
    "employees/lead-2",
    "employees/hq-2",
    "employees/leader-2",
];
/// The complaint is about these.
const RECUSED: [&str; 4] = ["employees/wu", "employees/lead-2", "employees/hq-2", "employees/leader-2"];

#[derive(Clone, Debug)]
enum Step {
    Act(usize, Try),
    Verify {
        round: u32,
        satisfied: bool,
        measures: bool,
        supersedes: bool,
    },
    /// The attempts to verify a round are used up.
    Exhaust(u32),
    /// What leads to the end, so that lives get there.
    Onward,
    Wait(i64),
    /// Until something happens by itself.
    WaitForDeadline,
}

#[derive(Clone, Debug)]
enum Try {
    Accept(Severity, bool),
    Decline,
    Communicate,
    Reply(ReplyKind),
    Propose { finding: Finding, measures: usize, beyond_authority: bool },
    Approve,
    Return,
    Measure(i32, bool),
    Complete,
    Reopen,
    Close(End),
    Show,
}

fn attempt() -> impl Strategy<Value = Try> {
    let severity = prop_oneof![Just(Severity::Minor), Just(Severity::Serious), Just(Severity::Grave)];
    let finding = prop_oneof![Just(Finding::Upheld), Just(Finding::PartlyUpheld), Just(Finding::NotUpheld)];
    let kind = prop_oneof![Just(ReplyKind::First), Just(ReplyKind::Definite), Just(ReplyKind::Outcome)];
    prop_oneof![
        4 => (severity, any::<bool>()).prop_map(|(severity, complex)| Try::Accept(severity, complex)),
        1 => Just(Try::Decline),
        1 => Just(Try::Communicate),
        5 => kind.prop_map(Try::Reply),
        5 => (finding, 0..3_usize, any::<bool>())
            .prop_map(|(finding, measures, beyond_authority)| Try::Propose { finding, measures, beyond_authority }),
        8 => Just(Try::Approve),
        2 => Just(Try::Return),
        5 => (1..3_i32, prop::bool::weighted(0.8)).prop_map(|(measure, done)| Try::Measure(measure, done)),
        5 => Just(Try::Complete),
        1 => Just(Try::Reopen),
        1 => prop_oneof![Just(End::Unreachable), Just(End::Explained)].prop_map(Try::Close),
        1 => Just(Try::Show),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        16 => (0..PEOPLE.len(), attempt()).prop_map(|(who, attempt)| Step::Act(who, attempt)),
        3 => (1..4_u32, any::<bool>(), any::<bool>(), prop::bool::weighted(0.3)).prop_map(
            |(round, satisfied, measures, supersedes)| Step::Verify { round, satisfied, measures, supersedes }
        ),
        2 => (1..4_u32).prop_map(Step::Exhaust),
        8 => Just(Step::Onward),
        2 => (1..3000_i64).prop_map(Step::Wait),
        2 => Just(Step::WaitForDeadline),
    ]
}

fn action(attempt: &Try, now: DateTime<Utc>) -> Action {
    match attempt {
        Try::Accept(severity, complex) => {
            Action::Accept { severity: *severity, complex: *complex, vip: false }
        }
        Try::Decline => Action::Decline { explanation: None },
        Try::Communicate => {
            Action::Communicate { unit: "IT".into(), person: None, content: None, time: Some(now) }
        }
        Try::Reply(kind) => reply(*kind),
        Try::Propose { finding, measures, beyond_authority } => {
            let measures = (0..*measures).map(|_| (ZHANG.to_owned(), None)).collect();
            let (finding, beyond_authority) = (*finding, *beyond_authority);
            Action::Propose(Proposing { finding, beyond_authority, malicious: false, text: None, measures })
        }
        Try::Approve => Action::Approve,
        Try::Return => Action::Return { remarks: None },
        Try::Measure(number, done) => measure(*number, *done),
        Try::Complete => complete(),
        Try::Reopen => reopen(),
        Try::Close(end) => Action::Close { end: *end, reason: "explained".into() },
        Try::Show => Action::ShowRecord { purpose: "to see".into() },
    }
}

/// What somebody of the roster could do next in a stage.
fn options(stage: &Stage) -> Vec<Action> {
    match stage {
        Stage::Filed => vec![accept(Severity::Minor)],
        Stage::Handling => vec![propose(Finding::NotUpheld, 0), reply(ReplyKind::Definite)],
        Stage::Proposed { .. } => vec![Action::Approve, Action::Return { remarks: None }],
        Stage::Approved { .. } => vec![reply(ReplyKind::Outcome), complete()],
        Stage::Handled { .. } => vec![Action::Close { end: End::Explained, reason: "so".into() }],
        Stage::Closed { .. } | Stage::Declined => vec![reopen()],
    }
}

/// Somebody whom the complaint is not about can take a step.
fn somebody_can_go_on(bench: &Bench, now: DateTime<Utc>) -> bool {
    let mut roster = PEOPLE.iter().filter(|person| !RECUSED.contains(person));
    roster.any(|person| {
        options(&bench.complaint.stage)
            .into_iter()
            .any(|action| bench.clone().act(now, person, action).is_ok())
    })
}

/// What people who want to end it do next.
fn onward(bench: &mut Bench, now: DateTime<Utc>) -> Result<Vec<Event>, Rejection> {
    match bench.complaint.stage.clone() {
        Stage::Closed { .. } | Stage::Declined => bench.act(now, LEAD, reopen()),
        Stage::Filed => bench.act(now, OFFICER, accept(Severity::Grave)),
        Stage::Handling if bench.complaint.needs_proposal() => {
            bench.act(now, ZHANG, propose(Finding::NotUpheld, 0))
        }
        Stage::Handling => {
            bench.act(now, ZHANG, reply(ReplyKind::Definite)).and_then(|_| bench.act(now, ZHANG, complete()))
        }
        // Approved by whoever may; where nobody may, returned by whoever may.
        Stage::Proposed { .. } => [Action::Approve, Action::Return { remarks: None }]
            .into_iter()
            .flat_map(|action| [LEAD, HQ, LEADER].map(|who| (who, action.clone())))
            .map(|(who, action)| bench.act(now, who, action))
            .find(Result::is_ok)
            .unwrap_or(Err(Rejection::Internal("nobody approves or returns it"))),
        Stage::Approved { proposal } => {
            for open in proposal.open_measures() {
                bench.act(now, ZHANG, measure(i32::try_from(open).unwrap(), true))?;
            }
            bench.act(now, ZHANG, reply(ReplyKind::Outcome)).and_then(|_| bench.act(now, ZHANG, complete()))
        }
        Stage::Handled { .. } => {
            let satisfied = said(bench, bench.complaint.round, true);
            bench.verify(now, satisfied)
        }
    }
}

/// From wherever it is, people who want to can bring it to its end.
fn can_be_finished(bench: &Bench, now: DateTime<Utc>) -> bool {
    let mut bench = bench.clone();
    // A grave one that a lone approver has to return takes the most steps.
    for _ in 0..12 {
        if matches!(bench.complaint.stage, Stage::Closed { .. }) {
            return true;
        }
        if onward(&mut bench, now).is_err() {
            return false;
        }
    }
    false
}

/// The state that the events alone lead to.
fn replayed(bench: &Bench) -> Complaint {
    let mut events = bench.history.iter();
    let Some((filed_at, Event::ComplaintFiled(filed))) = events.next() else { panic!("no beginning") };
    let mut complaint = evolve::begun(filed, *filed_at).unwrap();
    for (time, event) in events {
        evolve::apply(&mut complaint, event, *time);
    }
    complaint
}

/// What must hold after every step, by the history alone.
fn check_history(bench: &Bench) -> Result<(), TestCaseError> {
    let mut levels: BTreeSet<(u32, i32, i32)> = BTreeSet::new();
    let mut round = 1;
    let mut proposer = String::new();
    let mut approvers: BTreeSet<&str> = BTreeSet::new();
    let mut tried = false;
    for (_, event) in &bench.history {
        match event {
            Event::ComplaintReopened(_) => (round, tried) = (round + 1, false),
            Event::VerificationExhausted(_) => {
                prop_assert!(!tried, "B6: once a round");
                tried = true;
            }
            Event::ComplaintClosed(closed) => {
                prop_assert!(tried || closed.end != End::Unreachable.number(), "O8");
            }
            Event::HandlingProposed(proposed) => {
                proposer.clone_from(&proposed.proposer);
                approvers.clear();
            }
            Event::ProposalApproved(approved) => {
                prop_assert!(approved.approver != proposer, "P3");
                prop_assert!(approvers.insert(&approved.approver), "nobody approves two levels");
            }
            Event::ComplaintEscalated(escalated) => {
                let step = (round, escalated.limit, escalated.level);
                prop_assert!(levels.insert(step), "O10: each step once: {:?}", step);
                let lower_missing =
                    (1..escalated.level).any(|level| !levels.contains(&(round, escalated.limit, level)));
                prop_assert!(!lower_missing, "O10: in order");
            }
            _ => {}
        }
    }
    Ok(())
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![4 => Just(Kind::Complaint), 1 => Just(Kind::Opinion), 1 => Just(Kind::Inquiry)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn c10_o12_a_complaint_is_never_stuck_and_its_rules_hold(
        kind in kind(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut now = at("2025-09-24T09:00");
        let mut bench = Bench::filed(kind, now, &RECUSED);
        for step in steps {
            let before = bench.complaint.clone();
            match step {
                Step::Onward => {
                    onward(&mut bench, now).unwrap();
                }
                Step::Exhaust(round) => {
                    bench.exhaust(now, round);
                }
                Step::Wait(minutes) => now += TimeDelta::minutes(minutes),
                Step::WaitForDeadline => {
                    let due = bench.complaint.deadlines().into_iter().map(|deadline| deadline.due).min();
                    now = now.max(due.unwrap_or(now));
                    bench.sweep(now);
                }
                Step::Act(who, attempt) => {
                    let done = bench.act(now, PEOPLE[who], action(&attempt, now));
                    if RECUSED.contains(&PEOPLE[who]) {
                        prop_assert_eq!(done, Err(Rejection::Recused(before.name.to_string())), "O12");
                        prop_assert_eq!(&bench.complaint, &before);
                    }
                }
                Step::Verify { round, satisfied, measures, supersedes } => {
                    // There are no callbacks of rounds that were not handled.
                    let handled = round < bench.complaint.round
                        || (round == bench.complaint.round && bench.complaint.handled.is_some());
                    if handled && bench.complaint.needs_proposal() {
                        let verify = Verify {
                            satisfied: satisfied && measures,
                            measures: Some(if measures { Measures::CarriedOut } else { Measures::WithoutEffect }),
                            supersedes_reason: if supersedes { "wrong".into() } else { String::new() },
                            ..said(&bench, round, satisfied)
                        };
                        bench.verify(now, verify).unwrap();
                        // C11: what was recorded stays.
                        let count = before.verifications.len();
                        prop_assert_eq!(bench.complaint.verifications.len(), count + 1);
                        for (then, now) in before.verifications.iter().zip(&bench.complaint.verifications) {
                            prop_assert_eq!((then.satisfied, &then.employee), (now.satisfied, &now.employee));
                        }
                    }
                }
            }
            prop_assert_eq!(&replayed(&bench), &bench.complaint, "replay");
            prop_assert!(bench.complaint.number.is_none() || before.number.is_none() || bench.complaint.number == before.number, "C15");
            prop_assert!(somebody_can_go_on(&bench, now), "stuck: {:?}", bench.complaint.stage);
            prop_assert!(can_be_finished(&bench, now), "no end: {:?}", bench.complaint.stage);
            prop_assert!(bench.complaint.is_open() || bench.complaint.deadlines().is_empty(), "nothing is owed at the end");
            let open_round = bench.complaint.limits.iter().filter(|limit| limit.is_owed());
            prop_assert!(open_round.clone().all(|limit| limit.round == bench.complaint.round));
        }
        check_history(&bench)?;
    }

    #[test]
    fn o10_what_is_due_happens_the_same_whether_swept_often_or_once(stops in prop::collection::vec(1..600_i64, 1..12)) {
        let mut often = Bench::accepted(Kind::Complaint, Severity::Minor, "2025-09-22T10:00");
        let once = often.clone();
        let mut now = at("2025-09-22T10:00");
        let mut seen = Vec::new();
        for minutes in stops {
            now += TimeDelta::minutes(minutes);
            seen.extend(often.sweep(now));
        }
        let (events, after) = settled(&once.complaint, now, &once.book);
        prop_assert_eq!(events, seen);
        prop_assert_eq!(after, often.complaint);
    }
}
