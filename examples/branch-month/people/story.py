"""One complaint from the contact to its end, as the people concerned bring it about. A part of the generator; what happens in
which story stands in complaints.py.
"""

from datetime import time, timedelta

from opinion.ground import at, into_window, is_working_day, is_working_time, next_working_day, next_working_hours

from . import grievances as words

OFFICERS = {"changzhi": "shi-lei", "taiyuan": "geng-xue", "hq": "tan-yujie"}
LEADS = {"changzhi": "han-lixin", "taiyuan": "fan-zhenyu", "hq": "tan-yujie"}
CREWS = {
    "changzhi": ["wang-fang", "li-qiang", "zhao-min", "liu-yang", "yang-guang", "song-jia", "hao-yun", "wei-dong", "qin-lan"],
    "taiyuan": ["cui-ying", "ren-jie", "geng-xue"],
    "hq": ["jiang-wenhua", "tan-yujie"],
}
BRANCH_HEAD, HQ, COMPANY_LEADER = 1, 2, 3


class Story:
    """Times go forward; each step happens a little after the last one, or when it is told to."""

    def __init__(self, office, client, branch, by, channel):
        self.office, self.rng = office, office.rng
        self.client, self.branch, self.by, self.channel = client, branch, by, channel
        self.responsible, self.about = by, []
        self.now = self.accepted = None
        self.round, self.measures = 1, 0

    # ------------------------------------------------------------ time

    def go(self, moment, exactly=False):
        """To a moment, or a little later than now if that has passed."""
        if exactly:
            self.now = moment
            return self
        moment = moment.replace(microsecond=0) + timedelta(seconds=self.rng.randrange(60))
        self.now = self.office.reserve(max(moment, self.now + self.minutes(2, 9)) if self.now else moment)
        return self

    def wait(self, low, high):
        """So many minutes, and then until somebody works."""
        moment = self.now + self.minutes(low, high)
        if not is_working_time(moment):
            moment = next_working_hours(moment) + self.minutes(3, 50)
        return self.go(moment)

    def day(self, n, clock):
        """On the n-th working day of the limits: the day of acceptance is the first if it is a working day (S2)."""
        first = self.accepted.date()
        first = first if is_working_day(first) else next_working_day(first)
        return self.go(at(next_working_day(first, n - 1), clock))

    def minutes(self, low, high):
        return timedelta(seconds=self.rng.randrange(int(low * 60), int(high * 60)))

    def pick(self, things):
        return self.rng.choice(things)

    def colleague(self, *without):
        crew = [who for who in CREWS[self.branch] if who not in (self.by, self.responsible, *self.about, *without)]
        return self.pick(crew)

    # ------------------------------------------------------------ steps

    def act(self, action, by, expect=None, **fields):
        row = {"time": self.now, "action": action, "by": by, **fields}
        self.office.actions.append(row | ({"expect": expect} if expect else {}))
        return self

    def on(self, action, by, expect=None, **fields):
        return self.act(action, by, expect, complaint=self.label, **fields)

    def contact(self, moment, topic, outcome="answer_owed", exactly=False):
        self.go(moment, exactly)
        self.contact_id = self.office.contact(self, topic, outcome)
        return self

    def file(self, kind="complaint", about=(), by=None, channel=None, **more):
        self.label, self.about = self.office.label(), list(about)
        category = self.pick(sorted(words.CATEGORIES))
        self.act("file_complaint", by or self.by, contact=self.contact_id, complaint=self.label, kind=kind,
                 channel=channel or self.channel, category=category, client_name=self.client["name"],
                 phone=self.client["phone"],
                 subject=words.OPINIONS.get(kind) or self.pick(words.CATEGORIES[category]), course=self.pick(words.COURSES),
                 place=self.pick(words.PLACES), first_proposal=self.pick(words.FIRST_PROPOSALS), **more,
                 **({"about": self.about} if self.about else {}))
        if self.responsible in self.about:  # O12
            self.responsible = LEADS[self.branch] if LEADS[self.branch] not in self.about else "jiang-wenhua"
        return self

    def accept(self, severity="minor", complex=False, by=None):
        self.accepted, self.severity, self.complex = self.now, severity, complex
        return self.on("accept_complaint", by or OFFICERS[self.branch], severity=severity, complex=complex)

    def decline(self, by=None):
        return self.on("decline_complaint", by or OFFICERS[self.branch], explanation=self.pick(words.DECLINES))

    def reply(self, kind, expect=None, by=None):
        return self.on("reply", by or self.responsible, expect, kind=kind, text=self.pick(words.REPLIES[kind]))

    def communicate(self, by=None):
        unit, person = self.pick(words.UNITS)
        return self.on("communicate", by or self.responsible, unit=unit, person=person, content=self.pick(words.CONTENTS))

    def propose(self, finding="upheld", beyond=False, malicious=False, expect=None):
        count = 0 if finding == "not_upheld" else self.rng.randrange(1, 3)
        others = [self.colleague() for _ in range(count)]
        measures = [{"responsible": who, "text": self.pick(words.MEASURES)} for who in others]
        self.measures, self.levels = count, COMPANY_LEADER if beyond else {"minor": 1, "serious": 2, "grave": 3}[self.severity]
        return self.on("propose", self.responsible, expect, finding=finding, beyond_authority=beyond, malicious=malicious,
                       proposal=self.pick(words.PROPOSALS[finding]), measures=measures)

    def approvers(self):
        """Level by level; somebody of a higher level where the lower one may not."""
        lead = LEADS[self.branch]
        ladder = [lead, "jiang-wenhua", "lu-mingyuan"]
        if lead in (self.responsible, *self.about) or self.branch == "hq":
            ladder = ["jiang-wenhua", "tan-yujie", "lu-mingyuan"]
        ladder = [who for who in ladder if who != self.responsible]
        return ladder[:self.levels]

    def approve(self, by=None, expect=None):
        return self.on("approve", by or self.approvers()[0], expect)

    def approve_all(self):
        for n, who in enumerate(self.approvers()):
            if n:
                self.wait(25, 120)
            self.approve(who)
        return self

    def send_back(self):
        """An approver returns the proposal; it is made anew the same day or the next."""
        return self.on("return_proposal", self.approvers()[0], remarks=self.pick(words.REMARKS))

    def carry_out(self, not_done_first=False):
        for n in range(1, self.measures + 1):
            if not_done_first and n == 1:
                self.on("measure", self.responsible, measure=n, done=False, note=self.pick(words.NOT_DONE))
                self.wait(60, 200)
            self.on("measure", self.responsible, measure=n, done=True, note="")
            self.wait(2, 12)
        return self

    def complete(self, expect=None):
        return self.on("complete_handling", self.responsible, expect)

    # ------------------------------------------------------------ verification

    def callback(self, action, by, expect=None, **fields):
        return self.act(action, by, expect, callback_of=self.label, kind="verification", **fields)

    def opinion(self, good, measures, overall=None):
        overall = overall or ("satisfied" if good else "dissatisfied")
        score = {"satisfied": [8, 9, 10], "neutral": [6, 7], "dissatisfied": [1, 2, 3]}[overall]
        return {"solved": good, "attitude": "satisfied" if good else "neutral", "overall": overall,
                "score": self.pick(score), "charged": False, "measures": measures}

    def into_window(self, moment):
        return self.go(max(into_window(moment), moment) if into_window(moment) == moment else into_window(moment) + self.minutes(3, 80))

    def verify(self, good=True, measures="carried_out", overall=None, by=None, missed_calls=0, late=False):
        """C9: somebody of the receiving unit calls, not the one who handled it."""
        by = by or self.colleague()
        self.into_window(self.now + (self.minutes(1500, 2200) if late else self.minutes(40, 900)))
        for _ in range(missed_calls):
            self.callback("attempt", by, outcome=self.pick(["no_answer", "busy", "switched_off"]))
            self.into_window(self.now + self.minutes(1300, 1500))
        self.callback("complete", by, **self.opinion(good, measures, overall), suggestions="",
                      answers="客户已确认" if good else "客户仍有意见")
        if not good or measures != "carried_out":
            self.accepted, self.round = self.now, self.round + 1  # taken up again, with new limits
        self.caller = by
        return self

    def supersede(self, good, measures, by=None, expect=None):
        self.callback("supersede", by or LEADS[self.branch], expect, reason=self.pick(words.SUPERSEDES),
                      **self.opinion(good, measures))
        if not good and not expect:
            self.accepted, self.round = self.now, self.round + 1
        return self

    # ------------------------------------------------------------ the case

    def resolve(self, expect=None):
        """The inquiry itself is answered within its own limit (K15); the complaint goes on."""
        return self.act("resolve", self.responsible, expect, contact=self.contact_id, answer="已就来电所问答复，投诉另行办理")

    def confirm(self, expect=None):
        return self.act("confirm", self.responsible, expect, contact=self.contact_id, satisfied=True, reason="")

    def close_case(self, by, expect):
        return self.act("close", by, expect, contact=self.contact_id, kind="explained", reason="已解释")

    def close(self, end, by=None, expect=None):
        """A lead closes the complaint without the client's word (C10)."""
        return self.on("close_complaint", by or LEADS[self.branch], expect, end=end, reason=self.pick(words.CLOSES[end]))

    def reopen(self, by=None):
        self.on("reopen_complaint", by or OFFICERS[self.branch], reason=self.pick(words.REOPENS))
        self.accepted, self.round = self.now, self.round + 1
        return self

    # ------------------------------------------------------------ as it goes most of the time

    def answer_first(self, reply=True, definite=True):
        """First reply at once, the definite answer within its two hours, or the next morning."""
        if reply:
            self.wait(8, 20).reply("first")
        if definite:
            self.wait(15, 35).reply("definite")
        return self

    def investigate(self, finding="upheld", beyond=False, malicious=False, day=2, hour=9, send_back=False):
        self.day(day, time(hour, 20))
        self.propose(finding, beyond, malicious)
        if send_back:
            self.wait(20, 60).send_back()
            self.wait(30, 90).propose(finding, beyond, malicious)
        return self.wait(15, 60).approve_all()

    def tell_and_do(self, day=3, hour=10, not_done_first=False):
        self.day(day, time(hour, 5)).reply("outcome")
        return self.wait(3, 15).carry_out(not_done_first)

    def handled(self, day=None, hour=14):
        if day:
            self.day(day, time(hour, 10))
        return self.wait(2, 12).complete()
