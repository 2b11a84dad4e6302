"""Cases and contacts: who is responsible, what is decided, when it is late (O1-O12, K2-K20)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .ground import CALLBACK_KINDS, BadInput, Refused, answer_due, is_working_time

EVERY_BRANCH = {"hq", "company_leader", "admin", "auditor"}
NO_CONCERN = {"wrong_number", "silent", "private"}
CUT_SHORT = {"inaudible", "noisy_line", "dialect", "harassment", "abuse", "system_failure"}
OUTCOMES = NO_CONCERN | CUT_SHORT | {"answered_clear", "answer_owed", "callback_promised"}
RECORD_FIELDS = ("client_name", "gender", "phone", "summary", "handling")  # K8, beside date, time and branch


@dataclass(eq=False)
class Clock:
    due: datetime
    met: bool = False
    missed: bool = False


@dataclass(eq=False)
class Offer:
    giver: str
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
    complaints: dict = field(default_factory=dict)  # open complaints, with whom each is about (O12)

    @property
    def survivor(self):
        return self.into.survivor if self.into else self

    @property
    def recused(self):
        return {who for about in self.complaints.values() for who in about}


class Cases:
    """The part of `Month` that knows cases and contacts."""

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

    def assisting(self, who, case):
        """O6: whoever answered there assists."""
        if who not in case.assistants:
            self.responsible(who, case)

    # ------------------------------------------------------------ cases

    def start_clock(self, case):
        clock = Clock(answer_due(self.now))
        case.clocks.append(clock)
        self.watch("cases", clock.due, clock, lambda: case.state == "open" and not clock.met)

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
        survivor.complaints |= case.complaints
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
        if origin and not any((origin, kind) in self.by_origin for kind in CALLBACK_KINDS):
            raise BadInput(f"callback_of: contact {origin} has led to no callback so far")

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
        if c["identified"] != "no" and c["client"]:
            case.client = self.identified(c)
            earlier = self.keys.setdefault((case.client, case.topic), case)
            if earlier is not case:
                self.merge(case, earlier)
        complete = c["record"] == "confirmed" and all(c[name] for name in RECORD_FIELDS)  # K10
        if c["outcome"] not in NO_CONCERN:
            self.count["complete" if complete else "incomplete"] += 1
        if c["promise_at"]:
            self.promise(c, case.survivor)

    def end(self, c):
        case, who, outcome = self.case_of[c["contact"]].survivor, c["answered_by"], c["outcome"]
        in_charge = who in (case.handler, case.accountable)
        if not in_charge and who not in case.assistants:
            raise BadInput(f"answered_by: {who} neither answers for the case nor assists when the contact ends")
        if outcome in NO_CONCERN:
            self.count["no_concern"] += 1
            self.void(case)
        if outcome == "answered_clear" and in_charge and case.state in ("open", "awaiting"):  # K19, O8
            if not case.complaints:
                self.close(case, "satisfied")
        phone = c["channel"] == "phone"
        self.count["violations"] += phone and c["ended_by"] == "employee" and outcome not in NO_CONCERN | CUT_SHORT
        self.owed_after_hours(c, case)

    # ------------------------------------------------------------ actions

    def act_on_case(self, case, a):
        name, who = a["action"], a["by"]
        leads_only = name in ("begin_override", "end_override", "close")
        self.has_role(who, "lead", "hq", *([] if leads_only else ["staff"]))
        if leads_only or name == "reopen":
            self.reaches(who, case.branch)
        elif name not in ("accept", "decline"):
            self.responsible(who, case)
        getattr(self, "on_" + name)(case, who, a)

    def on_offer(self, case, who, a):
        self.expect_state(case, "open", "awaiting")
        able = self.employees[a["to"]]["roles"] & {"staff", "lead", "hq"} and a["to"] not in case.recused  # O12
        if a["to"] == case.handler or not able:
            raise Refused("RECEIVER_INVALID")
        if case.offer:
            raise Refused("OFFER_PENDING")
        offer = case.offer = Offer(who, a["to"], self.now + timedelta(minutes=30))
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
            self.no_complaint(case)
            self.close(case, "satisfied")
        else:
            self.reopen(case)

    def on_close(self, case, _who, a):
        self.expect_state(case, "open", "awaiting")
        self.no_complaint(case)
        self.close(case, a["kind"])

    def on_reopen(self, case, _who, _):
        self.expect_state(case, "closed")
        self.reopen(case)

    @staticmethod
    def no_complaint(case):
        """A case does not end before its complaints."""
        if case.complaints:
            raise Refused("COMPLAINT_OPEN")

    @staticmethod
    def expect_state(case, *states):
        if case.state not in states:
            raise Refused("ILLEGAL_TRANSITION")
