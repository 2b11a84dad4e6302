"""Complaints: filed, accepted, investigated, approved, told, verified, and taken up again (C1-C16, O10, O12, B7)."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .callbacks import Callback
from .ground import BadInput, Refused, limit, working_days

LEVELS = {"lead": 1, "hq": 2, "company_leader": 3}  # how far a role reaches in approval (C6)
SEVERITIES = {"minor": 1, "serious": 2, "grave": 3}  # how many levels approve
COMPLAINT_KINDS = ("complaint", "opinion", "suggestion", "inquiry")
CHANNELS = ("phone", "counter", "email", "web", "letter", "opinion_book")
FINDINGS = ("upheld", "partly_upheld", "not_upheld")
REPLIES = ("first", "definite", "outcome")
MEASURES_FOUND = ("carried_out", "not_carried_out", "without_effect")
LIMITS = ("acceptance", "first_reply", "definite_answer", "proposal", "outcome", "settlement")
STATES = ("filed", "handling", "proposed", "approved", "handled", "closed", "declined")
ENDS = ("satisfied", "declined", "unreachable", "explained", "answered")
# Working days and hours for everybody, and for VIP and core clients (C5-C7, L12).
ORDINARY = {"first_reply": 1, "simple": 2, "complex": 24, "proposal": 3, "outcome": 4, "settlement": 5}
VIP = {"first_reply": 1, "simple": 1, "complex": 12, "proposal": 2, "outcome": 3, "settlement": 4}


@dataclass(eq=False)
class Limit:
    kind: str
    due: datetime
    met: bool = False
    missed: bool = False
    given_up: bool = False


@dataclass(eq=False)
class Complaint:
    label: str
    case: object
    kind: str
    channel: str
    unit: str
    about: frozenset
    phone: str
    state: str = "filed"
    end: str = ""
    severity: str = ""
    complex: bool = False
    vip: bool = False
    number: str = ""
    accepted: bool = False
    round: int = 1
    limits: list = field(default_factory=list)
    replies: set = field(default_factory=set)  # of the present round
    finding: str = ""
    marks: frozenset = frozenset()
    proposer: str = ""
    open_levels: list = field(default_factory=list)
    approvers: set = field(default_factory=set)
    measures: list = field(default_factory=list)  # the last word on each: done or not, None while there is none
    sent_back: bool = False  # by a verification, in the present round
    callback: Callback = None  # the newest verification


class Complaints:
    """The part of `Month` that knows complaints."""

    # ------------------------------------------------------------ limits

    def set_limit(self, complaint, kind, due):
        new = Limit(kind, due)
        complaint.limits.append(new)
        self.watch("complaints", due, new, lambda: not new.met and not new.given_up)

    def meet(self, complaint, *kinds):
        for each in complaint.limits:
            each.met |= each.kind in kinds and not each.given_up

    def give_up(self, complaint):
        for each in complaint.limits:
            each.given_up |= not each.met

    def set_limits(self, complaint):
        """The day of acceptance is the first of C6 and C7; a reopening counts as an acceptance."""
        days = VIP if complaint.vip else ORDINARY
        hours = timedelta(hours=days["complex" if complaint.complex else "simple"])
        self.set_limit(complaint, "first_reply", working_days(self.now, days["first_reply"]))
        self.set_limit(complaint, "definite_answer", self.now + hours)
        if complaint.kind == "complaint":
            for kind in ("proposal", "outcome"):
                self.set_limit(complaint, kind, working_days(self.now, days[kind], first_counts=True))
        self.set_limit(complaint, "settlement", working_days(self.now, days["settlement"]))

    # ------------------------------------------------------------ who may

    @staticmethod
    def not_recused(who, complaint):
        if who in complaint.about:
            raise Refused("RECUSED")  # O12

    def act_on_complaint(self, complaint, a):
        name, who, case = a["action"], a["by"], complaint.case.survivor
        roles = {
            "accept_complaint": "complaint_officer lead hq", "decline_complaint": "complaint_officer lead hq",
            "reopen_complaint": "complaint_officer lead hq", "close_complaint": "lead hq",
            "approve": "lead hq company_leader", "return_proposal": "lead hq company_leader",
        }
        self.has_role(who, *roles.get(name, "staff lead hq").split())
        if name in roles:
            self.reaches(who, case.branch)
        elif name == "communicate":
            self.assisting(who, case)
        else:
            self.responsible(who, case)
        self.not_recused(who, complaint)
        getattr(self, "on_" + name)(complaint, who, a)

    @staticmethod
    def in_state(complaint, *states):
        if complaint.state not in states:
            raise Refused("ILLEGAL_TRANSITION")

    # ------------------------------------------------------------ filed and taken up

    def file_complaint(self, case, a):
        who = a["by"]
        self.has_role(who, "staff", "lead", "hq", "complaint_officer")
        self.assisting(who, case)
        unit = a.get("receiving_unit") or self.employees[who]["branch"]
        self.reaches(who, unit)
        if a["complaint"] in self.complaints:
            raise BadInput(f"complaint: {a['complaint']} was filed before")
        about = frozenset(a.get("about", ()))
        new = Complaint(a["complaint"], case, a["kind"], a["channel"], unit, about, a["phone"])
        self.complaints[new.label] = new
        self.set_limit(new, "acceptance", working_days(self.now, 1, first_counts=True))
        self.reopen_for(new)

    def reopen_for(self, complaint):
        """The case goes on as long as the complaint does, without whom it is about (O12)."""
        case = complaint.case.survivor
        case.complaints[complaint.label] = complaint.about
        if case.state == "closed":
            self.reopen(case)
        if case.offer and {case.offer.to, case.offer.giver} & case.recused:
            self.drop_offer(case)
        if case.accountable in case.recused:
            others = [(who, each) for who, each in sorted(self.employees.items()) if who not in case.recused]
            fit = [who for who, each in others if "lead" in each["roles"] and each["branch"] == case.branch]
            fit += [who for role in ("hq", "company_leader") for who, each in others if role in each["roles"]]
            if not fit:
                return
            self.count["moved_accountabilities"] += 1
            case.accountable = fit[0]
        if case.handler in case.recused:
            case.handler = case.accountable

    def settle(self, complaint, end):
        """The case ends with its last complaint, unless that one was declined or merely answered."""
        case = complaint.case.survivor
        case.complaints.pop(complaint.label, None)
        if case.complaints or case.state not in ("open", "awaiting"):
            return
        if end in ("satisfied", "unreachable", "explained"):
            self.close(case, end)
        elif end == "answered" and case.state == "open":
            case.state, case.clocks[-1].met = "awaiting", True

    def give_number(self, complaint):
        """C15: unit, year, month, serial; once for good."""
        if not complaint.number:
            series = complaint.unit, self.now.strftime("%y%m")
            self.numbers[series] += 1
            complaint.number = f"{series[0]}-{series[1]}-{self.numbers[series]:04d}"

    def on_accept_complaint(self, complaint, _who, a):
        self.in_state(complaint, "filed")
        complaint.state, complaint.severity, complaint.complex = "handling", a["severity"], a["complex"]
        complaint.accepted = True
        client = self.clients.get(complaint.case.survivor.client)
        complaint.vip = bool(client) and (client.vip or client.core)
        self.meet(complaint, "acceptance")
        self.give_number(complaint)
        self.set_limits(complaint)
        self.count["step", "accepted"] += 1

    def on_decline_complaint(self, complaint, _who, _):
        self.in_state(complaint, "filed")
        self.meet(complaint, "acceptance")
        self.give_number(complaint)
        complaint.state = complaint.end = "declined"
        self.settle(complaint, "declined")
        self.count["step", "declined"] += 1

    # ------------------------------------------------------------ handled

    def on_communicate(self, complaint, _who, _):
        self.in_state(complaint, "filed", "handling", "proposed", "approved", "handled")
        self.count["step", "communications"] += 1

    def on_reply(self, complaint, _who, a):
        kind = a["kind"]
        self.in_state(complaint, "handling", "proposed", "approved")
        if kind == "outcome" and complaint.kind == "complaint" and complaint.state != "approved":
            raise Refused("NOT_APPROVED")
        complaint.replies.add(kind)
        met = {"first": (), "definite": ("definite_answer",), "outcome": ("definite_answer", "outcome")}
        self.meet(complaint, "first_reply", *met[kind])
        self.count["step", "replies"] += 1

    def on_propose(self, complaint, who, a):
        self.in_state(complaint, "handling")
        if a["finding"] != "not_upheld" and not a["measures"]:
            raise Refused("MEASURES_REQUIRED")
        complaint.state, complaint.finding, complaint.proposer = "proposed", a["finding"], who
        complaint.marks = frozenset(mark for mark in ("beyond_authority", "malicious") if a[mark])
        levels = 3 if a["beyond_authority"] else SEVERITIES[complaint.severity]
        complaint.open_levels, complaint.approvers = list(range(1, levels + 1)), set()
        complaint.measures = [None] * len(a["measures"])
        self.meet(complaint, "proposal")
        self.count["step", "proposals"] += 1

    def approver(self, complaint, who):
        """The lowest open level, if the role reaches it; a second person on every level (P3)."""
        self.in_state(complaint, "proposed")
        if who == complaint.proposer or who in complaint.approvers:
            raise Refused("SECOND_PERSON_REQUIRED")
        if max(LEVELS.get(role, 0) for role in self.employees[who]["roles"]) < complaint.open_levels[0]:
            raise Refused("LEVEL_TOO_HIGH")

    def on_approve(self, complaint, who, _):
        self.approver(complaint, who)
        complaint.approvers.add(who)
        complaint.open_levels.pop(0)
        complaint.state = "proposed" if complaint.open_levels else "approved"
        self.count["step", "approvals"] += 1

    def on_return_proposal(self, complaint, who, _):
        self.approver(complaint, who)
        complaint.state = "handling"
        self.count["step", "returned"] += 1

    def on_measure(self, complaint, _who, a):
        if complaint.state in ("handling", "proposed"):
            raise Refused("NOT_APPROVED")
        self.in_state(complaint, "approved")
        if not 1 <= a["measure"] <= len(complaint.measures):
            raise Refused("MEASURE_UNKNOWN")
        complaint.measures[a["measure"] - 1] = a["done"]
        self.count["step", "measures_done" if a["done"] else "measures_not_done"] += 1

    def on_complete_handling(self, complaint, _who, _):
        if complaint.kind == "complaint":
            if complaint.state in ("handling", "proposed"):
                raise Refused("NOT_APPROVED")
            self.in_state(complaint, "approved")
        else:
            self.in_state(complaint, "handling")
        if not complaint.replies & ({"outcome"} if complaint.kind == "complaint" else {"definite", "outcome"}):
            raise Refused("REPLY_MISSING")
        if not all(complaint.measures):
            raise Refused("MEASURES_OPEN")
        self.meet(complaint, "settlement")
        self.count["step", "handled"] += 1
        if complaint.kind != "complaint":
            return self.finish(complaint, "answered")
        complaint.state = "handled"
        due = limit(self.now + timedelta(hours=24))  # C9, B1
        callback = Callback("verification", complaint.unit, complaint.phone, self.now, due)
        callback.complaint, callback.complaint_round = complaint, complaint.round
        complaint.callback = callback
        self.schedule(complaint.label, callback)

    # ------------------------------------------------------------ verified

    def verified(self, callback, a, superseding=False):
        """C9, C10: the client's word closes the complaint or takes it up again; a later result supersedes (C11)."""
        complaint, found = callback.complaint, a["measures"]
        good = a["solved"] and a["overall"] != "dissatisfied" and found == "carried_out"
        self.count["verification", "recorded"] += 1
        self.count["verification", "satisfied" if good else "dissatisfied"] += 1
        self.count["verification", found] += 1
        self.count["verification", "superseded"] += superseding
        if callback.complaint_round != complaint.round:
            return
        ended_well = complaint.state == "closed" and complaint.end in ("satisfied", "unreachable")
        if not good and (complaint.state == "handled" or ended_well):
            self.take_up_again(complaint)
            complaint.sent_back = True
        elif good and complaint.state == "handled":
            self.finish(complaint, "satisfied")

    def take_up_again(self, complaint):
        self.give_up(complaint)
        complaint.state, complaint.end, complaint.round = "handling", "", complaint.round + 1
        complaint.replies, complaint.measures = set(), []
        if complaint.accepted:
            self.set_limits(complaint)
        else:
            complaint.state = "filed"  # it was declined, and waits for the complaint officer again
            self.set_limit(complaint, "acceptance", working_days(self.now, 1, first_counts=True))
        case = complaint.case.survivor
        if case.state == "awaiting":
            self.reopen(case)
        self.reopen_for(complaint)
        self.count["step", "reopened"] += 1

    def finish(self, complaint, end):
        self.meet(complaint, "settlement")
        self.give_up(complaint)
        complaint.state, complaint.end = "closed", end
        self.settle(complaint, end)

    def end_verification(self, complaint):
        """Nobody calls about what is settled otherwise."""
        if complaint.callback and complaint.callback.is_open:
            complaint.callback.state = "cancelled"

    def on_reopen_complaint(self, complaint, _who, _):
        failed = complaint.state == "approved" and False in complaint.measures  # C10
        self.in_state(complaint, "handled", "closed", "declined", *(("approved",) if failed else ()))
        self.end_verification(complaint)
        self.take_up_again(complaint)
        complaint.sent_back = False

    def on_close_complaint(self, complaint, _who, a):
        self.in_state(complaint, "handled", *(("handling", "proposed", "approved") if complaint.sent_back else ()))
        called = complaint.callback
        if a["end"] == "unreachable" and not (called.complaint_round == complaint.round and called.exhausted):
            raise Refused("ATTEMPTS_OPEN")  # O8, B6
        self.end_verification(complaint)
        self.finish(complaint, a["end"])

    # ------------------------------------------------------------ the report

    def report_complaints(self):
        n, all_of_them = self.count, list(self.complaints.values())

        def tally(names, values):
            counted = Counter(values)
            return {name: counted[name] for name in names}

        def standings(kind):
            limits = [each for complaint in all_of_them for each in complaint.limits if each.kind == kind]
            return tally(("kept", "missed", "running", "given_up"), map(standing_of, limits))

        steps = ("accepted", "declined", "communications", "replies", "proposals", "approvals", "returned",
                 "measures_done", "measures_not_done", "handled", "reopened")
        numbers = {}
        for (unit, month), count in sorted(self.numbers.items()):
            numbers.setdefault(unit, {})[month] = count
        return {
            "filed": len(all_of_them),
            "kinds": tally(COMPLAINT_KINDS, (each.kind for each in all_of_them)),
            "channels": tally(CHANNELS, (each.channel for each in all_of_them)),
            "severities": tally(SEVERITIES, (each.severity for each in all_of_them)),
            "vip": sum(each.vip for each in all_of_them),
            "findings": tally(FINDINGS, (each.finding for each in all_of_them)),
            "marks": tally(("beyond_authority", "malicious"), (mark for each in all_of_them for mark in each.marks)),
            "steps": {step: n["step", step] for step in steps},
            "states": tally(STATES, (each.state for each in all_of_them)),
            "ends": tally(ENDS, (each.end for each in all_of_them)),
            "limits": {kind: standings(kind) for kind in LIMITS},
            "verifications": {key: n["verification", key] for key in (
                "recorded", "satisfied", "dissatisfied", *MEASURES_FOUND, "superseded")},
            "numbers": numbers,
            "moved_accountabilities": n["moved_accountabilities"],
        }


def standing_of(each):
    if each.missed:
        return "missed"
    return "kept" if each.met else "given_up" if each.given_up else "running"
