//! The one time zone of the product: Asia/Shanghai as the fixed offset UTC+8. It needs no time zone data, because
//! the zone has known no daylight saving since 1991, well before the first year a calendar may hold.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// Asia/Shanghai: UTC+8 all year round.
pub const SHANGHAI: FixedOffset = match FixedOffset::east_opt(8 * 3600) {
    Some(offset) => offset,
    None => unreachable!(),
};

/// The calendar date in Shanghai at the instant `at`.
pub fn local_date(at: DateTime<Utc>) -> NaiveDate {
    local(at).0
}

/// The instant at which `date` begins in Shanghai.
pub fn start_of_day(date: NaiveDate) -> DateTime<Utc> {
    instant(date, TimeDelta::zero())
}

/// The date in Shanghai and the time since its midnight.
pub(crate) fn local(at: DateTime<Utc>) -> (NaiveDate, TimeDelta) {
    let local = at.naive_utc().checked_add_offset(SHANGHAI).unwrap_or(NaiveDateTime::MAX);
    (local.date(), local.time().signed_duration_since(NaiveTime::MIN))
}

/// The instant that lies `since_midnight` after the midnight with which `date` begins in Shanghai. Saturates at the
/// end of representable time, which stands for "never".
pub(crate) fn instant(date: NaiveDate, since_midnight: TimeDelta) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN)
        .checked_add_signed(since_midnight)
        .and_then(|local| local.checked_sub_offset(SHANGHAI))
        .map_or(DateTime::<Utc>::MAX_UTC, |utc| utc.and_utc())
}

/// The day after `date`; the last representable day is its own successor.
pub(crate) fn day_after(date: NaiveDate) -> NaiveDate {
    date.succ_opt().unwrap_or(NaiveDate::MAX)
}
