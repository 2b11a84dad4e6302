"""Clients: classes, marks, coverage and service managers from two figures and the roster (L1, L2, L8, L9, L12), and whose
identity was verified before their data were shown (K11, L10).
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from .ground import BadInput, Refused, demand, plain_phone

COLUMNS = "client,branch,name,phone,identity_number,assets,turnover,accounts,holdings,last_purchase,service_manager"
POSITIONS = ("anyone", "team_leader", "manager", "branch_head")  # each covers what stands before it (L8)
CLASSES = ("A+", "B+", "A", "B", "C", "D", "C-", "D-", "E", "F", "G")
GRID = ((5_000_000, "A+", "B+"), (1_000_000, "A", "B"), (500_000, "C", "D"), (100_000, "C-", "D-"), (10_000, "E", "F"))
TURNOVER = 3
COVERAGE = ((1_000_000, "branch_head"), (500_000, "manager"), (100_000, "team_leader"), (0, "anyone"))
VIP_ASSETS, CORE_ASSETS = 1_000_000, 500_000
MOST_ASSETS, MOST_TURNOVER = Decimal(10**13), Decimal(10_000)
ACCOUNTS = 5
FACTORS_NEEDED, FAILURES, VALID, LOCKED = 2, 3, timedelta(minutes=15), timedelta(minutes=30)  # K11
FACTORS = ("reserved_phone", "identity_number", "holdings", "last_purchase")
VERIFIERS = ("staff", "lead", "hq", "complaint_officer")


@dataclass
class Verification:
    expires: datetime
    matched: int = 0
    codes: set = field(default_factory=set)  # of securities that were given: one counts once


@dataclass(eq=False)
class Client:
    client: str
    branch: str
    phone: str
    identity_number: str
    accounts: list
    assets: Decimal
    turnover: Decimal
    holdings: set
    last_purchase: str
    asked_for: str = ""  # the service manager that the file names
    manager: str = ""
    verified_by: dict = field(default_factory=dict)  # employee -> their last verification
    failures: int = 0  # since one passed or since the last lock
    locked_until: datetime = None

    def says(self, factor, answer):
        """Whether the answer is the file's; None where the file has no such thing."""
        known = {"reserved_phone": {plain_phone(self.phone)}, "identity_number": {self.identity_number},
                 "holdings": self.holdings, "last_purchase": {self.last_purchase}}[factor] - {""}
        answer = plain_phone(answer) if factor == "reserved_phone" else answer
        return answer in known if known else None

    @property
    def client_class(self):
        """L2: lower bounds belong to the better class; the turnover decides within the pair."""
        for bound, brisk, calm in GRID:
            if self.assets >= bound:
                return brisk if self.turnover >= TURNOVER else calm
        return "G"

    @property
    def vip(self):
        return self.assets >= VIP_ASSETS

    @property
    def core(self):
        return self.assets >= CORE_ASSETS and self.turnover >= TURNOVER

    @property
    def coverage(self):
        return next(position for bound, position in COVERAGE if self.assets >= bound)


