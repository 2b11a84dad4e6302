//! Reading as users bring files: what a spreadsheet does to an encoding, what hands do to lines. Each bad line is named with its place and the rest
//! is kept.

use std::path::PathBuf;

use encoding_rs::GB18030;
use tempfile::TempDir;

use super::*;

mod clients;
mod complaints;

const BRANCHES: &str = "branch,display_name,complaints_phone\nchangzhi,长治营业部,0355-2110012\n";
const EMPLOYEES: &str = "employee,display_name,branch,roles,position,office_phone,external_id\n\
    wang-fang,王芳,changzhi,staff,,0355-2110032,E1002\n\
    li-qiang,李强,changzhi,staff;lead,branch_head,0355-2110033,E1003\n\
    root,管理员,changzhi,admin;auditor,,,\n";
const LINES: &str = "line,branch,number,published,employee\nchangzhi-1,changzhi,0355-2110001,yes,\n";
const ACCOUNTS: &str =
    "service_account,display_name,branches,act_for_employees\ntelephony,电话系统,changzhi,no\n";
const ACTION: &str = r#"{"time": "2025-09-22T10:00:00+08:00", "action": "reopen", "by": "wang-fang", "contact": "c1", "reason": "再来电"}"#;

/// An answered call with these cells changed.
fn contact(id: &str, changes: &[(&str, &str)]) -> String {
    let defaults = [
        ("contact", id),
        ("branch", "changzhi"),
        ("time", "2025-09-22T09:00:00+08:00"),
        ("channel", "phone"),
        ("direction", "inbound"),
        ("line", "changzhi-1"),
        ("phone", "138 1234 5678"),
        ("answered_by", "wang-fang"),
        ("answered_at", "2025-09-22T09:00:10+08:00"),
        ("identified", "no"),
        ("client_name", "魏艳红"),
        ("record", "filled"),
        ("promise_client_asked", "no"),
        ("ended_at", "2025-09-22T09:05:00+08:00"),
        ("ended_by", "client"),
        ("outcome", "answered_clear"),
    ];
    let cell = |column: &&str| {
        let find = |cells: &[(&str, &str)]| {
            cells.iter().find(|(name, _)| name == column).map(|(_, value)| (*value).to_owned())
        };
        find(changes).or_else(|| find(&defaults)).unwrap_or_default()
    };
    contacts::FILE.columns.iter().map(cell).collect::<Vec<_>>().join(",")
}

fn contacts_of(lines: &[String]) -> String {
    format!("{}\n{}\n", contacts::FILE.columns.join(","), lines.join("\n"))
}

/// A folder with a good roster and these two files.
fn folder(contacts: &[u8], actions: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let clients =
        format!("{}\n{}\n", super::clients::FILE.columns.join(","), clients::good("80010001", "0001"));
    let files: [(&str, &[u8]); 7] = [
        ("branches.csv", BRANCHES.as_bytes()),
        ("employees.csv", EMPLOYEES.as_bytes()),
        ("lines.csv", LINES.as_bytes()),
        ("service_accounts.csv", ACCOUNTS.as_bytes()),
        ("clients.csv", clients.as_bytes()),
        ("contacts.csv", contacts),
        ("actions.jsonl", actions),
    ];
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn read_contacts(lines: &[String]) -> Input {
    read(folder(contacts_of(lines).as_bytes(), b"").path()).unwrap()
}

/// What is said about one bad contact among two good ones: column and reason.
fn refused(changes: &[(&str, &str)]) -> (String, String) {
    let input = read_contacts(&[contact("c1", &[]), contact("bad", changes), contact("c2", &[])]);
    assert_eq!(input.contacts.len(), 2, "no good line is lost");
    let [rejected] = input.rejected.as_slice() else { panic!("one line is bad: {:?}", input.rejected) };
    assert_eq!((rejected.file, rejected.line), ("contacts.csv", 3));
    assert!(!rejected.remedy.is_empty());
    (rejected.column.clone(), rejected.reason.clone())
}

/// What is said about one bad action.
fn refused_action(action: &str) -> (String, String) {
    let contacts = contacts_of(&[contact("c1", &[])]);
    let input = read(folder(contacts.as_bytes(), format!("{ACTION}\n{action}\n").as_bytes()).path()).unwrap();
    assert_eq!(input.actions.len(), 1, "no good line is lost");
    let [rejected] = input.rejected.as_slice() else { panic!("one line is bad: {:?}", input.rejected) };
    assert_eq!((rejected.file, rejected.line), ("actions.jsonl", 2));
    (rejected.column.clone(), rejected.reason.clone())
}

fn pair(column: &str, reason: &str) -> (String, String) {
    (column.to_owned(), reason.to_owned())
}

#[test]
fn the_example_reads_without_a_word() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/branch-month");
    let input = read(&folder).unwrap();
    assert_eq!((input.rejected.len(), input.notes.len()), (0, 0), "{:?} {:?}", input.rejected, input.notes);
    assert_eq!((input.contacts.len(), input.clients.len()), (1060, 5000));
    assert!(input.is_plain());
    assert_eq!(input.administrator(), "employees/xu-guanli");
    assert_eq!(first_instant(&input).to_rfc3339(), "2025-09-21T22:48:39+00:00");
}

