//! P1-P3: a policy is proposed by one person and approved by another at headquarters, valid as a whole, from a time on that has not passed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use shouwen_access::{Reach, Roles};
use shouwen_proto::{
    access::v1::Role,
    policy::v1::{
        ApprovePolicyRequest, EffectivePolicy, GetEffectivePolicyRequest, GetPolicyRequest,
        ListPoliciesRequest, Policy, ProposePolicyRequest, RejectPolicyRequest, policy::State,
    },
};
use shouwen_serving::timestamps::to_proto;
use tonic::Code;

use crate::{
    desk::{Answer, Desk, employee, id, reason},
    ground::{Ground, Office, tuesday},
};

fn proposal(kind: &str, scope: &str, document: Value, from: DateTime<Utc>) -> ProposePolicyRequest {
    let Value::Object(document) = document else { panic!("{document}") };
    ProposePolicyRequest {
        kind: kind.to_owned(),
        scope: scope.to_owned(),
        document: Some(shouwen_policy::document_to_struct(&document).unwrap()),
        effective_time: Some(to_proto(from)),
        request_id: id(),
    }
}

async fn propose_as(desk: &Desk, request: ProposePolicyRequest) -> Answer<Policy> {
    desk.policies(request, async |mut policies, it| policies.propose_policy(it).await).await
}

async fn approve_as(desk: &Desk, name: &str, etag: &str) -> Answer<Policy> {
    let request = ApprovePolicyRequest { name: name.to_owned(), etag: etag.to_owned(), request_id: id() };
    desk.policies(request, async |mut policies, it| policies.approve_policy(it).await).await
}

async fn reject_as(desk: &Desk, name: &str, reason: &str) -> Answer<Policy> {
    let request = RejectPolicyRequest { name: name.to_owned(), reason: reason.to_owned(), request_id: id() };
    desk.policies(request, async |mut policies, it| policies.reject_policy(it).await).await
}

/// Proposes a version at headquarters and answers its name.
pub(crate) async fn propose(
    office: &Office,
    kind: &str,
    scope: &str,
    document: Value,
    from: DateTime<Utc>,
) -> String {
    propose_as(&office.desk("chen"), proposal(kind, scope, document, from)).await.unwrap().name
}

/// Approves it by somebody else.
pub(crate) async fn approve(office: &Office, name: &str) {
    approve_as(&office.desk("lin"), name, "").await.unwrap();
}

async fn effective(office: &Office, kind: &str, branch: &str, at: Option<DateTime<Utc>>) -> EffectivePolicy {
    let request =
        GetEffectivePolicyRequest { kind: kind.to_owned(), branch: branch.to_owned(), at: at.map(to_proto) };
    let desk = office.desk("zhang");
    desk.policies(request, async |mut policies, it| policies.get_effective_policy(it).await).await.unwrap()
}

/// Value and source of a field of an effective policy.
fn value(policy: &EffectivePolicy, field: &str) -> (Value, String) {
    let document = shouwen_policy::document_from_struct(policy.document.as_ref().unwrap()).unwrap();
    let source = policy.provenance.iter().find(|it| it.field == field).unwrap().source.clone();
    (document[field].clone(), source)
}

