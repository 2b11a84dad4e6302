//! Names of persons (姓名): read once at the edge, shown masked. Not a check whether somebody has such a name.

use std::fmt;

const MAX_CHARS: usize = 64;
const MAX_STARS: usize = 3;

/// A person's name, trimmed, with single blanks inside and `·` between the parts of a transliterated name.
/// `Debug` and `Display` show the mask only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PersonName(String);

/// Why a text is not a name. The text itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonNameError {
    /// Nothing but blanks.
    #[error("the name is empty; give the name as the client states it")]
    Empty,
    /// More than 64 characters.
    #[error("the name is longer than 64 characters; give the name alone")]
    TooLong,
    /// A control or invisible character.
    #[error("character {position} of the name cannot be printed; type the name anew")]
    Unprintable {
        /// Counted from 1.
        position: usize,
    },
}

impl PersonName {
    /// Reads a name as it was typed.
    pub fn parse(text: &str) -> Result<Self, PersonNameError> {
        let mut name = String::with_capacity(text.len());
        let mut chars = 0;
        for (index, c) in text.chars().enumerate() {
            let c = match c {
                c if c.is_whitespace() => ' ',
                '•' | '・' | '‧' | '･' | '．' => '·',
                c if c.is_control() || is_invisible(c) => {
                    return Err(PersonNameError::Unprintable { position: index + 1 });
                }
                c => c,
            };
            if c == ' ' && (name.is_empty() || name.ends_with(' ')) {
                continue;
            }
            chars += 1;
            if chars > MAX_CHARS + 1 {
                return Err(PersonNameError::TooLong);
            }
            name.push(c);
        }
        if name.ends_with(' ') {
            name.pop();
            chars -= 1;
        }
        match chars {
            0 => Err(PersonNameError::Empty),
            1..=MAX_CHARS => Ok(Self(name)),
            _ => Err(PersonNameError::TooLong),
        }
    }

    /// The first character and a star for each further one, at most three: `张*`, `欧**`. A name of one character
    /// is all star.
    pub fn masked(&self) -> String {
        let mut chars = self.0.chars();
        let first = chars.next();
        match (first, chars.count()) {
            (Some(first), rest @ 1..) => format!("{first}{}", "*".repeat(rest.min(MAX_STARS))),
            _ => "*".to_owned(),
        }
    }

    /// The name in full: for sealing, and for showing it under rule L10.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The mask.
impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The mask.
impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonName({self})")
    }
}

/// Characters that change the direction of the text or have no width, and so make two equal-looking names differ.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn l10_masks_show_the_first_character_only() {
        for (name, mask) in [
            ("张三", "张*"),
            ("王小明", "王**"),
            ("欧阳修", "欧**"),
            ("欧阳娜娜", "欧***"),
            ("买买提·艾合买提", "买***"),
            ("John Smith", "J***"),
            ("李", "*"),
        ] {
            let name = PersonName::parse(name).unwrap();
            assert_eq!(name.to_string(), mask);
            assert_eq!(format!("{name:?}"), format!("PersonName({mask})"));
        }
    }

    #[test]
    fn blanks_and_middle_dots_are_made_the_same() {
        for (typed, read) in [
            (" 张三\u{3000}", "张三"),
            ("John\t  Smith", "John Smith"),
            ("买买提•艾合买提", "买买提·艾合买提"),
        ] {
            assert_eq!(PersonName::parse(typed).unwrap().expose(), read);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(PersonName::parse(" \u{3000}"), Err(PersonNameError::Empty));
        assert_eq!(PersonName::parse(&"长".repeat(65)), Err(PersonNameError::TooLong));
        assert!(PersonName::parse(&format!("{} ", "长".repeat(64))).is_ok());
        assert_eq!(PersonName::parse("张\u{0}三"), Err(PersonNameError::Unprintable { position: 2 }));
        assert_eq!(PersonName::parse("张\u{202e}三"), Err(PersonNameError::Unprintable { position: 2 }));
    }

    proptest! {
        #[test]
        fn l10_a_mask_never_shows_more_than_one_character(text in "\\PC{2,70}") {
            if let Ok(name) = PersonName::parse(&text) {
                let mask = name.masked();
                prop_assert!(mask.chars().skip(1).all(|c| c == '*') && mask.chars().count() <= 4);
                prop_assert_eq!(PersonName::parse(name.expose()).unwrap(), name);
            }
        }
    }
}
