//! Numbers of resident identity cards (居民身份证号, GB 11643): read once at the edge, checked, shown masked. Passports
//! and other papers have no such number and are not read here.

use std::fmt;
use std::ops::Range;

use chrono::NaiveDate;

const MAX_CHARS: usize = 64;
/// GB 11643-1999: weights of the first 17 digits, and the check character by remainder.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];

/// An identity number in its form of 18 characters. `Debug` and `Display` show the mask only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdentityNumber(String);

/// Why a text is not an identity number. The text itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityNumberError {
    /// Something other than digits and a last X.
    #[error(
        "character {position} of the identity number is neither a digit nor the last X; read it off the card"
    )]
    UnexpectedCharacter {
        /// Counted from 1, in the text as given.
        position: usize,
    },
    /// Neither 18 nor 15 characters.
    #[error(
        "the identity number has {found} characters instead of 18 (or 15 on old cards); read it off the card"
    )]
    WrongLength {
        /// How many there are, blanks not counted.
        found: usize,
    },
    /// The digits of region or birth date name none.
    #[error("the identity number names no possible region and date of birth; read it off the card")]
    Impossible,
    /// The last character does not fit the others: a digit is wrong or two are swapped.
    #[error("the identity number's check character does not fit; a digit is wrong or two are swapped")]
    WrongCheck,
}

impl IdentityNumber {
    /// Reads 18 characters, or 15 of an old card, which are converted. Full-width digits, a small x and blanks are
    /// accepted.
    pub fn parse(text: &str) -> Result<Self, IdentityNumberError> {
        let mut number = String::with_capacity(18);
        let mut count = 0;
        for (index, c) in text.chars().enumerate() {
            let position = index + 1;
            let c = match c {
                '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10).unwrap_or(c),
                'x' | 'ｘ' | 'Ｘ' => 'X',
                c if c.is_whitespace() => continue,
                c => c,
            };
            count += 1;
            if count > MAX_CHARS {
                return Err(IdentityNumberError::WrongLength { found: count });
            }
            if number.ends_with('X') || !(c.is_ascii_digit() || c == 'X' && count == 18) {
                return Err(IdentityNumberError::UnexpectedCharacter { position });
            }
            number.push(c);
        }
        let body = match count {
            18 => number.get(..17).unwrap_or_default().to_owned(),
            15 => format!("{}19{}", number.get(..6).unwrap_or_default(), number.get(6..).unwrap_or_default()),
            found => return Err(IdentityNumberError::WrongLength { found }),
        };
        if body.starts_with('0') || birth_date(&body).is_none() {
            return Err(IdentityNumberError::Impossible);
        }
        let full = format!("{body}{}", check_character(&body));
        if count == 18 && full != number {
            return Err(IdentityNumberError::WrongCheck);
        }
        Ok(Self(full))
    }

    /// First and last character only: `1****************X`. Date of birth and region stay hidden.
    pub fn masked(&self) -> String {
        let (first, last) = (self.0.chars().next().unwrap_or('*'), self.0.chars().last().unwrap_or('*'));
        format!("{first}{}{last}", "*".repeat(16))
    }

    /// The number in full: for sealing, blind indexes, and for showing it under rule L10.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The mask.
impl fmt::Display for IdentityNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The mask.
impl fmt::Debug for IdentityNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityNumber({self})")
    }
}

fn birth_date(body: &str) -> Option<NaiveDate> {
    let digits = |range: Range<usize>| body.get(range)?.parse::<u32>().ok();
    let year = i32::try_from(digits(6..10)?).ok().filter(|year| (1850..=2199).contains(year))?;
    NaiveDate::from_ymd_opt(year, digits(10..12)?, digits(12..14)?)
}

fn check_character(body: &str) -> char {
    let sum: u32 =
        body.chars().zip(WEIGHTS).map(|(c, weight)| c.to_digit(10).unwrap_or_default() * weight).sum();
    CHECKS.get(sum as usize % CHECKS.len()).copied().unwrap_or('?')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // The example of GB 11643-1999 itself.
    const EXAMPLE: &str = "11010519491231002X";

    #[test]
    fn all_spellings_of_a_number_are_one() {
        for text in [
            EXAMPLE,
            "11010519491231002x",
            " 110105 19491231 002X ",
            "１１０１０５１９４９１２３１００２Ｘ",
            "110105491231002",
        ] {
            assert_eq!(IdentityNumber::parse(text).unwrap().expose(), EXAMPLE, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused_with_what_to_do() {
        use IdentityNumberError::{Impossible, UnexpectedCharacter, WrongCheck, WrongLength};
        for (text, error) in [
            ("", WrongLength { found: 0 }),
            ("1101051949123100", WrongLength { found: 16 }),
            ("110105194912310021", WrongCheck),
            ("110105194921310029", Impossible),
            ("11010519490229002X", Impossible),
            ("01010519491231002X", Impossible),
            ("1101051949123X0021", UnexpectedCharacter { position: 14 }),
            ("110105-19491231002X", UnexpectedCharacter { position: 7 }),
        ] {
            assert_eq!(IdentityNumber::parse(text), Err(error), "{text}");
        }
        assert_eq!(IdentityNumber::parse(&"1".repeat(100)), Err(WrongLength { found: 65 }));
    }

    #[test]
    fn l10_the_mask_hides_region_and_birth_date() {
        let number = IdentityNumber::parse(EXAMPLE).unwrap();
        assert_eq!(number.to_string(), "1****************X");
        assert_eq!(format!("{number:?}"), "IdentityNumber(1****************X)");
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_always_noticed(sequence in 0..1000u32, at in 0..17usize, add in 1..10u32) {
            let body = format!("11010519491231{sequence:03}");
            let number = format!("{body}{}", check_character(&body));
            prop_assert!(IdentityNumber::parse(&number).is_ok());
            let wrong: String = number.chars().enumerate().map(|(index, c)| match c.to_digit(10) {
                Some(digit) if index == at => char::from_digit((digit + add) % 10, 10).unwrap(),
                _ => c,
            }).collect();
            prop_assert!(IdentityNumber::parse(&wrong).is_err());
        }

        #[test]
        fn l10_errors_never_repeat_the_value(text in "[0-9]{20,40}") {
            let error = IdentityNumber::parse(&text).unwrap_err();
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains(&text[..8]));
        }
    }
}
