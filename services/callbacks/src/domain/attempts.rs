//! The distance between attempts (B6): how many, how far apart, on how many days.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Utc};
use shouwen_calendar::{local_date, start_of_day};
use shouwen_policy::CallbacksPolicy;

/// When the next attempt may be made after one at `now` that did not reach the client; `None` when the attempts are used up. `counted` are the
/// attempts of the round before it.
pub fn next(
    counted: &[DateTime<Utc>],
    now: DateTime<Utc>,
    policy: &CallbacksPolicy,
) -> Option<DateTime<Utc>> {
    let made = u32::try_from(counted.len() + 1).unwrap_or(u32::MAX);
    // How many may follow the next one.
    let left = policy.attempts.checked_sub(made + 1)?;
    let windows = &policy.calling_windows;
    let candidate = windows.next_open(now.checked_add_signed(policy.attempt_spacing()).unwrap_or(now));
    let mut days: BTreeSet<_> = counted.iter().map(|time| local_date(*time)).collect();
    days.insert(local_date(now));
    days.insert(local_date(candidate));
    // With those that may follow, each on a day of its own, the attempts would still fall on too few days.
    if u32::try_from(days.len()).unwrap_or(u32::MAX).saturating_add(left) >= policy.attempt_days {
        return Some(candidate);
    }
    let next_day = local_date(candidate).checked_add_days(Days::new(1)).unwrap_or(local_date(candidate));
    Some(windows.next_open(start_of_day(next_day)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("{text}:00+08:00").parse::<DateTime<chrono::FixedOffset>>().unwrap().to_utc()
    }

    #[test]
    fn b6_attempts_are_two_hours_apart_and_within_the_windows() {
        let policy = CallbacksPolicy::default();
        assert_eq!(next(&[], at("2026-05-06T09:00"), &policy), Some(at("2026-05-06T11:00")));
        assert_eq!(
            next(&[], at("2026-05-06T09:30"), &policy),
            Some(at("2026-05-06T13:30")),
            "11:30 is closed"
        );
        assert_eq!(next(&[], at("2026-05-06T09:29"), &policy), Some(at("2026-05-06T11:29")));
        assert_eq!(next(&[], at("2026-05-06T14:00"), &policy), Some(at("2026-05-06T16:00")));
        assert_eq!(next(&[], at("2026-05-06T18:00"), &policy), Some(at("2026-05-07T09:00")));
    }

    #[test]
    fn b6_the_last_attempt_falls_on_another_day_when_all_others_fell_on_one() {
        let policy = CallbacksPolicy::default();
        let first = at("2026-05-06T09:00");
        assert_eq!(next(&[first], at("2026-05-06T13:30"), &policy), Some(at("2026-05-07T09:00")));
        assert_eq!(next(&[first], at("2026-05-07T09:00"), &policy), Some(at("2026-05-07T11:00")));
        assert_eq!(
            next(&[first], at("2026-05-06T19:00"), &policy),
            Some(at("2026-05-07T09:00")),
            "already another day"
        );
    }

    #[test]
    fn b6_after_the_policys_attempts_there_is_no_next_one() {
        let policy = CallbacksPolicy::default();
        let counted = [at("2026-05-06T09:00"), at("2026-05-06T13:30")];
        assert_eq!(next(&counted, at("2026-05-07T09:00"), &policy), None);
        let once = CallbacksPolicy { attempts: 1, attempt_days: 1, ..CallbacksPolicy::default() };
        assert_eq!(next(&[], at("2026-05-06T09:00"), &once), None);
    }

    #[test]
    fn b6_three_days_are_kept_too() {
        let policy = CallbacksPolicy { attempt_days: 3, ..CallbacksPolicy::default() };
        assert_eq!(next(&[], at("2026-05-06T09:00"), &policy), Some(at("2026-05-07T09:00")));
        assert_eq!(
            next(&[at("2026-05-06T09:00")], at("2026-05-07T09:00"), &policy),
            Some(at("2026-05-08T09:00"))
        );
    }
}
