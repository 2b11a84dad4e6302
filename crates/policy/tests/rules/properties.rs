//! What must be true of any set of approved versions.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use shouwen_policy::{
    Document, Kind, PolicyBook, PolicyVersion, Scope, Source, document_from_struct, document_to_struct,
};

use crate::hour;

const SCOPES: [&str; 3] = ["firm", "branches/b1", "branches/b2"];
const BRANCHES: [Option<&str>; 4] = [None, Some("branches/b1"), Some("branches/b2"), Some("branches/b3")];
const HOURS: std::ops::Range<i64> = -1..13;

/// Any fields of a callbacks document, all valid together: never fewer attempts than days.
fn some_document() -> impl Strategy<Value = Document> {
    let fields = (
        proptest::option::of(5..20_u32),
        proptest::option::of(1..6_u32),
        proptest::option::of(1..241_u32),
        proptest::option::of(Just(json!([["10:00", "12:00"]]))),
    );
    fields.prop_map(|(attempts, days, lease, windows)| {
        let days = days.map(|days| if attempts.is_some() { days } else { days.min(3) });
        let set = [
            ("attempts", attempts.map(Value::from)),
            ("attempt_days", days.map(Value::from)),
            ("lease_minutes", lease.map(Value::from)),
            ("calling_windows", windows),
        ];
        set.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))).collect()
    })
}

/// Versions in the order of their approval, revisions counted per scope, approved late or early for any time. A
/// document that would not fit is never approved, so those that do not make a valid book are left out.
fn some_versions() -> impl Strategy<Value = Vec<PolicyVersion>> {
    let one = (proptest::sample::select(&SCOPES[..]), 0..12_i64, some_document());
    proptest::collection::vec(one, 0..8).prop_map(|drafts| {
        let mut revisions: BTreeMap<&str, i64> = BTreeMap::new();
        let mut book = PolicyBook::standard();
        let mut approved = Vec::new();
        for (scope, from, document) in drafts {
            let revision = revisions.entry(scope).or_default();
            *revision += 1;
            let version = PolicyVersion {
                policy: format!("policies/{}", approved.len()),
                kind: Kind::Callbacks,
                scope: scope.parse().expect("scope"),
                revision: *revision,
                document,
                effective_from: hour(from),
            };
            if let Ok(next) = book.with(version.clone()) {
                book = next;
                approved.push(version);
            }
        }
        approved
    })
}

/// The rule by itself: of one scope, what took effect last; of those, the highest revision.
fn holds<'a>(versions: &'a [PolicyVersion], scope: &str, at: i64) -> Option<&'a PolicyVersion> {
    versions
        .iter()
        .filter(|version| version.scope.to_string() == scope && version.effective_from <= hour(at))
        .max_by_key(|version| (version.effective_from, version.revision))
}

