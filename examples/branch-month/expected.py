#!/usr/bin/env python3
"""Says what the report on a month of contacts must say, from the input files alone.

    expected.py [DIR]      prints the figures as JSON; exit code 0, or 1 with file, line, column and reason

This is the second opinion on `shouwen demo`: it implements the rules anew, on its own, with its own small table of
holidays, and shares nothing with the product. It is deliberately no importer: the first bad line ends it, and an
action that the rules forbid is bad input unless its line says which refusal to `expect`. Rule numbers (O1, K15, ...)
are those of the product's rulebook. Python 3.11 or newer, standard library only.
"""

import csv
import heapq
import io
import itertools
import json
import pathlib
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone

# ---------------------------------------------------------------- what a file may hold

COLUMNS = {
    "branches.csv": "branch,display_name,complaints_phone",
    "employees.csv": "employee,display_name,branch,roles,office_phone,external_id",
    "lines.csv": "line,branch,number,published,employee",
    "service_accounts.csv": "service_account,display_name,branches,act_for_employees",
    "contacts.csv": "contact,branch,time,channel,direction,line,phone,client,topic,answered_by,answered_at,"
    "also_answered_by,identified,client_name,gender,summary,handling,inquiry_type,computer,trading,securities,"
    "assessment,identity_checks,record,promise_at,promise_client_asked,ended_at,ended_by,outcome,callback_of,"
    "entered_later_at",
}
ROLES = {"staff", "lead", "hq", "admin", "auditor", "complaint_officer", "company_leader"}
EVERY_BRANCH = {"hq", "company_leader", "admin", "auditor"}
CHOICES = {
    "channel": {"phone", "counter", "email"},
    "direction": {"inbound", "outbound"},
    "identified": {"yes", "no"},
    "promise_client_asked": {"yes", "no"},
    "record": {"none", "filled", "confirmed"},
    "gender": {"", "male", "female", "unknown"},
    "ended_by": {"", "client", "employee", "system"},
}
NO_CONCERN = {"wrong_number", "silent", "private"}
CUT_SHORT = {"inaudible", "noisy_line", "dialect", "harassment", "abuse", "system_failure"}
OUTCOMES = NO_CONCERN | CUT_SHORT | {"answered_clear", "answer_owed", "callback_promised"}
STILL_OWED = {"answer_owed", "inaudible", "noisy_line", "system_failure"}
RECORD_FIELDS = ("client_name", "gender", "phone", "summary", "handling")  # K8, beside date, time and branch
KINDS = {"promised", "missed_call", "after_hours"}
ATTEMPTS = {"no_answer", "busy", "switched_off", "inconvenient"}
OPINIONS = ("satisfied", "neutral", "dissatisfied")
ACTIONS = {
    "offer": "contact to reason explanation", "accept": "contact", "decline": "contact reason",
    "withdraw": "contact", "begin_override": "contact reason", "end_override": "contact",
    "resolve": "contact answer", "confirm": "contact satisfied reason", "close": "contact kind reason",
    "reopen": "contact reason", "lease": "callback_of kind", "attempt": "callback_of kind outcome",
    "complete": "callback_of kind solved attitude overall score suggestions answers charged",
    "postpone": "callback_of kind not_before reason", "cancel": "callback_of kind reason",
}
OPTIONAL = {"agreed_time", "client_asked", "expect"}


class BadInput(Exception):
    """A line that cannot be played: where, and why."""


class Refused(Exception):
    """The rules forbid the action; the text is the product's reason."""


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


def answer_due(accepted):
    """K15: two working days, the day of acceptance not counted."""
    return at(next_working_day(accepted.date(), 2), WORKING_HOURS[-1][1])


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


# ---------------------------------------------------------------- cases and callbacks


@dataclass(eq=False)
class Clock:
    due: datetime
    met: bool = False
    missed: bool = False


@dataclass(eq=False)
class Offer:
    to: str
    expires: datetime


@dataclass(eq=False)
class Case:
    branch: str
    topic: str
    first_responder: str
    accountable: str
    handler: str
    client: str = ""
    state: str = "open"  # open, awaiting, closed, merged, void
    closed_as: str = ""
    into: "Case" = None
    clocks: list = field(default_factory=list)
    assistants: set = field(default_factory=set)
    offer: Offer = None
    override: tuple = None  # who, until when

    @property
    def survivor(self):
        return self.into.survivor if self.into else self


