//! Short texts that this service reads: numbers of capital accounts, codes of securities, e-mail addresses, free lines. Each is brought into one form,
//! so that equal things have equal keys.

/// What a text should have been. The text itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remedy {
    pub(super) english: &'static str,
    pub(super) chinese: &'static str,
}

const ACCOUNT: Remedy = Remedy {
    english: "the capital account's 6 to 20 digits",
    chinese: "请填写资金账号，6 至 20 位数字",
};
const SECURITY: Remedy = Remedy {
    english: "a code of 1 to 16 letters, digits and dots, such as 600519",
    chinese: "请填写证券代码，1 至 16 位字母、数字或点，例如 600519",
};
const EMAIL: Remedy = Remedy {
    english: "one address such as name@example.com, at most 254 characters",
    chinese: "请填写一个邮箱地址，例如 name@example.com，最多 254 字符",
};

/// A capital account: digits, in any width, with blanks or hyphens between them.
pub(super) fn account(text: &str) -> Result<String, Remedy> {
    let digits = folded(text, 64).ok_or(ACCOUNT)?.replace('-', "");
    let valid = (6..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if valid { Ok(digits) } else { Err(ACCOUNT) }
}

/// The last four digits, fewer where that would show more than half.
pub(super) fn masked_account(account: &str) -> String {
    let shown = (account.len() / 2).min(4);
    format!("****{}", account.get(account.len() - shown..).unwrap_or_default())
}

/// A security's code, in capitals.
pub(super) fn security(text: &str) -> Result<String, Remedy> {
    let code = folded(text, 64).ok_or(SECURITY)?.to_ascii_uppercase();
    let valid = (1..=16).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    if valid { Ok(code) } else { Err(SECURITY) }
}

/// An e-mail address; its domain in small letters. Empty stays empty.
pub(super) fn email(text: &str) -> Result<String, Remedy> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(String::new());
    }
    let (name, domain) = text.rsplit_once('@').ok_or(EMAIL)?;
    let clean = |part: &str| !part.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@');
    let labels = domain.split('.').filter(|label| !label.is_empty()).count();
    let valid = text.chars().count() <= 254
        && (1..=64).contains(&name.chars().count())
        && clean(name)
        && clean(domain)
        && labels >= 2
        && labels == domain.split('.').count();
    if valid { Ok(format!("{name}@{}", domain.to_lowercase())) } else { Err(EMAIL) }
}

/// One line of text, trimmed; `None` where it is longer than `most` characters or holds what cannot be printed.
pub(super) fn line(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    (text.chars().count() <= most && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// Without blanks, full-width signs as ASCII; `None` where it is longer than `most` characters or holds anything else.
fn folded(text: &str, most: usize) -> Option<String> {
    let mut folded = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == most {
            return None;
        }
        match c {
            c if c.is_whitespace() => {}
            // Full-width forms lie at a fixed distance from ASCII.
            '！'..='～' => folded.push(char::from_u32(u32::from(c) - 0xfee0)?),
            c if c.is_ascii_graphic() => folded.push(c),
            _ => return None,
        }
    }
    Some(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l1_spellings_of_one_account_are_one() {
        for text in ["1020304050", " 10203 04050 ", "１０２０３０４０５０", "10-2030-4050"] {
            assert_eq!(account(text).unwrap(), "1020304050", "{text}");
        }
        for text in ["", "12345", "123456789012345678901", "12345a", "一二三四五六"] {
            assert_eq!(account(text), Err(ACCOUNT), "{text}");
        }
    }

    #[test]
    fn l10_an_accounts_mask_shows_at_most_half() {
        assert_eq!(masked_account("1020304050"), "****4050");
        assert_eq!(masked_account("123456"), "****456");
    }

    #[test]
    fn k11_spellings_of_one_security_are_one() {
        for text in ["600519", " 600519 ", "６００５１９"] {
            assert_eq!(security(text).unwrap(), "600519");
        }
        assert_eq!(security("of110022").unwrap(), "OF110022");
        assert_eq!(security("brk.b").unwrap(), "BRK.B");
        for text in ["", "贵州茅台", "12345678901234567", "6005/19"] {
            assert!(security(text).is_err(), "{text}");
        }
    }

    #[test]
    fn l9_an_email_is_one_address() {
        assert_eq!(email(" Wang.Xm@Example.COM ").unwrap(), "Wang.Xm@example.com");
        assert_eq!(email("  ").unwrap(), "");
        for text in [
            "wang",
            "@example.com",
            "wang@",
            "wang@example",
            "wang@example..com",
            "a b@example.com",
            "a@b@c.com",
        ] {
            assert!(email(text).is_err(), "{text}");
        }
        assert!(email(&format!("{}@example.com", "a".repeat(65))).is_err());
    }

    #[test]
    fn a_line_is_short_and_printable() {
        assert_eq!(line(" 上海市 1 号 ", 10).as_deref(), Some("上海市 1 号"));
        assert_eq!(line("a\nb", 10), None);
        assert_eq!(line(&"长".repeat(11), 10), None);
    }
}
