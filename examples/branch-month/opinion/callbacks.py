"""Callbacks: promised, owed for missed calls and after hours, and the verification of complaints (B1-B8, K6, K14, O5)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .ground import (
    CALLING_WINDOWS, DAY, WORKING_HOURS, BadInput, Refused, after_working_time, at, in_window, into_window,
    is_working_time, limit, next_working_hours, plain_phone,
)

STILL_OWED = {"answer_owed", "inaudible", "noisy_line", "system_failure"}
ATTEMPTS = {"no_answer", "busy", "switched_off", "inconvenient"}
OPINIONS = ("satisfied", "neutral", "dissatisfied")
GRACE = timedelta(minutes=15)  # within which a promise still counts as kept


@dataclass(eq=False)
class Callback:
    kind: str
    branch: str
    phone: str
    not_before: datetime
    due: datetime  # the limit for the first attempt
    case: object = None
    client_asked: bool = False
    state: str = "waiting"  # waiting, leased, lead_decides, completed, cancelled
    leased_by: str = ""
    leased_until: datetime = None
    round: list = field(default_factory=list)  # times of the attempts since the last decision of a lead
    attempted: bool = False
    tried: bool = False  # since the last limit was set
    limits: int = 0  # set so far
    missed: bool = False  # any of them
    complaint: object = None  # of a verification
    complaint_round: int = 0
    exhausted: bool = False  # once; a lead decided, or decides
    results: list = field(default_factory=list)  # of a verification: who recorded each (C11)

    @property
    def is_open(self):
        return self.state in ("waiting", "leased", "lead_decides")


class Callbacks:
    """The part of `Month` that knows callbacks."""

    def miss(self, c):
        """K14: missed calls of one caller are one callback; after an attempt in vain a further one is owed another."""
        self.count["missed"] += 1
        phone = plain_phone(c["phone"])
        if not phone:
            return
        due = limit(after_working_time(self.now, timedelta(minutes=30)))
        for other in self.callbacks:
            if (other.kind, other.branch, other.phone) == ("missed_call", c["branch"], phone) and other.is_open:
                self.count["coalesced"] += 1
                if other.tried:  # the client calls in vain again
                    other.state = "waiting" if other.state == "lead_decides" else other.state
                    other.round, other.client_asked = [], False
                    self.owe(other, self.now, due)
                return
        self.schedule(c["contact"], Callback("missed_call", c["branch"], phone, self.now, due))

    def promise(self, c, case):
        agreed, asked = c["promise_at"], c["promise_client_asked"] == "yes"
        if agreed <= self.now:
            raise BadInput(f"promise_at: {agreed} is not after the contact")
        if not c["phone"]:
            raise BadInput("promise_at: no phone number to call")
        if not asked and not in_window(agreed):
            raise BadInput(f"promise_at: {agreed} is outside the calling windows and the client did not ask for it")
        due = promised(agreed, asked)
        self.schedule(c["contact"], Callback("promised", case.branch, c["phone"], agreed, due, case, asked))

    def owed_after_hours(self, c, case):
        """O5: who called outside working hours and still waits for an answer is called on the next working day."""
        owed = c["outcome"] in STILL_OWED and not c["promise_at"]
        if c["channel"] == "phone" and c["phone"] and owed and not is_working_time(c["time"]):
            begin = next_working_hours(self.now)
            due = limit(at(begin.date(), WORKING_HOURS[-1][1]))
            self.schedule(c["contact"], Callback("after_hours", case.branch, c["phone"], begin, due, case))

    def schedule(self, origin, callback):
        self.callbacks.append(callback)
        self.by_origin[origin, callback.kind] = callback
        self.owe(callback, callback.not_before, callback.due)

    def owe(self, callback, not_before, due):
        """An attempt is owed within a limit (B1); one at a time that is set anew takes the place of the one before (B3, B6)."""
        callback.not_before, callback.tried = not_before, False
        number = callback.limits = callback.limits + 1

        def owed():
            return callback.limits == number and not callback.tried and callback.is_open

        self.watch("callbacks", due, callback, owed)

    def lease(self, callback, who):
        self.has_role(who, "staff", "lead", "hq")
        if callback.case:
            self.responsible(who, callback.case.survivor)
        else:
            self.reaches(who, callback.branch)
        if callback.complaint:
            self.not_recused(who, callback.complaint)  # B7
        if not callback.is_open:
            raise Refused("ILLEGAL_TRANSITION")
        if callback.state == "lead_decides":
            raise Refused("LEAD_DECIDES")
        if callback.state == "leased" and callback.leased_by != who:
            raise Refused("LEASED_BY_ANOTHER")  # B8
        if self.now < callback.not_before:
            raise Refused("TOO_EARLY")  # B6
        asked = callback.client_asked and self.now <= callback.not_before + GRACE
        if not asked and not in_window(self.now):
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
            callback.client_asked = asked
            self.owe(callback, agreed, promised(agreed, asked))
        else:  # B6
            callback.round.append(self.now)
            callback.not_before, callback.client_asked = into_window(self.now + timedelta(hours=2)), False
            days = {attempt.date() for attempt in callback.round}
            if len(callback.round) == 2 and len(days) == 1:
                tomorrow = at(self.now.date() + DAY, CALLING_WINDOWS[0][0])
                callback.not_before = max(callback.not_before, tomorrow)
            callback.tried = True
        callback.state, callback.attempted = "waiting", True
        self.count["attempts"] += 1
        if len(callback.round) == 3:
            callback.state, callback.exhausted = "lead_decides", True
            self.count["exhausted"] += 1

    def complete(self, callback, a):
        self.lease(callback, a["by"])
        callback.state, callback.attempted, callback.tried = "completed", True, True
        self.count["attempts"] += 1
        self.count["completed"] += 1
        self.count["overall", a["overall"]] += 1
        self.count["score_total"] += a["score"]
        self.count["scored"] += a["score"] > 0
        if callback.complaint:
            callback.results.append(a["by"])
            self.verified(callback, a)
        elif callback.case:  # B5
            case = callback.case.survivor
            pleased = a["solved"] and a["overall"] != "dissatisfied"
            if pleased and case.state in ("open", "awaiting") and not case.complaints:
                self.close(case, "satisfied")
            elif not pleased and case.state in ("awaiting", "closed"):
                self.reopen(case)

    def lead_decides(self, callback, a):
        self.has_role(a["by"], "lead", "hq")
        self.reaches(a["by"], callback.case.survivor.branch if callback.case else callback.branch)
        if a["action"] == "cancel":
            if not callback.is_open:
                raise Refused("ILLEGAL_TRANSITION")
            if callback.complaint:
                raise Refused("VERIFICATION_NOT_CANCELLABLE")  # C9
            callback.state = "cancelled"
        else:
            if callback.state != "lead_decides":
                raise Refused("ILLEGAL_TRANSITION")
            callback.state, callback.round, callback.client_asked = "waiting", [], False
            self.owe(callback, a["not_before"], promised(a["not_before"], False))

    def supersede(self, callback, a):
        """C11: a result is never edited; another person lets a new one stand beside it."""
        self.has_role(a["by"], "lead", "hq")
        self.reaches(a["by"], callback.case.survivor.branch if callback.case else callback.branch)
        if callback.complaint:
            self.not_recused(a["by"], callback.complaint)
        if callback.state != "completed":
            raise Refused("NOT_COMPLETED")
        if a["by"] == callback.results[-1]:
            raise Refused("SECOND_PERSON_REQUIRED")
        callback.results.append(a["by"])
        self.verified(callback, a, superseding=True)


def promised(agreed, client_asked):
    """Until when a promise for that time is kept (K6, B2)."""
    return agreed + GRACE if client_asked else limit(agreed + GRACE)
