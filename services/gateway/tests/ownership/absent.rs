//! O9: an absence from its entry to its end, and who may arrange it.

use chrono::TimeDelta;
use shouwen_access::{Reach, Roles};
use shouwen_proto::{
    access::v1::Role,
    events::v1::AbsenceKind,
    ownership::v1::{
        Absence, ChangeDeputyRequest, CreateAbsenceRequest, EndAbsenceRequest, ListAbsencesRequest,
        absence::State,
    },
};
use shouwen_serving::timestamps::to_proto;
use tonic::Code;

use crate::{
    absence::{deputies, planned, selected, sudden},
    desk::{employee, id, is_chinese, reason},
    ground::{Ground, tuesday},
};

#[tokio::test]
async fn o9_a_sudden_absence_gives_every_open_case_a_deputy_at_once_until_the_employee_is_back() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let handled = zhang.open("call-1", "C-1").await;
    let accountable = zhang.open("call-2", "C-2").await;
    office.desk("wang").accept(&accountable, &zhang.offered(&accountable, "wang").await).await.unwrap();
    let closed = zhang.open("call-3", "C-3").await;
    zhang.confirm(&closed, true).await.unwrap();

    let request = sudden("zhang", "li");
    let absence = zhang.be_absent(request.clone()).await.unwrap();
    assert_eq!(
        (absence.state(), absence.kind(), absence.applied),
        (State::Running, AbsenceKind::Illness, false)
    );
    assert_eq!((&*absence.reason, &*absence.deputy), ("a cold", "employees/li"));
    for (case, epoch) in [(&handled, 2), (&accountable, 3)] {
        let case = zhang.get(case).await.unwrap();
        assert_eq!((deputies(&case), case.epoch), (vec![("li", "zhang")], epoch));
        assert_eq!((&*case.deputies[0].absence, case.deputies[0].until_time), (&*absence.name, None));
        assert_eq!(case.first_responder, employee("zhang"));
    }
    assert_eq!(deputies(&zhang.get(&closed).await.unwrap()), []);
    // Told again, it is the same absence; another one meanwhile is refused.
    assert_eq!(zhang.be_absent(request).await.unwrap(), absence);
    let refused = zhang.be_absent(sudden("zhang", "wang")).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "ABSENCE_OVERLAP"));
    assert_eq!(refused.metadata["absence"], absence.name);

    // The deputy acts like the handler; a colleague is told who deputises.
    li.resolve(&handled).await.unwrap();
    let refused = office.desk("wang").resolve(&handled).await.unwrap_err();
    assert_eq!((&*refused.reason, &*refused.metadata["deputies"]), ("NOT_RESPONSIBLE", "employees/li"));
    assert!(refused.text.contains("employees/li"), "{}", refused.text);
    let view = office.ownership.find(&handled).await.unwrap().unwrap();
    assert_eq!(view.deputies, [employee("li")]);
    // Another round finds nothing more to do.
    office.engine.sweep_once().await.unwrap();
    assert!(zhang.absence(&absence.name).await.unwrap().applied);
    assert_eq!(ground.number("select count(*) from deadline where aggregate like 'absences/%'").await, 0);

    let ended = zhang.be_back(&absence.name).await.unwrap();
    assert_eq!((ended.state(), ended.close_time), (State::Ended, Some(to_proto(tuesday()))));
    for (case, epoch) in [(&handled, 3), (&accountable, 4)] {
        let case = zhang.get(case).await.unwrap();
        assert_eq!((deputies(&case), case.epoch), (vec![], epoch));
    }
    assert_eq!(reason(li.confirm(&handled, true).await), "NOT_RESPONSIBLE");
    office.engine.sweep_once().await.unwrap();
    assert_eq!(
        ground.events(&absence.name).await,
        ["absence_planned", "absence_begun", "absence_applied", "absence_ended", "absence_applied"]
    );
    assert_eq!(ground.count("deputy_appointed").await, 2);
    assert_eq!(ground.count("deputy_ended").await, 2);
    zhang.be_absent(sudden("zhang", "wang")).await.unwrap();
}

