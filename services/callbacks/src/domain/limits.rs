//! From when and until when: the first attempt of each kind of callback (B1, B2, K14, O5), and one that is owed anew (B3, B6, K14).

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_calendar::Calendar;
use shouwen_policy::{CallbacksPolicy, PolicyBook};

use super::callback::Kind;

/// When a callback is to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub not_before: DateTime<Utc>,
    pub due: DateTime<Utc>,
    /// A day outside the imported calendar had a part in it (S3).
    pub provisional: bool,
    /// Empty where no calendar is involved.
    pub calendar_version: String,
}

impl Limits {
    /// Of times in which no calendar has a part.
    pub fn by_clock(not_before: DateTime<Utc>, due: DateTime<Utc>) -> Self {
        Self { not_before, due, provisional: false, calendar_version: String::new() }
    }
}

/// A promise is kept at the agreed time (K6); its limit passes with the grace of the policy, and needs no calendar.
pub fn promised(agreed: DateTime<Utc>, client_asked: bool, policy: &CallbacksPolicy) -> Limits {
    let due = agreed.checked_add_signed(policy.promise_grace()).unwrap_or(agreed);
    Limits::by_clock(agreed, within_windows(due, client_asked, policy))
}

/// A complaint is verified within the policy's clock hours after its handling (B1, C9); no calendar is needed.
pub fn verification(handled: DateTime<Utc>, policy: &CallbacksPolicy) -> Limits {
    let within = TimeDelta::hours(policy.verification_hours.into());
    let due = handled.checked_add_signed(within).unwrap_or(handled);
    Limits::by_clock(handled, within_windows(due, false, policy))
}

/// What the calendar decides: a missed call some working minutes after it (K14), an after-hours contact on the next working day (O5). `None`
/// for promises and verifications. Working minutes and hours are those of the branch as they hold when the clock begins.
pub fn by_calendar(
    kind: &Kind,
    branch: &str,
    began: DateTime<Utc>,
    policy: &CallbacksPolicy,
    calendar: &Calendar,
    book: &PolicyBook,
) -> Option<Limits> {
    let branch = Some(branch);
    let hours = book.hours(branch, began);
    let hours = &hours.value.working_hours;
    let (not_before, due) = match kind {
        Kind::Promised | Kind::Verification(_) => return None,
        Kind::MissedCall => {
            let minutes = book.calls(branch, began).value.missed_callback_working_minutes;
            (began, calendar.after_working_minutes(began, minutes, hours))
        }
        Kind::AfterHours => {
            let opens = calendar.next_working_time(began, hours);
            (opens.value, calendar.end_of_next_working_day(began, hours))
        }
    };
    Some(Limits {
        not_before,
        due: within_windows(due.value, false, policy),
        provisional: due.provisional,
        calendar_version: calendar.version().to_owned(),
    })
}

/// B2: a limit outside the calling windows ends with the next one, unless the client asked for the time.
fn within_windows(due: DateTime<Utc>, client_asked: bool, policy: &CallbacksPolicy) -> DateTime<Utc> {
    if client_asked { due } else { policy.calling_windows.limit(due) }
}