@dataclass(eq=False)
class Callback:
    kind: str
    branch: str
    phone: str
    not_before: datetime
    due: datetime
    case: Case = None
    client_asked: bool = False
    state: str = "waiting"  # waiting, leased, lead_decides, completed, cancelled
    leased_by: str = ""
    leased_until: datetime = None
    round: list = field(default_factory=list)  # times of the attempts since the last decision of a lead
    attempted: bool = False
    missed: bool = False

    @property
    def is_open(self):
        return self.state in ("waiting", "leased", "lead_decides")


class Month:
    """Everything that is known at one moment; moments follow each other."""

    def __init__(self, employees):
        self.employees = employees
        self.now = None
        self.deadlines, self.order = [], itertools.count()
        self.cases, self.keys = [], {}  # keys: (client, topic) -> the case that is open or awaiting
        self.callbacks, self.by_origin = [], {}  # by_origin: (contact, kind) -> callback
        self.case_of, self.promised_in = {}, set()
        self.count = Counter()

    def advance(self, moment):
        """What is due at an instant happens before what people do at that instant."""
        while self.deadlines and self.deadlines[0][0] <= moment:
            self.now, _, happens = heapq.heappop(self.deadlines)
            happens()
        self.now = moment

    def when(self, moment, happens):
        heapq.heappush(self.deadlines, (moment, next(self.order), happens))

    # ------------------------------------------------------------ who may

    def has_role(self, who, *roles):
        if not self.employees[who]["roles"] & set(roles):
            raise Refused("ROLE_REQUIRED")

    def reaches(self, who, branch):
        employee = self.employees[who]
        if employee["branch"] != branch and not employee["roles"] & EVERY_BRANCH:
            raise Refused("BRANCH_OUT_OF_REACH")

    def responsible(self, who, case):
        """O7: handler, accountable person, or the holder of an override."""
        override = case.override and case.override[0] == who and self.now < case.override[1]
        if who not in (case.handler, case.accountable) and not override:
            raise Refused("NOT_RESPONSIBLE")

    # ------------------------------------------------------------ cases

    def start_clock(self, case):
        clock = Clock(answer_due(self.now))
        case.clocks.append(clock)

        def due():
            clock.missed = not clock.met

        self.when(clock.due, due)

    def drop_offer(self, case):
        if case.offer:
            case.offer = None
            self.count["withdrawn"] += 1

    def free_key(self, case):
        if self.keys.get((case.client, case.topic)) is case:
            del self.keys[case.client, case.topic]

    def close(self, case, kind):
        case.state, case.closed_as, case.clocks[-1].met = "closed", kind, True
        self.drop_offer(case)
        self.free_key(case)

    def void(self, case):
        case.state = "void"
        self.drop_offer(case)
        for callback in self.callbacks:
            if callback.case is case and callback.is_open:
                callback.state = "cancelled"

    def merge(self, case, survivor):
        """Whoever answered there assists here (O6); a pending offer is withdrawn."""
        self.free_key(case)
        self.drop_offer(case)
        case.state, case.into = "merged", survivor
        if case.first_responder not in (survivor.handler, survivor.accountable):
            survivor.assistants.add(case.first_responder)

    def reopen(self, case):
        """O8: a new clock beside the old; a newer case that took the key is merged into this one."""
        case.state, case.closed_as = "open", ""
        self.count["reopenings"] += 1
        self.start_clock(case)
        if case.client:
            newer = self.keys.get((case.client, case.topic))
            if newer and newer is not case:
                self.merge(newer, case)
            self.keys[case.client, case.topic] = case

    # ------------------------------------------------------------ contacts

    def register(self, c):
        self.count["total"] += 1
        self.count[c["channel"]] += 1
        self.count["outside"] += not is_working_time(c["time"])
        origin = c["callback_of"]
        if origin and not any((origin, kind) in self.by_origin for kind in KINDS):
            raise BadInput(f"callback_of: contact {origin} has led to no callback so far")

    def miss(self, c):
        self.count["missed"] += 1
        phone = plain_phone(c["phone"])
        if not phone:
            return
        for other in self.callbacks:
            if (other.kind, other.branch, other.phone) == ("missed_call", c["branch"], phone) and other.is_open:
                self.count["coalesced"] += 1
                return
        due = limit(after_working_time(self.now, timedelta(minutes=30)))  # K14
        self.schedule(c, Callback("missed_call", c["branch"], phone, self.now, due))

    def answer(self, c):
        who = c["answered_by"]
        case = Case(self.employees[who]["branch"], c["topic"], who, who, who)
        self.cases.append(case)
        self.case_of[c["contact"]] = case
        self.start_clock(case)
        self.count["answered"] += 1
        late = c["channel"] == "phone" and c["answered_at"] - c["time"] > timedelta(seconds=15)  # K2
        self.count["late"] += late and not c["entered_later_at"]
        self.count["second_answers_refused"] += bool(c["also_answered_by"])  # O1
        if c["identified"] == "yes" and c["client"]:
            case.client = c["client"]
            earlier = self.keys.setdefault((case.client, case.topic), case)
            if earlier is not case:
                self.merge(case, earlier)
        complete = c["record"] == "confirmed" and all(c[name] for name in RECORD_FIELDS)  # K10
        if c["outcome"] not in NO_CONCERN:
            self.count["complete" if complete else "incomplete"] += 1
        if c["promise_at"]:
            self.promise(c, case.survivor)

    def promise(self, c, case):
        agreed, asked = c["promise_at"], c["promise_client_asked"] == "yes"
        if agreed <= self.now:
            raise BadInput(f"promise_at: {agreed} is not after the contact")
        if not c["phone"]:
            raise BadInput("promise_at: no phone number to call")
        if not asked and not in_window(agreed):
            raise BadInput(f"promise_at: {agreed} is outside the calling windows and the client did not ask for it")
        due = agreed + timedelta(minutes=15)
        due = due if asked else limit(due)
        self.schedule(c, Callback("promised", case.branch, c["phone"], agreed, due, case, asked))

    def end(self, c):
        case, who, outcome = self.case_of[c["contact"]].survivor, c["answered_by"], c["outcome"]
        in_charge = who in (case.handler, case.accountable)
        if not in_charge and who not in case.assistants:
            raise BadInput(f"answered_by: {who} neither answers for the case nor assists when the contact ends")
        if outcome in NO_CONCERN:
            self.count["no_concern"] += 1
            self.void(case)
        if outcome == "answered_clear" and in_charge and case.state in ("open", "awaiting"):  # K19, O8
            self.close(case, "satisfied")
        phone = c["channel"] == "phone"
        self.count["violations"] += phone and c["ended_by"] == "employee" and outcome not in NO_CONCERN | CUT_SHORT
        owed = outcome in STILL_OWED and not c["promise_at"]
        if phone and c["phone"] and owed and not is_working_time(c["time"]):  # O5
            begin = next_working_hours(self.now)
            due = limit(at(begin.date(), WORKING_HOURS[-1][1]))
            self.schedule(c, Callback("after_hours", case.branch, c["phone"], begin, due, case))

    # ------------------------------------------------------------ callbacks

    def schedule(self, c, callback):
        self.callbacks.append(callback)
        self.by_origin[c["contact"], callback.kind] = callback

        def due():
            callback.missed = not callback.attempted and callback.is_open

        self.when(callback.due, due)

    def lease(self, callback, who):
        self.has_role(who, "staff", "lead", "hq")
        if callback.case:
            self.responsible(who, callback.case.survivor)
        else:
            self.reaches(who, callback.branch)
        if not callback.is_open:
            raise Refused("ILLEGAL_TRANSITION")
        if callback.state == "lead_decides":
            raise Refused("LEAD_DECIDES")
        if callback.state == "leased" and callback.leased_by != who:
            raise Refused("LEASED_BY_ANOTHER")  # B8
        if self.now < callback.not_before:
            raise Refused("TOO_EARLY")  # B6
        if not callback.client_asked and not in_window(self.now):
            raise Refused("OUTSIDE_CALLING_WINDOWS")  # B2
        until = self.now + timedelta(minutes=15)
        callback.state, callback.leased_by, callback.leased_until = "leased", who, until

        def expire():
            if callback.state == "leased" and callback.leased_until == until:
                callback.state = "waiting"
                self.count["leases_lost"] += 1

        self.when(until, expire)

    def attempt(self, callback, a):
        self.lease(callback, a["by"])
        if a["outcome"] == "inconvenient":  # B3
            agreed, asked = a["agreed_time"], a.get("client_asked", False)
            if agreed <= self.now:
                raise BadInput(f"agreed_time: {agreed} is not after the attempt")
            if not asked and not in_window(agreed):
                raise BadInput(f"agreed_time: {agreed} is outside the calling windows")
            callback.not_before, callback.client_asked = agreed, asked
        else:  # B6
            callback.round.append(self.now)
            callback.not_before, callback.client_asked = into_window(self.now + timedelta(hours=2)), False
            days = {attempt.date() for attempt in callback.round}
            if len(callback.round) == 2 and len(days) == 1:
                tomorrow = at(self.now.date() + DAY, CALLING_WINDOWS[0][0])
                callback.not_before = max(callback.not_before, tomorrow)
        callback.state, callback.attempted = "waiting", True
        self.count["attempts"] += 1
        if len(callback.round) == 3:
            callback.state = "lead_decides"
            self.count["exhausted"] += 1

    def complete(self, callback, a):
        self.lease(callback, a["by"])
        callback.state, callback.attempted = "completed", True
        self.count["attempts"] += 1
        self.count["completed"] += 1
        self.count["overall", a["overall"]] += 1
        self.count["score_total"] += a["score"]
        self.count["scored"] += a["score"] > 0
        if callback.case:  # B5
            case = callback.case.survivor
            pleased = a["solved"] and a["overall"] != "dissatisfied"
            if pleased and case.state in ("open", "awaiting"):
                self.close(case, "satisfied")
            elif not pleased and case.state in ("awaiting", "closed"):
                self.reopen(case)

    def lead_decides(self, callback, a):
        self.has_role(a["by"], "lead", "hq")
        self.reaches(a["by"], callback.case.survivor.branch if callback.case else callback.branch)
        if a["action"] == "cancel":
            if not callback.is_open:
                raise Refused("ILLEGAL_TRANSITION")
            callback.state = "cancelled"
        else:
            if callback.state != "lead_decides":
                raise Refused("ILLEGAL_TRANSITION")
            callback.state, callback.round = "waiting", []
            callback.not_before, callback.client_asked = a["not_before"], False

    # ------------------------------------------------------------ actions

    def act(self, a):
        """Carries out one action or raises Refused, and then nothing has changed."""
        name, who = a["action"], a["by"]
        if "callback_of" in a:
            callback = self.by_origin.get((a["callback_of"], a["kind"]))
            if callback is None:
                raise BadInput(f"callback_of: contact {a['callback_of']} has led to no {a['kind']} callback so far")
            if name == "lease":
                return self.lease(callback, who)
            carry_out = {"attempt": self.attempt, "complete": self.complete}.get(name, self.lead_decides)
            return carry_out(callback, a)
        case = self.case_of.get(a["contact"])
        if case is None:
            raise BadInput(f"contact: {a['contact']} has led to no case so far")
        case, leads_only = case.survivor, name in ("begin_override", "end_override", "close")
        self.has_role(who, "lead", "hq", *([] if leads_only else ["staff"]))
        if leads_only or name == "reopen":
            self.reaches(who, case.branch)
        elif name not in ("accept", "decline"):
            self.responsible(who, case)
        return getattr(self, "on_" + name)(case, who, a)

    def on_offer(self, case, _who, a):
        self.expect_state(case, "open", "awaiting")
        if a["to"] == case.handler or not self.employees[a["to"]]["roles"] & {"staff", "lead", "hq"}:
            raise Refused("RECEIVER_INVALID")
        if case.offer:
            raise Refused("OFFER_PENDING")
        offer = case.offer = Offer(a["to"], self.now + timedelta(minutes=30))
        self.count["offered"] += 1

        def expire():
            if case.offer is offer:
                case.offer = None
                self.count["expired"] += 1

        self.when(offer.expires, expire)

    def take_offer(self, case, who):
        if not case.offer:
            raise Refused("NO_SUCH_OFFER")
        if case.offer.to != who:
            raise Refused("NOT_THE_RECEIVER")
        case.offer = None

    def on_accept(self, case, who, _):
        self.take_offer(case, who)
        case.handler = who
        self.count["accepted"] += 1

    def on_decline(self, case, who, _):
        self.take_offer(case, who)
        self.count["declined"] += 1

    def on_withdraw(self, case, _who, _):
        if not case.offer:
            raise Refused("NO_SUCH_OFFER")
        self.drop_offer(case)

    def on_begin_override(self, case, who, _):
        self.expect_state(case, "open", "awaiting")
        if case.override and self.now < case.override[1]:
            if case.override[0] != who:
                raise Refused("OVERRIDE_RUNNING")
            return
        case.override = who, self.now + timedelta(minutes=480)
        self.count["overrides"] += 1

    def on_end_override(self, case, who, _):
        if not case.override or case.override[0] != who or case.override[1] <= self.now:
            raise Refused("NO_OVERRIDE")
        case.override = None

    def on_resolve(self, case, _who, _):
        self.expect_state(case, "open")
        case.state, case.clocks[-1].met = "awaiting", True

    def on_confirm(self, case, _who, a):
        self.expect_state(case, *(("open", "awaiting") if a["satisfied"] else ("awaiting",)))
        if a["satisfied"]:
            self.close(case, "satisfied")
        else:
            self.reopen(case)

    def on_close(self, case, _who, a):
        self.expect_state(case, "open", "awaiting")
        self.close(case, a["kind"])

    def on_reopen(self, case, _who, _):
        self.expect_state(case, "closed")
        self.reopen(case)

    @staticmethod
    def expect_state(case, *states):
        if case.state not in states:
            raise Refused("ILLEGAL_TRANSITION")

    # ------------------------------------------------------------ the report

    def report(self):
        n, by_state = self.count, Counter(case.closed_as or case.state for case in self.cases)
        counted = [case for case in self.cases if case.state not in ("merged", "void")]
        kinds = Counter(callback.kind for callback in self.callbacks)
        clocks = Counter(standing(clock.met, clock.missed) for case in counted for clock in case.clocks)
        limits = Counter((b.kind, standing(b.attempted, b.missed)) for b in self.callbacks
                         if b.attempted or b.missed or b.state != "cancelled")
        standings = ("kept", "missed", "running")
        responsible = {}
        for case in counted:
            tallies = [(case.first_responder, "first_responder"), (case.accountable, "accountable")]
            tallies += [(case.handler, "handling")] if case.state in ("open", "awaiting") else []
            for who, what in tallies:
                responsible.setdefault(who, dict(first_responder=0, accountable=0, handling=0))[what] += 1
        return {
            "contacts": {
                **{key: n[key] for key in ("total", "phone", "counter", "email", "answered", "missed", "no_concern")},
                "outside_working_hours": n["outside"],
                **{key: n[key] for key in ("late", "violations", "second_answers_refused")},
            },
            "records": {key: n[key] for key in ("complete", "incomplete")},
            "cases": {
                "opened": len(self.cases), "merged": by_state["merged"], "void": by_state["void"],
                "closed_satisfied": by_state["satisfied"], "closed_unreachable": by_state["unreachable"],
                "closed_explained": by_state["explained"], "awaiting": by_state["awaiting"],
                "open": by_state["open"], "reopenings": n["reopenings"],
            },
            "hand_overs": {key: n[key] for key in ("offered", "accepted", "declined", "withdrawn", "expired")},
            "overrides": n["overrides"],
            "assists": sum(len(case.assistants) for case in self.cases),
            "refused_actions": n["refused_actions"],
            "limits": {
                "answer": {key: clocks[key] for key in standings},
                **{kind: {key: limits[kind, key] for key in standings}
                   for kind in ("promised", "missed_call", "after_hours")},
            },
            "callbacks": {
                **{kind: kinds[kind] for kind in ("promised", "missed_call", "after_hours")},
                **{key: n[key] for key in ("coalesced", "attempts", "completed", "exhausted")},
                "cancelled": sum(callback.state == "cancelled" for callback in self.callbacks),
                "leases_lost": n["leases_lost"],
            },
            "satisfaction": {
                **{opinion: n["overall", opinion] for opinion in OPINIONS},
                "score_total": n["score_total"], "scored": n["scored"],
            },
            "responsible": dict(sorted(responsible.items())),
        }