#[tokio::test]
async fn o9_a_planned_absence_begins_and_ends_exactly_at_its_times() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let case = zhang.open("call-1", "C-1").await;
    let (start, end) = (tuesday() + TimeDelta::hours(2), tuesday() + TimeDelta::hours(4));
    let tick = TimeDelta::microseconds(1);
    let absence = office.desk("zhao").be_absent(planned("zhang", "li", start, end)).await.unwrap();
    assert_eq!(absence.state(), State::Planned);
    office.until(start - tick).await;
    assert_eq!(reason(li.resolve(&case).await), "NOT_RESPONSIBLE");
    // At its time, whether a sweep has come by or not.
    office.unswept(start).await;
    li.offer(&case, "wang").await.unwrap();
    office.engine.sweep_once().await.unwrap();
    let covered = zhang.get(&case).await.unwrap();
    assert_eq!(
        (deputies(&covered), covered.deputies[0].until_time),
        (vec![("li", "zhang")], Some(to_proto(end)))
    );
    assert_eq!(ground.count("deputy_appointed").await, 1);
    office.until(end - tick).await;
    let offer = covered.offer.unwrap().offer;
    assert_eq!(reason(li.withdraw(&case, &offer).await), "NO_SUCH_OFFER", "expired");
    li.offer(&case, "wang").await.unwrap();
    office.unswept(end).await;
    assert_eq!(office.ownership.find(&case).await.unwrap().unwrap().deputies, [""; 0], "for the edge too");
    assert_eq!(reason(li.resolve(&case).await), "NOT_RESPONSIBLE");
    office.engine.sweep_once().await.unwrap();
    assert_eq!(deputies(&zhang.get(&case).await.unwrap()), []);
    office.engine.sweep_once().await.unwrap();
    let after = zhang.absence(&absence.name).await.unwrap();
    assert_eq!((after.state(), after.applied), (State::Ended, true));
    assert_eq!(reason(zhang.be_back(&absence.name).await), "ILLEGAL_TRANSITION");
    let due = format!(
        "select cause from ledger where aggregate = '{}' and type <> 'absence_planned' order by position",
        absence.name
    );
    let causes = ["deadline:begin", "deadline:apply", "deadline:end", "deadline:apply"];
    assert_eq!(ground.texts(&due).await, causes);
}

#[tokio::test]
async fn o9_after_an_outage_an_absence_that_is_over_gives_nobody_power() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let case = zhang.open("call-1", "C-1").await;
    let (start, end) = (tuesday() + TimeDelta::hours(2), tuesday() + TimeDelta::hours(4));
    let absence = zhang.be_absent(planned("zhang", "li", start, end)).await.unwrap();
    ground.outage(end + TimeDelta::hours(1)).await;
    for _ in 0..4 {
        office.engine.sweep_once().await.unwrap();
    }
    let after = zhang.absence(&absence.name).await.unwrap();
    assert_eq!((after.state(), after.applied), (State::Ended, true));
    assert_eq!(ground.count("deputy_appointed").await, 0);
    assert_eq!(zhang.get(&case).await.unwrap().epoch, 1);
}

#[tokio::test]
async fn o9_a_planned_absence_is_cancelled_before_it_begins_and_ended_after() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, zhao) = (office.desk("zhang"), office.desk("zhao"));
    let (start, end) = (tuesday() + TimeDelta::hours(2), tuesday() + TimeDelta::hours(4));
    let absence = zhang.be_absent(planned("zhang", "li", start, end)).await.unwrap();
    assert_eq!(reason(zhang.be_back(&absence.name).await), "ILLEGAL_TRANSITION");
    assert_eq!(reason(zhang.cancel_absence(&absence.name, "7").await), "ETAG_MISMATCH");
    assert_eq!(reason(office.desk("li").cancel_absence(&absence.name, "").await), "NOT_THEIR_LEAD");
    assert_eq!(reason(office.desk("zhou").cancel_absence(&absence.name, "").await), "NOT_THEIR_LEAD");
    assert_eq!(reason(zhang.cancel_absence("absences/none", "").await), "ABSENCE_NOT_FOUND");
    assert_eq!(reason(zhang.cancel_absence("cases/none", "").await), "FIELD_INVALID");
    let cancelled = zhao.cancel_absence(&absence.name, &absence.etag).await.unwrap();
    assert_eq!(cancelled.state(), State::Cancelled);
    assert_eq!(reason(zhang.cancel_absence(&absence.name, "").await), "ILLEGAL_TRANSITION");
    assert_eq!(reason(zhang.be_back(&absence.name).await), "ILLEGAL_TRANSITION");
    assert_eq!(reason(zhang.change_deputy(&absence.name, "wang").await), "ILLEGAL_TRANSITION");
    // Nothing of it is left.
    let again = zhang.be_absent(planned("zhang", "li", start, end)).await.unwrap();
    office.until(start).await;
    assert_eq!(reason(zhang.cancel_absence(&again.name, "").await), "ILLEGAL_TRANSITION");
    let refused = zhang
        .end_absence(EndAbsenceRequest { name: again.name.clone(), etag: again.etag, request_id: id() })
        .await;
    assert_eq!(reason(refused), "ETAG_MISMATCH", "it has begun since");
    let request = EndAbsenceRequest { name: again.name.clone(), etag: String::new(), request_id: id() };
    let ended = zhao.end_absence(request.clone()).await.unwrap();
    assert_eq!(zhao.end_absence(request).await.unwrap(), ended, "told again");
    office.until(end + TimeDelta::hours(1)).await;
    assert_eq!(zhang.absence(&again.name).await.unwrap().close_time, ended.close_time);
}

