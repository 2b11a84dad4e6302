//! Approval level by level (C6, C8, P3), on the pure domain.

use shouwen_complaints::domain::{
    Rejection,
    approval::levels,
    command::{Action, Proposing},
    complaint::Stage,
    terms::{ApprovalLevel, Finding, Kind, Severity},
};
use shouwen_policy::ComplaintsPolicy;
use shouwen_proto::events::v1::complaints_event::Event;

use crate::bench::{Bench, HQ, LEAD, LEADER, ZHANG, at, propose};

const NOW: &str = "2025-09-22T10:00";

fn proposed(severity: Severity) -> Bench {
    let mut bench = Bench::accepted(Kind::Complaint, severity, NOW);
    bench.act(at(NOW), ZHANG, propose(Finding::Upheld, 1)).unwrap();
    bench
}

fn approve(bench: &mut Bench, employee: &str) -> Result<bool, Rejection> {
    let events = bench.act(at(NOW), employee, Action::Approve)?;
    let [Event::ProposalApproved(approved)] = &events[..] else { panic!("{events:?}") };
    Ok(approved.r#final)
}

fn send_back(bench: &mut Bench, employee: &str) -> Result<(), Rejection> {
    bench.act(at(NOW), employee, Action::Return { remarks: None }).map(|_| ())
}

#[test]
fn c6_severity_decides_how_many_levels_approve() {
    use ApprovalLevel::{BranchHead, CompanyLeader, Hq};
    let policy = ComplaintsPolicy::default();
    assert_eq!(levels(Severity::Minor, false, &policy), [BranchHead]);
    assert_eq!(levels(Severity::Serious, false, &policy), [BranchHead, Hq]);
    assert_eq!(levels(Severity::Grave, false, &policy), [BranchHead, Hq, CompanyLeader]);
    // C8: beyond authority goes to the company leader in any case.
    assert_eq!(levels(Severity::Minor, true, &policy), [BranchHead, Hq, CompanyLeader]);
    let strict = ComplaintsPolicy { minor_approval_levels: 2, ..policy };
    assert_eq!(levels(Severity::Minor, false, &strict), [BranchHead, Hq]);
}

#[test]
fn c6_each_level_approves_in_order_and_the_last_one_is_final() {
    let mut grave = proposed(Severity::Grave);
    assert_eq!(approve(&mut grave, LEAD), Ok(false));
    assert_eq!(approve(&mut grave, HQ), Ok(false));
    assert!(matches!(grave.complaint.stage, Stage::Proposed { .. }));
    assert_eq!(approve(&mut grave, LEADER), Ok(true));
    let Stage::Approved { proposal } = &grave.complaint.stage else { panic!("{:?}", grave.complaint.stage) };
    assert_eq!(proposal.approvals.len(), 3);
    assert!(matches!(approve(&mut grave, "employees/leader-2"), Err(Rejection::IllegalTransition { .. })));
}

#[test]
fn c6_a_higher_level_stands_in_for_a_lower_one_but_not_the_other_way() {
    let mut serious = proposed(Severity::Serious);
    assert_eq!(approve(&mut serious, ZHANG), Err(Rejection::SecondPersonRequired), "P3");
    let nobody = Err(Rejection::LevelTooHigh(ApprovalLevel::BranchHead));
    assert_eq!(approve(&mut serious, "employees/li"), nobody);
    assert_eq!(approve(&mut serious, HQ), Ok(false), "HQ for the branch");
    let beyond = Err(Rejection::LevelTooHigh(ApprovalLevel::Hq));
    assert_eq!(approve(&mut serious, LEAD), beyond);
    assert_eq!(approve(&mut serious, LEADER), Ok(true), "the company leader for HQ");
}

#[test]
fn p3_nobody_approves_what_they_proposed_nor_two_levels_of_it() {
    let mut bench = Bench::accepted(Kind::Complaint, Severity::Serious, NOW);
    bench.act(at(NOW), LEAD, propose(Finding::Upheld, 1)).unwrap();
    assert_eq!(approve(&mut bench, LEAD), Err(Rejection::SecondPersonRequired));
    assert_eq!(send_back(&mut bench, LEAD), Err(Rejection::SecondPersonRequired));
    assert_eq!(approve(&mut bench, HQ), Ok(false));
    assert_eq!(approve(&mut bench, HQ), Err(Rejection::SecondPersonRequired));
    assert_eq!(approve(&mut bench, "employees/hq-2"), Ok(true));
}

#[test]
fn c6_a_returned_proposal_is_made_anew_and_passes_every_level_again() {
    let mut bench = proposed(Severity::Serious);
    approve(&mut bench, LEAD).unwrap();
    assert_eq!(
        send_back(&mut bench, "employees/lead-2"),
        Err(Rejection::LevelTooHigh(ApprovalLevel::Hq)),
        "who did not approve it and does not reach the level"
    );
    send_back(&mut bench, HQ).unwrap();
    assert_eq!(bench.complaint.stage, Stage::Handling);
    assert!(matches!(approve(&mut bench, HQ), Err(Rejection::IllegalTransition { .. })));
    bench.act(at(NOW), ZHANG, propose(Finding::Upheld, 2)).unwrap();
    assert_eq!(approve(&mut bench, LEAD), Ok(false), "the former approvals are gone");
    assert_eq!(approve(&mut bench, HQ), Ok(true));
}

#[test]
fn c6_who_approved_a_lower_level_may_still_return_it() {
    // The only company leader stood in for the branch head and cannot approve the third level.
    let mut bench = proposed(Severity::Grave);
    approve(&mut bench, LEADER).unwrap();
    approve(&mut bench, HQ).unwrap();
    assert_eq!(approve(&mut bench, LEADER), Err(Rejection::SecondPersonRequired));
    let mut by_hq = bench.clone();
    send_back(&mut by_hq, HQ).unwrap();
    send_back(&mut bench, LEADER).unwrap();
    assert_eq!((&bench.complaint.stage, &by_hq.complaint.stage), (&Stage::Handling, &Stage::Handling));
}

#[test]
fn c8_beyond_authority_needs_the_company_leader_even_when_minor() {
    let mut bench = Bench::accepted(Kind::Complaint, Severity::Minor, NOW);
    let beyond = Action::Propose(Proposing {
        finding: Finding::PartlyUpheld,
        beyond_authority: true,
        malicious: true,
        text: None,
        measures: vec![("employees/wu".into(), None)],
    });
    let events = bench.act(at(NOW), ZHANG, beyond).unwrap();
    let [Event::HandlingProposed(proposed)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(proposed.levels, [1, 2, 3]);
    assert_eq!(approve(&mut bench, LEAD), Ok(false));
    assert_eq!(approve(&mut bench, HQ), Ok(false));
    assert_eq!(approve(&mut bench, LEADER), Ok(true));
    let proposal = bench.complaint.proposal().unwrap();
    assert!(proposal.beyond_authority && proposal.malicious, "marks beside the finding");
}

#[test]
fn c8_what_is_upheld_needs_measures_and_what_is_not_does_not() {
    for finding in [Finding::Upheld, Finding::PartlyUpheld] {
        let mut bench = Bench::accepted(Kind::Complaint, Severity::Minor, NOW);
        assert_eq!(bench.act(at(NOW), ZHANG, propose(finding, 0)), Err(Rejection::MeasuresRequired));
    }
    let mut bench = Bench::accepted(Kind::Complaint, Severity::Minor, NOW);
    bench.act(at(NOW), ZHANG, propose(Finding::NotUpheld, 0)).unwrap();
}
