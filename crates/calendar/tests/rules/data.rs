//! Documents: what is read, what is refused and how it is said, and what an import changes.

use shouwen_calendar::{Calendar, CalendarData, Judged};

use crate::day;

const BUILTIN: &str = include_str!("../../data/cn-2015-2026.toml");

fn year_2027(holidays: &str, make_up: &str) -> String {
    format!(
        "version = \"cn-2027.1\"\n\n[[year]]\nyear = 2027\nholidays = [{holidays}]\nmake_up = [{make_up}]\n"
    )
}

#[test]
fn s3_the_builtin_document_is_canonical() {
    let data = CalendarData::parse(BUILTIN).unwrap();
    assert_eq!(data, CalendarData::builtin());
    assert_eq!(data.version(), "cn-2026.1");
    assert_eq!(data.years().collect::<Vec<_>>(), (2015..=2026).collect::<Vec<_>>());
    let without_comments: Vec<&str> = BUILTIN.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(data.to_toml(), without_comments.join("\n") + "\n");
    assert_eq!(CalendarData::parse(&data.to_toml()).unwrap(), data);
}

#[test]
fn s3_an_import_replaces_its_years_and_joins_the_version() {
    let builtin = Calendar::builtin();
    assert_eq!(builtin.version(), "cn-2026.1");
    let first = CalendarData::parse(&year_2027("\"2027-01-01\"", "\"2027-02-20\"")).unwrap();
    let imported = builtin.with(first);
    assert_eq!(imported.version(), "cn-2026.1+cn-2027.1");
    assert_eq!(imported.covered_until(), day("2027-12-31"));
    assert_eq!(imported.is_working_day(day("2027-01-01")), Judged { value: false, provisional: false });
    assert!(imported.is_working_day(day("2027-02-20")).value);
    assert!(!imported.is_trading_day(day("2027-02-20")).value);
    assert!(!imported.is_working_day(day("2024-10-07")).value, "other years stay");
    assert!(builtin.is_working_day(day("2027-01-01")).provisional, "the original is untouched");

    let corrected = year_2027("\"2027-01-01\"", "").replace("cn-2027.1", "cn-2027.2");
    let corrected = imported.with(CalendarData::parse(&corrected).unwrap());
    assert_eq!(corrected.version(), "cn-2026.1+cn-2027.2", "data replaced whole no longer count");
    assert!(!corrected.is_working_day(day("2027-02-20")).value);
}

#[test]
fn s3_changed_data_change_the_answer() {
    let right = CalendarData::builtin();
    let wrong = right.to_toml().replace("\"2024-10-07\",", "").replace("cn-2026.1", "wrong");
    let wrong = Calendar::builtin().with(CalendarData::parse(&wrong).unwrap());
    let before = day("2024-09-30");
    assert_eq!(Calendar::builtin().next_working_day(before).value, day("2024-10-08"));
    assert_eq!(wrong.next_working_day(before).value, day("2024-10-07"));
    assert_eq!(wrong.version(), "wrong");
}

#[test]
fn s3_the_exchange_may_close_on_a_working_day() {
    let text = year_2027("\"2027-01-01\"", "") + "exchange_also_closed = [\"2027-02-05\"]\n";
    let calendar = Calendar::builtin().with(CalendarData::parse(&text).unwrap());
    assert!(calendar.is_working_day(day("2027-02-05")).value);
    assert!(!calendar.is_trading_day(day("2027-02-05")).value);
}

#[test]
fn s3_bad_documents_are_refused_with_line_field_reason_and_remedy() {
    let ok = "\"2027-01-01\"";
    let cases = [
        (
            year_2027("\"2026-01-01\"", ""),
            "line 5, year 2027: holidays: 2026-01-01 lies in 2026; move it to the [[year]] table of that year, or \
             correct it",
        ),
        (
            year_2027(ok, "\n \"2027-02-20\",\n \"2027-02-22\"\n"),
            "line 8, year 2027: make_up: 2027-02-22 is a Monday; list only Saturdays and Sundays: other days are \
             worked unless they are holidays",
        ),
        (
            year_2027("\"2027-01-02\"", ""),
            "line 5, year 2027: holidays: 2027-01-02 is a Saturday; list only Mondays to Fridays: weekends are free \
             unless listed under make_up",
        ),
        (
            year_2027(ok, ok),
            "line 6, year 2027: make_up: 2027-01-01 is listed under holidays too; keep it in one of the two lists",
        ),
        (
            year_2027("\"2027-01-01\", \"2027-01-01\"", ""),
            "line 5, year 2027: holidays: 2027-01-01 occurs twice; keep it once",
        ),
        (
            year_2027("\"2027-02-29\"", ""),
            "line 5, year 2027: holidays: \"2027-02-29\" is not a date; write it as YYYY-MM-DD",
        ),
        (
            year_2027("\"2027-1-1\"", ""),
            "line 5, year 2027: holidays: \"2027-1-1\" is not a date; write it as YYYY-MM-DD",
        ),
        (
            year_2027("", ""),
            "line 4, year 2027: holidays: there are none; leave out the whole year until its holidays are announced: \
             it is provisional until then",
        ),
        (
            year_2027(ok, "") + "exchange_also_closed = [\"2027-01-01\"]\n",
            "line 7, year 2027: exchange_also_closed: 2027-01-01 is a holiday or a weekend day; leave it out: the \
             exchange is closed then anyway",
        ),
        (
            year_2027(ok, "") + "\n[[year]]\nyear = 2027\nholidays = [\"2027-05-03\"]\nmake_up = []\n",
            "line 9, year: 2027 occurs twice; keep one [[year]] table for it",
        ),
        (
            year_2027(ok, "").replace("year = 2027", "year = 20277"),
            "line 4, year: 20277 is not a year this calendar can hold; use 2000 to 2199",
        ),
        (
            year_2027(ok, "").replace("cn-2027.1", "cn+1"),
            "line 1, version: \"cn+1\" is not a version; use 1 to 64 of the characters A-Z a-z 0-9 . _ -",
        ),
    ];
    for (text, expected) in cases {
        let refused = CalendarData::parse(&text).unwrap_err();
        assert_eq!(refused.to_string(), expected, "{text}");
        assert!(refused.chinese.contains('；'), "{}", refused.chinese);
    }
}

#[test]
fn s3_what_is_no_such_document_is_refused_with_its_line() {
    let cases = [
        (String::new(), 1, "missing field"),
        ("version = \"x\"\nyear = []\n".to_owned(), 1, "there is no year"),
        (year_2027("2027-01-01", ""), 5, "string"),
        (year_2027("\"2027-01-01\"", "").replace("make_up", "makeup"), 6, "unknown field `makeup`"),
        (year_2027("\"2027-01-01\", oops", ""), 5, ""),
    ];
    for (text, line, part) in cases {
        let error = CalendarData::parse(&text).unwrap_err();
        assert_eq!(error.line, line, "{error}");
        assert!(error.reason.contains(part), "{error}");
        assert!(!error.to_string().contains('\n'), "one line: {error}");
    }
}
