//! Files of clients: every spelling that people use is read, every figure that cannot be is refused with its place, and no good line is lost.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::*;

/// A good line; `number` makes its account its own.
pub(super) fn good(id: &str, number: &str) -> String {
    client(id, &[("accounts", &format!("66000{number}:工行:primary"))])
}

/// A client with these cells changed.
fn client(id: &str, changes: &[(&str, &str)]) -> String {
    let defaults = [
        ("client", id),
        ("branch", "changzhi"),
        ("name", "魏艳红"),
        ("phone", "138 1234 5678"),
        ("identity_number", ""),
        ("assets", "1250000.00"),
        ("turnover", "3.00"),
        ("accounts", "660000001:工行:primary"),
        ("holdings", "990001;990002"),
        ("last_purchase", "990002"),
        ("service_manager", ""),
    ];
    let cell = |column: &&str| {
        let find = |cells: &[(&str, &str)]| {
            cells.iter().find(|(name, _)| name == column).map(|(_, value)| (*value).to_owned())
        };
        find(changes).or_else(|| find(&defaults)).unwrap_or_default()
    };
    super::super::clients::FILE.columns.iter().map(cell).collect::<Vec<_>>().join(",")
}

fn file(lines: &[String]) -> String {
    format!("{}\n{}\n", super::super::clients::FILE.columns.join(","), lines.join("\n"))
}

fn read_clients(clients: &[u8]) -> Result<Input, InputErrors> {
    let folder = folder(contacts_of(&[contact("c1", &[])]).as_bytes(), b"");
    std::fs::write(folder.path().join("clients.csv"), clients).unwrap();
    read(folder.path())
}

/// What is said about one bad client among two good ones: column and reason.
fn refused(changes: &[(&str, &str)]) -> (String, String) {
    let bad = client("bad", &[&[("accounts", "66bad:工行:primary")], changes].concat());
    // The later of two changes of one column would not count.
    let bad =
        if changes.iter().any(|(column, _)| *column == "accounts") { client("bad", changes) } else { bad };
    let lines = [good("a", "0001"), bad, good("b", "0002")];
    let input = read_clients(file(&lines).as_bytes()).unwrap();
    assert_eq!(input.clients.len(), 2, "no good line is lost: {:?}", input.rejected);
    let [rejected] = input.rejected.as_slice() else { panic!("one line is bad: {:?}", input.rejected) };
    assert_eq!((rejected.file, rejected.line), ("clients.csv", 3));
    assert!(!rejected.remedy.is_empty());
    (rejected.column.clone(), rejected.reason.clone())
}

