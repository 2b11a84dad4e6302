//! Calls of the schema's two functions of a batch, each with one document. They are sent as text, so that BEGIN and COMMIT go with them in the same
//! message: a batch is as long as its round trips.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize as _, Deserializer, Serialize, Serializer, de::Error as _};

/// A call of a function with a document.
///
/// The document is quoted by dollars and holds none itself: JSON can say every character of its texts by number. So nothing in it ends the quotation,
/// whatever the session's settings.
pub(super) fn call(function: &str, document: &impl Serialize) -> sqlx::Result<String> {
    let document = serde_json::to_string(document).map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(format!("select {function}($${}$$)", without_nul(document).replace('$', r"\u0024")))
}

/// The one character that Postgres keeps in no text becomes the replacement character.
fn without_nul(document: String) -> String {
    const NUL: &str = r"\u0000";
    if !document.contains(NUL) {
        return document;
    }
    let mut kept = String::with_capacity(document.len());
    let mut rest = &*document;
    while let Some(found) = rest.find('\\') {
        let (before, escaped) = rest.split_at(found);
        kept.push_str(before);
        // An escaped backslash is a pair; what follows it is text.
        let length = if escaped.starts_with(NUL) { NUL.len() } else { 2 };
        kept.push_str(if length == 2 { &escaped[..2] } else { r"\ufffd" });
        rest = &escaped[length..];
    }
    kept.push_str(rest);
    kept
}

/// Bytes as Postgres reads and JSON can hold them.
pub(crate) fn bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!(r"\x{}", hex::encode(bytes)))
}

/// Bytes as Postgres's `encode(…, 'hex')` says them.
pub(crate) fn hexadecimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A time in the microseconds that Postgres keeps, cut and not rounded.
pub(crate) fn micros<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever a document says, it stays inside its quotation and says the same.
        #[test]
        fn a_document_never_ends_its_quotation(text: String) {
            let call = call("f", &[&text]).unwrap();
            let quoted = call.strip_prefix("select f($$").and_then(|rest| rest.strip_suffix("$$)")).unwrap();
            prop_assert!(!quoted.contains('$'));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(quoted).unwrap(), [text.replace('\0', "\u{fffd}")]);
        }
    }

    #[test]
    fn what_postgres_cannot_keep_is_replaced_and_what_looks_like_it_is_not() {
        let document = call("f", &["a\0b", r"\u0000", "\\\0"]).unwrap();
        assert_eq!(document, r#"select f($$["a\ufffdb","\\u0000","\\\ufffd"]$$)"#);
    }

    #[test]
    fn dollars_are_said_by_number() {
        assert_eq!(
            call("f", &[r"$$); drop table x; --", r"\$"]).unwrap(),
            r#"select f($$["\u0024\u0024); drop table x; --","\\\u0024"]$$)"#
        );
    }
}
