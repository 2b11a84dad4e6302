use serde_json::{Value, json};
use shouwen_policy::{
    Kind, Person, PolicyBook, PolicyRejection, PolicyState, PolicyStatus, PolicyVersion, Propose, Reach,
    adoption, approve, propose, reject, revision_counter,
};
use shouwen_proto::events::v1::PolicyAdopted;

use crate::{calendar_2027, document, hour, version};

const ANNA: Person<'static> = Person { name: "employees/anna", reach: Reach::Headquarters };
const BO: Person<'static> = Person { name: "employees/bo", reach: Reach::Headquarters };

fn command(kind: Kind, scope: &str, from: i64, value: Value) -> Propose {
    Propose {
        policy: "policies/p1".into(),
        kind,
        scope: scope.parse().expect("scope"),
        document: document(value),
        effective_from: hour(from),
    }
}

fn proposed(kind: Kind, scope: &str, from: i64, value: Value) -> PolicyState {
    let command = command(kind, scope, from, value);
    let event = propose(&command, 1, hour(0), ANNA, &PolicyBook::standard()).expect("valid");
    PolicyState::from(&event)
}

fn lead(branches: &[String]) -> Person<'_> {
    Person { name: "employees/lei", reach: Reach::Branches(branches) }
}

#[test]
fn p2_an_adjustment_holds_after_hq_approved_it() {
    let own = ["branches/b1".to_owned()];
    let book = PolicyBook::standard();
    let command = command(Kind::Calls, "branches/b1", 10, json!({ "rings": 5 }));
    let state = PolicyState::from(&propose(&command, 1, hour(0), lead(&own), &book).expect("own branch"));
    assert_eq!(state.status, PolicyStatus::Proposed);
    assert_eq!(state.version(), Ok(None));
    assert_eq!(approve(&state, hour(1), lead(&own), &book), Err(PolicyRejection::HeadquartersOnly));

    let event = approve(&state, hour(1), ANNA, &book).expect("approved");
    let state = state.approved(&event, hour(1));
    let version = state.version().expect("readable").expect("approved");
    assert_eq!(PolicyVersion::try_from(&event), Ok(version.clone()));
    assert_eq!(PolicyVersion::try_from(&adoption(&event)), Ok(version.clone()));
    assert_eq!(PolicyAdopted::try_from(&version), Ok(adoption(&event)));
    let book = book.with(version).expect("valid");
    assert_eq!(book.calls(Some("b1"), hour(9)).value.rings, 3);
    assert_eq!(book.calls(Some("b1"), hour(10)).value.rings, 5);
    assert_eq!(book.calls(None, hour(10)).value.rings, 3);
}

#[test]
fn p2_a_lead_proposes_for_the_own_branch_only() {
    let own = ["branches/b1".to_owned()];
    let attempt = |scope| {
        let command = command(Kind::Calls, scope, 10, json!({ "rings": 5 }));
        propose(&command, 1, hour(0), lead(&own), &PolicyBook::standard())
    };
    assert!(attempt("branches/b1").is_ok());
    assert_eq!(attempt("firm").expect_err("firm").reason(), "ROLE_REQUIRED");
    assert_eq!(attempt("branches/b2").expect_err("other").reason(), "BRANCH_OUT_OF_REACH");
}

#[test]
fn p3_who_proposes_does_not_approve() {
    let state = proposed(Kind::Calls, "firm", 10, json!({ "rings": 5 }));
    let refused = approve(&state, hour(1), ANNA, &PolicyBook::standard()).expect_err("own proposal");
    assert_eq!(refused, PolicyRejection::ProposerCannotApprove { proposer: "employees/anna".into() });
    let event = approve(&state, hour(1), BO, &PolicyBook::standard()).expect("another");
    assert_eq!((event.proposer.as_str(), event.approver.as_str()), ("employees/anna", "employees/bo"));
}

#[test]
fn p3_a_decision_is_made_once() {
    let book = PolicyBook::standard();
    let state = proposed(Kind::Calls, "firm", 10, json!({ "rings": 5 }));
    let approved = approve(&state, hour(1), BO, &book).expect("first");
    let rejected = reject(&state, "too many", BO).expect("first");
    let approved = state.clone().approved(&approved, hour(1));
    let rejected = state.rejected(&rejected, BO.name, hour(1));
    for (state, status) in [(approved, "approved"), (rejected, "rejected")] {
        let already = |action| {
            let policy = "policies/p1".to_owned();
            PolicyRejection::IllegalTransition { policy, status, action }
        };
        let approved = approve(&state, hour(2), BO, &book).expect_err("decided");
        assert_eq!(approved, already("approve the policy"));
        assert_eq!(reject(&state, "late", BO).expect_err("decided"), already("reject the policy"));
    }
}

