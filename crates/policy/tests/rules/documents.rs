use serde_json::{Value, json};
use shouwen_policy::{
    CallbacksPolicy, CallsPolicy, ClientsPolicy, ComplaintsPolicy, EscalationPolicy, HoursPolicy, Kind,
    OwnershipPolicy, PolicyBook, PolicyDocument, PolicyError, RoutingPolicy, document_from_struct,
    document_to_struct, validate_proposal,
};

use crate::{calendar_2027, document, hour, version};

fn faults(kind: Kind, value: Value) -> Vec<PolicyError> {
    validate_proposal(&version(kind, "firm", 1, 0, value), &PolicyBook::standard()).expect_err("invalid")
}

fn fault(kind: Kind, value: Value) -> PolicyError {
    let mut faults = faults(kind, value);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.remove(0)
}

/// `default` in a version string means these values for ever: matters that began under them are judged by them.
#[test]
fn p1_the_built_in_standard_never_changes() {
    let book = PolicyBook::standard();
    let standard = |kind| Value::Object(book.effective(kind, None, hour(0)).document);
    assert_eq!(standard(Kind::Hours), json!({ "working_hours": [["08:30", "11:30"], ["13:00", "17:00"]] }));
    assert_eq!(
        standard(Kind::Ownership),
        json!({ "offer_minutes": 30, "override_minutes": 480, "answer_working_days": 2, "absence_ahead_days": 731 })
    );
    assert_eq!(
        standard(Kind::Calls),
        json!({ "ring_seconds": 5, "rings": 3, "missed_callback_working_minutes": 30 })
    );
    assert_eq!(
        standard(Kind::Callbacks),
        json!({
            "calling_windows": [["09:00", "11:30"], ["13:30", "20:00"]],
            "attempts": 3,
            "attempt_spacing_minutes": 120,
            "attempt_days": 2,
            "lease_minutes": 15,
            "promise_grace_minutes": 15,
            "verification_hours": 24,
        })
    );
    assert_eq!(
        standard(Kind::Clients),
        json!({
            "capital_accounts": 5,
            "class_a_plus_assets": 5_000_000,
            "class_a_assets": 1_000_000,
            "class_c_assets": 500_000,
            "class_c_minus_assets": 100_000,
            "class_e_assets": 10_000,
            "turnover_threshold_percent": 300,
            "branch_head_assets": 1_000_000,
            "manager_assets": 500_000,
            "team_leader_assets": 100_000,
            "vip_assets": 1_000_000,
            "core_assets": 500_000,
            "core_turnover_percent": 300,
            "verification_factors": 2,
            "verification_failures": 3,
            "verification_lock_minutes": 30,
            "verification_minutes": 15,
            "lookups": 120,
            "lookup_minutes": 60,
        })
    );
    assert_eq!(
        standard(Kind::Complaints),
        json!({
            "acceptance_working_days": 1,
            "first_reply_working_days": 1,
            "definite_answer_simple_hours": 2,
            "definite_answer_complex_hours": 24,
            "proposal_working_days": 3,
            "outcome_working_days": 4,
            "settlement_working_days": 5,
            "vip_first_reply_working_days": 1,
            "vip_definite_answer_simple_hours": 1,
            "vip_definite_answer_complex_hours": 12,
            "vip_proposal_working_days": 2,
            "vip_outcome_working_days": 3,
            "vip_settlement_working_days": 4,
            "minor_approval_levels": 1,
            "serious_approval_levels": 2,
            "grave_approval_levels": 3,
        })
    );
    assert_eq!(
        standard(Kind::Escalation),
        json!({ "lead_minutes": 60, "hq_minutes": 480, "company_leader_minutes": 1_440 })
    );
    assert_eq!(
        standard(Kind::Routing),
        json!({ "session_seconds": 45, "missed_before_pause": 2, "queue_minutes": 5 })
    );
}

#[test]
fn l2_bounds_of_classes_and_coverage_must_fall() {
    assert_eq!(
        fault(Kind::Clients, json!({ "class_a_assets": 5_000_000 })).to_string(),
        "class_a_plus_assets: 5000000 is not above the 5000000 of class_a_assets (as clients@firm:1); raise it, or lower class_a_assets"
    );
    assert_eq!(fault(Kind::Clients, json!({ "team_leader_assets": 500_000 })).field, "manager_assets");
}

#[test]
fn c6_a_graver_complaint_is_not_approved_by_fewer() {
    assert_eq!(
        fault(Kind::Complaints, json!({ "serious_approval_levels": 1, "minor_approval_levels": 2 }))
            .to_string(),
        "serious_approval_levels: 1 levels are fewer than the 2 of minor_approval_levels (as complaints@firm:1); raise it, or lower \
         minor_approval_levels"
    );
}