#[tokio::test]
async fn o9_what_an_absence_must_be() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let hours = |hours| tuesday() + TimeDelta::hours(hours);
    let plan = |start, end| planned("zhang", "li", hours(start), hours(end));
    let endless = CreateAbsenceRequest { end_time: None, ..plan(1, 2) };
    let windows = [
        (plan(3, 3), "end_time"),
        (plan(3, 2), "end_time"),
        (plan(-3, -1), "end_time"),
        (plan(-3, 0), "end_time"),
        (plan(24 * 732, 24 * 733), "start_time"),
        (plan(1, 24 * 733), "end_time"),
        (endless, "end_time"),
    ];
    for (request, field) in windows {
        let refused = zhang.be_absent(request.clone()).await.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::InvalidArgument, "ABSENCE_WINDOW_INVALID"));
        assert_eq!(refused.fields, [field], "{refused:?}");
        let told = zhang.clone().in_chinese().be_absent(request).await.unwrap_err().text;
        assert!(is_chinese(&told), "{told}");
    }
    let fields = [
        CreateAbsenceRequest { kind: 0, ..plan(1, 2) },
        CreateAbsenceRequest { reason: " ".to_owned(), ..plan(1, 2) },
        CreateAbsenceRequest { employee: "zhang".to_owned(), ..plan(1, 2) },
        CreateAbsenceRequest { deputy: "li".to_owned(), ..plan(1, 2) },
        CreateAbsenceRequest { deputy: String::new(), ..plan(1, 2) },
        CreateAbsenceRequest {
            selected: vec![selected("cases/a", "li"), selected("cases/a", "wang")],
            ..plan(1, 2)
        },
    ];
    for request in fields {
        assert_eq!(reason(zhang.be_absent(request).await), "FIELD_INVALID");
    }
    for deputy in ["nobody", "gone", "auditor", "zhang"] {
        let refused = zhang.be_absent(sudden("zhang", deputy)).await.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::InvalidArgument, "DEPUTY_INVALID"), "{deputy}");
        assert_eq!(refused.metadata["employee"], employee(deputy));
        let told = zhang.clone().in_chinese().be_absent(sudden("zhang", deputy)).await.unwrap_err().text;
        assert!(is_chinese(&told), "{told}");
    }
    assert_eq!(reason(office.desk("zhao").be_absent(sudden("nobody", "li")).await), "EMPLOYEE_NOT_FOUND");
    assert_eq!(reason(office.desk("li").be_absent(sudden("zhang", "li")).await), "NOT_THEIR_LEAD");
    assert_eq!(reason(office.desk("zhou").be_absent(sudden("zhang", "li")).await), "NOT_THEIR_LEAD");
    // Who keeps the roster of all branches is the lead of one all the same.
    let mut zhou = office.desk("zhou");
    (zhou.caller.roles, zhou.caller.reach) = (Roles::from_iter([Role::Lead, Role::Admin]), Reach::All);
    assert_eq!(reason(zhou.be_absent(sudden("zhang", "li")).await), "NOT_THEIR_LEAD");
    let absence = office.desk("chen").be_absent(sudden("zhang", "sun")).await.unwrap();
    assert_eq!(absence.branch, "branches/b1");
    // It took a moment that has passed as its begin.
    zhang.be_back(&absence.name).await.unwrap();
    let earlier = zhang.be_absent(plan(-5, 5)).await.unwrap();
    assert_eq!((earlier.state(), earlier.start_time), (State::Running, Some(to_proto(hours(-5)))));
}