#[tokio::test]
async fn p1_a_document_is_validated_whole_before_anyone_can_approve_it() {
    let (ground, office) = Ground::at(tuesday()).await;
    let chen = office.desk("chen");
    let bad = json!({"offer_minutes": 0, "override_minutes": "long", "offer_hours": 1});
    let refused = propose_as(&chen, proposal("ownership", "firm", bad, tuesday())).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::InvalidArgument, "POLICY_INVALID"));
    assert_eq!(refused.metadata["field"], "document.offer_hours", "the first of them");
    let mut fields = refused.fields;
    fields.sort();
    assert_eq!(fields, ["document.offer_hours", "document.offer_minutes", "document.override_minutes"]);
    for (document, field) in
        [(json!({}), "document"), (json!({"offer_minutes": 99_999}), "document.offer_minutes")]
    {
        let refused =
            propose_as(&chen, proposal("ownership", "firm", document, tuesday())).await.unwrap_err();
        assert_eq!((&*refused.reason, refused.fields), ("POLICY_INVALID", vec![field.to_owned()]));
    }
    let none = proposal("ownership", "firm", json!({"offer_minutes": 0}), tuesday());
    assert_eq!(
        propose_as(&chen.clone().in_chinese(), none).await.unwrap_err().text,
        "制度内容无效：`document.offer_minutes`：0 超出范围；请填写 1 至 10080 的整数（单位：分钟）。"
    );
    let good = || json!({"offer_minutes": 5});
    assert_eq!(
        reason(propose_as(&chen, proposal("weather", "firm", good(), tuesday())).await),
        "POLICY_KIND_UNKNOWN"
    );
    for scope in ["", "b1", "branches/B1"] {
        let refused = propose_as(&chen, proposal("ownership", scope, good(), tuesday())).await.unwrap_err();
        assert_eq!(refused.fields, ["scope"]);
    }
    let mut without = proposal("ownership", "firm", good(), tuesday());
    without.document = None;
    assert_eq!(propose_as(&chen, without).await.unwrap_err().fields, ["document"]);
    let mut timeless = proposal("ownership", "firm", good(), tuesday());
    timeless.effective_time = None;
    assert_eq!(propose_as(&chen, timeless).await.unwrap_err().fields, ["effective_time"]);
    assert_eq!(ground.count("policy_proposed").await, 0);
    assert_eq!(
        ground.number("select coalesce(sum(value), 0)::bigint from counter").await,
        0,
        "no number is lost"
    );
}

#[tokio::test]
async fn p1_two_versions_that_do_not_go_together_are_not_both_approved() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    // Three attempts on three days is the firm's; a branch with two attempts would not go with it, nor the other way round.
    let days = propose(&one, "callbacks", "firm", json!({"attempt_days": 3}), tuesday()).await;
    let attempts = propose(&one, "callbacks", "branches/b1", json!({"attempts": 2}), tuesday()).await;
    let (first, second) = (one.desk("lin"), other.desk("lin"));
    let (first, second) = tokio::join!(approve_as(&first, &days, ""), approve_as(&second, &attempts, ""));
    assert_ne!(first.is_ok(), second.is_ok(), "{first:?} {second:?}");
    assert_eq!(first.err().or(second.err()).unwrap().reason, "POLICY_INVALID");
    // What was approved makes a book that a replica can start with.
    ground.another().await;
}

#[tokio::test]
async fn p2_a_branch_adjusts_for_itself_and_every_value_says_where_it_comes_from() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhao = office.desk("zhao");
    let adjust = |scope: &str| proposal("ownership", scope, json!({"offer_minutes": 10}), tuesday());
    for (scope, reason, key, value) in [
        ("firm", "ROLE_REQUIRED", "roles", "HQ"),
        ("branches/b2", "BRANCH_OUT_OF_REACH", "branch", "branches/b2"),
    ] {
        let refused = propose_as(&zhao, adjust(scope)).await.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::PermissionDenied, reason));
        assert_eq!(refused.metadata[key], value);
    }
    let own = propose_as(&zhao, adjust("branches/b1")).await.unwrap();
    assert_eq!((own.state(), own.revision, &*own.proposer), (State::Proposed, 1, "employees/zhao"));
    // Proposed is not approved, and only headquarters approves.
    let before = effective(&office, "ownership", "branches/b1", None).await;
    assert_eq!(value(&before, "offer_minutes"), (json!(30), "default".to_owned()));
    assert_eq!(before.version, "ownership@default");
    for lead in ["qian", "zhao"] {
        assert_eq!(reason(approve_as(&office.desk(lead), &own.name, "").await), "ROLE_REQUIRED");
        assert_eq!(reason(reject_as(&office.desk(lead), &own.name, "no").await), "ROLE_REQUIRED");
    }
    let approved = approve_as(&office.desk("lin"), &own.name, &own.etag).await.unwrap();
    assert_eq!((approved.state(), &*approved.approver), (State::Approved, "employees/lin"));
    let later = tuesday() + TimeDelta::days(1);
    let firm =
        propose(&office, "ownership", "firm", json!({"offer_minutes": 20, "override_minutes": 60}), later)
            .await;
    approve(&office, &firm).await;

    let now = effective(&office, "ownership", "branches/b1", None).await;
    assert_eq!(value(&now, "offer_minutes"), (json!(10), "branches/b1:1".to_owned()));
    assert_eq!(value(&now, "override_minutes"), (json!(480), "default".to_owned()));
    let then = effective(&office, "ownership", "branches/b1", Some(later)).await;
    assert_eq!(value(&then, "offer_minutes"), (json!(10), "branches/b1:1".to_owned()));
    assert_eq!(value(&then, "override_minutes"), (json!(60), "firm:1".to_owned()));
    assert_eq!(then.version, "ownership@firm:1+branches/b1:1");
    let elsewhere = effective(&office, "ownership", "branches/b2", Some(later)).await;
    assert_eq!(value(&elsewhere, "offer_minutes"), (json!(20), "firm:1".to_owned()));
    let standard = effective(&office, "ownership", "", Some(later - TimeDelta::microseconds(1))).await;
    assert_eq!(standard.version, "ownership@default");
}

