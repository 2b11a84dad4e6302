//! Deadlines as gRPC carries them: `grpc-timeout`, up to eight digits and a unit.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use shouwen_access::Failure;
use tokio::time::{Instant, timeout_at};

use super::refusal;

pub(super) const HEADER: HeaderName = HeaderName::from_static("grpc-timeout");

/// Units with their length in nanoseconds, the finest first.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

const MAX_DIGITS: usize = 8;

/// The time that the caller allows. What cannot be read is passed over, as gRPC servers do.
pub(super) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let (unit, digits) = headers.get(&HEADER)?.as_bytes().split_last()?;
    let (_, nanos) = UNITS.iter().find(|(name, _)| name == unit)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Duration::from_nanos(number.saturating_mul(*nanos)))
}

/// The header for what remains until `deadline`, in the finest unit that fits.
pub(super) fn remaining(deadline: Instant) -> HeaderValue {
    header(deadline.saturating_duration_since(Instant::now()))
}

fn header(time: Duration) -> HeaderValue {
    let nanos = time.as_nanos();
    let fitting = UNITS.iter().map(|(unit, length)| (nanos / u128::from(*length), char::from(*unit)));
    let (number, unit) =
        fitting.into_iter().find(|(number, _)| *number < 10_u128.pow(8)).unwrap_or((99_999_999, 'H'));
    let value = HeaderValue::try_from(format!("{number}{unit}"));
    let mut value = value.unwrap_or_else(|_| HeaderValue::from_static("0n"));
    // Never the same twice, so of no use in HPACK's table.
    value.set_sensitive(true);
    value
}

/// `future`, if it is done before `deadline`; `DEADLINE_EXCEEDED` otherwise.
pub(super) async fn within<T>(
    deadline: Instant,
    mutation: bool,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout_at(deadline, future).await.unwrap_or_else(|_| Err(refusal::deadline_exceeded(mutation)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Duration> {
        asked(&HeaderMap::from_iter([(HEADER, HeaderValue::from_str(text).unwrap())]))
    }

    #[test]
    fn a_timeout_has_up_to_eight_digits_and_a_unit() {
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("99999999H"), Some(Duration::from_nanos(u64::MAX)));
        assert_eq!(read("1S"), Some(Duration::from_secs(1)));
        for bad in ["", "S", "1", "-1S", "1s", "123456789n", "1.5S", "+1S"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_remains_is_told_in_the_finest_unit_that_fits() {
        for (millis, text) in [(0, "0n"), (5, "5000000n"), (10_000, "10000000u"), (3_600_000, "3600000m")] {
            assert_eq!(header(Duration::from_millis(millis)), text);
        }
    }
}