#[test]
fn p1_nothing_holds_from_a_moment_that_has_passed() {
    let book = PolicyBook::standard();
    let command = command(Kind::Calls, "firm", 10, json!({ "rings": 5 }));
    let past = PolicyRejection::EffectiveTimePast { effective_from: hour(10) };
    assert_eq!(propose(&command, 1, hour(11), ANNA, &book), Err(past.clone()));
    let state = PolicyState::from(&propose(&command, 1, hour(10), ANNA, &book).expect("from now on"));
    assert!(approve(&state, hour(10), BO, &book).is_ok());
    assert_eq!(approve(&state, hour(11), BO, &book), Err(past));
    assert!(reject(&state, "too late", BO).is_ok());
}

#[test]
fn p1_a_branch_is_validated_over_the_firm() {
    let firm = version(Kind::Callbacks, "firm", 1, 20, json!({ "attempts": 6 }));
    let book = PolicyBook::standard().with(firm).expect("valid");
    let attempt = |from| {
        let command = command(Kind::Callbacks, "branches/b1", from, json!({ "attempt_days": 5 }));
        propose(&command, 1, hour(0), ANNA, &book)
    };
    assert!(attempt(20).is_ok());
    let PolicyRejection::Invalid(errors) = attempt(19).expect_err("an hour over the standard") else {
        panic!()
    };
    assert_eq!(errors[0].field, "attempt_days");
    assert!(errors[0].problem.ends_with("(as callbacks@branches/b1:1)"), "{errors:?}");
}

#[test]
fn p1_the_firm_is_validated_under_each_branch() {
    let branch = version(Kind::Callbacks, "branches/b1", 1, 50, json!({ "attempt_days": 3 }));
    let book = PolicyBook::standard().with(branch).expect("valid");
    let command = command(Kind::Callbacks, "firm", 10, json!({ "attempts": 2 }));
    let PolicyRejection::Invalid(errors) = propose(&command, 1, hour(0), ANNA, &book).expect_err("b1 breaks")
    else {
        panic!()
    };
    assert!(errors[0].problem.ends_with("(as callbacks@firm:1+branches/b1:1)"), "{errors:?}");
}

#[test]
fn p1_an_approval_sees_what_was_approved_since_the_proposal() {
    let state = proposed(Kind::Callbacks, "firm", 10, json!({ "attempts": 2 }));
    let branch = version(Kind::Callbacks, "branches/b1", 1, 10, json!({ "attempt_days": 3 }));
    let book = PolicyBook::standard().with(branch).expect("valid");
    assert_eq!(approve(&state, hour(1), BO, &book).expect_err("clash").reason(), "POLICY_INVALID");
}

#[test]
fn s3_calendars_are_imported_for_the_firm_only() {
    let value = json!({ "toml": calendar_2027("cn-2027.1", &["2027-01-01"]) });
    let attempt = |scope| {
        let command = command(Kind::Calendar, scope, 10, value.clone());
        propose(&command, 1, hour(0), ANNA, &PolicyBook::standard())
    };
    assert!(attempt("firm").is_ok());
    let PolicyRejection::Invalid(errors) = attempt("branches/b1").expect_err("branch") else { panic!() };
    assert_eq!(errors[0].field, "scope");
}

#[test]
fn a_state_is_stored_with_its_status_beside_its_fields() {
    let state = proposed(Kind::Calls, "branches/b1", 10, json!({ "rings": 5 }));
    let event = approve(&state, hour(1), BO, &PolicyBook::standard()).expect("approved");
    let rejection = reject(&state, "no", BO).expect("rejected");
    for state in [
        state.clone(),
        state.clone().approved(&event, hour(1)),
        state.clone().rejected(&rejection, BO.name, hour(1)),
    ] {
        let stored = serde_json::to_value(&state).expect("stored");
        assert_eq!(stored["status"], state.status.as_str());
        assert_eq!(stored["scope"], "branches/b1");
        assert_eq!(serde_json::from_value::<PolicyState>(stored).expect("read"), state);
    }
}

#[test]
fn what_a_newer_release_proposed_is_kept_but_not_approved() {
    let mut event = propose(
        &command(Kind::Calls, "firm", 10, json!({ "rings": 5 })),
        1,
        hour(0),
        ANNA,
        &PolicyBook::standard(),
    )
    .expect("valid");
    event.kind = "wages".into();
    let state = PolicyState::from(&event);
    assert_eq!(state.kind, "wages");
    assert_eq!(
        approve(&state, hour(1), BO, &PolicyBook::standard()).expect_err("unknown").reason(),
        "POLICY_INVALID"
    );
}

#[test]
fn proposals_are_numbered_per_kind_and_scope() {
    let counter = |scope: &str| revision_counter(Kind::Calls, &scope.parse().expect("scope"));
    assert_eq!(counter("firm"), "policies/calls@firm");
    assert_eq!(counter("branches/b1"), "policies/calls@branches/b1");
}
