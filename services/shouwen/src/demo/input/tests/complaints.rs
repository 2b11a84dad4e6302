//! Actions about complaints and clients.

use shouwen_proto::events::v1::IdentityFactor;

use super::*;

const FILING: &str = r#"{"time": "2025-09-22T10:00:00+08:00", "action": "file_complaint", "by": "wang-fang", "contact": "c1", "complaint": "t1", "kind": "complaint", "channel": "letter", "category": "fee", "client_name": "魏艳红", "phone": "138 1234 5678", "subject": "费用", "course": "经过"}"#;
const ACCEPTING: &str = r#"{"time": "2025-09-22T10:20:00+08:00", "action": "accept_complaint", "by": "li-qiang", "complaint": "t1", "severity": "minor", "complex": false}"#;

fn read_actions(actions: &[&str]) -> Input {
    let contacts = contacts_of(&[contact("c1", &[])]);
    read(folder(contacts.as_bytes(), actions.join("\n").as_bytes()).path()).unwrap()
}

/// What is said about an action that follows a filed and accepted complaint.
fn refused(action: &str) -> (String, String) {
    let input = read_actions(&[FILING, ACCEPTING, action]);
    assert_eq!(input.actions.len(), 2, "no good line is lost");
    let [rejected] = input.rejected.as_slice() else { panic!("one line is bad: {:?}", input.rejected) };
    assert_eq!((rejected.file, rejected.line), ("actions.jsonl", 3));
    (rejected.column.clone(), rejected.reason.clone())
}

#[test]
fn c3_a_complaint_is_read_with_what_is_known_of_it() {
    let filing = FILING.replace(
        "\"course\"",
        r#""about": ["li-qiang"], "receiving_unit": "changzhi", "receive_time": "2025-09-21T09:00:00+08:00", "course""#,
    );
    let input = read_actions(&[&filing]);
    let Deed::File { filing, .. } = &input.actions[0].deed else { panic!("a complaint is filed") };
    assert_eq!((filing.about.as_slice(), filing.channel), (&["li-qiang".to_owned()][..], Channel::Letter));
    assert!(filing.received.is_some() && filing.occurred.is_none());
    assert!(input.is_plain());
}