#[test]
fn l1_a_client_is_read_with_accounts_and_figures() {
    let accounts = "6600001:工行; 6600002:农行:primary ;6600003:建行";
    let input =
        read_clients(file(&[client("c", &[("accounts", accounts), ("assets", "4999999.99")])]).as_bytes());
    let input = input.unwrap();
    let client = input.client("c").unwrap();
    assert_eq!((client.assets_fen, client.turnover_percent), (499_999_999, 300));
    assert_eq!((client.accounts.len(), client.primary_account()), (3, "6600002"));
    assert_eq!(client.accounts[2].bank, "建行");
    assert_eq!((client.holdings.len(), client.last_purchase.as_str()), (2, "990002"));
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_client() {
    let input = read_clients(format!("\u{feff}{}", file(&[good("a", "0001")])).as_bytes()).unwrap();
    assert_eq!((input.clients.len(), input.rejected.len(), input.notes.len()), (1, 0, 0));
    assert!(input.client("a").is_some());
}

#[test]
fn gbk_is_read_and_said() {
    let text = file(&[good("a", "0001")]);
    let (bytes, _, _) = GB18030.encode(&text);
    let input = read_clients(&bytes).unwrap();
    assert_eq!(input.client("a").unwrap().name, "魏艳红");
    assert_eq!(input.notes, ["clients.csv: is GBK (GB 18030); read as such"]);
}

#[test]
fn missing_columns_are_named() {
    let text = file(&[good("a", "0001")]).replacen("turnover,", "", 1).replacen("accounts,", "", 1);
    let error = read_clients(text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("clients.csv: the header lacks turnover, accounts; add every column"), "{error}");
}

#[test]
fn a_file_of_clients_may_be_empty() {
    let input = read_clients(file(&[]).as_bytes()).unwrap();
    assert_eq!((input.clients.len(), input.rejected.len()), (0, 0));
}

#[test]
fn l1_the_same_client_account_or_identity_number_twice_is_named_with_the_first_line() {
    let number = ("identity_number", "11010519491231002X");
    let lines = [
        client("a", &[("accounts", "6601:工行:primary"), number]),
        client("a", &[("accounts", "6602:工行:primary")]),
        client("b", &[("accounts", "6603:工行:primary;6601:农行")]),
        client("c", &[("accounts", "6604:工行:primary"), ("identity_number", "11010519491231002x")]),
        client("d", &[("accounts", "6603:工行:primary")]),
    ];
    let input = read_clients(file(&lines).as_bytes()).unwrap();
    let said: Vec<_> =
        input.rejected.iter().map(|line| (line.line, line.column.as_str(), line.reason.as_str())).collect();
    assert_eq!(
        said,
        [
            (3, "client", "`a` was there before, in line 2"),
            (4, "accounts", "belongs to the client of line 2 already"),
            (5, "identity_number", "belongs to the client of line 2 already"),
        ]
    );
    assert!(input.client("d").is_some(), "a line that was refused holds no account");
}

#[test]
fn l10_phones_are_read_in_all_usual_spellings() {
    let spellings = [
        "13812345678",
        "138-1234-5678",
        "138 1234 5678",
        "138.1234.5678",
        "+86 13812345678",
        "+86-138-1234-5678",
        "0086 138 1234 5678",
        "8613812345678",
        "(+86)13812345678",
        "１３８１２３４５６７８",
        "0355-2110031",
        "(0355)2110031",
        "0355 2110031",
        "010-88880000转8001",
        "400-820-8820",
    ];
    let lines: Vec<_> = (10..)
        .zip(spellings)
        .map(|(n, phone)| {
            let account = format!("66{n}:工行:primary");
            client(&format!("c{n}"), &[("phone", phone), ("accounts", &account)])
        })
        .collect();
    let input = read_clients(file(&lines).as_bytes()).unwrap();
    assert_eq!(input.clients.len(), spellings.len(), "{:?}", input.rejected);
}

#[test]
fn absurd_figures_are_named_with_their_column() {
    let absurd = [
        (("assets", "-1.00"), "is negative"),
        (("assets", "－5"), "is negative"),
        (("assets", ""), "is empty"),
        (("assets", "一百万"), "is no number with at most two decimals"),
        (("assets", "\"1,250,000.00\""), "is no number with at most two decimals"),
        (("assets", "1250000.005"), "is no number with at most two decimals"),
        (("assets", "1e9"), "is no number with at most two decimals"),
        (("assets", "12 50"), "is no number with at most two decimals"),
        (("assets", "."), "is no number with at most two decimals"),
        (("assets", "10000000000000.01"), "is greater than any such figure can be"),
        (("assets", "99999999999999999999999999"), "is greater than any such figure can be"),
        (("turnover", "-0.01"), "is negative"),
        (("turnover", "300%"), "is no number with at most two decimals"),
        (("turnover", "10000.01"), "is greater than any such figure can be"),
    ];
    for (change, reason) in absurd {
        assert_eq!(refused(&[change]), pair(change.0, reason), "{change:?}");
    }
}

#[test]
fn l1_accounts_that_are_none_or_too_many_are_refused() {
    let six = (1..=6).map(|n| format!("66{n}:工行")).collect::<Vec<_>>().join(";");
    let cases = [
        ("", "is empty"),
        ("6601:工行", "0 accounts are primary instead of one"),
        ("6601:工行:primary;6602:农行:primary", "2 accounts are primary instead of one"),
        ("6601", "account 1 has another form"),
        ("6601:工行:main", "account 1 has another form"),
        ("6601:工行:primary;:农行", "account 2 has no number, no bank, or a strange one"),
        ("6601:工行:primary;6601:农行", "account 2 was there before"),
        (six.as_str(), "names 6 accounts; a client has at most 5"),
    ];
    for (accounts, reason) in cases {
        assert_eq!(refused(&[("accounts", accounts)]), pair("accounts", reason), "{accounts}");
    }
}

#[test]
fn l10_what_is_wrong_with_personal_data_is_said_without_it() {
    let cases = [
        ("identity_number", "110105194912310021", "the identity number's check character does not fit"),
        (
            "identity_number",
            "11010519491331002X",
            "the identity number names no possible region and date of birth",
        ),
        (
            "identity_number",
            "1101051949",
            "the identity number has 10 characters instead of 18 (or 15 on old cards)",
        ),
        ("phone", "2110031", "the area code is missing"),
        ("phone", "", "the phone number is empty"),
        ("name", "", "the name is empty"),
    ];
    for (column, value, reason) in cases {
        let said = refused(&[(column, value)]);
        assert_eq!(said, pair(column, reason), "{value}");
        assert!(value.is_empty() || !said.1.contains(value));
    }
}

#[test]
fn what_a_client_refers_to_is_known() {
    assert_eq!(refused(&[("branch", "beijing")]), pair("branch", "unknown `beijing`"));
    assert_eq!(refused(&[("service_manager", "nobody")]), pair("service_manager", "unknown `nobody`"));
    assert_eq!(refused(&[("client", "c 1")]), pair("client", "`c 1` is no id"));
    assert_eq!(refused(&[("last_purchase", "工行")]), pair("last_purchase", "is no code of a security"));
    assert_eq!(refused(&[("holdings", "990001;<b>")]), pair("holdings", "is no code of a security"));
}

#[test]
fn who_is_looked_up_has_a_file_with_what_is_looked_for() {
    let look_up = |how, client: &str| super::refused(&[("identified", how), ("client", client)]);
    assert_eq!(look_up("phone", "9"), pair("client", "`9` is no client of clients.csv that could be used"));
    assert_eq!(
        look_up("identity_number", "80010001"),
        pair("identified", "the client's file has no identity number")
    );
    let found = contact("c1", &[("identified", "capital_account"), ("client", "80010001")]);
    let input = read_contacts(&[found]);
    assert_eq!(
        input.contacts[0].answer.as_ref().unwrap().client.as_ref().unwrap().by,
        LookUp::CapitalAccount
    );
}

#[test]
fn every_amount_of_fen_is_read_as_it_is() {
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..2_000 {
        let fen = rng.random_range(0..=1_000_000_000_000_000_i64) >> rng.random_range(0..50);
        let text = format!("{}.{:02}", fen / 100, fen % 100);
        assert_eq!(super::super::clients::assets("assets", &text).unwrap(), fen);
    }
}

#[test]
fn no_line_among_good_ones_takes_another_along() {
    const SIGNS: &[char] =
        &['0', '7', '9', '.', '-', ';', ':', ' ', 'x', '工', '１', '\u{200b}', '\'', '/', '+', '('];
    let mut rng = StdRng::seed_from_u64(2);
    for _ in 0..60 {
        let mut cell = || {
            let length = rng.random_range(0..16);
            (0..length).filter_map(|_| SIGNS.get(rng.random_range(0..SIGNS.len()))).collect::<String>()
        };
        let strange: Vec<_> = (0..11).map(|_| cell()).collect();
        let lines = [good("first", "0001"), strange.join(","), good("last", "0002")];
        let input = read_clients(file(&lines).as_bytes()).unwrap();
        assert!(input.client("first").is_some() && input.client("last").is_some(), "{strange:?}");
    }
}
