//! The language of messages to people: simplified Chinese or English, as `accept-language` asks. Reasons and metadata of errors
//! are for programs and never translated.

use std::future::Future;

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

tokio::task_local! {
    static CURRENT: Language;
}

/// A language in which the suite speaks to people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// Simplified Chinese, for everybody who asks for any Chinese.
    ZhCn,
    /// English, the default: who names no language is a tool.
    #[default]
    En,
}

impl Language {
    /// Chooses from a value of `accept-language`, e.g. `zh-CN,zh;q=0.9,en;q=0.8`: the known language of the highest weight, the
    /// first of equals. `*` means English. Ranges that cannot be read, and weights of 0, are passed over.
    pub fn parse(accept_language: &str) -> Self {
        let mut best = (0_u16, Self::default());
        for range in accept_language.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), thousandths);
            if let (Some(language), Some(weight)) = (Self::of_tag(tag), weight)
                && weight > best.0
            {
                best = (weight, language);
            }
        }
        best.1
    }

    /// Chooses from the headers of a request.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .map_or_else(Self::default, Self::parse)
    }

    /// The BCP 47 tag, `zh-CN` or `en`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::ZhCn => "zh-CN",
            Self::En => "en",
        }
    }

    /// The language of the request being served in this task; English outside of [`scope`](Self::scope).
    pub fn current() -> Self {
        CURRENT.try_with(|language| *language).unwrap_or_default()
    }

    /// Serves a request in this language: whatever turns into a `tonic::Status` inside `future` is told in it. Tasks that `future`
    /// spawns, and bodies streamed after it ended, are outside.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("zh") {
            Some(Self::ZhCn)
        } else if primary.eq_ignore_ascii_case("en") || primary == "*" {
            Some(Self::En)
        } else {
            None
        }
    }
}

/// A weight between 0 and 1 with at most three decimals, in thousandths.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_no_language_is_answered_in_english() {
        assert_eq!(Language::of_headers(&HeaderMap::new()), Language::En);
        assert_eq!(Language::parse(""), Language::En);
        assert_eq!(Language::parse("*"), Language::En);
        assert_eq!(Language::parse("fr, de;q=0.5"), Language::En);
    }

    #[test]
    fn any_chinese_is_answered_in_simplified_chinese() {
        for asked in ["zh", "zh-CN", "ZH-hans-cn", "zh-TW,zh;q=0.9", "fr;q=0.9, zh;q=0.1"] {
            assert_eq!(Language::parse(asked), Language::ZhCn, "{asked}");
        }
    }

    #[test]
    fn the_highest_weight_wins_and_the_first_of_equals() {
        assert_eq!(Language::parse("en;q=0.8, zh-CN;q=0.9"), Language::ZhCn);
        assert_eq!(Language::parse("zh;q=0.8,en"), Language::En);
        assert_eq!(Language::parse("zh,en"), Language::ZhCn);
        assert_eq!(Language::parse("zh;q=0, en;q=0.1"), Language::En);
    }

    #[test]
    fn unreadable_weights_are_passed_over() {
        for asked in ["zh;q=2", "zh;q=high", "zh;q=0.12345", "zh;q=-1", "zh;q=1.5", "zh;q="] {
            assert_eq!(Language::parse(asked), Language::En, "{asked}");
        }
    }

    #[tokio::test]
    async fn the_current_language_holds_inside_its_scope_only() {
        let inside = Language::ZhCn.scope(async { Language::current() }).await;
        assert_eq!((inside, Language::current()), (Language::ZhCn, Language::En));
    }
}
