"""The month, its people's leave, and what must come up in it. A part of the generator."""

from datetime import date, time, timedelta

from opinion.ground import at

FIRST, LAST = date(2025, 9, 22), date(2025, 10, 21)
PLAY_ENDS = at(date(2025, 10, 31), time(17, 30))
COMPLAINTS_AT_THE_END = at(date(2025, 10, 30), time(15, 10))
CLIENTS = 400  # of whom some never call in this month
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

# On leave, first and last day; nobody answers or accepts then.
LEAVE = {
    "guo-rui": (date(2025, 9, 25), date(2025, 9, 30)),
    "chen-jing": (date(2025, 10, 13), date(2025, 10, 16)),
    "ma-chao": (date(2025, 10, 16), date(2025, 10, 22)),
    "pang-bo": (date(2025, 10, 14), date(2025, 10, 17)),
}
# How often somebody tries what the rules forbid.
FORBIDDEN = {
    "resolve by a colleague": 2, "confirm by an assistant": 1, "offer by a colleague": 1, "accept after expiry": 3,
    "accept at expiry": 1, "accept by a third person": 1, "second offer": 1, "withdraw after acceptance": 1,
    "resolve a closed case": 1, "close by staff": 1, "close by another branch": 1, "lease too early": 2,
    "lease at night": 1, "lease what another holds": 2, "lease what a lead decides": 1, "lease by a colleague": 1,
}