#[tokio::test]
async fn p2_a_lead_who_reaches_every_branch_still_adjusts_the_own_one_alone() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let adjust = |scope: &str| proposal("ownership", scope, json!({"offer_minutes": 10}), tuesday());
    for beside in [Role::Admin, Role::Auditor, Role::CompanyLeader] {
        let mut zhao = office.desk("zhao");
        (zhao.caller.roles, zhao.caller.reach) = (Roles::from_iter([Role::Lead, beside]), Reach::All);
        assert_eq!(reason(propose_as(&zhao, adjust("firm")).await), "ROLE_REQUIRED");
        assert_eq!(reason(propose_as(&zhao, adjust("branches/b2")).await), "BRANCH_OUT_OF_REACH");
        let own = propose_as(&zhao, adjust("branches/b1")).await.unwrap();
        assert_eq!(reason(approve_as(&zhao, &own.name, "").await), "ROLE_REQUIRED");
        assert_eq!(reason(reject_as(&zhao, &own.name, "no").await), "ROLE_REQUIRED");
    }
    // Who is of HQ as well speaks for all.
    let mut chen = office.desk("chen");
    chen.caller.roles = Roles::from_iter([Role::Lead, Role::Hq]);
    propose_as(&chen, adjust("firm")).await.unwrap();
    propose_as(&chen, adjust("branches/b2")).await.unwrap();
}

#[tokio::test]
async fn p3_who_proposes_does_not_approve() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let name = propose(&office, "ownership", "firm", json!({"offer_minutes": 5}), tuesday()).await;
    let refused = approve_as(&office.desk("chen"), &name, "").await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::PermissionDenied, "PROPOSER_CANNOT_APPROVE"));
    assert_eq!(refused.metadata["proposer"], employee("chen"));
    approve(&office, &name).await;
    for (refused, action) in [
        (approve_as(&office.desk("lin"), &name, "").await, "approve the policy"),
        (reject_as(&office.desk("lin"), &name, "too late").await, "reject the policy"),
    ] {
        let refused = refused.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "ILLEGAL_TRANSITION"));
        let told = ["name", "state", "action"].map(|key| &*refused.metadata[key]);
        assert_eq!(told, [&*name, "approved", action]);
    }
    // A rejected one is decided, too; its proposer may give it up.
    let second = propose(&office, "ownership", "firm", json!({"offer_minutes": 6}), tuesday()).await;
    let rejected = reject_as(&office.desk("chen"), &second, "a mistake").await.unwrap();
    assert_eq!(
        (rejected.state(), &*rejected.reject_reason, rejected.revision),
        (State::Rejected, "a mistake", 2)
    );
    assert_eq!(reason(approve_as(&office.desk("lin"), &second, "").await), "ILLEGAL_TRANSITION");
    assert_eq!(reason(reject_as(&office.desk("lin"), &second, " ").await), "FIELD_INVALID");
}

