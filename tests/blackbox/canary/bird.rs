//! The canaries, and how they are looked for: as they were said, as they are stored, and as programs write bytes.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use crate::harness::files;

/// Of the client who has a file.
pub(super) const NAME: &str = "欧阳雪鹂";
/// The reserved number, as it is typed; stored as `+8613987650421`.
pub(super) const PHONE: &str = "139-8765-0421";
/// From where the client calls, and wants to be called.
pub(super) const CALLER: &str = "(0571) 8731 6642";
pub(super) const EMAIL: &str = "ouyang.xueli@birdcage.test";
pub(super) const ADDRESS: &str = "杭州市翡翠鸟巷七十七号";
pub(super) const HOLDING: &str = "ZQ90X601";
pub(super) const PURCHASE: &str = "ZQ90X602";
/// What somebody says who is not the client.
pub(super) const WRONG_PHONE: &str = "139 8765 9973";
pub(super) const WRONG_CODE: &str = "ZQ90X699";
/// Too long for a number.
pub(super) const BAD_PHONE: &str = "139-8765-04219-9317";

const SERIAL: u32 = 618_733;
/// In every free text.
const IN_TEXTS: &str = "金丝雀";

/// A free text that tells by its mark where it was.
pub(super) fn text(mark: &str) -> String {
    format!("{IN_TEXTS}在此：{mark}")
}

pub(super) fn identity_number() -> String {
    files::identity_number(SERIAL)
}

/// Somebody else's.
pub(super) fn wrong_identity_number() -> String {
    files::identity_number(SERIAL + 1)
}

/// The check character does not fit.
pub(super) fn bad_identity_number() -> String {
    let number = identity_number();
    let check = if number.ends_with('7') { "8" } else { "7" };
    format!("{}{check}", &number[..17])
}

pub(super) fn account() -> String {
    files::account(SERIAL)
}

/// What must stand nowhere.
fn canaries() -> Vec<(&'static str, String)> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let number = identity_number();
    vec![
        ("a name", NAME.to_owned()),
        ("a given name", NAME.chars().skip(2).collect()),
        ("a phone number as it was typed", PHONE.to_owned()),
        ("a phone number", digits(PHONE)),
        ("another phone number as it was typed", CALLER.to_owned()),
        // 0571 with and without its zero.
        ("another phone number", digits(CALLER)[1..].to_owned()),
        ("a wrong phone number as it was typed", WRONG_PHONE.to_owned()),
        ("a wrong phone number", digits(WRONG_PHONE)),
        ("an impossible phone number", digits(BAD_PHONE)),
        // Whatever its last character.
        ("an identity number", number[..17].to_owned()),
        ("a wrong identity number", wrong_identity_number()[..17].to_owned()),
        ("a capital account", account()),
        ("an e-mail address", EMAIL.split('@').next().unwrap().to_owned()),
        ("an address", ADDRESS.chars().skip(3).take(4).collect()),
        ("codes of securities", HOLDING[..6].to_owned()),
        ("a free text", IN_TEXTS.to_owned()),
    ]
}

/// The canaries found in `bytes`, each with how it is written there.
pub(super) fn found(bytes: &[u8]) -> Vec<String> {
    let hay = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for (what, clear) in canaries() {
        for (how, spelling) in spellings(&clear) {
            if let Some(at) = hay.find(&spelling) {
                // Enough around it to see where it comes from, and the canary is nobody's data.
                let before: String =
                    hay[..at].chars().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect();
                let after: String = hay[at..].chars().take(80).collect();
                found.push(format!("{what}, {how}: …{before}{after}…"));
            }
        }
    }
    found
}

/// A text as programs write it.
fn spellings(clear: &str) -> Vec<(&'static str, String)> {
    let (mut hex, mut percent, mut octal) = (String::new(), String::new(), String::new());
    for byte in clear.bytes() {
        let _ = write!(hex, "{byte:02x}");
        let _ = write!(percent, "%{byte:02X}");
        let _ = write!(octal, "\\{byte:03o}");
    }
    let mut spellings = vec![
        ("in clear", clear.to_owned()),
        ("in upper case hex", hex.to_uppercase()),
        ("in hex", hex.clone()),
        // Requests that wait for a backend are kept in hex, and a dump shows their bytes in hex again.
        ("in hex of hex", hex.bytes().fold(String::new(), |all, byte| format!("{all}{byte:02x}"))),
    ];
    spellings.extend((0..3).map(|shift| ("in base64", base64(clear, shift))));
    if !clear.is_ascii() {
        let escaped = |write: fn(&mut String, u16)| {
            let mut escaped = String::new();
            clear.encode_utf16().for_each(|unit| write(&mut escaped, unit));
            escaped
        };
        spellings.extend([
            ("percent-encoded", percent),
            ("in octal", octal),
            (
                "in bytes",
                hex.as_bytes()
                    .chunks(2)
                    .fold(String::new(), |all, pair| format!("{all}\\x{}", String::from_utf8_lossy(pair))),
            ),
            (
                "escaped for JSON",
                escaped(|all, unit| {
                    let _ = write!(all, "\\u{unit:04x}");
                }),
            ),
            (
                "escaped by Rust",
                escaped(|all, unit| {
                    let _ = write!(all, "\\u{{{unit:x}}}");
                }),
            ),
        ]);
    }
    spellings
}

/// The part of a longer base64 text that depends on `clear` alone, where it begins `shift` bytes behind a group of three.
fn base64(clear: &str, shift: usize) -> String {
    let encoded = STANDARD_NO_PAD.encode([&vec![0; shift], clear.as_bytes()].concat());
    let (from, to) = ((shift * 8).div_ceil(6), (shift + clear.len()) * 8 / 6);
    encoded[from..to].to_owned()
}

#[test]
fn what_is_looked_for_is_found_however_it_is_written() {
    let around = |said: &str| format!("一些别的内容 {said} and more").into_bytes();
    assert!(found(&around("139****0421 欧* 1****************7")).is_empty());
    for (what, clear) in canaries() {
        let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |all, byte| format!("{all}{byte:02x}"));
        let whole = around(&clear);
        let mut written = vec![
            whole.clone(),
            around(&hex(&whole)),
            around(&hex(hex(&whole).as_bytes())),
            around(&serde_json::to_string(&String::from_utf8_lossy(&whole)).unwrap()),
            format!("{:?}", String::from_utf8_lossy(&whole)).into_bytes(),
            format!("{:?}", bytes::Bytes::from(whole.clone())).into_bytes(),
        ];
        for lead in ["", "a", "ab"] {
            let shifted = [lead.as_bytes(), &whole].concat();
            written.push(STANDARD_NO_PAD.encode(shifted).into_bytes());
        }
        for hay in written {
            let found = found(&hay);
            assert!(
                found.iter().any(|leak| leak.starts_with(what)),
                "{what}: {}",
                String::from_utf8_lossy(&hay)
            );
        }
    }
}
