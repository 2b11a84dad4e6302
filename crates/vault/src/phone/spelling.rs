//! The signs of a typed phone number: which digits, whether a plus stands in front, and which extension. What the
//! digits mean is decided elsewhere.

use super::PhoneError;

const MAX_CHARS: usize = 64;

/// A typed number taken apart.
pub(super) struct Spelling {
    /// ASCII digits without the extension.
    pub(super) digits: String,
    /// Whether a plus stood in front.
    pub(super) plus: bool,
    /// ASCII digits of an extension that was marked as such.
    pub(super) extension: Option<String>,
    /// How many of `digits` stood before the last hyphen, if there was one.
    before_last_hyphen: Option<usize>,
}

/// What one character can be.
enum Sign {
    Digit(char),
    Plus,
    Hyphen,
    Filling,
    ExtensionMark,
    Alien,
}

impl Spelling {
    pub(super) fn read(text: &str) -> Result<Self, PhoneError> {
        let mut spelling =
            Self { digits: String::new(), plus: false, extension: None, before_last_hyphen: None };
        for (index, c) in text.chars().enumerate() {
            if index == MAX_CHARS {
                return Err(PhoneError::TooLong);
            }
            spelling.take(sign(c)).ok_or(PhoneError::UnexpectedCharacter { position: index + 1 })?;
        }
        if spelling.digits.is_empty() {
            return Err(PhoneError::Empty);
        }
        Ok(spelling)
    }

    /// The digits before the last hyphen and those behind it.
    pub(super) fn last_group(&self) -> Option<(&str, &str)> {
        self.before_last_hyphen.and_then(|at| self.digits.split_at_checked(at))
    }

    pub(super) fn last_group_len(&self) -> usize {
        self.last_group().map_or(0, |(_, last)| last.len())
    }

    /// `None` if the sign may not stand where it stands.
    fn take(&mut self, sign: Sign) -> Option<()> {
        match (sign, &mut self.extension) {
            (Sign::Digit(digit), Some(extension)) => extension.push(digit),
            (Sign::Digit(digit), None) => self.digits.push(digit),
            (Sign::Plus, None) if self.digits.is_empty() && !self.plus => self.plus = true,
            (Sign::Hyphen, None) if !self.digits.is_empty() => {
                self.before_last_hyphen = Some(self.digits.len());
            }
            // Marks come in several characters: 转分机, ext., ;ext=.
            (Sign::ExtensionMark, Some(extension)) if extension.is_empty() => {}
            (Sign::ExtensionMark, None) if !self.digits.is_empty() => self.extension = Some(String::new()),
            (Sign::Filling | Sign::Hyphen, _) => {}
            _ => return None,
        }
        Some(())
    }
}

fn sign(c: char) -> Sign {
    // Full-width forms of ASCII lie at a fixed distance from it.
    let c = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c.to_ascii_lowercase(),
    };
    match c {
        '0'..='9' => Sign::Digit(c),
        '+' => Sign::Plus,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | 'ー' => Sign::Hyphen,
        '(' | ')' | '[' | ']' | '【' | '】' | '〔' | '〕' | '.' | ':' | '·' => Sign::Filling,
        // Invisible marks that come along when a number is copied from an address book.
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
            Sign::Filling
        }
        c if c.is_whitespace() => Sign::Filling,
        '转' | '轉' | '分' | '机' | '機' | '号' | '#' | ';' | '=' | 'e' | 'x' | 't' => {
            Sign::ExtensionMark
        }
        _ => Sign::Alien,
    }
}
