//! Policies as headquarters adopts them: proposed by one, approved by another, known to every service before the test goes on.

use chrono::TimeDelta;
use prost_types::{ListValue, Struct, Value, value::Kind};
use shouwen_proto::policy::v1::{ApprovePolicyRequest, GetEffectivePolicyRequest, ProposePolicyRequest};
use shouwen_runtime::clock::now;
use shouwen_testkit::until;

use super::{
    PATIENCE, Suite,
    client::{id, timestamp},
    ledgers,
};

/// How far ahead a policy must begin so that it can still be approved.
const AHEAD: TimeDelta = TimeDelta::seconds(2);

/// Lets clients be called at any hour (B2), so that a test may run at any hour.
pub(crate) async fn clients_are_called_at_any_hour(suite: &Suite) {
    adopt(suite, "callbacks", [("calling_windows", intervals(&[["00:00", "24:00"]]))]).await;
}

/// Times of day as policies write them.
pub(crate) fn intervals(intervals: &[[&str; 2]]) -> Value {
    list(intervals.iter().map(|pair| list(pair.iter().map(|time| text(time)))))
}

/// A text as policies write it.
pub(crate) fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

fn list(values: impl Iterator<Item = Value>) -> Value {
    Value { kind: Some(Kind::ListValue(ListValue { values: values.collect() })) }
}

/// Makes these values the firm's standard. Returns when they hold and every service has heard of them.
pub(crate) async fn adopt<const N: usize>(suite: &Suite, kind: &str, fields: [(&str, Value); N]) {
    let fields = fields.map(|(field, value)| (field.to_owned(), value));
    let propose = ProposePolicyRequest {
        kind: kind.to_owned(),
        scope: "firm".to_owned(),
        document: Some(Struct { fields: fields.into() }),
        effective_time: timestamp(now() + AHEAD),
        request_id: id(),
    };
    let hq = suite.employee("hq");
    let proposed = hq.policies().propose_policy(propose).await.unwrap().into_inner();
    let approve = ApprovePolicyRequest { name: proposed.name, etag: String::new(), request_id: id() };
    suite.employee("hq-two").policies().approve_policy(approve).await.unwrap();
    let wanted = format!("firm:{}", proposed.revision);
    let request = GetEffectivePolicyRequest { kind: kind.to_owned(), ..Default::default() };
    until(&format!("the policy {kind} holds"), PATIENCE, async || {
        let effective = hq.policies().get_effective_policy(request.clone()).await.unwrap().into_inner();
        effective.version.contains(&wanted).then_some(())
    })
    .await;
    ledgers::caught_up(suite).await;
}
