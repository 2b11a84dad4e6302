#!/usr/bin/env python3
"""Writes the built-in calendar data (cn-YYYY-YYYY.toml beside this script) from two public packages.

The file holds facts only: which weekdays were public holidays, which weekend days were worked in exchange
(both as announced by the State Council), and on which further weekdays the Shanghai exchange held no session.

Rerun:

    python3 -m venv /tmp/calendar-venv
    /tmp/calendar-venv/bin/pip install chinesecalendar==1.11.0 exchange-calendars==4.13.2
    /tmp/calendar-venv/bin/python crates/calendar/data/make.py          # writes the file
    /tmp/calendar-venv/bin/python crates/calendar/data/make.py --check  # compares only, exit code 1 if it differs

For a further year: raise LAST, the pins and VERSION, rerun, delete the old file, and change the file name in
src/calendar.rs. The output depends on the pinned versions alone.
"""
# requirements (pinned; the script refuses other versions):
#   chinesecalendar==1.11.0
#   exchange-calendars==4.13.2

import datetime as dt
import importlib.metadata
import pathlib
import sys

FIRST, LAST = 2015, 2026
VERSION = "cn-2026.1"
PINS = {"chinesecalendar": "1.11.0", "exchange-calendars": "4.13.2"}
PER_LINE = 7


def check_pins():
    for name, wanted in PINS.items():
        found = importlib.metadata.version(name)
        if found != wanted:
            sys.exit(f"{name} is {found}, this script is pinned to {wanted}: pip install {name}=={wanted}")


def days_of(year):
    day = dt.date(year, 1, 1)
    while day.year == year:
        yield day
        day += dt.timedelta(days=1)


def facts(year, constants, sessions):
    """Three sorted lists of days of one year, checked against each other."""
    weekdays = [day for day in days_of(year) if day.weekday() < 5]
    holidays = [day for day in weekdays if day in constants.holidays]
    make_up = sorted(day for day in constants.workdays if day.year == year)
    also_closed = [day for day in weekdays if day not in sessions and day not in constants.holidays]
    problems = (
        [f"{day}: worked in exchange, but not a weekend day" for day in make_up if day.weekday() < 5]
        + [f"{day}: a session on a public holiday" for day in holidays if day in sessions]
        + [f"{day}: a session at a weekend" for day in days_of(year) if day.weekday() > 4 and day in sessions]
    )
    if not holidays:
        problems.append(f"{year}: no public holidays known")
    if problems:
        sys.exit("\n".join(problems))
    return holidays, make_up, also_closed


def array(name, days):
    if not days:
        return f"{name} = []\n"
    quoted = [f'"{day.isoformat()}"' for day in days]
    rows = [", ".join(quoted[at : at + PER_LINE]) for at in range(0, len(quoted), PER_LINE)]
    return f"{name} = [\n" + "".join(f"  {row},\n" for row in rows) + "]\n"


def render():
    import exchange_calendars
    from chinese_calendar import constants

    shanghai = exchange_calendars.get_calendar("XSHG", start=f"{FIRST}-01-01", end=f"{LAST}-12-31")
    sessions = {session.date() for session in shanghai.sessions}
    text = (
        "# Made by make.py; do not edit.\n"
        f"# Sources: chinesecalendar {PINS['chinesecalendar']} (holidays, make_up), "
        f"exchange-calendars {PINS['exchange-calendars']} XSHG (exchange_also_closed).\n"
        "# holidays: public holidays on Monday to Friday. make_up: weekend days worked in exchange.\n"
        "# exchange_also_closed: weekdays without a Shanghai session that are no public holidays.\n"
        f'version = "{VERSION}"\n'
    )
    for year in range(FIRST, LAST + 1):
        holidays, make_up, also_closed = facts(year, constants, sessions)
        text += f"\n[[year]]\nyear = {year}\n"
        text += array("holidays", holidays)
        text += array("make_up", make_up)
        text += array("exchange_also_closed", also_closed)
    return text


def main():
    check_pins()
    path = pathlib.Path(__file__).with_name(f"cn-{FIRST}-{LAST}.toml")
    text = render()
    if sys.argv[1:] == ["--check"]:
        if path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.name} differs from what the pinned packages say; rerun make.py")
    elif sys.argv[1:]:
        sys.exit("usage: make.py [--check]")
    else:
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
