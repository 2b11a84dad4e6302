#!/usr/bin/env python3
"""Makes the month in this folder: what 300 invented clients did from 22 September to 21 October 2025.

    generate.py [DIR]      writes the files anew, byte for byte the same every time

People act here as they would: they answer, forget, hand over, call back late. To know who may do what at a moment this
script asks the model in expected.py; nothing there depends on this script. It is deliberately no test of the product.
"""

import csv
import heapq
import itertools
import json
import pathlib
import random
import sys
from collections import Counter
from datetime import datetime, timedelta

sys.dont_write_bytecode = True

import expected as rules  # noqa: E402
from opinion.ground import DAY, is_working_time, next_working_hours  # noqa: E402
from people import vocabulary as words  # noqa: E402
from people.callbacks import Callbacks  # noqa: E402
from people.cases import Cases  # noqa: E402
from people.clients import ClientFiles  # noqa: E402
from people.complaints import Complaints  # noqa: E402
from people.contacts import Contacts  # noqa: E402
from people.setting import CLIENTS, COMPLAINTS_AT_THE_END, FIRST, FORBIDDEN, LAST, LEAVE, PLAY_ENDS  # noqa: E402

SEED = 20250922


def stamp(moment):
    return moment.isoformat() if isinstance(moment, datetime) else moment


