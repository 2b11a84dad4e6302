//! Phone numbers (电话号码) as people in China write them: read once at the edge, brought into one form, shown masked.
//! Not a check whether the number is in service, nor who has it.

mod spelling;

use std::fmt;

use spelling::Spelling;

/// A phone number in one normal form: `+8613812345678`, `+861088880000;ext=8001`. Two spellings of one number are
/// equal. `Debug` and `Display` show the mask only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone {
    normalised: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// 手机: eleven digits from 13 to 19.
    Mobile,
    /// 固话: area code of this many digits (without the leading zero), then seven or eight digits.
    Landline { area_len: usize },
    /// 400 and 800 numbers of firms.
    Service,
    /// With the country code of another country or region.
    Foreign,
}

/// Why a text is not a phone number. The text itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// No digit in it.
    #[error("the phone number is empty; give one phone number")]
    Empty,
    /// More than 64 characters.
    #[error("the phone number is longer than 64 characters; give one phone number and nothing else")]
    TooLong,
    /// A character that belongs to no phone number, or a sign in the wrong place.
    #[error(
        "character {position} does not belong to a phone number; give one number of digits, blanks, hyphens, \
         brackets, with +86 in front or an extension (转8001) behind if need be"
    )]
    UnexpectedCharacter {
        /// Counted from 1, in the text as given.
        position: usize,
    },
    /// Seven or eight digits: a landline without its area code.
    #[error("the area code is missing; write the landline with it, as 010-8888 0000")]
    AreaCodeMissing,
    /// The extension is missing, or longer than six digits.
    #[error("the extension must have 1 to 6 digits, as in 010-8888 0000 转 8001")]
    BadExtension,
    /// Digits that form no number.
    #[error(
        "this is no complete phone number; give a mobile number of 11 digits, a landline with area code, a 400 or \
         800 number, or a number abroad with + and country code"
    )]
    NotANumber,
}

impl Phone {
    /// Reads a number in any usual spelling: full-width digits; `+86`, `0086` or `86` in front; blanks, hyphens,
    /// dots, brackets; an extension behind `转`, `分机`, `ext`, `x`, `#` or a last hyphen.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        let spelling = Spelling::read(text)?;
        if let Some(extension) = &spelling.extension {
            return Self::from_digits(&spelling.digits, spelling.plus)?.with_extension(extension);
        }
        // A single digit behind the last hyphen is an extension; more of them are one if the rest is complete
        // without them and would not be complete with them.
        let without_extension = Self::from_digits(&spelling.digits, spelling.plus);
        let with_extension = spelling.last_group().and_then(|(digits, last)| {
            Self::from_digits(digits, spelling.plus).and_then(|phone| phone.with_extension(last)).ok()
        });
        match with_extension {
            Some(phone) if without_extension.is_err() || spelling.last_group_len() == 1 => Ok(phone),
            _ => without_extension,
        }
    }

    /// Shows at most the first three and the last four digits and hides at least four, whatever the length:
    /// `138****5678`, `010****0000`, `0571****456`, `+85****4567`; an extension shows as `转*`.
    pub fn masked(&self) -> String {
        let (number, extension) = self.parts();
        let national = number.strip_prefix("+86").unwrap_or(number);
        let (head, prefix) = match self.kind {
            Kind::Landline { area_len } => (area_len, "0"),
            // Of a number abroad that is the plus and two digits.
            Kind::Mobile | Kind::Service | Kind::Foreign => (3, ""),
        };
        let shown = if self.kind == Kind::Foreign { number } else { national };
        let tail = shown.len().saturating_sub(head + 4).min(4);
        format!(
            "{prefix}{}****{}{}",
            shown.get(..head).unwrap_or_default(),
            shown.get(shown.len() - tail..).unwrap_or_default(),
            if extension.is_some() { "转*" } else { "" }
        )
    }

    /// The number in full, in its normal form: for sealing, blind indexes, dialling, and for showing it under rule
    /// L10.
    pub fn expose(&self) -> &str {
        &self.normalised
    }

    /// The number as international digits without the extension: `+861088880000`.
    pub fn expose_without_extension(&self) -> &str {
        self.parts().0
    }

    fn parts(&self) -> (&str, Option<&str>) {
        match self.normalised.split_once(";ext=") {
            Some((number, extension)) => (number, Some(extension)),
            None => (&self.normalised, None),
        }
    }

    fn with_extension(mut self, extension: &str) -> Result<Self, PhoneError> {
        if !(1..=6).contains(&extension.len()) {
            return Err(PhoneError::BadExtension);
        }
        self.normalised.push_str(";ext=");
        self.normalised.push_str(extension);
        Ok(self)
    }

    fn from_digits(digits: &str, plus: bool) -> Result<Self, PhoneError> {
        let abroad = if plus { Some(digits) } else { digits.strip_prefix("00") };
        match abroad {
            Some(number) => match number.strip_prefix("86") {
                Some(national) => Self::national(national, true),
                None => Self::foreign(number),
            },
            None => Self::national(digits, false).or_else(|error| {
                // 86 without a plus is the country code only where the digits are too many for anything else.
                match digits.strip_prefix("86").filter(|national| national.len() >= 10) {
                    Some(national) => Self::national(national, true).map_err(|_| error),
                    None => Err(error),
                }
            }),
        }
    }

    /// A Chinese number; behind a country code the area code may come without its zero.
    fn national(digits: &str, behind_country_code: bool) -> Result<Self, PhoneError> {
        let (zero, number) = match digits.strip_prefix('0') {
            Some(number) => (true, number),
            None => (false, digits),
        };
        let kind = if number.len() == 11 && matches!(number.as_bytes(), [b'1', b'3'..=b'9', ..]) {
            Some(Kind::Mobile)
        } else if number.len() == 10 && is_service(number) {
            Some(Kind::Service)
        } else if zero || behind_country_code {
            landline(number)
        } else if matches!(number.len(), 7 | 8) {
            return Err(PhoneError::AreaCodeMissing);
        } else {
            None
        };
        kind.map(|kind| Self { normalised: format!("+86{number}"), kind }).ok_or(PhoneError::NotANumber)
    }

    /// E.164 allows up to 15 digits; with fewer than 8 there would be nothing left to hide.
    fn foreign(digits: &str) -> Result<Self, PhoneError> {
        if (8..=15).contains(&digits.len()) && !digits.starts_with('0') {
            Ok(Self { normalised: format!("+{digits}"), kind: Kind::Foreign })
        } else {
            Err(PhoneError::NotANumber)
        }
    }
}

/// 400 and 800 are no area codes: a number has one kind, whether or not somebody writes a zero in front.
fn is_service(number: &str) -> bool {
    number.starts_with("400") || number.starts_with("800")
}

/// Beijing (10) and the big cities (2x) have eight digits behind their area code, the others seven or eight.
fn landline(number: &str) -> Option<Kind> {
    let (area_len, lengths) = match number.as_bytes() {
        _ if is_service(number) => return None,
        [b'1', b'0', ..] | [b'2', _, ..] => (2, 8..=8),
        [b'3'..=b'9', ..] => (3, 7..=8),
        _ => return None,
    };
    let local = number.get(area_len..)?;
    (lengths.contains(&local.len()) && !local.starts_with('0')).then_some(Kind::Landline { area_len })
}

/// The mask.
impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The mask.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({self})")
    }
}

#[cfg(test)]
mod tests;
