//! Calling windows by example: 9:00-11:30 and 13:30-20:00 on any calendar day.

use shouwen_calendar::{DayIntervals, Windows};

use crate::at;

#[test]
fn b2_calls_are_made_within_the_windows_only() {
    let windows = Windows::default();
    assert!(!windows.contains(at("2024-10-01 08:59:59")));
    assert!(windows.contains(at("2024-10-01 09:00")), "also on a holiday");
    assert!(!windows.contains(at("2024-10-01 11:30")));
    assert!(windows.contains(at("2024-10-01 19:59:59")));
    assert!(!windows.contains(at("2024-10-01 20:00")));
}

#[test]
fn b2_the_next_opening_is_now_or_the_next_window() {
    let open = |text| Windows::default().next_open(at(text));
    assert_eq!(open("2024-09-30 10:00:07"), at("2024-09-30 10:00:07"));
    assert_eq!(open("2024-09-30 07:00"), at("2024-09-30 09:00"));
    assert_eq!(open("2024-09-30 11:30"), at("2024-09-30 13:30"));
    assert_eq!(open("2024-09-30 20:00"), at("2024-10-01 09:00"));
}

#[test]
fn b2_a_limit_outside_the_windows_ends_with_the_next_window() {
    let limit = |text| Windows::default().limit(at(text));
    assert_eq!(limit("2024-09-30 10:00:07"), at("2024-09-30 10:00:07"));
    assert_eq!(limit("2024-09-30 11:30"), at("2024-09-30 11:30"), "at the end of a window");
    assert_eq!(limit("2024-09-30 11:30:01"), at("2024-09-30 20:00"));
    assert_eq!(limit("2024-09-30 13:20"), at("2024-09-30 20:00"));
    assert_eq!(limit("2024-09-30 07:00"), at("2024-09-30 11:30"));
    assert_eq!(limit("2024-09-30 22:00"), at("2024-10-01 11:30"));
}

#[test]
fn b2_a_window_may_reach_midnight() {
    let windows = Windows(DayIntervals::new([["09:00", "11:00"], ["20:00", "24:00"]]).unwrap());
    assert!(windows.contains(at("2024-09-30 23:59:59")));
    assert!(!windows.contains(at("2024-10-01 00:00")));
    assert_eq!(
        windows.limit(at("2024-10-01 00:00")),
        at("2024-10-01 00:00"),
        "the end of yesterday's window"
    );
    assert_eq!(windows.limit(at("2024-10-01 00:00:01")), at("2024-10-01 11:00"));
    assert_eq!(windows.limit(at("2024-09-30 12:00")), at("2024-10-01 00:00"));
}

#[test]
fn b2_windows_are_read_from_policy_documents() {
    let windows: Windows = serde_json::from_str(r#"[["09:00","11:30"],["13:30","20:00"]]"#).unwrap();
    assert_eq!(windows, Windows::default());
    assert!(serde_json::from_str::<Windows>(r#"[["09:00"]]"#).is_err());
}
