//! The one error builder of the suite. Every refusal is a [`Failure`]: a code, a reason for programs, two texts for people and the
//! details that help; it becomes a `tonic::Status` with exactly one `ErrorInfo` of the domain `shouwen`.
//!
//! It does not decide what is refused, and it never carries text of drivers or libraries: that goes to the log.

mod reasons;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, LocalizedMessage, PreconditionViolation, StatusExt as _};

use crate::language::Language;

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "shouwen";

/// Why a call fails and what to do about it.
///
/// ```
/// # use shouwen_access::Failure;
/// # use tonic::{Code, Status};
/// let failure = Failure::new(
///     Code::FailedPrecondition,
///     "LEASED_BY_ANOTHER",
///     "A colleague holds the lease; wait until it expires.",
///     "同事正在处理该回访，请待租约到期。",
/// )
/// .with("employee", "employees/li")
/// .with("expire_time", "2026-05-06T10:00:00+08:00");
/// let status: Status = failure.into(); // in the language of the request being served
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    code: Code,
    reason: Cow<'static, str>,
    english: Cow<'static, str>,
    chinese: Cow<'static, str>,
    metadata: Vec<(&'static str, String)>,
    fields: Vec<Field>,
    resource: Option<(Cow<'static, str>, String)>,
    preconditions: Vec<Precondition>,
    retry_after: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
struct Field {
    path: String,
    english: Cow<'static, str>,
    chinese: Cow<'static, str>,
}

#[derive(Clone, Debug, PartialEq)]
struct Precondition {
    kind: &'static str,
    subject: String,
    description: Cow<'static, str>,
}

impl Failure {
    /// A failure with its reason (`UPPER_SNAKE`, part of the contract) and what to tell people: what is wrong and what to do,
    /// in English and Chinese. Every variable part of the texts belongs into the metadata too.
    pub fn new(
        code: Code,
        reason: impl Into<Cow<'static, str>>,
        english: impl Into<Cow<'static, str>>,
        chinese: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            reason: reason.into(),
            english: english.into(),
            chinese: chinese.into(),
            metadata: Vec::new(),
            fields: Vec::new(),
            resource: None,
            preconditions: Vec::new(),
            retry_after: None,
        }
    }

    /// With one more pair of metadata for programs. Never personal data.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.metadata.push((key, value.to_string()));
        self
    }

    /// With a field of the request that is wrong (`BadRequest`), and how to mend it.
    #[must_use]
    pub fn field(
        mut self,
        path: impl Into<String>,
        english: impl Into<Cow<'static, str>>,
        chinese: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.fields.push(Field { path: path.into(), english: english.into(), chinese: chinese.into() });
        self
    }

    /// With the resource that it is about (`ResourceInfo`): type, e.g. `case`, and name.
    #[must_use]
    pub fn resource(mut self, kind: impl Into<Cow<'static, str>>, name: impl Into<String>) -> Self {
        self.resource = Some((kind.into(), name.into()));
        self
    }

    /// With a condition that does not hold (`PreconditionFailure`): its type, e.g. `STATE`, what it is about, and in English how
    /// to bring it about.
    #[must_use]
    pub fn precondition(
        mut self,
        kind: &'static str,
        subject: impl Into<String>,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.preconditions.push(Precondition {
            kind,
            subject: subject.into(),
            description: description.into(),
        });
        self
    }

    /// With the time after which trying again makes sense (`RetryInfo`).
    #[must_use]
    pub const fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The gRPC code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The reason for programs.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The text for people.
    pub fn message(&self, language: Language) -> &str {
        match language {
            Language::ZhCn => &self.chinese,
            Language::En => &self.english,
        }
    }

    /// The value of one metadata key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
    }

    /// As it goes over the wire: the message in English, `LocalizedMessage` in `language`. Inside a request `Status::from` does
    /// the same with the request's language; streams that outlive the handler pass theirs here.
    pub fn to_status(&self, language: Language) -> Status {
        let pairs: HashMap<_, _> =
            self.metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let mut details = ErrorDetails::with_error_info(&*self.reason, DOMAIN, pairs);
        details.set_localized_message(language.tag(), self.message(language));
        if !self.fields.is_empty() {
            details.set_bad_request(
                self.fields.iter().map(|field| field.violation(language)).collect::<Vec<_>>(),
            );
        }
        if let Some((kind, name)) = &self.resource {
            details.set_resource_info(&**kind, name, "", "");
        }
        if !self.preconditions.is_empty() {
            let violations = self.preconditions.iter();
            let violations =
                violations.map(|it| PreconditionViolation::new(it.kind, &*it.subject, &*it.description));
            details.set_precondition_failure(violations.collect::<Vec<_>>());
        }
        if let Some(delay) = self.retry_after {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(self.code, &*self.english, details)
    }
}

