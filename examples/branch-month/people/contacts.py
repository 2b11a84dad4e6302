"""What clients do: call, come, write, are missed; and what is noted of it. A part of the generator."""

from datetime import date, time, timedelta

import expected as rules
from opinion.cases import CUT_SHORT, NO_CONCERN
from opinion.ground import CALLBACK_KINDS, DAY, at, into_window, is_working_day, is_working_time

from . import vocabulary as words
from .setting import MINUTE


class Contacts:
    """The part of `Generator` that makes rows of contacts.csv."""

    def plan_day(self, branch, day):
        size = 1.0 if branch == "changzhi" else 0.14

        def several(mean):
            whole = int(mean * size)
            return whole + self.chance(mean * size - whole)

        if is_working_day(day):
            busy = 1.25 if day in (date(2025, 9, 30), date(2025, 10, 9)) else 1.0
            for _ in range(several(16 * busy)):
                self.plan(self.between(at(day, time(8, 31)), at(day, time(11, 24))), self.inbound, branch)
            for _ in range(several(17 * busy)):
                self.plan(self.between(at(day, time(13, 1)), at(day, time(16, 54))), self.inbound, branch)
            for _ in range(several(2.2)):
                self.plan(self.between(at(day, time(11, 32)), at(day, time(12, 40))), self.inbound, branch)
            for _ in range(several(1)):
                self.plan(self.between(at(day, time(6, 50)), at(day, time(8, 5))), self.inbound, branch)
            for _ in range(several(3.4)):
                self.plan(self.between(at(day, time(17, 3)), at(day, time(21, 40))), self.inbound, branch)
        else:
            for _ in range(several(5)):
                self.plan(self.between(at(day, time(8, 20)), at(day, time(21, 0))), self.inbound, branch)

    def pick_client(self, branch):
        """Now and then somebody who waits for an answer, else anybody."""
        waiting = [case for (client, _), case in self.month.keys.items()
                   if case.branch == branch and self.now - self.last_contact[client] > 90 * MINUTE]
        if waiting and self.chance(0.2):
            case = self.pick(waiting)
            client = next(c for c in self.clients if c["client"] == case.client)
            topic = case.topic if self.chance(0.8) else self.pick(list(words.TOPICS))
            return client, topic
        own = [client for client in self.clients if client["branch"] == branch]
        client = own[self.weighted({n: c["weight"] for n, c in enumerate(own)})]
        return client, self.pick(client["topics"])

    def inbound(self, branch):
        working = is_working_time(self.now)
        channel = self.weighted({"phone": 78, "counter": 13 if working else 0, "email": 9})
        if channel == "phone" and self.chance(0.04 if working else 0.27):
            self.missed(branch)
            return
        if self.chance(0.13) and channel != "email":
            self.start(branch, channel, None, self.pick(["account-opening", "fee", "general", "general"]))
        else:
            client, topic = self.pick_client(branch)
            self.start(branch, channel, client, topic)

    def missed(self, branch, phone=None, again=0):
        if phone is None:
            client = self.pick([c for c in self.clients if c["branch"] == branch])
            phone = client["phone"] if self.chance(0.8) else self.invent_phone()
            again = self.weighted({0: 66, 1: 24, 2: 10})
        row = self.blank(branch, "phone", spelled(phone, self.rng))
        row["ended_at"] = self.reserve(self.now + timedelta(seconds=self.rng.randrange(18, 55)))
        self.contacts.append(row)
        self.month.register(row)
        self.plan(row["ended_at"], self.end_missed, row, exactly=True)
        if again:
            self.plan(row["ended_at"] + self.minutes(1, 14), self.missed, branch, phone, again - 1)

    def end_missed(self, row):
        self.month.miss(row)
        if (row["contact"], "missed_call") in self.month.by_origin:
            self.plan_callback(row["contact"], "missed_call")

    def blank(self, branch, channel, phone):
        lines = 2 if branch == "changzhi" else 1
        line = "" if channel != "phone" else f"{branch}-{self.rng.randrange(lines) + 1}"
        row = dict.fromkeys(rules.COLUMNS["contacts.csv"].split(","), "")
        row |= {
            "contact": f"c{len(self.contacts) + 1:04d}", "branch": branch, "time": self.now, "channel": channel,
            "direction": "inbound", "line": line, "phone": phone, "identified": "no", "record": "none",
            "promise_client_asked": "no", "answered_at": None, "promise_at": None, "entered_later_at": None,
        }
        return row

    def answerer(self, branch, client, topic, line):
        case = client and self.month.keys.get((client["client"], topic))
        duty = not is_working_time(self.now)
        if duty:
            return self.on_duty(branch, self.today), ""
        crew = self.colleagues(branch, self.today, *([self.lead[branch]] if self.chance(0.93) else []))
        crew = [who for who in crew if self.free_from.get(who, self.now) <= self.now] or crew
        if case and self.chance(0.5):
            for who in (case.handler, case.accountable):
                if who in crew:
                    return who, ""
        who = self.pick(crew)
        office = f"office-{who}" if line and self.chance(0.2) else ""
        return who, office

    def start(self, branch, channel, client, topic, outcome=None, who=None, **more):
        """A contact that somebody answers, up to its end."""
        rng, working = self.rng, is_working_time(self.now)
        row = self.blank(branch, channel, "")
        answerer, office = self.answerer(branch, client, topic, row["line"])
        row |= {"line": office or row["line"], "topic": topic, "answered_by": who or answerer}
        known = client is not None
        if known:
            self.last_contact[client["client"]] = self.now
            row |= {"client": client["client"], "identified": "yes"}
        special = rng.random() if channel == "phone" and not outcome else 1
        if not known and special < 0.36:
            outcome = self.weighted({"wrong_number": 5, "silent": 4, "private": 2})
        elif special < 0.035:
            outcome = self.weighted({"inaudible": 3, "noisy_line": 3, "system_failure": 4, "dialect": 2})
        elif not known and 0.95 < special < 1:
            outcome = self.pick(["harassment", "abuse"])
        row["phone"] = spelled(client["phone"] if known else self.invent_phone(), rng)
        if outcome in ("silent", "wrong_number") and self.chance(0.3):
            row["phone"] = ""  # number withheld
        self.write_words(row, client, more.get("direction") == "outbound")
        case = known and self.month.keys.get((client["client"], topic))
        mine = not case or row["answered_by"] in (case.handler, case.accountable)
        if outcome is None:
            shares = {"answered_clear": 52 if mine else 8, "answer_owed": 30, "callback_promised": 13}
            outcome = self.weighted(shares if working else {**shares, "callback_promised": 5})
        row["outcome"] = outcome
        self.write_times(row)
        if channel == "phone" and working and row["direction"] == "inbound" and self.chance(0.035):
            row["also_answered_by"] = self.pick(self.colleagues(branch, self.today, row["answered_by"]))
        row |= more
        if channel != "email" and not row["entered_later_at"]:
            self.free_from[row["answered_by"]] = row["ended_at"]
        if outcome == "callback_promised" or (outcome == "private" and self.chance(0.5)):
            self.write_promise(row)
        self.write_record(row, client)
        self.contacts.append(row)
        if row["entered_later_at"]:
            self.plan(row["entered_later_at"], self.enter_later, row, exactly=True)
        else:
            self.month.register(row)
            self.plan(row["answered_at"], self.answered, row, exactly=True)
            self.plan(row["ended_at"], self.ended, row, exactly=True)
        return row

    def write_words(self, row, client, outbound):
        kind = words.TOPICS.get(row["topic"], (0, "开户", words.PROSPECT_SAID))
        said = self.pick(kind[2] if client else words.PROSPECT_SAID).format(
            bank=self.pick(words.BANKS), sum=self.rng.randrange(1, 60) * 5000, fee=self.rng.randrange(5, 240),
            stock=self.pick(words.STOCKS))
        if outbound:
            said = f"回电：{said}"
        elif client and (client["client"], row["topic"]) in self.month.keys:
            said = self.pick(words.STILL_WAITING).format(said=said)
        row |= {"summary": said, "inquiry_type": kind[1]}

    def write_times(self, row):
        """When it was answered and ended, by whom; some are written on paper first (K20)."""
        rng = self.rng
        if row["channel"] == "phone":
            wait = rng.randrange(16, 34) if self.chance(0.09) else rng.randrange(3, 15)
            answered = self.now + timedelta(seconds=wait)
            short = row["outcome"] in NO_CONCERN | CUT_SHORT
            talk = self.minutes(0.3, 1.2) if short else self.minutes(1, 9)
        elif row["channel"] == "counter":
            answered, talk = self.now + self.minutes(0.2, 8), self.minutes(3, 18)
        else:
            answered, talk = self.desk(self.now + self.minutes(4, 150)), self.minutes(3, 20)
        row["answered_at"] = self.reserve(answered.replace(microsecond=0))
        row["ended_at"] = self.reserve(row["answered_at"] + talk)
        row["ended_by"] = "client" if row["channel"] != "email" else "employee"
        if row["outcome"] in CUT_SHORT:
            row["ended_by"] = "system" if row["outcome"] in ("noisy_line", "system_failure") else "employee"
        elif row["outcome"] in NO_CONCERN:
            row["ended_by"] = self.pick(["client", "employee"])
        elif row["channel"] == "phone" and self.chance(0.03):
            row["ended_by"] = "employee"
        paper = row["outcome"] in ("answered_clear", "answer_owed") and self.chance(0.022)
        late = row["channel"] == "phone" and row["answered_at"] - row["time"] > timedelta(seconds=15)
        if paper and not late:
            if not is_working_time(row["time"]):
                row["outcome"] = "answered_clear"
            row["entered_later_at"] = self.reserve(self.desk(row["ended_at"] + self.minutes(20, 400)))

    def write_promise(self, row):
        """A time on the quarter of an hour, in the windows unless the client asks otherwise."""
        day = row["answered_at"].date()
        if self.chance(0.1):
            agreed = at(day + DAY, self.pick([time(12, 15), time(20, 30), time(8, 15)]))
            row["promise_client_asked"] = "yes"
        else:
            delay = self.minutes(25, 240) if self.chance(0.75) else self.minutes(600, 2600)
            agreed = into_window(row["ended_at"] + delay)
            agreed += timedelta(minutes=-agreed.minute % 15, seconds=-agreed.second)
            agreed = into_window(agreed)
        row["promise_at"] = agreed

    def write_record(self, row, client):
        """K8 and K9; silent calls and some others leave none."""
        if row["outcome"] in NO_CONCERN or not row["phone"]:
            row["summary"] = row["inquiry_type"] = ""
            return
        shares = {"confirmed": 82, "filled": 11, "none": 7}
        row["record"] = self.weighted(shares if row["outcome"] not in CUT_SHORT else {"filled": 1, "none": 1})
        if row["record"] == "none":
            row["summary"] = row["inquiry_type"] = ""
            return
        rng = self.rng
        gender = client["gender"] if client else self.pick(["male", "female", "unknown"])
        title = {"male": "先生", "female": "女士", "unknown": "姓客户"}[gender]
        name = client["name"] if client else self.pick(words.SURNAMES) + title
        row |= {"client_name": name, "gender": gender, "handling": self.pick(words.HANDLING[row["outcome"]])}
        if self.chance(0.7):
            skill = client["skill"] if client else 2
            around = [max(1, min(5, skill + rng.randrange(-1, 2))) for _ in range(3)]
            row |= dict(zip(("computer", "trading", "securities"), map(str, around)))
        if self.chance(0.4):
            row["assessment"] = self.pick(words.ASSESSMENTS)
        if client:
            checks = ["reserved_phone", "identity_number", "holdings", "last_purchase"]
            rng.shuffle(checks)
            row["identity_checks"] = ";".join(sorted(checks[: rng.randrange(1, 4)]))

    def enter_later(self, row):
        self.month.register(row)
        self.answered(row)
        self.ended(row)

    def answered(self, row):
        self.month.answer(row)
        self.talking.append(row)
        if row["promise_at"]:
            self.plan_callback(row["contact"], "promised")

    def ended(self, row):
        case = self.case(row["contact"])
        if row["outcome"] == "answered_clear" and case.offer:
            row["outcome"] = "answer_owed"  # nobody closes a case that is just being offered
        self.month.end(row)
        self.talking.remove(row)
        contact = row["contact"]
        if (contact, "after_hours") in self.month.by_origin:
            self.plan_callback(contact, "after_hours")
        if self.month.case_of[contact].state == "open":
            if row["outcome"] in ("harassment", "abuse"):
                self.follow(contact, self.minutes(30, 200), self.lead_closes, "explained")
            elif not any((contact, kind) in self.month.by_origin for kind in CALLBACK_KINDS) or self.chance(0.3):
                self.work(contact)
        elif case.state == "closed":
            self.after_closing(contact)


def spelled(phone, rng):
    """Numbers are noted as people note them."""
    style = rng.random()
    if style < 0.05:
        return f"+86 {phone}"
    return f"{phone[:3]}-{phone[3:7]}-{phone[7:]}" if style < 0.1 else phone