#[tokio::test]
async fn p1_a_policy_holds_from_its_time_and_not_before_it_was_approved() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let chen = office.desk("chen");
    let past =
        proposal("ownership", "firm", json!({"offer_minutes": 5}), tuesday() - TimeDelta::microseconds(1));
    let refused = propose_as(&chen, past).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "EFFECTIVE_TIME_PAST"));
    let told = DateTime::parse_from_rfc3339(&refused.metadata["effective_time"]).unwrap();
    assert_eq!(told, tuesday() - TimeDelta::microseconds(1));
    let soon = tuesday() + TimeDelta::minutes(10);
    let late = propose(&office, "ownership", "firm", json!({"offer_minutes": 5}), soon).await;
    let kept =
        propose(&office, "ownership", "firm", json!({"offer_minutes": 7}), soon + TimeDelta::minutes(1))
            .await;
    approve(&office, &kept).await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    office.until(soon + TimeDelta::microseconds(1)).await;
    assert_eq!(reason(approve_as(&office.desk("lin"), &late, "").await), "EFFECTIVE_TIME_PAST");
    let expires = async |at: DateTime<Utc>| {
        office.until(at).await;
        let offer = office.desk("zhang").offer(&name, "li").await.unwrap().offer.unwrap();
        office.desk("zhang").withdraw(&name, &offer.offer).await.unwrap();
        crate::ground::at(offer.expire_time) - at
    };
    let moment = soon + TimeDelta::minutes(1);
    assert_eq!(expires(moment - TimeDelta::microseconds(1)).await, TimeDelta::minutes(30));
    assert_eq!(expires(moment).await, TimeDelta::minutes(7));
}

#[tokio::test]
async fn p1_proposals_are_numbered_listed_and_read_back() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let mut names = Vec::new();
    for minutes in 1..=3 {
        names.push(propose(&office, "ownership", "firm", json!({"offer_minutes": minutes}), tuesday()).await);
    }
    let branch = propose(&office, "ownership", "branches/b1", json!({"offer_minutes": 9}), tuesday()).await;
    let hours =
        propose(&office, "hours", "firm", json!({"working_hours": [["09:00", "17:00"]]}), tuesday()).await;
    let zhang = office.desk("zhang");
    let list = async |kind: &str, scope: &str, page_size: i32, token: &str| {
        let request = ListPoliciesRequest {
            kind: kind.to_owned(),
            scope: scope.to_owned(),
            page_size,
            page_token: token.to_owned(),
        };
        zhang.policies(request, async |mut policies, it| policies.list_policies(it).await).await
    };
    let all = list("", "", 0, "").await.unwrap().policies;
    let listed: Vec<(&str, i64)> = all.iter().map(|policy| (&*policy.name, policy.revision)).collect();
    let expected = [(&*hours, 1), (&*branch, 1), (&*names[2], 3), (&*names[1], 2), (&*names[0], 1)];
    assert_eq!(listed, expected);
    assert_eq!(list("ownership", "branches/b1", 0, "").await.unwrap().policies[0].name, branch);
    let first = list("ownership", "firm", 2, "").await.unwrap();
    let second = list("ownership", "firm", 2, &first.next_page_token).await.unwrap();
    assert_eq!((second.policies.len(), &*second.next_page_token), (1, ""));
    assert_eq!(reason(list("ownership", "", 2, &first.next_page_token).await), "PAGE_TOKEN_INVALID");
    assert_eq!(reason(list("weather", "", 0, "").await), "POLICY_KIND_UNKNOWN");
    assert_eq!(reason(list("", "b1", 0, "").await), "FIELD_INVALID");

    let get = async |name: &str| {
        let request = GetPolicyRequest { name: name.to_owned() };
        zhang.policies(request, async |mut policies, it| policies.get_policy(it).await).await
    };
    let read = get(&branch).await.unwrap();
    assert_eq!((&*read.scope, &*read.kind, read.proposer), ("branches/b1", "ownership", employee("chen")));
    let unknown = format!("policies/{}", id());
    assert_eq!(reason(get(&unknown).await), "POLICY_NOT_FOUND");
    assert_eq!(reason(approve_as(&office.desk("lin"), &unknown, "").await), "POLICY_NOT_FOUND");
    assert_eq!(reason(get("policies/x").await), "FIELD_INVALID");
    let refused = approve_as(&office.desk("lin"), &branch, "7").await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::Aborted, "ETAG_MISMATCH"));
}

#[tokio::test]
async fn p2_every_replica_decides_by_a_policy_from_its_first_moment() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let name = propose(&one, "ownership", "firm", json!({"offer_minutes": 3}), tuesday()).await;
    approve(&one, &name).await;
    // The other replica may not have heard of it; its decision reads the ledger first.
    let case = other.desk("zhang").open("call-1", "C-1").await;
    let offer = other.desk("zhang").offer(&case, "li").await.unwrap().offer.unwrap();
    assert_eq!(crate::ground::at(offer.expire_time), tuesday() + TimeDelta::minutes(3));
}