impl Field {
    fn violation(&self, language: Language) -> FieldViolation {
        let localized = match language {
            Language::ZhCn => &self.chinese,
            Language::En => &self.english,
        };
        FieldViolation {
            localized_message: Some(LocalizedMessage::new(language.tag(), &**localized)),
            ..FieldViolation::new(&*self.path, &*self.english)
        }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        failure.to_status(Language::current())
    }
}

/// `REASON: English text`, for logs.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.english)
    }
}

impl std::error::Error for Failure {}

/// The reason in a status of the suite (its one `ErrorInfo`), if there is one; for retries, followers and tests.
pub fn reason_of(status: &Status) -> Option<String> {
    status.get_details_error_info().filter(|info| info.domain == DOMAIN).map(|info| info.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure {
        Failure::new(Code::FailedPrecondition, "TOO_EARLY", "Wait until 10:00.", "请等到 10:00。")
            .with("not_before", "10:00")
            .field("time", "name a later time", "请填写更晚的时间")
            .resource("callback", "callbacks/1")
            .precondition("TIME", "callbacks/1", "wait")
            .retry_after(Duration::from_secs(3))
    }

    #[test]
    fn a_status_has_one_error_info_and_the_details_that_were_given() {
        let status = failure().to_status(Language::En);
        let details = status.get_error_details_vec();
        assert_eq!(details.len(), 6);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("TOO_EARLY", "shouwen"));
        assert_eq!(info.metadata["not_before"], "10:00");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "time");
        assert_eq!(details.resource_info().unwrap().resource_name, "callbacks/1");
        assert_eq!(details.precondition_failure().unwrap().violations[0].r#type, "TIME");
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(3)));
        assert_eq!(reason_of(&status).as_deref(), Some("TOO_EARLY"));
    }

    #[test]
    fn details_that_do_not_help_are_absent() {
        let status = Failure::new(Code::Aborted, "A", "b", "c").to_status(Language::En);
        assert_eq!(status.get_error_details_vec().len(), 2);
    }

    #[test]
    fn people_are_told_in_their_language_and_programs_in_english() {
        let status = failure().to_status(Language::ZhCn);
        let localized = status.get_details_localized_message().unwrap();
        assert_eq!((localized.locale.as_str(), localized.message.as_str()), ("zh-CN", "请等到 10:00。"));
        let violation = &status.get_details_bad_request().unwrap().field_violations[0];
        assert_eq!(violation.localized_message.as_ref().unwrap().message, "请填写更晚的时间");
        assert_eq!(
            (status.message(), violation.description.as_str()),
            ("Wait until 10:00.", "name a later time")
        );
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_language_of_the_request() {
        let handler = || async { Status::from(std::future::ready(failure()).await) };
        let status = Language::ZhCn.scope(handler()).await;
        assert_eq!(status.get_details_localized_message().unwrap().locale, "zh-CN");
        assert_eq!(handler().await.get_details_localized_message().unwrap().locale, "en");
    }

    #[test]
    fn a_status_from_elsewhere_has_no_reason_of_ours() {
        assert_eq!(reason_of(&Status::internal("x")), None);
    }
}