class Clients:
    """The part of `Month` that knows clients."""

    def enter(self, row):
        """L1: one line of clients.csv."""
        client = read_client(row)
        taken = [("identity_number", client.identity_number), *(("accounts", number) for number in client.accounts)]
        for column, value in filter(lambda pair: pair[1], taken):
            demand(self.taken.setdefault(value, client.client) == client.client, f"{column}: belongs to another client")
        self.clients[client.client] = client
        self.choose_manager(client)

    def choose_manager(self, client):
        """L8: who was asked for, who already serves, or else one of those whose position fits, by the client's id."""
        if client.asked_for:
            demand(self.qualifies(client.asked_for, client), "service_manager: does not qualify for this client")
            chosen = client.asked_for
        elif client.manager and self.qualifies(client.manager, client):
            return
        else:
            chosen = ""
            for position in POSITIONS[POSITIONS.index(client.coverage):]:
                able = sorted(who for who, employee in self.employees.items()
                              if employee["branch"] == client.branch and employee["position"] == position
                              and employee["roles"] & {"staff", "lead"})
                if able:
                    digest = hashlib.sha256(client.client.encode()).digest()
                    chosen = able[int.from_bytes(digest[:8], "big") % len(able)]
                    break
        self.hand_over(client, chosen)

    def qualifies(self, who, client):
        employee = self.employees.get(who, {"branch": "", "roles": set()})
        fits = employee["branch"] == client.branch and employee["roles"] & {"staff", "lead"}
        return fits and POSITIONS.index(employee["position"]) >= POSITIONS.index(client.coverage)

    def hand_over(self, client, who):
        self.count["manager_changes"] += bool(client.manager) and client.manager != who
        client.manager = who

    def identified(self, c):
        """The client of a contact, by its id or by what the client said (L1)."""
        how, client = c["identified"], self.clients.get(c["client"])
        if how == "yes":
            return c["client"]
        demand(client, f"client: {c['client']!r} is not in clients.csv, so nothing can be looked up")
        same = [other for other in self.clients.values() if plain_phone(other.phone) == plain_phone(client.phone)]
        demand(how != "phone" or len(same) == 1, "identified: several clients have that phone number")
        demand(how != "identity_number" or client.identity_number, "identified: the client has no identity number")
        return client.client

    # ------------------------------------------------------------ actions

    def on_save_client(self, client, a):
        self.has_role(a["by"], "lead", "hq", "admin")
        self.reaches(a["by"], client.branch)
        phone = a.get("phone", client.phone)
        if plain_phone(phone) != plain_phone(client.phone) and not a.get("evidence"):
            raise Refused("EVIDENCE_REQUIRED")  # L9
        former, client.phone = client.client_class, phone
        client.assets = amount("assets", a["assets"], MOST_ASSETS) if "assets" in a else client.assets
        client.turnover = amount("turnover", a["turnover"], MOST_TURNOVER) if "turnover" in a else client.turnover
        self.count["class_changes"] += client.client_class != former
        self.choose_manager(client)

    def on_assign_manager(self, client, a):
        self.has_role(a["by"], "lead", "hq")
        self.reaches(a["by"], client.branch)
        employee = self.employees[a["employee"]]
        if employee["branch"] != client.branch or not employee["roles"] & {"staff", "lead"}:
            raise Refused("MANAGER_INVALID")
        if POSITIONS.index(employee["position"]) < POSITIONS.index(client.coverage):
            raise Refused("POSITION_TOO_LOW")
        self.hand_over(client, a["employee"])

    def on_verify(self, client, a):
        """K11: begins anew and takes one answer after the other; those before a refused one count."""
        self.has_role(a["by"], *VERIFIERS)
        self.unlocked(client)
        verification = client.verified_by[a["by"]] = Verification(self.now + VALID)
        for said in a["said"]:
            self.unlocked(client)
            matches = client.says(said["factor"], said["answer"])
            if matches is None:
                raise Refused("FACTOR_NOT_ON_FILE")
            if matches:
                if said["answer"] not in verification.codes:
                    verification.matched += 1
                    self.count["verified"] += verification.matched == FACTORS_NEEDED
                if said["factor"] in ("holdings", "last_purchase"):
                    verification.codes.add(said["answer"])
                client.failures *= verification.matched < FACTORS_NEEDED
                continue
            self.count["wrong_answers"] += 1
            client.failures += 1
            if client.failures == FAILURES:
                client.failures, client.locked_until = 0, self.now + LOCKED
                self.count["verification_locks"] += 1

    def on_disclose(self, client, a):
        """L10: in full to who has verified the identity; a lock by others' guesses does not end that."""
        self.has_role(a["by"], *VERIFIERS)
        verification = client.verified_by.get(a["by"])
        if not verification or self.now >= verification.expires or verification.matched < FACTORS_NEEDED:
            self.unlocked(client)
            raise Refused("IDENTITY_NOT_VERIFIED")
        self.count["disclosures"] += 1

    def unlocked(self, client):
        if client.locked_until and self.now < client.locked_until:
            raise Refused("VERIFICATION_LOCKED")

    # ------------------------------------------------------------ the report

    def report_clients(self):
        clients = self.clients.values()
        classes = Counter(client.client_class for client in clients)
        coverage = Counter(client.coverage for client in clients)
        managers = Counter(client.manager for client in clients)
        return {
            "imported": len(clients),
            "classes": {name: classes[name] for name in CLASSES},
            "vip": sum(client.vip for client in clients), "core": sum(client.core for client in clients),
            "coverage": {name: coverage[name] for name in POSITIONS[::-1]},
            "managers": {who: n for who, n in sorted(managers.items()) if who},
            "without_manager": managers[""],
            **{key: self.count[key] for key in ("class_changes", "manager_changes", "verified", "wrong_answers",
                                                "verification_locks", "disclosures")},
        }


# ---------------------------------------------------------------- reading


def amount(column, text, most):
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadInput(f"{column}: {text!r} is no number") from None
    demand(re.fullmatch(r"\d+(\.\d{1,2})?", text), f"{column}: write it as 12345.67")
    demand(0 <= value <= most, f"{column}: not between 0 and {most}")
    return value


def check_digit(body):
    """GB 11643: the last sign of an identity number."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights)) % 11]


def read_accounts(text):
    """`no:bank:primary;no:bank`"""
    accounts, primary = [], 0
    for part in text.split(";"):
        number, _, rest = part.partition(":")
        bank, _, mark = rest.partition(":")
        demand(number and bank and mark in ("", "primary"), f"accounts: {part!r} is not no:bank or no:bank:primary")
        accounts.append(number)
        primary += mark == "primary"
    demand(len(accounts) <= ACCOUNTS and len(set(accounts)) == len(accounts), "accounts: too many, or one twice")
    demand(primary == 1, "accounts: exactly one is primary")
    return accounts


def read_client(row):
    number = row["identity_number"]
    if number:
        valid = re.fullmatch(r"\d{17}[\dX]", number) and check_digit(number[:17]) == number[17]
        demand(valid, "identity_number: no number of 18 signs with a valid check digit")
    digits = plain_phone(row["phone"])
    demand(7 <= len(digits) <= 15, "phone: no phone number")
    demand(row["name"], "name: is empty")
    return Client(row["client"], row["branch"], row["phone"], number, read_accounts(row["accounts"]),
                  amount("assets", row["assets"], MOST_ASSETS), amount("turnover", row["turnover"], MOST_TURNOVER),
                  set(filter(None, row["holdings"].split(";"))), row["last_purchase"], row["service_manager"])
