use proptest::prelude::*;

use super::*;

fn normalised(text: &str) -> String {
    match Phone::parse(text) {
        Ok(phone) => phone.expose().to_owned(),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[test]
fn all_spellings_of_a_mobile_are_one() {
    for text in [
        "13812345678",
        "138 1234 5678",
        "138-1234-5678",
        "138.1234.5678",
        "１３８１２３４５６７８",
        "+86 138 1234 5678",
        "+86-13812345678",
        "＋８６　１３８－１２３４－５６７８",
        "(+86)13812345678",
        "（+86）138 1234 5678",
        "0086 13812345678",
        "8613812345678",
        "86-138-1234-5678",
        "013812345678",
        "\u{202a}+86 138\u{a0}1234\u{a0}5678\u{202c}",
        "138–1234—5678",
        "+8613812345678",
        " 13812345678 ",
    ] {
        assert_eq!(normalised(text), "+8613812345678", "{text}");
    }
}

#[test]
fn all_spellings_of_a_landline_are_one() {
    for text in [
        "010-88880000",
        "01088880000",
        "(010)88880000",
        "（010）8888-0000",
        "０１０－８８８８００００",
        "+86 10 8888 0000",
        "+86 (0)10 8888 0000",
        "+86-010-88880000",
        "0086-10-88880000",
        "861088880000",
        "【010】8888 0000",
    ] {
        assert_eq!(normalised(text), "+861088880000", "{text}");
    }
    for (text, expected) in [
        ("0571-8765432", "+865718765432"),
        ("0571-87654321", "+8657187654321"),
        ("0571-8765-4321", "+8657187654321"),
        ("+86 571 8765 4321", "+8657187654321"),
        ("021 6888 1234", "+862168881234"),
        ("400-888-1234", "+864008881234"),
        ("800 888 1234", "+868008881234"),
        ("0400-100-0000", "+864001000000"),
    ] {
        assert_eq!(normalised(text), expected, "{text}");
    }
}

#[test]
fn l10_a_service_number_written_as_if_400_were_an_area_code_is_the_same_number() {
    let (plain, with_zero) = (Phone::parse("4001000000").unwrap(), Phone::parse("04001000000").unwrap());
    assert_eq!(plain, with_zero);
    assert_eq!(Phone::parse(with_zero.expose()).unwrap(), plain);
    assert_eq!(with_zero.masked(), "400****000");
    assert_eq!(Phone::parse("0400 1000 0000"), Err(PhoneError::NotANumber));
}

#[test]
fn all_spellings_of_an_extension_are_one() {
    for text in [
        "010-88880000转8001",
        "010-88880000 转 8001",
        "010-88880000（转8001）",
        "010-88880000轉８００１",
        "010-88880000转分机8001",
        "010-88880000分机号：8001",
        "010-88880000 ext. 8001",
        "010-88880000 Ext 8001",
        "010-88880000x8001",
        "010-88880000#8001",
        "010-88880000-8001",
        "010-8888-0000-8001",
        "+86 10 88880000-8001",
        "+861088880000;ext=8001",
    ] {
        assert_eq!(normalised(text), "+861088880000;ext=8001", "{text}");
    }
    assert_eq!(normalised("0571-8765432-1"), "+865718765432;ext=1");
    assert_eq!(normalised("0571-8765432-801"), "+865718765432;ext=801");
    assert_eq!(normalised("17012345678转1234"), "+8617012345678;ext=1234");
    let phone = Phone::parse("010-88880000转8001").unwrap();
    assert_eq!(phone.expose_without_extension(), "+861088880000");
}

#[test]
fn numbers_abroad_need_their_country_code() {
    assert_eq!(normalised("+852 9123 4567"), "+85291234567");
    assert_eq!(normalised("00852-91234567"), "+85291234567");
    assert_eq!(normalised("+1 (212) 555-0123"), "+12125550123");
    assert_eq!(Phone::parse("2125550123"), Err(PhoneError::NotANumber));
}

#[test]
fn what_is_no_number_is_refused_with_what_to_do() {
    use PhoneError::{AreaCodeMissing, BadExtension, Empty, NotANumber, TooLong, UnexpectedCharacter};
    for (text, error) in [
        ("", Empty),
        (" - ", Empty),
        ("88880000", AreaCodeMissing),
        ("8765432", AreaCodeMissing),
        ("1381234567", NotANumber),
        ("138123456789", NotANumber),
        ("12812345678", NotANumber),
        ("95588", NotANumber),
        ("010-8888000", NotANumber),
        ("010-08880000", NotANumber),
        ("+86 138 1234 567", NotANumber),
        ("+0 138 1234 5678", NotANumber),
        ("+1234567", NotANumber),
        ("+1234567890123456", NotANumber),
        ("13812345678转", BadExtension),
        ("010-88880000转8001234", BadExtension),
        ("13812345678/13912345678", UnexpectedCharacter { position: 12 }),
        ("手机13812345678", UnexpectedCharacter { position: 1 }),
        ("138+12345678", UnexpectedCharacter { position: 4 }),
        ("转8001", UnexpectedCharacter { position: 1 }),
        ("010-88880000转80转01", UnexpectedCharacter { position: 16 }),
    ] {
        assert_eq!(Phone::parse(text), Err(error), "{text}");
    }
    assert_eq!(Phone::parse(&"1".repeat(65)), Err(TooLong));
}

#[test]
fn l10_masks_are_as_the_rule_shows_them() {
    for (text, mask) in [
        ("13812345678", "138****5678"),
        ("010-88880000", "010****0000"),
        ("0571-87654321", "0571****4321"),
        ("0571-8765432", "0571****432"),
        ("400-888-1234", "400****234"),
        ("+852 9123 4567", "+85****4567"),
        ("+49 123456", "+49****56"),
        ("010-88880000转8001", "010****0000转*"),
    ] {
        let phone = Phone::parse(text).unwrap();
        assert_eq!(phone.to_string(), mask);
        assert_eq!(format!("{phone:?}"), format!("Phone({mask})"));
    }
}

/// A number and one of its spellings.
fn spelt() -> impl Strategy<Value = (String, String)> {
    let mobile = "1[3-9][0-9]{9}".prop_map(|number| (number.clone(), number));
    let landline = prop_oneof![
        "(10|2[0-9])[1-9][0-9]{7}".prop_map(|number| number),
        // 400 and 800 are no area codes.
        "([35679][0-9]|[48][1-9])[0-9][1-9][0-9]{6,7}".prop_map(|number| number),
    ]
    .prop_map(|number| (number.clone(), format!("0{number}")));
    let prefix = prop::sample::select(vec!["", "+86", "0086 ", "86", "（+86）", "+86-"]);
    (prop_oneof![mobile, landline], prefix, prop::collection::vec(0..4u8, 12), any::<bool>()).prop_map(
        |((number, national), prefix, gaps, wide)| {
            let mut text = prefix.to_owned();
            for (index, c) in national.chars().enumerate() {
                if index > 0 && index + 1 < national.len() {
                    text.push_str([" ", "", ".", "\u{3000}"][usize::from(gaps[index % gaps.len()])]);
                }
                let digit = c.to_digit(10).unwrap();
                text.push(if wide { char::from_u32(0xff10 + digit).unwrap() } else { c });
            }
            (format!("+86{number}"), text)
        },
    )
}

proptest! {
    #[test]
    fn every_spelling_gives_the_same_number((expected, text) in spelt()) {
        prop_assert_eq!(normalised(&text), expected);
    }

    #[test]
    fn the_normal_form_is_read_as_itself((_, text) in spelt(), extension in "([0-9]{1,6})?") {
        let text = if extension.is_empty() { text } else { format!("{text}转{extension}") };
        let phone = Phone::parse(&text).unwrap();
        prop_assert_eq!(Phone::parse(phone.expose()).unwrap(), phone);
    }

    #[test]
    fn l10_a_mask_hides_at_least_four_digits_of_any_number(text in "(\\+|00|0)?[0-9]{7,15}([-x][0-9]{1,5})?") {
        if let Ok(phone) = Phone::parse(&text) {
            let mask = phone.masked();
            let shown = mask.chars().filter(char::is_ascii_digit).count();
            let leading_zero = usize::from(mask.starts_with('0'));
            let digits = phone.expose_without_extension().trim_start_matches("+86").trim_start_matches('+').len();
            prop_assert!(shown - leading_zero + 4 <= digits, "{} shown of {}", shown, digits);
            prop_assert!(mask.contains("****") && shown <= 8);
        }
    }

    #[test]
    fn l10_errors_never_repeat_the_value(text in "[1-9][0-9]{15,39}a?") {
        let error = Phone::parse(&text).unwrap_err();
        let shown = format!("{error} {error:?}");
        prop_assert!(!shown.contains(&text[..6]));
    }

    #[test]
    fn no_text_at_all_makes_reading_panic(text in any::<String>()) {
        let _ = Phone::parse(&text).map(|phone| phone.masked());
    }
}
