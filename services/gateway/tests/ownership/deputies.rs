//! O9: who deputises in a case, whatever makes an absent person responsible and whatever becomes of the case.

use chrono::TimeDelta;
use shouwen_engine::{Actor, Submission};
use shouwen_gateway::domain::{
    Command,
    absence::Naming,
    command::{AbsenceAction, AbsenceCommand, Action, Arranger, CaseCommand, Enter},
};
use shouwen_proto::ownership::v1::{CreateAbsenceRequest, case::State};
use tonic::Code;

use crate::{
    absence::{deputies, planned, selected, sudden},
    desk::{employee, reason},
    ground::{Ground, Office, tuesday},
};

/// A complaint about these employees under the case.
async fn complain(office: &Office, name: &str, id: &str, about: &[&str]) {
    office.complaints().filed(office.here().await, &format!("{name}/complaints/{id}"), about);
    office.followed().await;
}

#[tokio::test]
async fn o9_selected_cases_have_their_own_deputy_and_the_others_the_one_for_all() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let cases = [zhang.open("call-1", "C-1").await, zhang.open("call-2", "C-2").await];
    let theirs = office.desk("li").open("call-3", "C-3").await;
    let request = |all: &str, selected| CreateAbsenceRequest { selected, ..sudden("zhang", all) };
    // Without a deputy for all, each open case needs one.
    let refused = zhang.be_absent(request("", vec![selected(&cases[0], "li")])).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "CASES_UNCOVERED"));
    assert_eq!((&*refused.metadata["count"], &refused.metadata["cases"]), ("1", &cases[1]));
    for case in [&theirs, "cases/none"] {
        let refused = zhang.be_absent(request("li", vec![selected(case, "wang")])).await.unwrap_err();
        assert_eq!((&*refused.reason, &*refused.metadata["case"]), ("CASE_NOT_THEIRS", case));
    }
    complain(&office, &cases[1], "cp-1", &["wang"]).await;
    let refused = zhang.be_absent(request("li", vec![selected(&cases[1], "wang")])).await.unwrap_err();
    assert_eq!((&*refused.reason, &refused.metadata["case"]), ("DEPUTY_RECUSED", &cases[1]));
    let both = vec![selected(&cases[0], "li"), selected(&cases[1], "sun")];
    let absence = zhang.be_absent(request("", both.clone())).await.unwrap();
    assert_eq!((absence.selected, &*absence.deputy), (both, ""));
    for (case, deputy) in [(&cases[0], "li"), (&cases[1], "sun")] {
        assert_eq!(deputies(&zhang.get(case).await.unwrap()), [(deputy, "zhang")]);
    }
    // What becomes theirs meanwhile, and for which nobody was named, goes to the lead.
    let later = zhang.open("call-4", "C-4").await;
    assert_eq!(deputies(&zhang.get(&later).await.unwrap()), [("qian", "zhang")]);
    office.desk("zhao").change_deputy(&absence.name, "wang").await.unwrap();
    office.engine.sweep_once().await.unwrap();
    for (case, deputy) in [(&cases[0], "wang"), (&cases[1], "qian"), (&later, "wang")] {
        assert_eq!(
            deputies(&zhang.get(case).await.unwrap()),
            [(deputy, "zhang")],
            "wang is complained about in one"
        );
    }
}