#[test]
fn o10_the_ladder_climbs_in_time() {
    assert_eq!(fault(Kind::Escalation, json!({ "hq_minutes": 60 })).field, "hq_minutes");
}

#[test]
fn p1_the_built_in_standard_is_valid() {
    assert_eq!(HoursPolicy::default().validate(), Ok(()));
    assert_eq!(OwnershipPolicy::default().validate(), Ok(()));
    assert_eq!(CallsPolicy::default().validate(), Ok(()));
    assert_eq!(CallbacksPolicy::default().validate(), Ok(()));
    assert_eq!(ClientsPolicy::default().validate(), Ok(()));
    assert_eq!(ComplaintsPolicy::default().validate(), Ok(()));
    assert_eq!(EscalationPolicy::default().validate(), Ok(()));
    assert_eq!(RoutingPolicy::default().validate(), Ok(()));
}

#[test]
fn p1_every_field_is_in_the_table_of_its_kind() {
    fn check<T: PolicyDocument>() {
        let effective = PolicyBook::standard().effective(T::KIND, None, hour(0));
        let mut fields: Vec<&str> = T::FIELDS.iter().map(|field| field.name).collect();
        fields.sort_unstable();
        assert_eq!(effective.document.keys().collect::<Vec<_>>(), fields);
    }
    check::<HoursPolicy>();
    check::<OwnershipPolicy>();
    check::<CallsPolicy>();
    check::<CallbacksPolicy>();
    check::<ClientsPolicy>();
    check::<ComplaintsPolicy>();
    check::<EscalationPolicy>();
    check::<RoutingPolicy>();
}

#[test]
fn p1_an_unknown_field_is_named_with_the_known_ones() {
    let fault = fault(Kind::Calls, json!({ "ring": 5 }));
    assert_eq!(
        fault.to_string(),
        "ring: policies of kind calls have no such field; leave it out, or use one of: ring_seconds, rings, \
         missed_callback_working_minutes"
    );
}

#[test]
fn p1_wrong_types_and_bounds_are_named_all_at_once() {
    let faults = faults(
        Kind::Callbacks,
        json!({ "attempts": "3", "attempt_days": null, "lease_minutes": 0, "attempt_spacing_minutes": 1.5 }),
    );
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "attempt_days: null is not a whole number; give a whole number of days from 1 to 20",
            "attempt_spacing_minutes: 1.5 is not a whole number; give a whole number of minutes from 1 to 2880",
            "attempts: \"3\" is not a whole number; give a whole number of attempts from 1 to 20",
            "lease_minutes: 0 is out of bounds; give a whole number of minutes from 1 to 240",
        ]
    );
}

#[test]
fn p1_bounds_hold_at_their_ends() {
    for (value, valid) in [(0, false), (1, true), (60, true), (61, false), (-1, false)] {
        let proposed = version(Kind::Ownership, "firm", 1, 0, json!({ "answer_working_days": value }));
        assert_eq!(validate_proposal(&proposed, &PolicyBook::standard()).is_ok(), valid, "{value}");
    }
    let none = json!({ "promise_grace_minutes": 0 });
    assert_eq!(
        validate_proposal(&version(Kind::Callbacks, "firm", 1, 0, none), &PolicyBook::standard()),
        Ok(())
    );
}

#[test]
fn p1_every_bound_is_told_in_chinese_too_with_its_unit() {
    fn check<T: PolicyDocument>() {
        for field in T::FIELDS {
            let told = fault(T::KIND, json!({ field.name: -1 })).chinese;
            assert!(told.contains("；请"), "{}: {told}", field.name);
            assert!(!told.bytes().any(|byte| byte.is_ascii_alphabetic()), "{}: {told}", field.name);
        }
    }
    check::<HoursPolicy>();
    check::<OwnershipPolicy>();
    check::<CallsPolicy>();
    check::<CallbacksPolicy>();
    check::<ClientsPolicy>();
    check::<ComplaintsPolicy>();
    check::<EscalationPolicy>();
    check::<RoutingPolicy>();
    assert_eq!(
        fault(Kind::Callbacks, json!({ "lease_minutes": 0 })).chinese,
        "0 超出范围；请填写 1 至 240 的整数（单位：分钟）"
    );
}

#[test]
fn p1_interval_faults_are_named_with_their_place() {
    let place = |value: Value| fault(Kind::Hours, json!({ "working_hours": value }));
    assert_eq!(place(json!("08:30-17:00")).field, "working_hours");
    assert_eq!(place(json!([])).problem, "there is no interval");
    assert_eq!(place(json!([["08:30", "11:30"], ["13:00"]])).field, "working_hours[1]");
    assert_eq!(place(json!([["8:30", "11:30"]])).problem, "\"8:30\" is not a time of day");
    assert_eq!(
        place(json!([["08:30", "11:30"], ["17:00", "13:00"]])).to_string(),
        "working_hours[1]: ends at 13:00, not after its start at 17:00; swap them, or split the interval at midnight"
    );
    assert_eq!(place(json!([["13:00", "17:00"], ["08:30", "11:30"]])).field, "working_hours[1]");
}

