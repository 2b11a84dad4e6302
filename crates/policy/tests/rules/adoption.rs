use serde_json::json;
use shouwen_policy::{AdoptedPolicies, Kind, PolicyBook, PolicyVersion, adopt};
use shouwen_proto::events::v1::PolicyAdopted;

use crate::{hour, version};

fn four_rings() -> (PolicyVersion, PolicyAdopted) {
    let version = version(Kind::Calls, "firm", 1, 0, json!({ "rings": 4 }));
    let adopted = PolicyAdopted::try_from(&version).expect("valid");
    (version, adopted)
}

fn rings(policies: &AdoptedPolicies) -> u32 {
    policies.book().calls(None, hour(0)).value.rings
}

#[test]
fn p1_a_version_is_adopted_once() {
    let (version, adopted) = four_rings();
    let book = PolicyBook::standard();
    assert_eq!(adopt(None, &adopted, &book), Ok(Some(adopted.clone())));
    assert_eq!(adopt(Some(&version), &adopted, &book), Ok(None));
}

#[test]
fn p1_a_version_that_cannot_be_read_or_does_not_fit_is_refused() {
    let (_, adopted) = four_rings();
    let newer = PolicyAdopted { kind: "questionnaire".into(), ..adopted };
    let refused = adopt(None, &newer, &PolicyBook::standard()).expect_err("unknown kind");
    assert_eq!((refused.combination, &*refused.errors[0].field), (newer.policy, "kind"));
    let unfit = version(Kind::Calls, "firm", 1, 0, json!({ "rings": 99 }));
    let unfit = PolicyAdopted::try_from(&unfit).expect("a document of the contract");
    let refused = adopt(None, &unfit, &PolicyBook::standard()).expect_err("out of bounds");
    assert_eq!((&*refused.combination, &*refused.errors[0].field), ("calls@firm:1", "rings"));
}

#[test]
fn p1_what_an_earlier_release_could_not_read_is_taken_in_once_it_is_adopted_anew() {
    let (version, adopted) = four_rings();
    let unread = [(version.policy.clone(), None)];
    let policies = AdoptedPolicies::load(unread.to_vec()).expect("valid");
    assert_eq!(rings(&policies), 3);
    policies.adopted([&adopted].into_iter());
    policies.take_in(&unread);
    assert_eq!(rings(&policies), 4);
}

#[test]
fn p1_what_does_not_fit_leaves_the_rest_as_it_is() {
    let (version_1, adopted) = four_rings();
    let unfit = version(Kind::Callbacks, "firm", 1, 0, json!({ "attempts": 99 }));
    let policies = AdoptedPolicies::load(Vec::new()).expect("valid");
    policies.take_in(&[(unfit.policy.clone(), Some(unfit)), (version_1.policy.clone(), Some(version_1))]);
    assert_eq!(rings(&policies), 4);
    policies.adopted([&adopted].into_iter());
    assert_eq!(policies.book().versions().count(), 1);
}