class Generator(Contacts, Cases, Callbacks):
    """The month so far, what everybody plans to do next, and what has been written down of it."""

    def __init__(self):
        self.rng = random.Random(SEED)
        self.staff = {}
        for who, _, branch, roles, _ in words.EMPLOYEES:
            if branch != "hq":
                self.staff.setdefault(branch, []).append(who)
        self.lead = {branch: staff[0] for branch, staff in self.staff.items()}
        employees = {who: {"branch": branch, "roles": set(roles.split(";")), "position": position or "anyone"}
                     for who, _, branch, roles, position in words.EMPLOYEES}
        self.month = rules.Month(employees)
        self.agenda, self.order, self.taken = [], itertools.count(), set()
        self.contacts, self.actions, self.talking = [], [], []
        self.chain = {}  # case -> number of the plan that is followed for it
        self.reopened = Counter()
        self.free_from = {}  # employee -> when the present conversation ends
        self.forbidden_left = Counter(FORBIDDEN)
        self.on_the_dot = Counter()  # done at the very instant of the limit: the limit passes first
        self.clients = [self.invent_client(n) for n in range(CLIENTS)]
        self.last_contact = {}

    # ------------------------------------------------------------ chance

    def chance(self, share):
        return self.rng.random() < share

    def pick(self, things):
        return things[self.rng.randrange(len(things))]

    def weighted(self, shares):
        """One key of {key: weight}."""
        left = self.rng.random() * sum(shares.values())
        for key, weight in shares.items():
            left -= weight
            if left < 0:
                break
        return key

    def between(self, low, high):
        """A time or span of whole seconds."""
        return low + timedelta(seconds=self.rng.randrange(max(1, int((high - low).total_seconds()))))

    def minutes(self, low, high):
        return timedelta(seconds=self.rng.randrange(int(low * 60), int(high * 60)))

    def forbidden(self, what, share=0.15):
        """Whether somebody tries this now; each thing only as often as listed."""
        if not self.forbidden_left[what] or not self.chance(share):
            return False
        self.forbidden_left[what] -= 1
        return True

    # ------------------------------------------------------------ people

    def invent_phone(self):
        return f"154{self.rng.randrange(10**8):08d}"

    def invent_client(self, n):
        gender = self.pick(["male", "female"])
        name = self.pick(words.SURNAMES) + self.pick(words.GIVEN[gender])
        branch = "taiyuan" if n % 8 == 7 else "changzhi"
        topics = [self.weighted({topic: entry[0] for topic, entry in words.TOPICS.items()}) for _ in range(3)]
        return {
            "client": f"8001{n * 37 % 10000:04d}", "name": name, "gender": gender, "phone": self.invent_phone(),
            "branch": branch, "topics": topics, "weight": 1 / (2 + n % 7), "skill": self.rng.randrange(1, 6),
        }

    def here(self, who, day):
        return not (who in LEAVE and LEAVE[who][0] <= day <= LEAVE[who][1])

    def colleagues(self, branch, day, *without):
        return [who for who in self.staff[branch] if self.here(who, day) and who not in without]

    def on_duty(self, branch, day):
        crew = self.colleagues(branch, day, self.lead[branch])
        return crew[day.toordinal() % len(crew)]

    # ------------------------------------------------------------ the run

    def reserve(self, moment):
        """No two things happen in the same second unless it is meant."""
        while moment in self.taken:
            moment += timedelta(seconds=1)
        self.taken.add(moment)
        return moment

    def plan(self, moment, what, *arguments, exactly=False):
        now = self.month.now
        if now and moment <= now:
            moment = now + timedelta(seconds=self.rng.randrange(20, 90))
        if not exactly:
            moment = self.reserve(moment.replace(microsecond=0))
        if moment < PLAY_ENDS:
            heapq.heappush(self.agenda, (moment, next(self.order), what, arguments))
        return moment

    def run(self):
        day = FIRST
        while day <= LAST:
            for branch in self.staff:
                self.plan_day(branch, day)
            day += DAY
        self.plan(COMPLAINTS_AT_THE_END, self.complain_at_the_end)
        while self.agenda:
            moment, _, what, arguments = heapq.heappop(self.agenda)
            self.month.advance(moment)
            what(*arguments)
        missing = [what for what, left in self.forbidden_left.items() if left]
        missing += [f"{what} on the dot" for what in ("resolve", "attempt") if not self.on_the_dot[what]]
        if missing:
            sys.exit(f"generate.py: never came up: {', '.join(missing)}")
        self.add_complaints()
        self.look_up()
        self.change_files()
        self.verify_identities()

    def add_complaints(self):
        """Those who complain do it beside all the rest; nothing of it changes."""
        complaints = Complaints(SEED + 1, self.taken)
        self.files = ClientFiles(SEED + 2, self.clients, complaints.clients)
        self.contacts += complaints.contacts
        written = [{name: stamp(value) for name, value in row.items()} for row in complaints.actions]
        self.actions = sorted(self.actions + written, key=lambda row: row["time"])

    def look_up(self):
        """Some clients are found by their number or account, as they say it."""
        rng, files = random.Random(SEED + 3), {row["client"]: row for row in self.files.rows}
        for contact in self.contacts:
            row = files.get(contact["client"])
            if contact["identified"] == "yes" and row and rng.random() < 0.1:
                ways = ["phone", "capital_account"] + ["identity_number"] * bool(row["identity_number"])
                contact["identified"] = rng.choice(ways)

    def change_files(self):
        """Figures change, clients are handed over; some of it is refused."""
        rows = [row for row in self.files.rows if row["branch"] == "changzhi" and not row["service_manager"]]
        small = [row for row in rows if 20_000 < float(row["assets"]) < 90_000 and float(row["turnover"]) < 3]
        large = [row for row in rows if 1_100_000 < float(row["assets"]) < 4_000_000]
        named = {contact["client"] for contact in self.contacts}
        small, large = ([row["client"] for row in some if row["client"] not in named] for some in (small, large))
        self.actions += [{"time": f"2025-10-{day}T16:{minute:02d}:11+08:00", **action} for day, minute, action in [
            (13, 3, {"action": "save_client", "by": "han-lixin", "client": small[0], "assets": "1000000.00"}),
            (13, 9, {"action": "save_client", "by": "han-lixin", "client": small[1], "assets": "120000.00", "turnover": "3.00"}),
            (14, 2, {"action": "save_client", "by": "jiang-wenhua", "client": large[0], "assets": "499999.99"}),
            (14, 8, {"action": "save_client", "by": "han-lixin", "client": large[1], "phone": "154 0000 0001",
                     "expect": "EVIDENCE_REQUIRED"}),
            (14, 9, {"action": "save_client", "by": "han-lixin", "client": large[1], "phone": "154 0000 0001",
                     "evidence": "录音 20251014-0007"}),
            (15, 1, {"action": "save_client", "by": "han-lixin", "client": small[2], "turnover": "3.5"}),
            (15, 4, {"action": "save_client", "by": "fan-zhenyu", "client": small[3], "turnover": "3.5",
                     "expect": "BRANCH_OUT_OF_REACH"}),
            (15, 6, {"action": "assign_manager", "by": "han-lixin", "client": small[4], "employee": "wang-fang",
                     "reason": "客户希望由熟悉的员工服务"}),
            (15, 7, {"action": "assign_manager", "by": "han-lixin", "client": large[2], "employee": "liu-yang",
                     "reason": "主管出差", "expect": "POSITION_TOO_LOW"}),
            (16, 2, {"action": "assign_manager", "by": "han-lixin", "client": small[5], "employee": "cui-ying",
                     "reason": "客户迁往太原", "expect": "MANAGER_INVALID"}),
        ]]
        self.actions.sort(key=lambda row: row["time"])

    def verify_identities(self):
        """Employees verify who clients are and see their files (K11, L10): in time and too late, rightly and by guessing."""
        rows = [row for row in self.files.rows if row["branch"] == "changzhi" and row["identity_number"]
                and row["holdings"].count(";") == 1 and row["last_purchase"] != row["holdings"][:6]]
        clear, guessed, shared, half, watched, other = rows[:6]
        papers = next(row for row in self.files.rows if row["branch"] == "changzhi" and not row["identity_number"])
        wrong = {"reserved_phone": "15400000002", "identity_number": other["identity_number"], "last_purchase": "999999"}
        right = [{"holdings": row["holdings"][:6], "last_purchase": row["last_purchase"]} for row in rows[:6]]
        locked, unverified = {"expect": "VERIFICATION_LOCKED"}, {"expect": "IDENTITY_NOT_VERIFIED"}

        def verify(clock, by, row, answers, **more):
            said = [{"factor": factor, "answer": answer} for factor, answer in answers.items()]
            return {"time": f"2025-10-17T{clock}+08:00", "action": "verify", "by": by, "client": row["client"], "said": said, **more}

        def disclose(clock, by, row, **more):
            return {"time": f"2025-10-17T{clock}+08:00", "action": "disclose", "by": by, "client": row["client"],
                    "purpose": "核对银证转账账户", **more}

        self.actions += [
            verify("15:10:07", "wang-fang", clear, {"reserved_phone": clear["phone"], "identity_number": clear["identity_number"]}),
            disclose("15:11:07", "wang-fang", clear),
            disclose("15:12:07", "li-qiang", clear, **unverified),  # who has not asked sees nothing
            disclose("15:25:06", "wang-fang", clear),
            disclose("15:25:07", "wang-fang", clear, **unverified),  # at the very instant at which it expires
            verify("15:26:03", "li-qiang", guessed, wrong),
            disclose("15:27:03", "li-qiang", guessed, **locked),
            verify("15:56:02", "zhao-min", guessed, right[1], **locked),  # whoever asks
            verify("15:56:03", "zhao-min", guessed, right[1]),
            disclose("15:57:03", "zhao-min", guessed),
            verify("15:28:09", "wang-fang", shared, {"reserved_phone": wrong["reserved_phone"]}),
            verify("15:29:09", "li-qiang", shared, {"last_purchase": wrong["last_purchase"], "holdings": right[2]["holdings"]}),
            verify("15:30:09", "zhao-min", shared, {**wrong, "holdings": right[2]["holdings"]}, **locked),  # the third wrong answer of all
            verify("15:31:05", "wang-fang", half, {"holdings": right[3]["holdings"]}),
            disclose("15:32:05", "wang-fang", half, **unverified),
            verify("15:33:08", "shi-lei", watched, right[4]),
            verify("15:34:08", "li-qiang", watched, wrong),
            disclose("15:35:08", "shi-lei", watched),  # others' guesses do not end what has passed
            verify("15:36:04", "zhao-min", papers, {"identity_number": other["identity_number"]}, expect="FACTOR_NOT_ON_FILE"),
            verify("15:37:04", "cui-ying", other, right[5]),  # at whatever branch the client appears
            disclose("15:38:04", "cui-ying", other),
        ]
        self.actions.sort(key=lambda row: row["time"])

    @property
    def now(self):
        return self.month.now

    @property
    def today(self):
        return self.month.now.date()

    def desk(self, moment):
        """`moment` if it lies in working hours, else somewhat after they begin next."""
        if is_working_time(moment):
            return moment
        return next_working_hours(moment) + self.minutes(2, 80)

    def act(self, action, who, refused=None, **fields):
        row = {"time": self.now, "action": action, "by": who, **fields}
        try:
            self.month.act(row)
            got = None
        except rules.Refused as refusal:
            got = str(refusal)
        if got != refused:
            raise AssertionError(f"{row}: refused with {got} instead of {refused}")
        if refused:
            row["expect"] = refused
        self.actions.append({name: stamp(value) for name, value in row.items()})

    # ------------------------------------------------------------ writing

    def write(self, folder):
        def table(name, rows):
            with open(folder / name, "w", encoding="utf-8", newline="") as file:
                out = csv.writer(file, lineterminator="\n")
                out.writerow(rules.COLUMNS[name].split(","))
                out.writerows(rows)

        table("branches.csv", [("changzhi", "长治英雄中路证券营业部", "0355-2110012"),
                               ("taiyuan", "太原迎泽大街证券营业部", "0351-4110012"),
                               ("hq", "经纪业务总部", "0351-4110000")])
        table("employees.csv", [
            (who, name, branch, roles, position, office_number(branch, n), f"E{1001 + n}")
            for n, (who, name, branch, roles, position) in enumerate(words.EMPLOYEES)])
        offices = [(f"office-{who}", branch, office_number(branch, n), "no", who)
                   for n, (who, _, branch, _, _) in enumerate(words.EMPLOYEES) if branch != "hq"]
        table("lines.csv", [("changzhi-1", "changzhi", "0355-2110001", "yes", ""),
                            ("changzhi-2", "changzhi", "0355-2110002", "yes", ""),
                            ("taiyuan-1", "taiyuan", "0351-4110001", "yes", ""), *offices])
        table("service_accounts.csv", [("telephony", "电话系统", "changzhi;taiyuan", "no"),
                                       ("crm", "客户关系管理系统", "changzhi;taiyuan;hq", "yes")])
        table("clients.csv", [row.values() for row in self.files.rows])
        columns = rules.COLUMNS["contacts.csv"].split(",")
        self.contacts.sort(key=lambda row: (row["time"], row["contact"]))
        table("contacts.csv", [[stamp(row[name]) for name in columns] for row in self.contacts])
        with open(folder / "actions.jsonl", "w", encoding="utf-8", newline="") as file:
            for action in self.actions:
                file.write(json.dumps(action, ensure_ascii=False) + "\n")
        with open(folder / "expected.json", "w", encoding="utf-8", newline="") as file:
            file.write(json.dumps(rules.expected(folder), indent=2) + "\n")


def office_number(branch, n):
    return ("0355-21100" if branch == "changzhi" else "0351-41100") + f"{n + 31}"


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    generator = Generator()
    generator.run()
    generator.write(folder)


if __name__ == "__main__":
    main()
