use serde_json::json;
use shouwen_policy::{Kind, PolicyBook, PolicyRef, Source};

use crate::{calendar_2027, hour, version};

fn two_scopes() -> PolicyBook {
    PolicyBook::load([
        version(Kind::Calls, "firm", 1, 10, json!({ "rings": 4, "ring_seconds": 6 })),
        version(Kind::Calls, "branches/b1", 1, 20, json!({ "rings": 2 })),
        version(Kind::Calls, "firm", 2, 30, json!({ "ring_seconds": 4 })),
    ])
    .expect("valid")
}

#[test]
fn p2_a_branch_adjusts_the_standard_of_the_firm() {
    let book = two_scopes();
    let b1 = |at| {
        let effective = book.calls(Some("branches/b1"), hour(at));
        (effective.value.rings, effective.value.ring_seconds, effective.version.to_string())
    };
    assert_eq!(b1(9), (3, 5, "calls@default".into()));
    assert_eq!(b1(10), (4, 6, "calls@firm:1".into()));
    assert_eq!(b1(20), (2, 6, "calls@firm:1+branches/b1:1".into()));
    // The second version of the firm sets no `rings`, so the standard's holds again for the firm.
    assert_eq!(b1(30), (2, 4, "calls@firm:2+branches/b1:1".into()));
    assert_eq!(book.calls(None, hour(30)).value.rings, 3);
    assert_eq!(book.calls(Some("branches/b2"), hour(30)), book.calls(None, hour(30)));
    assert_eq!(book.calls(Some("b1"), hour(30)), book.calls(Some("branches/b1"), hour(30)));
}

#[test]
fn p2_each_value_is_shown_with_where_it_comes_from() {
    let told: Vec<String> = two_scopes()
        .provenance(Kind::Calls, Some("branches/b1"), hour(40))
        .into_iter()
        .map(|(field, source)| format!("{field} {source}"))
        .collect();
    assert_eq!(
        told,
        ["missed_callback_working_minutes default", "ring_seconds firm:2", "rings branches/b1:1"]
    );
}

#[test]
fn p2_a_branch_may_adjust_what_the_firm_left_alone() {
    let book = PolicyBook::standard().with(version(
        Kind::Hours,
        "branches/b1",
        1,
        0,
        json!({
            "working_hours": [["09:00", "12:00"]]
        }),
    ));
    let book = book.expect("valid");
    assert_eq!(book.hours(Some("b1"), hour(0)).version.as_str(), "hours@branches/b1:1");
    assert_eq!(book.hours(None, hour(0)).version.as_str(), "hours@default");
}

#[test]
fn p1_of_versions_with_one_effective_time_the_highest_revision_holds() {
    let book = PolicyBook::load([
        version(Kind::Calls, "firm", 2, 10, json!({ "rings": 6 })),
        version(Kind::Calls, "firm", 1, 10, json!({ "rings": 5 })),
    ])
    .expect("valid");
    assert_eq!(book.calls(None, hour(10)).value.rings, 6);
    let overtaken = book.resolve_calls("calls@firm:1").expect("held");
    assert_eq!(overtaken.value.rings, 5);
}

#[test]
fn p1_a_later_effective_time_goes_before_a_higher_revision() {
    let book = PolicyBook::load([
        version(Kind::Calls, "firm", 1, 30, json!({ "rings": 5 })),
        version(Kind::Calls, "firm", 2, 10, json!({ "rings": 6 })),
    ])
    .expect("valid");
    let rings = |at| book.calls(None, hour(at)).value.rings;
    assert_eq!((rings(9), rings(10), rings(29), rings(30)), (3, 6, 6, 5));
}

/// A follower may learn of a version late, and use a combination meanwhile that by the full book never held.
#[test]
fn p1_a_combination_that_held_by_an_earlier_book_is_still_understood() {
    let early = PolicyBook::standard()
        .with(version(Kind::Calls, "branches/b1", 1, 20, json!({ "rings": 2 })))
        .expect("valid");
    let began = early.calls(Some("b1"), hour(25));
    assert_eq!(began.version.as_str(), "calls@branches/b1:1");
    let late = early.with(version(Kind::Calls, "firm", 1, 10, json!({ "ring_seconds": 9 }))).expect("valid");
    assert_eq!(late.resolve_calls(&began.version).expect("held"), began);
}

