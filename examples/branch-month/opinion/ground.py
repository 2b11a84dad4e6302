"""What the rest of the second opinion stands on: how input is refused, and when things are due (S1, S2, B2)."""

import unicodedata
from datetime import date, datetime, time, timedelta, timezone


class BadInput(Exception):
    """A line that cannot be played: where, and why."""


class Refused(Exception):
    """The rules forbid the action; the text is the product's reason."""


def demand(true, reason):
    if not true:
        raise BadInput(reason)


def located(where, work, *arguments):
    try:
        return work(*arguments)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


# ---------------------------------------------------------------- time (S1, S2, B2)

SHANGHAI = timezone(timedelta(hours=8))
CALENDAR = (date(2025, 6, 3), date(2025, 12, 31))  # within these days the table below is complete
HOLIDAYS = {date(2025, 10, day) for day in range(1, 9)}
MAKE_UP_DAYS = {date(2025, 9, 28), date(2025, 10, 11)}
WORKING_HOURS = ((time(8, 30), time(11, 30)), (time(13), time(17)))
CALLING_WINDOWS = ((time(9), time(11, 30)), (time(13, 30), time(20)))
DAY = timedelta(days=1)


def at(day, clock):
    return datetime.combine(day, clock, SHANGHAI)


def is_working_day(day):
    if not CALENDAR[0] <= day <= CALENDAR[1]:
        raise BadInput(f"{day} lies outside the days whose holidays are known here, {CALENDAR[0]} to {CALENDAR[1]}")
    return day in MAKE_UP_DAYS or (day.weekday() < 5 and day not in HOLIDAYS)


def next_working_day(day, n=1):
    while n:
        day += DAY
        n -= is_working_day(day)
    return day


def working_days(accepted, n, first_counts=False):
    """S2: the end of working hours of day n; a day of acceptance that counts is day 1 if it is a working day."""
    if first_counts and is_working_day(accepted.date()):
        n -= 1
    return at(next_working_day(accepted.date(), n), WORKING_HOURS[-1][1])


def answer_due(accepted):
    """K15: two working days, the day of acceptance not counted."""
    return working_days(accepted, 2)


def is_working_time(moment):
    return is_working_day(moment.date()) and any(a <= moment.time() < b for a, b in WORKING_HOURS)


def next_working_hours(moment):
    """When working hours begin next, after `moment`."""
    if is_working_day(moment.date()):
        for opens, _ in WORKING_HOURS:
            if moment.time() <= opens:
                return at(moment.date(), opens)
    return at(next_working_day(moment.date()), WORKING_HOURS[0][0])


def after_working_time(moment, need):
    day = moment.date()
    while True:
        if is_working_day(day):
            for opens, closes in WORKING_HOURS:
                begin = max(moment, at(day, opens))
                if begin < at(day, closes):
                    if begin + need <= at(day, closes):
                        return begin + need
                    need -= at(day, closes) - begin
        day += DAY


def in_window(moment):
    return any(opens <= moment.time() < closes for opens, closes in CALLING_WINDOWS)


def into_window(moment):
    for opens, closes in CALLING_WINDOWS:
        if moment.time() < closes:
            return max(moment, at(moment.date(), opens))
    return at(moment.date() + DAY, CALLING_WINDOWS[0][0])


def limit(due):
    """B2: a limit outside the windows ends with the next window; the end of a window is still inside."""
    if any(opens <= due.time() <= closes for opens, closes in CALLING_WINDOWS):
        return due
    for opens, closes in CALLING_WINDOWS:
        if due.time() < opens:
            return at(due.date(), closes)
    return at(due.date() + DAY, CALLING_WINDOWS[0][1])


# ---------------------------------------------------------------- small things

CALLBACK_KINDS = ("promised", "missed_call", "after_hours", "verification")


def instant(text):
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise BadInput(f"{text!r} is no RFC 3339 time such as 2025-09-22T09:00:00+08:00") from None
    if moment.tzinfo is None:
        raise BadInput(f"{text!r} has no offset: add +08:00")
    return moment.astimezone(SHANGHAI)


def plain_phone(text):
    """One number in several spellings is one caller."""
    digits = "".join(sign for sign in unicodedata.normalize("NFKC", text) if sign.isdigit())
    digits = digits.removeprefix("00") if digits.startswith("0086") else digits
    return (digits[2:] if digits.startswith("86") and len(digits) > 11 else digits).removeprefix("0")


def standing(met, missed):
    return "missed" if missed else "kept" if met else "running"