#[test]
fn the_example_is_generated_anew_byte_for_byte() {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/branch-month");
    let anew = tempfile::tempdir().unwrap();
    let mut run = std::process::Command::new("python3");
    run.arg("-B").arg(example.join("generate.py")).arg(anew.path());
    assert!(run.status().unwrap().success());
    for file in std::fs::read_dir(anew.path()).unwrap() {
        let file = file.unwrap();
        let stored = std::fs::read(example.join(file.file_name())).unwrap();
        assert!(std::fs::read(file.path()).unwrap() == stored, "{:?} differs", file.file_name());
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_column() {
    let contacts = format!("\u{feff}{}", contacts_of(&[contact("c1", &[])]));
    let input = read(folder(contacts.as_bytes(), format!("\u{feff}{ACTION}\r\n").as_bytes()).path()).unwrap();
    assert_eq!((input.contacts.len(), input.actions.len(), input.rejected.len()), (1, 1, 0));
    assert!(input.is_plain());
}

#[test]
fn gbk_is_read_and_said() {
    let contacts = contacts_of(&[contact("c1", &[])]);
    let (contacts, _, _) = GB18030.encode(&contacts);
    let (action, _, _) = GB18030.encode(ACTION);
    let input = read(folder(&contacts, &action).path()).unwrap();
    let sheet = input.contacts[0].answer.as_ref().unwrap().sheet.as_ref().unwrap();
    assert_eq!(sheet.client_name, "魏艳红");
    assert_eq!((input.actions.len(), input.rejected.len()), (1, 0));
    assert_eq!(
        input.notes,
        ["contacts.csv: is GBK (GB 18030); read as such", "actions.jsonl: is GBK (GB 18030); read as such"]
    );
    assert!(!input.is_plain());
}

#[test]
fn a_damaged_cell_spoils_its_own_line_only() {
    let mut contacts = contacts_of(&[contact("c1", &[]), contact("c2", &[])]).into_bytes();
    let name = "魏艳红".as_bytes();
    let at = contacts.windows(name.len()).position(|bytes| bytes == name).unwrap();
    contacts[at] = 0xFF;
    let input = read(folder(&contacts, b"").path()).unwrap();
    assert_eq!(input.contacts.len(), 1);
    assert_eq!((input.rejected[0].line, input.rejected[0].column.as_str()), (2, "client_name"));
    assert_eq!(input.rejected[0].reason, "is not UTF-8 as the rest of contacts.csv is");
}

#[test]
fn utf_16_is_said_to_be_unusable() {
    let error = read(folder(b"\xFF\xFEc\0o\0", b"").path()).unwrap_err();
    assert_eq!(error.problems[0].to_string(), "contacts.csv: is UTF-16; save it as UTF-8 or GBK");
}

#[test]
fn missing_columns_are_all_named_for_all_files() {
    let contacts = contacts_of(&[contact("c1", &[])]).replacen("topic,", "", 1).replacen("outcome,", "", 1);
    let folder = folder(contacts.as_bytes(), b"");
    std::fs::write(folder.path().join("lines.csv"), "line,branch\n").unwrap();
    let error = read(folder.path()).unwrap_err();
    let said: Vec<_> = error.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        said[0],
        "lines.csv: the header lacks number, published, employee; add every column, empty where nothing is known \
         (found: line, branch)"
    );
    assert!(said[1].starts_with("contacts.csv: the header lacks topic, outcome; add"), "{}", said[1]);
    std::fs::remove_file(folder.path().join("branches.csv")).unwrap();
    assert!(read(folder.path()).unwrap_err().to_string().contains("branches.csv: cannot be read"));
}

#[test]
fn a_column_named_twice_is_no_header() {
    let contacts = contacts_of(&[]).replacen("topic", "phone", 1);
    let error = read(folder(contacts.as_bytes(), b"").path()).unwrap_err();
    assert!(error.to_string().contains("contacts.csv: the header names phone twice"), "{error}");
}

#[test]
fn columns_too_many_are_said_and_passed_over() {
    let contacts = contacts_of(&[format!("{},whatever", contact("c1", &[]))]).replacen('\n', ",remarks\n", 1);
    let input = read(folder(contacts.as_bytes(), b"").path()).unwrap();
    assert_eq!((input.contacts.len(), input.rejected.len()), (1, 0));
    assert_eq!(input.notes, ["contacts.csv: columns that mean nothing here: remarks"]);
}

#[test]
fn the_later_of_two_lines_with_one_id_is_rejected() {
    let input = read_contacts(&[contact("c1", &[]), contact("c2", &[]), contact("c1", &[])]);
    assert_eq!(input.contacts.len(), 2);
    assert_eq!(
        input.rejected[0].to_string(),
        "contacts.csv:4: contact: `c1` was there before, in line 2; remove one of the two, or give this one an id of its own"
    );
}

#[test]
fn an_open_quotation_mark_swallows_no_further_line() {
    let broken = contact("bad", &[("client_name", "\"魏艳红")]);
    let input = read_contacts(&[contact("c1", &[]), broken, contact("c2", &[]), contact("c3", &[])]);
    assert_eq!(input.contacts.len(), 3);
    assert_eq!(
        (input.rejected[0].line, input.rejected[0].reason.as_str()),
        (3, "a quotation mark is not closed")
    );
}

#[test]
fn a_cell_may_hold_commas_and_lines_and_places_stay_right() {
    let long = contact("c1", &[("summary", "\"一,\n二\"")]);
    let input = read_contacts(&[long, String::new(), contact("c2", &[("channel", "fax")])]);
    assert_eq!(input.contacts[0].answer.as_ref().unwrap().sheet.as_ref().unwrap().summary, "一,\n二");
    assert_eq!(input.rejected[0].line, 5);
}

#[test]
fn a_line_with_cells_missing_is_rejected() {
    let input = read_contacts(&[contact("c1", &[]), "c2,changzhi".to_owned()]);
    assert_eq!(input.rejected[0].reason, "2 columns instead of 31");
}

#[test]
fn values_that_mean_nothing_are_named_with_their_column() {
    let cases = [
        (("time", "22.9.2025 9:00"), "`22.9.2025 9:00` is no RFC 3339 time"),
        (("time", ""), "is empty"),
        (("phone", "1381234"), "the area code is missing"),
        (("branch", "beijing"), "unknown `beijing`"),
        (("line", "changzhi-9"), "`changzhi-9` is no line of changzhi"),
        (("channel", "fax"), "unknown `fax`"),
        (("direction", ""), "is empty"),
        (("answered_by", "nobody"), "unknown `nobody`"),
        (("also_answered_by", "root"), "`root` serves no clients"),
        (("also_answered_by", "wang-fang"), "is the same person as answered_by"),
        (("gender", "f"), "unknown `f`"),
        (("computer", "6"), "`6` is no degree"),
        (("identity_checks", "holdings;face"), "unknown `face`"),
        (("record", "yes"), "unknown `yes`"),
        (("outcome", "unknown"), "unknown `unknown`"),
        (("ended_by", ""), "is empty"),
        (("contact", "c 1"), "`c 1` is no id"),
        (("callback_of", "c9"), "`c9` is no contact that could be used"),
    ];
    for (change, reason) in cases {
        assert_eq!(refused(&[change]), pair(change.0, reason), "{change:?}");
    }
}

#[test]
fn values_that_contradict_each_other_are_named() {
    let missed = [("answered_by", ""), ("answered_at", ""), ("ended_by", ""), ("outcome", "")];
    assert_eq!(refused(&missed[..1]), pair("answered_at", "is given, but answered_by is empty"));
    assert_eq!(
        refused(&[&missed[..], &[("channel", "email"), ("line", "")]].concat()),
        pair("answered_by", "is empty, but only a telephone call can be missed")
    );
    assert_eq!(refused(&[("answered_at", "")]), pair("answered_at", "is empty, but somebody answered"));
    assert_eq!(
        refused(&[("answered_at", "2025-09-22T08:59:00+08:00")]),
        pair("answered_at", "lies before time")
    );
    assert_eq!(
        refused(&[("answered_at", "2025-09-22T09:06:00+08:00")]),
        pair("answered_at", "lies behind ended_at")
    );
    assert_eq!(refused(&[("ended_at", "2025-09-22T08:59:00+08:00")]), pair("ended_at", "lies before time"));
    assert_eq!(refused(&[("identified", "yes")]), pair("client", "is empty, but identified says yes"));
    assert_eq!(
        refused(&[("identified", "yes"), ("client", "80011073"), ("outcome", "silent")]),
        pair("outcome", "the client is known, so there is a concern")
    );
    assert_eq!(
        refused(&[("promise_at", "2025-09-22T09:00:10+08:00")]),
        pair("promise_at", "lies before the contact was answered or entered")
    );
    assert_eq!(
        refused(&[("promise_at", "2025-09-22T15:00:00+08:00"), ("phone", "")]),
        pair("phone", "a callback is promised, but phone is empty")
    );
    assert_eq!(
        refused(&[("entered_later_at", "2025-09-22T09:04:00+08:00")]),
        pair("entered_later_at", "lies before ended_at")
    );
}

#[test]
fn a_bad_phone_number_is_not_repeated() {
    let (_, reason) = refused(&[("phone", "1381234")]);
    assert!(!reason.contains("1381234"));
}

#[test]
fn bad_actions_are_named_with_their_field() {
    let changed = |from: &str, to: &str| ACTION.replace(from, to);
    assert_eq!(refused_action(&changed("reopen", "open")), pair("action", "unknown `open`"));
    assert_eq!(refused_action(&changed("wang-fang", "nobody")), pair("by", "unknown `nobody`"));
    assert_eq!(
        refused_action(&changed("c1", "c9")),
        pair("contact", "`c9` is no contact that could be used")
    );
    assert_eq!(
        refused_action(&changed("+08:00", "")),
        pair("time", "`2025-09-22T10:00:00` is no RFC 3339 time")
    );
    assert_eq!(refused_action(&changed("再来电", " ")), pair("reason", "is empty"));
    assert_eq!(refused_action(&changed("\"contact\": \"c1\", ", "")), pair("contact", "is missing"));
    assert_eq!(refused_action("[1]"), pair("", "is no JSON object"));
    assert!(refused_action(&changed("}", "")).1.starts_with("no JSON"));
    assert_eq!(refused_action(ACTION), pair("", "the same action was there before, in line 1"));
    let attempt = r#"{"time": "2025-09-22T10:00:00+08:00", "action": "attempt", "by": "wang-fang", "callback_of": "c1", "kind": "promised", "outcome": "busy"}"#;
    assert_eq!(refused_action(&attempt.replace("promised", "visit")), pair("kind", "unknown `visit`"));
    assert_eq!(refused_action(&attempt.replace("busy", "inconvenient")), pair("agreed_time", "is missing"));
    let agreed = attempt.replace("\"busy\"", "\"busy\", \"agreed_time\": \"2025-09-23T10:00:00+08:00\"");
    assert_eq!(refused_action(&agreed), pair("agreed_time", "is given, but the client was not reached"));
}

#[test]
fn a_contact_that_was_rejected_takes_its_actions_and_callbacks_along() {
    let contacts = contacts_of(&[
        contact("c0", &[]),
        contact("c1", &[("channel", "fax")]),
        contact("c2", &[("direction", "outbound"), ("callback_of", "c1")]),
    ]);
    let input = read(folder(contacts.as_bytes(), ACTION.as_bytes()).path()).unwrap();
    assert_eq!((input.contacts.len(), input.actions.len()), (1, 0));
    let places: Vec<_> = input.rejected.iter().map(|line| (line.file, line.line)).collect();
    assert_eq!(places, [("contacts.csv", 3), ("contacts.csv", 4), ("actions.jsonl", 1)]);
}

#[test]
fn a_file_without_a_good_line_cannot_be_played() {
    let contacts = contacts_of(&[contact("c1", &[("channel", "fax")])]);
    let error = read(folder(contacts.as_bytes(), b"").path()).unwrap_err();
    let wanted =
        "contacts.csv: no line can be used; the first problem: contacts.csv:2: channel: unknown `fax`";
    assert!(error.to_string().contains(wanted), "{error}");
}

#[test]
fn a_roster_needs_somebody_to_import_and_somebody_to_read() {
    let folder = folder(contacts_of(&[contact("c1", &[])]).as_bytes(), b"");
    std::fs::write(folder.path().join("employees.csv"), EMPLOYEES.replace("admin;auditor", "staff")).unwrap();
    let error = read(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("nobody has the role admin") && error.contains("nobody has the role auditor"),
        "{error}"
    );
}