#[tokio::test]
async fn o9_whatever_makes_an_absent_person_responsible_appoints_the_deputy_at_once() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li, wang) = (office.desk("zhang"), office.desk("li"), office.desk("wang"));
    let offered = wang.open("call-1", "C-1").await;
    let offer = wang.offered(&offered, "zhang").await;
    let closed = zhang.open("call-2", "C-2").await;
    zhang.confirm(&closed, true).await.unwrap();
    zhang.be_absent(sudden("zhang", "li")).await.unwrap();
    // An offer to an absent person is refused and says who deputises; one made before is theirs to answer.
    let refused = wang.offer(&wang.open("call-3", "C-3").await, "zhang").await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "RECEIVER_ABSENT"));
    assert_eq!(
        (&refused.metadata["employee"], &refused.metadata["deputy"]),
        (&employee("zhang"), &employee("li"))
    );
    let accepted = zhang.accept(&offered, &offer).await.unwrap();
    assert_eq!((deputies(&accepted), accepted.epoch), (vec![("li", "zhang")], 3));
    // O1: who answers is the first responder, also while absent.
    let answered = zhang.open("call-4", "C-4").await;
    let case = zhang.get(&answered).await.unwrap();
    assert_eq!(
        (case.first_responder.clone(), deputies(&case), case.epoch),
        (employee("zhang"), vec![("li", "zhang")], 2)
    );
    // O8: the same accountable person, who is absent.
    let reopened = wang.reopen(&closed).await.unwrap();
    assert_eq!((&reopened.accountable, deputies(&reopened)), (&employee("zhang"), vec![("li", "zhang")]));
    // With the work the deputy's power goes, and with the case.
    let taken = li.offered(&reopened.name, "wang").await;
    assert_eq!(reason(wang.accept(&reopened.name, "none").await), "NO_SUCH_OFFER");
    let case = wang.accept(&reopened.name, &taken).await.unwrap();
    assert_eq!(deputies(&case), [("li", "zhang")], "still accountable");
    let case = li.confirm(&answered, true).await.unwrap();
    assert_eq!((case.state(), deputies(&case), case.epoch), (State::Closed, vec![], 3));
    assert_eq!(
        ground.events(&answered).await,
        ["case_opened", "deputy_appointed", "deputy_ended", "case_closed"]
    );
}

#[tokio::test]
async fn o9_a_merged_case_leaves_no_deputy_behind() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, wang) = (office.desk("zhang"), office.desk("wang"));
    zhang.be_absent(sudden("zhang", "li")).await.unwrap();
    let survivor = wang.open("call-1", "C-1").await;
    let provisional = zhang.claim("call-2").await.unwrap().case.unwrap();
    assert_eq!(deputies(&provisional), [("li", "zhang")]);
    // The deputy is as good as who answered.
    let case = office.desk("li").identify("call-2", "C-1").await.unwrap();
    assert_eq!((&case.name, deputies(&case)), (&survivor, vec![]));
    let merged = wang.get(&provisional.name).await.unwrap();
    assert_eq!((merged.state(), deputies(&merged)), (State::Merged, vec![]));
}

#[tokio::test]
async fn o12_a_deputy_who_is_complained_about_gives_way_to_a_lead_at_work() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let case = zhang.open("call-1", "C-1").await;
    let before = zhang.open("call-2", "C-2").await;
    complain(&office, &before, "cp-1", &["li"]).await;
    zhang.be_absent(sudden("zhang", "li")).await.unwrap();
    assert_eq!(deputies(&zhang.get(&before).await.unwrap()), [("qian", "zhang")]);
    complain(&office, &case, "cp-2", &["li"]).await;
    let after = zhang.get(&case).await.unwrap();
    assert_eq!((deputies(&after), after.epoch), (vec![("qian", "zhang")], 4));
    assert_eq!(reason(office.desk("li").resolve(&case).await), "NOT_RESPONSIBLE");
    // A lead who deputises unnamed and becomes absent is followed by the next at once.
    office.desk("qian").be_absent(sudden("qian", "wang")).await.unwrap();
    for case in [&case, &before] {
        assert_eq!(deputies(&zhang.get(case).await.unwrap()), [("zhao", "zhang")]);
    }
    // Accountability goes to a lead at work, too.
    complain(&office, &case, "cp-3", &["zhang"]).await;
    let after = zhang.get(&case).await.unwrap();
    assert_eq!((&after.accountable, deputies(&after)), (&employee("zhao"), vec![]));
    // The complaint settled, the named one deputises again.
    office.complaints().declined(office.here().await, &format!("{before}/complaints/cp-1"));
    office.followed().await;
    assert_eq!(deputies(&zhang.get(&before).await.unwrap()), [("li", "zhang")]);
}