fn small_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53)..=(1 << 53)).prop_map(Value::from),
        (-1.0e6..1.0e6_f64).prop_filter("whole", |real| real.fract() != 0.0).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    /// A matter keeps the version under which it began.
    #[test]
    fn p1_later_versions_never_change_what_an_older_reference_means(versions in some_versions(), known in 0..8_usize) {
        let full = PolicyBook::load(versions.clone()).expect("valid");
        let mut book = PolicyBook::standard();
        for version in versions.into_iter().take(known) {
            book = book.with(version).expect("valid in the order of approval");
        }
        for branch in BRANCHES {
            for at in HOURS {
                let began = book.callbacks(branch, hour(at));
                prop_assert_eq!(full.resolve_callbacks(&began.version).expect("known"), began);
            }
        }
    }

    #[test]
    fn p1_a_version_says_what_held_when_it_was_taken(versions in some_versions()) {
        let book = PolicyBook::load(versions).expect("valid");
        for branch in BRANCHES {
            for at in HOURS {
                let effective = book.callbacks(branch, hour(at));
                prop_assert_eq!(&book.resolve_callbacks(&effective.version).expect("held"), &effective);
                prop_assert_eq!(&book.effective(Kind::Callbacks, branch, hour(at)).version, &effective.version);
            }
        }
    }

    #[test]
    fn p2_the_effective_policy_is_standard_firm_branch(versions in some_versions()) {
        let book = PolicyBook::load(versions.iter().rev().cloned()).expect("valid in any order");
        let standard = PolicyBook::standard().effective(Kind::Callbacks, None, hour(0)).document;
        for branch in BRANCHES {
            for at in HOURS {
                let mut expected = standard.clone();
                let own = branch.and_then(|branch| holds(&versions, branch, at));
                for version in holds(&versions, "firm", at).into_iter().chain(own) {
                    expected.extend(version.document.clone());
                }
                let shown = book.effective(Kind::Callbacks, branch, hour(at));
                prop_assert_eq!(&shown.document, &expected);
                let typed = serde_json::to_value(&book.callbacks(branch, hour(at)).value).expect("typed");
                prop_assert_eq!(typed, Value::Object(expected));
            }
        }
    }

    /// Merging is associative: whoever lays the branch on the firm first, and both on the standard then, gets the same.
    #[test]
    fn p2_layers_may_be_merged_in_any_grouping(firm in some_document(), branch in some_document()) {
        let versions = ["firm", "branches/b1"].into_iter().zip([&firm, &branch]).map(|(scope, document)| PolicyVersion {
            policy: "policies/p".into(),
            kind: Kind::Callbacks,
            scope: scope.parse().expect("scope"),
            revision: 1,
            document: document.clone(),
            effective_from: hour(0),
        });
        let mut both = firm.clone();
        both.extend(branch.clone());
        let at_once = PolicyVersion { document: both, ..versions.clone().next().expect("firm") };
        let (Ok(layered), Ok(at_once)) = (PolicyBook::load(versions), PolicyBook::load([at_once])) else {
            return Err(TestCaseError::reject("not a valid combination"));
        };
        prop_assert_eq!(
            &layered.callbacks(Some("b1"), hour(0)).value,
            &at_once.callbacks(None, hour(0)).value
        );
        let sources = layered.provenance(Kind::Callbacks, Some("b1"), hour(0));
        for (field, source) in sources {
            let expected = match (branch.contains_key(&field), firm.contains_key(&field)) {
                (true, _) => Source::Branch("b1".into(), 1),
                (false, true) => Source::Firm(1),
                (false, false) => Source::Default,
            };
            prop_assert_eq!(source, expected);
        }
    }

    #[test]
    fn p2_provenance_names_where_each_value_stands(versions in some_versions()) {
        let book = PolicyBook::load(versions.clone()).expect("valid");
        let standard = PolicyBook::standard().effective(Kind::Callbacks, None, hour(0)).document;
        for branch in BRANCHES {
            for at in HOURS {
                let shown = book.effective(Kind::Callbacks, branch, hour(at));
                let fields: Vec<&String> = shown.provenance.iter().map(|(field, _)| field).collect();
                prop_assert_eq!(fields, shown.document.keys().collect::<Vec<_>>());
                for (field, source) in &shown.provenance {
                    let document = match source {
                        Source::Default => &standard,
                        named => &versions.iter().find(|version| version.source() == *named).expect("held").document,
                    };
                    prop_assert_eq!(&document[field], &shown.document[field]);
                }
            }
        }
    }

    #[test]
    fn p2_a_branch_without_versions_equals_the_firm(versions in some_versions()) {
        let book = PolicyBook::load(versions).expect("valid");
        for branch in ["branches/b1", "branches/b2", "branches/b3"] {
            let own = book.versions().any(|version| version.scope == branch.parse::<Scope>().expect("scope"));
            for at in HOURS.filter(|_| !own) {
                prop_assert_eq!(book.callbacks(Some(branch), hour(at)), book.callbacks(None, hour(at)));
            }
        }
    }

    #[test]
    fn structs_carry_any_document(fields in proptest::collection::btree_map("[a-z]{1,4}", small_json(), 0..5)) {
        let document: Document = fields.into_iter().collect();
        let carried = document_to_struct(&document).expect("carried");
        prop_assert_eq!(document_from_struct(&carried).expect("read"), document);
    }
}