#[tokio::test]
async fn o9_deputies_of_deputies_are_refused_and_the_deputy_can_be_changed_first() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li, zhao) = (office.desk("zhang"), office.desk("li"), office.desk("zhao"));
    let hours = |hours| tuesday() + TimeDelta::hours(hours);
    let own = li.be_absent(planned("li", "wang", hours(10), hours(20))).await.unwrap();
    // Who will be absent then does not deputise; before and after they may.
    let refused = zhang.be_absent(planned("zhang", "li", hours(5), hours(11))).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "DEPUTY_ABSENT"));
    assert_eq!((&refused.metadata["employee"], &refused.metadata["absence"]), (&employee("li"), &own.name));
    assert_eq!(reason(zhang.be_absent(sudden("zhang", "li")).await), "DEPUTY_ABSENT", "without an end");
    let first = zhang.be_absent(planned("zhang", "li", hours(5), hours(10))).await.unwrap();
    let second = zhang.be_absent(planned("zhang", "li", hours(20), hours(30))).await.unwrap();
    // Who deputises then is not absent.
    let refused = li.be_absent(planned("li", "wang", hours(9), hours(10))).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "DEPUTISES"));
    assert_eq!(
        (&refused.metadata["employee"], &refused.metadata["absences"]),
        (&employee("li"), &first.name)
    );
    li.cancel_absence(&own.name, "").await.unwrap();
    let refused = li.be_absent(sudden("li", "wang")).await.unwrap_err();
    assert_eq!(refused.metadata["absences"], format!("{} {}", first.name, second.name));
    // The remedy.
    assert_eq!(reason(li.change_deputy(&first.name, "wang").await), "NOT_THEIR_LEAD");
    assert_eq!(reason(zhao.change_deputy(&first.name, "zhang").await), "DEPUTY_INVALID");
    assert_eq!(reason(zhao.change_deputy("absences/none", "wang").await), "ABSENCE_NOT_FOUND");
    let stale = ChangeDeputyRequest {
        name: first.name.clone(),
        deputy: employee("wang"),
        selected: Vec::new(),
        etag: "9".to_owned(),
        request_id: id(),
    };
    assert_eq!(reason(zhao.change(stale.clone()).await), "ETAG_MISMATCH");
    let change = ChangeDeputyRequest { etag: first.etag, ..stale };
    let changed = zhao.change(change.clone()).await.unwrap();
    assert_eq!(changed.deputy, employee("wang"));
    assert_eq!(zhao.change(change).await.unwrap(), changed, "told again");
    zhao.change_deputy(&second.name, "wang").await.unwrap();
    li.be_absent(sudden("li", "qian")).await.unwrap();
}

#[tokio::test]
async fn o9_absences_are_listed_and_their_reason_is_for_whom_it_concerns() {
    let (ground, office) = Ground::at(tuesday()).await;
    let hours = |hours| tuesday() + TimeDelta::hours(hours);
    let mut entered: Vec<Absence> = Vec::new();
    for (who, deputy) in [("zhang", "wang"), ("li", "wang"), ("sun", "zhou")] {
        entered.push(office.desk(who).be_absent(planned(who, deputy, hours(1), hours(2))).await.unwrap());
    }
    office.desk("li").cancel_absence(&entered[1].name, "").await.unwrap();
    let list = async |who: &str, parent: &str, employee: &str, current: bool| {
        let request = ListAbsencesRequest {
            parent: parent.to_owned(),
            employee: employee.to_owned(),
            current,
            ..ListAbsencesRequest::default()
        };
        let listed = office.desk(who).list_absences(request).await?;
        assert!(listed.absences.iter().all(|absence| absence.reason.is_empty()));
        Ok(listed.absences.into_iter().map(|absence| absence.name).collect::<Vec<_>>())
    };
    let names: Vec<&String> = entered.iter().map(|absence| &absence.name).collect();
    assert_eq!(list("wang", "branches/b1", "", false).await.unwrap(), [names[1].clone(), names[0].clone()]);
    assert_eq!(list("wang", "branches/b1", "", true).await.unwrap(), [names[0].clone()]);
    assert_eq!(list("chen", "branches/-", "", true).await.unwrap(), [names[2].clone(), names[0].clone()]);
    assert_eq!(list("chen", "branches/-", "employees/li", false).await.unwrap(), [names[1].clone()]);
    assert_eq!(reason(list("wang", "branches/b2", "", false).await), "BRANCH_OUT_OF_REACH");
    let page = |page_size: i32, page_token: String| ListAbsencesRequest {
        parent: "branches/b1".to_owned(),
        page_size,
        page_token,
        ..ListAbsencesRequest::default()
    };
    let first = office.desk("wang").list_absences(page(1, String::new())).await.unwrap();
    assert_eq!(first.absences[0].name, *names[1]);
    let second = office.desk("wang").list_absences(page(1, first.next_page_token)).await.unwrap();
    assert_eq!((&second.absences[0].name, &*second.next_page_token), (names[0], ""));

    for (who, shown) in
        [("zhang", "a cold"), ("zhao", "a cold"), ("chen", "a cold"), ("wang", ""), ("auditor", "")]
    {
        assert_eq!(office.desk(who).absence(names[0]).await.unwrap().reason, shown, "{who}");
    }
    assert_eq!(reason(office.desk("sun").absence(names[0]).await), "BRANCH_OUT_OF_REACH");
    assert_eq!(reason(office.desk("zhang").absence("absences/none").await), "ABSENCE_NOT_FOUND");
    // It is sealed.
    let plain = "select count(*) from absences where state::text like '%a cold%'";
    assert_eq!(ground.number(plain).await, 0);
    assert_eq!(
        ground.number("select count(*) from ledger where position('a cold'::bytea in payload) > 0").await,
        0
    );
}