def standing(met, missed):
    return "missed" if missed else "kept" if met else "running"


def plain_phone(text):
    """One number in several spellings is one caller."""
    digits = "".join(sign for sign in text if sign.isdigit())
    digits = digits.removeprefix("00") if digits.startswith("0086") else digits
    return (digits[2:] if digits.startswith("86") and len(digits) > 11 else digits).removeprefix("0")


# ---------------------------------------------------------------- reading


def instant(text):
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise BadInput(f"{text!r} is no RFC 3339 time such as 2025-09-22T09:00:00+08:00") from None
    if moment.tzinfo is None:
        raise BadInput(f"{text!r} has no offset: add +08:00")
    return moment.astimezone(SHANGHAI)


def demand(true, reason):
    if not true:
        raise BadInput(reason)


def read_text(path):
    """A file in UTF-8, with or without a byte order mark."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path.name}:{line}: not UTF-8; save the file as UTF-8") from None


def read_table(folder, name):
    """Yields (line number, row) of a CSV file; the header must be exactly the one above."""
    with io.StringIO(read_text(folder / name), newline="") as file:
        rows = csv.reader(file, strict=True)
        header, wanted = next(rows, []), COLUMNS[name].split(",")
        if header != wanted:
            raise BadInput(f"{name}:1: columns are {','.join(header)}; wanted {COLUMNS[name]}")
        seen = set()
        for row in rows:
            where = f"{name}:{rows.line_num}"
            if len(row) != len(wanted):
                raise BadInput(f"{where}: {len(row)} columns instead of {len(wanted)}")
            if row[0] in seen or not row[0]:
                raise BadInput(f"{where}: {wanted[0]}: {row[0]!r} is empty or was there before")
            seen.add(row[0])
            yield where, dict(zip(wanted, row))


def located(where, work, *arguments):
    try:
        return work(*arguments)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


def read_roster(folder):
    branches = {row["branch"] for _, row in read_table(folder, "branches.csv")}
    employees, lines = {}, {}

    def employee(row):
        demand(row["branch"] in branches, f"branch: {row['branch']!r} is not in branches.csv")
        row["roles"] = set(row["roles"].split(";"))
        demand(row["roles"] <= ROLES, f"roles: unknown {', '.join(sorted(row['roles'] - ROLES))}")
        employees[row["employee"]] = row

    def line(row):
        demand(row["branch"] in branches, f"branch: {row['branch']!r} is not in branches.csv")
        demand(row["published"] in ("yes", "no"), "published: write yes or no")
        demand(not row["employee"] or row["employee"] in employees, f"employee: unknown {row['employee']!r}")
        lines[row["line"]] = row["branch"]

    def account(row):
        unknown = set(filter(None, row["branches"].split(";"))) - branches
        demand(not unknown, f"branches: unknown {', '.join(sorted(unknown))}")
        demand(row["act_for_employees"] in ("yes", "no"), "act_for_employees: write yes or no")

    for name, read in (("employees.csv", employee), ("lines.csv", line), ("service_accounts.csv", account)):
        for where, row in read_table(folder, name):
            located(where, read, row)
    return branches, employees, lines


def read_contact(c, branches, employees, lines):
    """Checks one row and turns its times into times."""
    for name, choices in CHOICES.items():
        demand(c[name] in choices, f"{name}: {c[name]!r} is none of {', '.join(sorted(filter(None, choices)))}")
    demand(c["branch"] in branches, f"branch: {c['branch']!r} is not in branches.csv")
    demand(not c["line"] or lines.get(c["line"]) == c["branch"], f"line: {c['line']!r} is no line of the branch")
    for name in ("time", "answered_at", "promise_at", "ended_at", "entered_later_at"):
        c[name] = located(name, instant, c[name]) if c[name] or name in ("time", "ended_at") else None
    demand(c["time"] <= c["ended_at"], "ended_at: before time")
    answered = bool(c["answered_by"])
    for name in ("answered_at", "outcome", "ended_by"):
        demand(bool(c[name]) == answered, f"{name}: goes with answered_by, both or neither")
    if not answered:
        demand(c["channel"] == "phone", "answered_by: only a telephone call can be missed")
        for name in ("also_answered_by", "promise_at", "callback_of", "entered_later_at"):
            demand(not c[name], f"{name}: nobody answered")
        return
    for name in ("answered_by", "also_answered_by"):
        roles = employees.get(c[name], {"roles": set()})["roles"]
        demand(not c[name] or roles & {"staff", "lead", "hq"}, f"{name}: {c[name]!r} serves no clients")
    demand(c["answered_by"] != c["also_answered_by"], "also_answered_by: the same person")
    demand(c["time"] <= c["answered_at"] <= c["ended_at"], "answered_at: not between time and ended_at")
    demand(c["outcome"] in OUTCOMES, f"outcome: unknown {c['outcome']!r}")
    demand(c["outcome"] not in NO_CONCERN or c["identified"] == "no", "outcome: a known client has a concern")
    demand(c["identified"] == "no" or c["client"], "client: identified, but no client is given")
    demand(not c["entered_later_at"] or c["ended_at"] <= c["entered_later_at"], "entered_later_at: before ended_at")


def read_action(text, employees, contacts):
    try:
        a = json.loads(text)
    except ValueError as error:
        raise BadInput(f"no JSON: {error}") from None
    demand(isinstance(a, dict) and a.get("action") in ACTIONS, "action: unknown")
    wanted = {"time", "action", "by", *ACTIONS[a["action"]].split()}
    demand(wanted <= a.keys(), f"missing: {', '.join(sorted(wanted - a.keys()))}")
    demand(a.keys() <= wanted | OPTIONAL, f"unknown: {', '.join(sorted(a.keys() - wanted - OPTIONAL))}")
    demand(a["by"] in employees, f"by: unknown {a['by']!r}")
    demand(a.get("to", a["by"]) in employees, f"to: unknown {a.get('to')!r}")
    for name in ("contact", "callback_of"):
        demand(name not in a or a[name] in contacts, f"{name}: {a.get(name)!r} is not in contacts.csv")
    for name in ("time", "not_before", "agreed_time"):
        if name in a:
            a[name] = located(name, instant, a[name])
    for name in ("satisfied", "solved", "charged", "client_asked"):
        demand(isinstance(a.get(name, True), bool), f"{name}: write true or false")
    kinds = {"unreachable", "explained"} if a["action"] == "close" else KINDS
    demand(a.get("kind") in kinds | {None}, f"kind: none of {', '.join(sorted(kinds))}")
    if a["action"] == "attempt":
        demand(a["outcome"] in ATTEMPTS, f"outcome: none of {', '.join(sorted(ATTEMPTS))}")
        demand(("agreed_time" in a) == (a["outcome"] == "inconvenient"), "agreed_time: goes with inconvenient")
    if a["action"] == "complete":
        demand({a["attitude"], a["overall"]} <= set(OPINIONS), f"attitude, overall: {', '.join(OPINIONS)}")
        demand(isinstance(a["score"], int) and 0 <= a["score"] <= 10, "score: 1 to 10, or 0 for none")
    return a


def expected(folder):
    """Plays the files of `folder` in order of time (ties: contacts first, then order of lines) and reports."""
    branches, employees, lines = read_roster(folder)
    month, steps, contacts = Month(employees), [], set()
    for number, (where, c) in enumerate(read_table(folder, "contacts.csv")):
        located(where, read_contact, c, branches, employees, lines)
        contacts.add(c["contact"])
        todo = [("time", month.register)]
        todo += [("answered_at", month.answer), ("ended_at", month.end)] if c["answered_by"] else []
        todo += [] if c["answered_by"] else [("ended_at", month.miss)]
        for step, (column, work) in enumerate(todo):
            steps.append((c["entered_later_at"] or c[column], 0, number, step, where, work, c))
    for number, text in enumerate(io.StringIO(read_text(folder / "actions.jsonl")), start=1):
        where = f"actions.jsonl:{number}"
        a = located(where, read_action, text, employees, contacts)
        steps.append((a["time"], 1, number, 0, where, month.act, a))
    for moment, _, _, _, where, work, row in sorted(steps, key=lambda step: step[:4]):
        wanted, got = row.get("expect"), None
        located(where, month.advance, moment)
        try:
            located(where, work, row)
        except Refused as refusal:
            got = str(refusal)
        if got != wanted:
            raise BadInput(f"{where}: {row.get('action')}: refused with {got}, expected was {wanted}")
        month.count["refused_actions"] += got is not None
    if steps:
        located("end of play", month.advance, max(step[0] for step in steps) + DAY)
    return month.report()


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    try:
        print(json.dumps(expected(folder), indent=2))
    except (BadInput, OSError, csv.Error) as error:
        sys.exit(f"expected.py: {error}")


if __name__ == "__main__":
    main()
