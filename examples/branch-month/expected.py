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
from datetime import timedelta

from opinion import clients, complaints
from opinion.callbacks import ATTEMPTS, OPINIONS, Callbacks
from opinion.cases import NO_CONCERN, OUTCOMES, Cases
from opinion.clients import Clients
from opinion.complaints import Complaints
from opinion.ground import CALLBACK_KINDS as KINDS, DAY, BadInput, Refused, demand, instant, located
from opinion.report import report

# ---------------------------------------------------------------- what a file may hold

COLUMNS = {
    "branches.csv": "branch,display_name,complaints_phone",
    "employees.csv": "employee,display_name,branch,roles,position,office_phone,external_id",
    "lines.csv": "line,branch,number,published,employee",
    "service_accounts.csv": "service_account,display_name,branches,act_for_employees",
    "clients.csv": clients.COLUMNS,
    "contacts.csv": "contact,branch,time,channel,direction,line,phone,client,topic,answered_by,answered_at,"
    "also_answered_by,identified,client_name,gender,summary,handling,inquiry_type,computer,trading,securities,"
    "assessment,identity_checks,record,promise_at,promise_client_asked,ended_at,ended_by,outcome,callback_of,"
    "entered_later_at",
}
ROLES = {"staff", "lead", "hq", "admin", "auditor", "complaint_officer", "company_leader"}
CHOICES = {
    "channel": set(complaints.CHANNELS),
    "direction": {"inbound", "outbound"},
    "identified": {"yes", "no", "phone", "capital_account", "identity_number"},
    "promise_client_asked": {"yes", "no"},
    "record": {"none", "filled", "confirmed"},
    "gender": {"", "male", "female", "unknown"},
    "ended_by": {"", "client", "employee", "system"},
}
CASE_ACTIONS = {
    "offer": "contact to reason explanation", "accept": "contact", "decline": "contact reason",
    "withdraw": "contact", "begin_override": "contact reason", "end_override": "contact",
    "resolve": "contact answer", "confirm": "contact satisfied reason", "close": "contact kind reason",
    "reopen": "contact reason",
}
CALLBACK_ACTIONS = {
    "lease": "callback_of kind", "attempt": "callback_of kind outcome",
    "complete": "callback_of kind solved attitude overall score suggestions answers charged",
    "postpone": "callback_of kind not_before reason", "cancel": "callback_of kind reason",
    "supersede": "callback_of kind reason solved attitude overall score charged",
}
COMPLAINT_ACTIONS = {
    "accept_complaint": "complaint severity complex", "decline_complaint": "complaint explanation",
    "communicate": "complaint unit person content", "reply": "complaint kind text",
    "propose": "complaint finding beyond_authority malicious proposal measures", "approve": "complaint",
    "return_proposal": "complaint remarks", "measure": "complaint measure done note",
    "complete_handling": "complaint", "reopen_complaint": "complaint reason", "close_complaint": "complaint end reason",
}
CLIENT_ACTIONS = {
    "save_client": "client", "assign_manager": "client employee reason",
    "verify": "client said", "disclose": "client purpose",
}
FILING = "contact complaint kind channel category client_name phone subject course"
ACTIONS = {**CASE_ACTIONS, **CALLBACK_ACTIONS, **COMPLAINT_ACTIONS, **CLIENT_ACTIONS, "file_complaint": FILING}
OPTIONAL = {  # of each action; "expect" of all
    "attempt": {"agreed_time", "client_asked"}, "complete": {"measures"}, "supersede": {"measures"},
    "save_client": {"assets", "turnover", "phone", "evidence"},
    "file_complaint": {"receiving_unit", "about", "place", "first_proposal", "persons_involved", "occur_time",
                       "receive_time"},
}
WORDS = {  # (action, field): what may stand there
    ("close", "kind"): {"unreachable", "explained"}, ("file_complaint", "kind"): set(complaints.COMPLAINT_KINDS),
    ("file_complaint", "channel"): set(complaints.CHANNELS),
    ("accept_complaint", "severity"): set(complaints.SEVERITIES),
    ("reply", "kind"): set(complaints.REPLIES), ("propose", "finding"): set(complaints.FINDINGS),
    ("close_complaint", "end"): {"unreachable", "explained"}, ("attempt", "outcome"): ATTEMPTS,
    **{(action, "kind"): set(KINDS) for action in CALLBACK_ACTIONS},
    **{(action, word): set(OPINIONS) for action in ("complete", "supersede") for word in ("attitude", "overall")},
}