#[tokio::test]
async fn o11_the_receipt_names_the_deputy_while_there_is_one() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let case = zhang.open("call-1", "C-1").await;
    assert_eq!(zhang.receipt(&case).await.unwrap().deputy, "");
    let absence = zhang.be_absent(sudden("zhang", "li")).await.unwrap();
    let receipt = zhang.receipt(&case).await.unwrap();
    assert_eq!((&*receipt.deputy, &*receipt.deputy_phone, &*receipt.handler), ("LI", "021-5000-2", "ZHANG"));
    assert!(receipt.text.contains("While they are absent: LI, phone 021-5000-2"), "{}", receipt.text);
    let chinese = zhang.clone().in_chinese().receipt(&case).await.unwrap();
    assert!(chinese.text.contains("承办人离岗期间由 LI 代理，电话 021-5000-2"), "{}", chinese.text);
    zhang.be_back(&absence.name).await.unwrap();
    assert!(!zhang.receipt(&case).await.unwrap().text.contains("LI"));
}

#[tokio::test]
async fn o9_two_absences_that_follow_each_other_leave_no_moment_without_a_deputy() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let case = zhang.open("call-1", "C-1").await;
    let hours = |hours| tuesday() + TimeDelta::hours(hours);
    zhang.be_absent(planned("zhang", "li", hours(1), hours(2))).await.unwrap();
    zhang.be_absent(planned("zhang", "wang", hours(2), hours(3))).await.unwrap();
    for (time, deputy) in [(1, Some("li")), (2, Some("wang")), (3, None)] {
        office.until(hours(time)).await;
        let expected: Vec<_> = deputy.map(|deputy| (deputy, "zhang")).into_iter().collect();
        assert_eq!(deputies(&zhang.get(&case).await.unwrap()), expected, "{time}");
    }
}

fn system() -> Actor {
    Actor::default()
}

fn arranger(who: &str) -> Arranger {
    Arranger { employee: employee(who), leads: false, branches: Some(Vec::new()) }
}

/// A sudden absence as a command.
pub(crate) fn falls_ill(who: &str, deputy: &str, number: usize) -> Submission<Command> {
    let enter = Enter {
        by: arranger(who),
        employee: employee(who),
        kind: 2,
        start: None,
        end: None,
        reason: None,
        naming: Naming { all: Some(employee(deputy)), ..Naming::default() },
    };
    let absence = format!("absences/{who}-{number}").into();
    let action = AbsenceAction::Enter(Box::new(enter));
    Submission::new(Command::Absence(AbsenceCommand { absence, action }), system())
}

/// An acceptance as a command.
pub(crate) fn accepts(who: &str, case: &str, offer: &str) -> Submission<Command> {
    let action = Action::Accept { offer: offer.to_owned() };
    let command = CaseCommand { case: case.into(), by: employee(who), etag: None, action };
    Submission::new(Command::Case(command), system())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn o9_accepting_while_falling_ill_always_ends_with_a_deputy() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    // Both orders, in one engine (one batch) and in two.
    for number in 0..40 {
        let (accepting, leaving) = if number % 2 == 0 { (&one, &one) } else { (&one, &other) };
        let case = one.desk("wang").open(&format!("call-{number}"), &format!("C-{number}")).await;
        let offer = one.desk("wang").offered(&case, "zhang").await;
        let ill = falls_ill("zhang", "li", number);
        let accept = accepts("zhang", &case, &offer);
        let answers = if number % 4 < 2 {
            tokio::join!(accepting.engine.submit(accept), leaving.engine.submit(ill))
        } else {
            let (ill, accept) = tokio::join!(leaving.engine.submit(ill), accepting.engine.submit(accept));
            (accept, ill)
        };
        answers.0.unwrap();
        answers.1.unwrap();
        one.engine.sweep_once().await.unwrap();
        let now = one.desk("wang").get(&case).await.unwrap();
        assert_eq!((&now.handler, deputies(&now)), (&employee("zhang"), vec![("li", "zhang")]), "{number}");
        one.desk("zhang").be_back(&format!("absences/zhang-{number}")).await.unwrap();
        one.engine.sweep_once().await.unwrap();
        assert_eq!(deputies(&one.desk("wang").get(&case).await.unwrap()), [], "{number}");
    }
}