#[test]
fn p1_unknown_version_strings_are_refused() {
    let book = two_scopes();
    for text in
        ["calls@firm:9", "calls@firm:1+branches/b9:1", "hours@default", "", "calls", "calls@", "calls@firm:0"]
    {
        assert!(book.resolve_calls(text).is_err(), "{text}");
    }
    assert_eq!(
        book.resolve_calls("hours@default").expect_err("kind").to_string(),
        "policy version \"hours@default\" is not of kind calls"
    );
}

#[test]
fn version_strings_have_one_form() {
    for text in ["calls@default", "calls@firm:2", "hours@branches/b1:1", "callbacks@firm:2+branches/b-1:10"] {
        let parsed: PolicyRef = text.parse().expect("canonical");
        assert_eq!(parsed.to_string(), text);
        let stored = serde_json::to_value(&parsed).expect("stored");
        assert_eq!(stored, json!(text));
        assert_eq!(serde_json::from_value::<PolicyRef>(stored).expect("read"), parsed);
    }
    for text in [
        "calls@firm:02",
        "calls@branches/b1:1+firm:2",
        "calls@firm:1+firm:2",
        "calls@firm:-1",
        "wages@default",
        "calls@default+firm:1",
        "calls@branches/B1:1",
        "calls@firm:+2",
    ] {
        assert!(text.parse::<PolicyRef>().is_err(), "{text}");
    }
}

#[test]
fn a_book_takes_a_version_once() {
    let book = two_scopes();
    let held = version(Kind::Calls, "firm", 2, 30, json!({ "ring_seconds": 4 }));
    assert_eq!(book.with(held).expect("same").versions().count(), 3);
    let other = version(Kind::Calls, "firm", 2, 30, json!({ "ring_seconds": 8 }));
    assert_eq!(book.with(other).expect_err("claimed").errors[0].field, "revision");
}

#[test]
fn a_book_refuses_versions_that_nobody_validated() {
    let invalid =
        PolicyBook::standard().with(version(Kind::Calls, "branches/b1", 1, 0, json!({ "rings": 99 })));
    let invalid = invalid.expect_err("out of bounds");
    assert_eq!(invalid.combination, "calls@branches/b1:1");
    assert_eq!(invalid.errors[0].field, "rings");
}

#[test]
fn s3_imports_are_laid_over_the_built_in_calendar() {
    let import = |revision, from, name: &str, holidays: &[&str]| {
        version(Kind::Calendar, "firm", revision, from, json!({ "toml": calendar_2027(name, holidays) }))
    };
    let book = PolicyBook::load([
        import(1, 10, "cn-2027.1", &["2027-01-01"]),
        import(2, 20, "cn-2027.2", &["2027-01-01", "2027-02-08"]),
    ])
    .expect("valid");
    let day = "2027-02-08".parse().expect("date");
    let worked = |at| {
        let judged = book.calendar(hour(at)).is_working_day(day);
        (judged.value, judged.provisional)
    };
    assert_eq!(worked(9), (true, true));
    assert_eq!(worked(10), (true, false));
    assert_eq!(worked(20), (false, false));
    assert_eq!(book.calendar(hour(20)).version(), "cn-2026.1+cn-2027.2");
    // In Shanghai the day after 2026-01-01 has begun at its 16th hour.
    assert_eq!([9, 10, 15, 16].map(|at| book.calendar_days_left(hour(at))), [364, 729, 729, 728]);

    let shown = book.effective(Kind::Calendar, Some("branches/b1"), hour(15));
    assert_eq!(shown.version.as_str(), "calendar@firm:1");
    assert_eq!(shown.document["covered_until"], "2027-12-31");
    assert_eq!(shown.document["years"]["2027"], "cn-2027.1");
    assert!(shown.provenance.contains(&("years.2026".into(), Source::Default)));
    assert!(shown.provenance.contains(&("years.2027".into(), Source::Firm(1))));
    assert_eq!(book.effective(Kind::Calendar, None, hour(0)).version.as_str(), "calendar@default");
}

#[test]
fn s3_two_files_cannot_share_a_version() {
    let import = |revision, holidays: &[&str]| {
        version(Kind::Calendar, "firm", revision, 10, json!({ "toml": calendar_2027("cn-2027.1", holidays) }))
    };
    let book = PolicyBook::standard().with(import(1, &["2027-01-01"])).expect("valid");
    assert!(book.with(import(2, &["2027-01-01"])).is_ok());
    let error = book.with(import(2, &["2027-02-08"])).expect_err("shared");
    assert_eq!(error.errors[0].problem, "another calendar is called \"cn-2027.1\" already");
}
