//! Bytes of a file into text: UTF-8 with or without a byte order mark, or GBK (GB 18030) as Chinese spreadsheets save it. The encoding is judged
//! for the whole file; a cell that does not fit it is a bad cell and spoils no other line.

use encoding_rs::{Encoding, GB18030, UTF_8};

/// UTF-8's byte order mark.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// How a file is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Utf8,
    Utf8WithMark,
    Gb18030,
}

impl Form {
    /// The encoding of a file's bytes; `None` for UTF-16.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
            return None;
        }
        if bytes.starts_with(MARK) {
            return Some(Self::Utf8WithMark);
        }
        if std::str::from_utf8(bytes).is_ok() {
            return Some(Self::Utf8);
        }
        if fits(bytes, GB18030) {
            return Some(Self::Gb18030);
        }
        // Damaged one way or the other: the encoding that more lines speak for.
        let lines = || bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_ascii());
        let utf8 = lines().filter(|line| fits(line, UTF_8)).count();
        let gbk = lines().filter(|line| fits(line, GB18030) && !fits(line, UTF_8)).count();
        Some(if gbk > utf8 { Self::Gb18030 } else { Self::Utf8 })
    }

    /// The bytes behind the mark.
    pub(super) fn content(self, bytes: &[u8]) -> &[u8] {
        if self == Self::Utf8WithMark { bytes.strip_prefix(MARK).unwrap_or(bytes) } else { bytes }
    }

    /// The text of a cell or line; `None` where the bytes are not in this encoding.
    pub(super) fn text(self, bytes: &[u8]) -> Option<String> {
        let encoding = if self == Self::Gb18030 { GB18030 } else { UTF_8 };
        let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
        Some(text.into_owned())
    }

    /// As a note to the user; `None` for what was asked for.
    pub(super) fn note(self) -> Option<&'static str> {
        match self {
            // `expected.py` passes over a mark too.
            Self::Utf8 | Self::Utf8WithMark => None,
            Self::Gb18030 => Some("is GBK (GB 18030); read as such"),
        }
    }

    /// The encoding's name, for a remedy.
    pub(super) fn name(self) -> &'static str {
        if self == Self::Gb18030 { "GBK" } else { "UTF-8" }
    }
}

fn fits(bytes: &[u8], encoding: &'static Encoding) -> bool {
    encoding.decode_without_bom_handling_and_without_replacement(bytes).is_some()
}