class Month(Cases, Callbacks, Clients, Complaints):
    """Everything that is known at one moment; moments follow each other."""

    def __init__(self, employees):
        self.employees = employees
        self.now = None
        self.deadlines, self.order = [], itertools.count()
        self.cases, self.keys = [], {}  # keys: (client, topic) -> the case that is open or awaiting
        self.callbacks, self.by_origin = [], {}  # by_origin: (contact or complaint, kind) -> callback
        self.case_of, self.promised_in = {}, set()
        self.clients, self.taken = {}, {}  # taken: identity number or capital account -> whose it is
        self.complaints, self.numbers = {}, Counter()  # numbers: (unit, month) -> serial given last
        self.count = Counter()

    def advance(self, moment):
        """What is due at an instant happens before what people do at that instant."""
        while self.deadlines and self.deadlines[0][0] <= moment:
            self.now, _, happens = heapq.heappop(self.deadlines)
            happens()
        self.now = moment

    def when(self, moment, happens):
        heapq.heappush(self.deadlines, (moment, next(self.order), happens))

    def watch(self, what, due, limit, owed):
        """O10: a limit that passes is missed and climbs level by level, as long as what it is about is owed."""

        def passes():
            if owed():
                limit.missed = True
                self.count["escalated", what, "responsible"] += 1
                for level, minutes in (("lead", 60), ("hq", 480), ("company_leader", 1440)):
                    self.when(due + timedelta(minutes=minutes), lambda level=level: climb(level))

        def climb(level):
            self.count["escalated", what, level] += owed()

        self.when(due, passes)

    def act(self, a):
        """Carries out one action or raises Refused, and then nothing has changed."""
        name, who = a["action"], a["by"]
        if name in COMPLAINT_ACTIONS:
            complaint = self.complaints.get(a["complaint"])
            demand(complaint, f"complaint: {a['complaint']} was not filed so far")
            return self.act_on_complaint(complaint, a)
        if name in CLIENT_ACTIONS:
            demand(a["client"] in self.clients, f"client: {a['client']!r} is not in clients.csv")
            return getattr(self, "on_" + name)(self.clients[a["client"]], a)
        if name in CALLBACK_ACTIONS:
            callback = self.by_origin.get((a["callback_of"], a["kind"]))
            demand(callback, f"callback_of: {a['callback_of']} has led to no {a['kind']} callback so far")
            if name == "lease":
                return self.lease(callback, who)
            carry_out = {"attempt": self.attempt, "complete": self.complete, "supersede": self.supersede}
            return carry_out.get(name, self.lead_decides)(callback, a)
        case = self.case_of.get(a["contact"])
        demand(case, f"contact: {a['contact']} has led to no case so far")
        return (self.file_complaint if name == "file_complaint" else self.act_on_case)(case.survivor, a)


# ---------------------------------------------------------------- reading


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


def read_roster(folder):
    branches = {row["branch"] for _, row in read_table(folder, "branches.csv")}
    employees, lines = {}, {}

    def employee(row):
        demand(row["branch"] in branches, f"branch: {row['branch']!r} is not in branches.csv")
        row["roles"] = set(row["roles"].split(";"))
        demand(row["roles"] <= ROLES, f"roles: unknown {', '.join(sorted(row['roles'] - ROLES))}")
        row["position"] = row["position"] or "anyone"
        demand(row["position"] in clients.POSITIONS, f"position: unknown {row['position']!r}")
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
    name = a["action"]
    wanted, more = {"time", "action", "by", *ACTIONS[name].split()}, OPTIONAL.get(name, set()) | {"expect"}
    demand(wanted <= a.keys(), f"missing: {', '.join(sorted(wanted - a.keys()))}")
    demand(a.keys() <= wanted | more, f"unknown: {', '.join(sorted(a.keys() - wanted - more))}")
    people = [a["by"], a.get("to"), a.get("employee"), *a.get("about", ())]
    people += [measure.get("responsible") for measure in a["measures"]] if name == "propose" else []
    for who in people:
        demand(who is None or who in employees, f"unknown employee {who!r}")
    for field in ("contact", "callback_of"):
        demand(a.get(field) in contacts or field not in a or a.get("kind") == "verification",
               f"{field}: {a.get(field)!r} is not in contacts.csv")
    for field in ("time", "not_before", "agreed_time", "occur_time", "receive_time"):
        if field in a:
            a[field] = located(field, instant, a[field])
            past = field in ("occur_time", "receive_time")
            demand(not past or a[field] <= a["time"], f"{field}: lies in the future")
    for field in ("satisfied", "solved", "charged", "client_asked", "complex", "beyond_authority", "malicious", "done"):
        demand(isinstance(a.get(field, True), bool), f"{field}: write true or false")
    for (action, field), words in WORDS.items():
        demand(action != name or a[field] in words, f"{field}: none of {', '.join(sorted(words))}")
    if name == "verify":
        for said in a["said"]:
            demand(said.keys() == {"factor", "answer"} and said["answer"], "said: write a factor and an answer")
            demand(said["factor"] in clients.FACTORS, f"said: none of {', '.join(clients.FACTORS)}")
    if name == "attempt":
        demand(("agreed_time" in a) == (a["outcome"] == "inconvenient"), "agreed_time: goes with inconvenient")
    if name in ("complete", "supersede"):
        demand(isinstance(a["score"], int) and 0 <= a["score"] <= 10, "score: 1 to 10, or 0 for none")
        verifies = a["kind"] == "verification"
        demand(("measures" in a) == verifies, "measures: goes with verification")
        demand(not verifies or a["measures"] in complaints.MEASURES_FOUND, "measures: unknown")
    return a


def expected(folder):
    """Plays the files of `folder` in order of time (ties: contacts first, then order of lines) and reports."""
    branches, employees, lines = read_roster(folder)
    month, steps, contacts = Month(employees), [], set()
    for where, row in read_table(folder, "clients.csv"):
        demand(row["branch"] in branches, f"{where}: branch: {row['branch']!r} is not in branches.csv")
        located(where, month.enter, row)
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
    return report(month)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    try:
        print(json.dumps(expected(folder), indent=2))
    except (BadInput, OSError, csv.Error) as error:
        sys.exit(f"expected.py: {error}")


if __name__ == "__main__":
    main()