#[test]
fn bad_complaints_are_named_with_their_field() {
    let changed = |from: &str, to: &str| FILING.replace("\"t1\"", "\"t2\"").replace(from, to);
    assert_eq!(refused(&changed("letter", "fax")), pair("channel", "unknown `fax`"));
    assert_eq!(refused(&changed("\"fee\"", "\"Fee!\"")), pair("category", "`Fee!` is no id"));
    assert_eq!(refused(&changed("138 1234 5678", "1381234")), pair("phone", "the area code is missing"));
    assert_eq!(refused(&changed("\"经过\"", "\" \"")), pair("course", "is empty"));
    let more = |field: &str| changed("\"course\"", &format!("{field}, \"course\""));
    assert_eq!(refused(&more(r#""about": ["nobody"]"#)), pair("about", "unknown `nobody`"));
    assert_eq!(refused(&more(r#""about": "li-qiang""#)), pair("about", "is no list"));
    assert_eq!(refused(&more(r#""receiving_unit": "beijing""#)), pair("receiving_unit", "unknown `beijing`"));
    let late = more(r#""receive_time": "2025-09-22T10:00:01+08:00""#);
    assert_eq!(refused(&late), pair("receive_time", "lies behind the time of the action"));
}

#[test]
fn a_name_is_filed_once_and_before_anything_is_done_about_it() {
    assert_eq!(refused(&FILING.replace("费用", "另一件")), pair("complaint", "`t1` was filed before"));
    let unknown = ACCEPTING.replace("t1", "t9");
    assert_eq!(refused(&unknown), pair("complaint", "`t9` is no complaint that could be used"));
    let verification = r#"{"time": "2025-09-22T11:00:00+08:00", "action": "lease", "by": "wang-fang", "callback_of": "t9", "kind": "verification"}"#;
    assert_eq!(refused(verification), pair("callback_of", "`t9` is no complaint that could be used"));
}

#[test]
fn a_complaint_that_was_rejected_takes_its_actions_along() {
    let input = read_actions(&[&FILING.replace("letter", "fax"), ACCEPTING]);
    assert!(input.actions.is_empty());
    let places: Vec<_> = input.rejected.iter().map(|line| (line.line, line.column.as_str())).collect();
    assert_eq!(places, [(1, "channel"), (2, "complaint")]);
}

#[test]
fn c9_measures_go_with_verifications() {
    let result = r#"{"time": "2025-09-22T11:00:00+08:00", "action": "complete", "by": "wang-fang", "callback_of": "t1", "kind": "verification", "solved": true, "attitude": "satisfied", "overall": "satisfied", "score": 9, "suggestions": "", "answers": "", "charged": false, "measures": "carried_out"}"#;
    assert_eq!(read_actions(&[FILING, ACCEPTING, result]).actions.len(), 3);
    let without = result.replace(", \"measures\": \"carried_out\"", "");
    assert_eq!(refused(&without), pair("measures", "is missing"));
    let elsewhere = result.replace("\"t1\", \"kind\": \"verification\"", "\"c1\", \"kind\": \"promised\"");
    assert_eq!(refused(&elsewhere), pair("measures", "is given, but nothing is verified"));
}

#[test]
fn c8_a_measure_names_who_and_what() {
    let proposal = r#"{"time": "2025-09-22T11:00:00+08:00", "action": "propose", "by": "wang-fang", "complaint": "t1", "finding": "upheld", "beyond_authority": false, "malicious": false, "proposal": "整改", "measures": [{"responsible": "li-qiang", "text": "改流程"}]}"#;
    assert_eq!(read_actions(&[FILING, ACCEPTING, proposal]).actions.len(), 3);
    assert_eq!(refused(&proposal.replace("li-qiang", "nobody")), pair("measures", "unknown `nobody`"));
    assert_eq!(refused(&proposal.replace("\"responsible\"", "\"who\"")), pair("measures", "names nobody"));
    assert_eq!(refused(&proposal.replace("改流程", "")), pair("measures", "a measure has no text"));
}

#[test]
fn what_is_changed_of_a_client_is_checked_as_its_file_is() {
    let save = r#"{"time": "2025-09-22T11:00:00+08:00", "action": "save_client", "by": "li-qiang", "client": "80010001", "assets": "500000.00"}"#;
    assert_eq!(read_actions(&[FILING, ACCEPTING, save]).actions.len(), 3);
    assert_eq!(
        refused(&save.replace("80010001", "9")),
        pair("client", "`9` is no client that could be used")
    );
    assert_eq!(refused(&save.replace("500000.00", "-1")), pair("assets", "is negative"));
    let phone = save.replace("\"assets\": \"500000.00\"", "\"phone\": \"12\"");
    assert_eq!(refused(&phone).0, "phone");
}

#[test]
fn k11_what_a_client_said_is_read_in_its_order_and_never_repeated() {
    let verify = r#"{"time": "2025-09-22T11:00:00+08:00", "action": "verify", "by": "li-qiang", "client": "80010001", "said": [{"factor": "reserved_phone", "answer": "138 1234 5678"}, {"factor": "holdings", "answer": "990001"}]}"#;
    let input = read_actions(&[FILING, ACCEPTING, verify]);
    let Deed::OnClient { deed: ClientDeed::Verify { said }, .. } = &input.actions[2].deed else {
        panic!("{input:?}")
    };
    let factors: Vec<_> = said.iter().map(|(factor, _)| *factor).collect();
    assert_eq!(factors, [IdentityFactor::ReservedPhone, IdentityFactor::Holdings]);
    assert_eq!(refused(&verify.replace("holdings", "birthday")), pair("said", "unknown `birthday`"));
    assert_eq!(refused(&verify.replace("\"990001\"", "990001")), pair("said", "a factor has no answer"));
    assert_eq!(refused(&verify.replace("\"factor\"", "\"what\"")), pair("said", "an answer has no factor"));
    assert_eq!(refused(&verify.replace("\"said\"", "\"answers\"")), pair("said", "holds no answer"));
}