#[test]
fn p1_an_empty_document_is_refused() {
    for kind in Kind::ALL {
        assert_eq!(fault(kind, json!({})).field, "document");
    }
}

#[test]
fn p1_long_values_are_cut_and_many_faults_bounded() {
    let fields = (0..100).map(|n| (format!("{n}{}", "x".repeat(500)), json!(n))).collect();
    let faults = faults(Kind::Calls, Value::Object(fields));
    assert_eq!(faults.len(), 20);
    assert!(faults[0].field.chars().count() <= 61);
}

#[test]
fn p1_typed_documents_refuse_what_they_do_not_know() {
    assert!(serde_json::from_value::<CallsPolicy>(json!({ "ring": 5 })).is_err());
    let partial: CallsPolicy = serde_json::from_value(json!({ "rings": 4 })).expect("partial");
    assert_eq!(partial, CallsPolicy { rings: 4, ..CallsPolicy::default() });
    assert!(CallsPolicy { rings: 0, ..partial }.validate().is_err());
}

#[test]
fn b6_attempts_must_suffice_for_the_days() {
    let fault = fault(Kind::Callbacks, json!({ "attempt_days": 4 }));
    assert_eq!(
        fault.to_string(),
        "attempt_days: 3 attempts cannot fall on 4 different days (as callbacks@firm:1); raise attempts or lower \
         attempt_days"
    );
    assert!(fault.chinese.starts_with("3 次联系无法分布在 4 个不同的日子"), "{}", fault.chinese);
}

#[test]
fn b2_calling_windows_are_policy_data() {
    let later = version(Kind::Callbacks, "firm", 1, 0, json!({ "calling_windows": [["10:00", "12:00"]] }));
    let book = PolicyBook::standard().with(later).expect("valid");
    let at = "2026-03-01T12:30:00+08:00".parse().expect("time");
    let opens = |hour| book.callbacks(None, hour).value.calling_windows.next_open(at).to_rfc3339();
    assert_eq!(opens(hour(-1)), "2026-03-01T05:30:00+00:00");
    assert_eq!(opens(hour(0)), "2026-03-02T02:00:00+00:00");
}

#[test]
fn s3_calendar_files_are_read_completely() {
    let fault_of = |value: Value| fault(Kind::Calendar, value);
    assert_eq!(
        fault_of(json!({ "toml": 3 })).to_string(),
        "toml: 3 is not text; give the whole calendar data file as text"
    );
    let sunday = calendar_2027("cn-2027.1", &["2027-01-01", "2027-01-03"]);
    let told = fault_of(json!({ "toml": sunday }));
    assert_eq!(told.field, "toml");
    assert_eq!(told.problem, "line 4, year 2027: holidays: 2027-01-03 is a Sunday");
    assert!(
        told.chinese.starts_with("第 4 行，year 2027: holidays：2027-01-03 是周末；请"),
        "{}",
        told.chinese
    );
    let both = faults(Kind::Calendar, json!({ "file": "cn.toml" }));
    assert_eq!(both.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), ["file", "toml"]);
    assert!(fault_of(json!({ "toml": "x".repeat(300_000) })).problem.contains("300000 bytes"));
}

#[test]
fn structs_carry_whole_numbers_as_whole_numbers() {
    let original = document(json!({
        "whole": 3, "negative": -7, "real": 2.5, "text": "三", "none": null, "flag": true,
        "list": [["08:30", "11:30"], [1, 2.25]], "inner": { "deep": 9_007_199_254_740_992_i64 },
    }));
    let carried = document_to_struct(&original).expect("carried");
    assert_eq!(document_from_struct(&carried), Ok(original));
}

#[test]
fn structs_refuse_what_they_would_change() {
    let fault = document_to_struct(&document(json!({ "a": [{ "b": 9_007_199_254_740_993_i64 }] })));
    assert_eq!(fault.expect_err("too large").field, "a[0].b");
    let value = |kind| prost_types::Value { kind };
    let with = |value| prost_types::Struct { fields: [("a".to_owned(), value)].into() };
    assert_eq!(document_from_struct(&with(value(None))).expect_err("no kind").field, "a");
    let nan = prost_types::value::Kind::NumberValue(f64::NAN);
    assert_eq!(document_from_struct(&with(value(Some(nan)))).expect_err("NaN").field, "a");
}
