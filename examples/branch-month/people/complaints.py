"""Who complains in the month, and what comes of it: every kind, finding, mark and end, each limit kept and missed, and what
the rules forbid. A part of the generator.
"""

import random
from datetime import date, datetime, time, timedelta

from opinion.ground import SHANGHAI, at

from . import vocabulary as words
from .clients import client_id
from .setting import CLIENTS
from .story import CREWS, Story

ORDINARY, VIP, CORE = ("83000.00", "1.20"), ("2600000.00", "0.80"), ("640000.00", "3.00")


def when(month, day, hour, minute=0, second=0):
    return datetime(2025, month, day, hour, minute, second, tzinfo=SHANGHAI)


class Complaints:
    """All stories. They concern clients of their own, so nothing of the rest of the month changes."""

    def __init__(self, seed, taken):
        self.rng, self.taken = random.Random(seed), taken
        self.contacts, self.actions, self.clients = [], [], []
        self.labels = 0
        for story in STORIES:
            story(self)
        self.ordinary_ones()

    # ------------------------------------------------------------ for the stories

    def reserve(self, moment):
        while moment in self.taken:
            moment += timedelta(seconds=1)
        self.taken.add(moment)
        return moment

    def label(self):
        self.labels += 1
        return f"t{self.labels:03d}"

    def new(self, branch="changzhi", by=None, channel="phone", figures=ORDINARY):
        """A client who has not been heard of before, and who hears them."""
        gender = self.rng.choice(["male", "female"])
        client = {
            "client": client_id(CLIENTS + len(self.clients)), "branch": branch if branch != "hq" else "changzhi",
            "name": self.rng.choice(words.SURNAMES) + self.rng.choice(words.GIVEN[gender]), "gender": gender,
            "phone": f"154{self.rng.randrange(10**8):08d}", "figures": figures,
        }
        self.clients.append(client)
        return Story(self, client, branch, by or self.rng.choice(CREWS[branch][:3]), channel)

    def contact(self, story, topic, outcome):
        """A row of contacts.csv; the story goes on after it was answered."""
        began, phone = story.now, story.channel == "phone"
        answered = began + timedelta(seconds=self.rng.randrange(4, 13)) if phone else began + timedelta(minutes=3)
        ended = answered + timedelta(seconds=self.rng.randrange(240, 420))
        contact = f"k{len(self.contacts) + 1:03d}"
        said = self.rng.choice(words.TOPICS[topic][2]).format(
            bank=self.rng.choice(words.BANKS), sum=20000, fee=35, stock=self.rng.choice(words.STOCKS))
        self.contacts.append({
            "contact": contact, "branch": story.branch, "time": began, "channel": story.channel, "direction": "inbound",
            "line": f"{story.branch}-1" if phone else "", "phone": story.client["phone"],
            "client": story.client["client"], "topic": topic, "answered_by": story.by, "answered_at": answered,
            "also_answered_by": "", "identified": "yes", "client_name": story.client["name"],
            "gender": story.client["gender"], "summary": said, "handling": "已记录并转投诉办理", "inquiry_type": "投诉",
            "computer": "", "trading": "", "securities": "", "assessment": "", "identity_checks": "",
            "record": "confirmed", "promise_at": None, "promise_client_asked": "no", "ended_at": ended,
            "ended_by": "client" if story.channel in ("phone", "counter") else "employee", "outcome": outcome,
            "callback_of": "", "entered_later_at": None,
        })
        story.now = ended
        return contact

    # ------------------------------------------------------------ those that go as they should, or nearly

    def ordinary_ones(self):
        """(day, hour), channel, severity, finding, figures, and what goes wrong."""
        plan = [
            ((9, 22, 10), "phone", "minor", "upheld", ORDINARY, ""),
            ((9, 22, 14), "counter", "minor", "not_upheld", ORDINARY, ""),
            ((9, 23, 9), "email", "serious", "partly_upheld", ORDINARY, "send back"),
            ((9, 23, 14), "phone", "minor", "upheld", VIP, ""),
            ((9, 24, 10), "web", "minor", "upheld", ORDINARY, "late definite"),
            ((9, 24, 15), "phone", "serious", "upheld", CORE, "late proposal"),
            ((9, 25, 9), "letter", "minor", "partly_upheld", ORDINARY, "not done first"),
            ((9, 25, 13), "phone", "grave", "upheld", ORDINARY, "late outcome"),
            ((9, 26, 10), "phone", "minor", "not_upheld", ORDINARY, "late proposal"),
            ((9, 26, 15), "opinion_book", "minor", "upheld", ORDINARY, "communicate"),
            ((9, 29, 9), "phone", "minor", "upheld", ORDINARY, "dissatisfied"),
            ((9, 29, 14), "phone", "serious", "partly_upheld", VIP, "late proposal"),
            ((9, 30, 10), "web", "minor", "not_upheld", ORDINARY, "explained"),
            ((10, 9, 9), "phone", "minor", "upheld", ORDINARY, "measures"),
            ((10, 9, 14), "counter", "serious", "upheld", ORDINARY, "without effect"),
            ((10, 10, 10), "phone", "minor", "partly_upheld", CORE, "late reply"),
            ((10, 13, 9), "email", "minor", "upheld", ORDINARY, "late verification"),
            ((10, 13, 14), "phone", "grave", "upheld", VIP, "communicate"),
            ((10, 14, 10), "phone", "minor", "not_upheld", ORDINARY, "late proposal"),
            ((10, 15, 9), "letter", "serious", "upheld", ORDINARY, "late settlement"),
            ((10, 15, 15), "phone", "minor", "upheld", ORDINARY, "late acceptance"),
            ((10, 16, 10), "web", "minor", "partly_upheld", ORDINARY, "dissatisfied"),
            ((10, 17, 9), "phone", "minor", "upheld", ORDINARY, "very late acceptance"),
            ((10, 20, 14), "phone", "minor", "not_upheld", ORDINARY, "malicious"),
            ((10, 21, 10), "phone", "minor", "upheld", ORDINARY, ""),
            ((10, 22, 9), "email", "serious", "upheld", ORDINARY, "send back"),
        ]
        for n, ((month, day, hour), channel, severity, finding, figures, wrong) in enumerate(plan):
            branch = "taiyuan" if n % 6 == 4 else "changzhi"
            self.ordinary(branch, at(date(2025, month, day), time(hour, 4 + n % 50)), channel, severity, finding, figures, wrong)

    def ordinary(self, branch, moment, channel, severity, finding, figures, wrong):
        s = self.new(branch, channel=channel, figures=figures)
        topic = self.rng.choice(["trading-software", "fee", "fund-transfer", "service", "account-transfer"])
        s.contact(moment, topic).go(s.now + timedelta(minutes=3)).file()
        if wrong == "late acceptance":
            s.go(moment.replace(hour=17, minute=20))
        elif wrong == "very late acceptance":
            s.go(at(date(2025, 10, 20), time(9, 40)))
        else:
            s.wait(12, 40)
        s.accept(severity, complex=severity != "minor")
        s.answer_first(reply=wrong != "late reply", definite=wrong not in ("late reply", "late definite"))
        if self.rng.random() < 0.5:
            s.wait(8, 20).resolve()
        if wrong == "late definite":
            s.wait(180, 220).reply("definite")
        if wrong == "late reply":
            s.day(3, time(9, 5)).reply("definite")
        if wrong == "communicate":
            s.wait(10, 30).communicate()
            s.wait(30, 60).communicate(s.by)
        quick = figures != ORDINARY
        day = {"late proposal": 3 if quick else 4, "late outcome": 3}.get(wrong, 2)
        s.investigate(finding, malicious=wrong == "malicious", day=day, hour=9, send_back=wrong == "send back")
        day = {"late outcome": 5, "late settlement": 4}.get(wrong, day + (1 if day > 2 or not quick else 0))
        s.tell_and_do(day=day, hour=14 if quick else 10, not_done_first=wrong == "not done first")
        s.handled(day=8 if wrong == "late settlement" else None)
        if wrong in ("dissatisfied", "explained"):
            s.verify(good=False, overall="dissatisfied")
            if wrong == "explained":
                return s.wait(60, 200).close("explained")
        elif wrong in ("measures", "without effect"):
            s.verify(measures="not_carried_out" if wrong == "measures" else "without_effect", overall="neutral")
        else:
            return s.verify(late=wrong == "late verification", missed_calls=self.rng.randrange(2))
        s.answer_first()
        s.investigate(finding, day=2, hour=13).tell_and_do(day=3, hour=9).handled().verify()


# ---------------------------------------------------------------- the others, one by one


def other_kinds(office):
    """What is no complaint needs no approval (C1)."""
    for kind, channel, day in (("opinion", "opinion_book", 23), ("suggestion", "opinion_book", 24),
                               ("inquiry", "counter", 25), ("suggestion", "web", 26), ("inquiry", "letter", 29)):
        s = office.new("taiyuan" if day == 26 else "changzhi", channel=channel)
        s.contact(when(9, day, 10, 12 + day % 7), "service").go(s.now + timedelta(minutes=2)).file(kind)
        s.wait(10, 30).accept()
        s.wait(5, 20).complete(expect="REPLY_MISSING")
        s.wait(5, 15).reply("definite").wait(5, 60).complete()
        if day != 29:
            s.wait(200, 600).confirm()


def without_grounds(office):
    """Declined gently; the inquiry is still answered (C16)."""
    for month, day, channel in ((9, 25, "phone"), (10, 14, "email")):
        s = office.new(channel=channel)
        s.contact(when(month, day, 9, 31), "fund-transfer").go(s.now + timedelta(minutes=4)).file()
        s.wait(15, 60).decline()
        s.wait(20, 60).resolve().wait(100, 500).confirm()


def last_second_of_the_month(office):
    """Accepted at 23:59:59 on the eve of the holidays: still September's number, and the first day of its limits."""
    s = office.new(by="hao-yun")
    s.contact(when(9, 30, 23, 41), "trading-software").go(when(9, 30, 23, 52)).file()
    s.go(when(9, 30, 23, 59, 59), exactly=True).accept("minor", by="shi-lei")
    s.go(when(10, 9, 8, 50)).reply("definite")
    s.resolve()
    s.investigate("upheld", day=4, hour=9)  # 11 October; the third day was the 10th
    s.tell_and_do(day=4, hour=14).handled().verify()


def on_a_holiday(office):
    """Accepted on 3 October: the first day is the 9th."""
    s = office.new(by="wei-dong", figures=VIP)
    s.contact(when(10, 3, 10, 20), "fund-transfer").go(when(10, 3, 10, 40)).file()
    s.go(when(10, 3, 11, 5)).accept("serious", complex=True)
    s.go(when(10, 3, 11, 25)).reply("definite")
    s.investigate("partly_upheld", day=2, hour=10).tell_and_do(day=3, hour=10).handled().verify()


def on_make_up_days(office):
    """Sunday 28 September and Saturday 11 October are working days."""
    for month, day, by in ((9, 28, "song-jia"), (10, 11, "qin-lan")):
        s = office.new(by=by, channel="counter")
        s.contact(when(month, day, 9, 47), "fee").go(when(month, day, 10, 2)).file()
        s.wait(10, 20).accept("minor").answer_first().wait(10, 20).resolve()
        s.investigate("upheld", day=3, hour=15)  # the last hours of the third day
        s.tell_and_do(day=4, hour=15).handled().verify()


def about_the_first_responder(office):
    """Whoever is complained about takes no part (O12): the lead becomes accountable, others approve and call."""
    s = office.new(by="zhao-min")
    s.contact(when(9, 24, 11, 2), "service").go(s.now + timedelta(minutes=5)).file(about=["zhao-min"])
    s.wait(10, 30).reply("first", expect="NOT_RESPONSIBLE", by="zhao-min")
    s.wait(10, 30).accept("serious", complex=True).answer_first()
    s.wait(20, 60).resolve()
    s.day(2, time(10, 20)).propose("upheld")
    s.wait(5, 15).approve("han-lixin", expect="SECOND_PERSON_REQUIRED")
    s.wait(15, 60).approve_all()
    s.day(3, time(9, 50)).reply("outcome").wait(5, 15).complete(expect="MEASURES_OPEN")
    s.wait(5, 15).carry_out().handled()
    s.into_window(s.now + timedelta(minutes=30)).callback("lease", "zhao-min", expect="RECUSED")
    s.verify(by="yang-guang")


def about_the_lead(office):
    """The lead is first responder and complained about: HQ takes it over."""
    s = office.new(by="han-lixin", channel="counter")
    s.contact(when(10, 10, 9, 8), "service").go(s.now + timedelta(minutes=6)).file(about=["han-lixin"])
    s.wait(20, 50).on("accept_complaint", "han-lixin", "RECUSED", severity="minor", complex=False)
    s.wait(10, 40).accept("minor").answer_first().wait(10, 20).resolve()
    s.day(2, time(10, 40)).propose("partly_upheld")
    s.wait(5, 15).approve("han-lixin", expect="RECUSED")
    s.wait(20, 60).approve_all()
    s.tell_and_do(day=3).handled().verify(by="li-qiang")


def about_the_officer(office):
    """The complaint officer may not accept what is about himself."""
    s = office.new(by="liu-yang")
    s.contact(when(10, 16, 9, 33), "service").go(s.now + timedelta(minutes=4)).file(about=["shi-lei"])
    s.wait(10, 30).on("accept_complaint", "shi-lei", "RECUSED", severity="minor", complex=False)
    s.wait(10, 30).accept("minor", by="han-lixin").answer_first().wait(10, 20).resolve()
    s.investigate("not_upheld", day=2, hour=9).tell_and_do(day=3).handled().verify(by="wei-dong")


def beyond_authority(office):
    """More than the firm's lower levels may decide: every level approves, whatever the severity."""
    s = office.new(by="wang-fang", channel="email")
    s.contact(when(9, 22, 13, 22), "fee").go(s.now + timedelta(minutes=4)).file()
    s.wait(10, 30).accept("minor").answer_first()
    s.wait(10, 20).reply("outcome", expect="NOT_APPROVED")
    s.wait(15, 40).reply("first", expect="NOT_RESPONSIBLE", by="li-qiang")
    s.wait(10, 40).communicate().wait(20, 60).resolve()
    s.day(2, time(9, 20)).propose("partly_upheld", beyond=True)
    s.wait(5, 15).approve("jiang-wenhua").wait(10, 40).approve("tan-yujie")
    s.wait(5, 15).approve("han-lixin", expect="LEVEL_TOO_HIGH")
    s.wait(30, 90).approve("lu-mingyuan")
    s.tell_and_do(day=3).handled().verify()


def malicious(office):
    """Courtesy, correction of what was wrong, and a firm position."""
    s = office.new("taiyuan", by="cui-ying")
    s.contact(when(10, 9, 10, 31), "service").go(s.now + timedelta(minutes=4)).file()
    s.wait(10, 30).accept("serious", complex=True).answer_first().wait(10, 20).communicate()
    s.wait(10, 30).resolve()
    s.investigate("not_upheld", malicious=True, day=3, hour=9).tell_and_do(day=4).handled()
    s.verify(good=False).wait(30, 90).close("explained")


def unreachable(office):
    """Three attempts on two days; then a lead decides and closes."""
    s = office.new(by="li-qiang")
    s.contact(when(10, 13, 10, 2), "fund-transfer").go(s.now + timedelta(minutes=4)).file()
    s.wait(10, 30).accept("minor").answer_first().wait(10, 20).resolve()
    s.investigate("upheld", day=2).tell_and_do(day=3).handled()
    caller = "hao-yun"
    for _ in range(3):
        s.into_window(s.now + timedelta(minutes=office.rng.randrange(900, 1400))).callback("attempt", caller, outcome="no_answer")
    s.wait(10, 40).callback("lease", caller, expect="LEAD_DECIDES")
    s.wait(20, 90).callback("cancel", "han-lixin", expect="VERIFICATION_NOT_CANCELLABLE", reason="三次未通")
    s.wait(5, 20).close("unreachable")


def not_given_up_before_the_call(office):
    """A lead cannot call a client unreachable whom nobody has tried to reach: not before the third attempt, on the second day (O8, B6)."""
    s = office.new(by="qin-lan", channel="web")
    s.contact(when(10, 20, 10, 44), "account-transfer").go(s.now + timedelta(minutes=4)).file()
    s.wait(10, 30).accept("minor").answer_first().wait(10, 20).resolve()
    s.wait(10, 30).close_case("han-lixin", "COMPLAINT_OPEN")
    s.wait(10, 30).confirm(expect="COMPLAINT_OPEN")
    s.investigate("not_upheld", day=2)
    s.wait(10, 30).close("explained", expect="ILLEGAL_TRANSITION")
    s.tell_and_do(day=3).handled()
    s.wait(60, 200).close("unreachable", expect="ATTEMPTS_OPEN")

    def then(*moment):
        return s.go(office.reserve(when(10, *moment)), exactly=True)

    end = {"end": "unreachable", "reason": "三次回访无人接听，短信告知处理结果"}
    then(22, 14, 31, 8).callback("attempt", "wei-dong", outcome="no_answer")
    then(22, 16, 44, 21).callback("attempt", "wei-dong", outcome="switched_off")
    then(22, 16, 50, 2).on("close_complaint", "han-lixin", "ATTEMPTS_OPEN", **end)
    then(23, 9, 17, 46).callback("attempt", "wei-dong", outcome="no_answer")
    then(23, 10, 52, 13).on("close_complaint", "han-lixin", **end)


def superseded(office):
    """A result that hid the truth is superseded by somebody else, and the complaint goes on (C11)."""
    s = office.new(by="song-jia")
    s.contact(when(10, 14, 9, 12), "fee").go(s.now + timedelta(minutes=4)).file()
    s.wait(10, 30).accept("minor").answer_first().wait(10, 20).resolve()
    s.investigate("upheld", day=2).tell_and_do(day=3).handled().verify(by="han-lixin")
    s.wait(60, 300).supersede(False, "not_carried_out", by="han-lixin", expect="SECOND_PERSON_REQUIRED")
    s.wait(60, 300).supersede(False, "not_carried_out", by="jiang-wenhua")
    s.answer_first()
    s.investigate("upheld", day=2, hour=13).tell_and_do(day=3, hour=13).handled().verify(by="wei-dong")


def superseded_for_the_better(office):
    """Noted on the wrong sheet: the client was satisfied after all. The reopened complaint stays; a lead closes it."""
    s = office.new(by="wei-dong")
    s.contact(when(10, 15, 10, 12), "fund-transfer").go(s.now + timedelta(minutes=4)).file()
    s.wait(10, 30).accept("minor").answer_first().wait(10, 20).resolve()
    s.investigate("partly_upheld", day=2).tell_and_do(day=3).handled().verify(good=False, by="yang-guang")
    s.wait(20, 60).supersede(True, "carried_out")
    s.wait(20, 60).close("explained")


def after_a_satisfied_end(office):
    """The case was closed as clear; the complaint takes it up again."""
    s = office.new(by="yang-guang")
    s.contact(when(9, 25, 14, 21), "trading-software", outcome="answered_clear")
    s.wait(1000, 1300).file(channel="letter")
    s.wait(20, 50).accept("minor").answer_first().wait(10, 20).resolve()
    s.investigate("upheld", day=3).tell_and_do(day=4).handled().verify()


def taken_up_by_the_officer(office):
    """Closed, and then found not to be settled."""
    s = office.new("taiyuan", by="ren-jie")
    s.contact(when(9, 26, 9, 11), "service").go(s.now + timedelta(minutes=4)).file()
    s.wait(10, 30).accept("minor").answer_first().wait(10, 20).resolve()
    s.investigate("upheld", day=2).tell_and_do(day=3).handled().verify(by="cui-ying")
    s.go(when(10, 10, 10, 15)).reopen()
    s.answer_first()
    s.investigate("upheld", day=3, hour=9).tell_and_do(day=4).handled().verify(by="cui-ying")


def two_at_once(office):
    """A suggestion and a complaint hang under one case: it ends with the last. The client calls again meanwhile."""
    s = office.new(by="hao-yun")
    s.contact(when(10, 13, 13, 41), "trading-software").go(s.now + timedelta(minutes=3)).file("suggestion")
    s.wait(10, 20).accept().reply("definite")
    suggestion = s.label
    s.go(s.now + timedelta(minutes=12)).file()
    complaint = s.label
    s.wait(10, 20).accept("minor").answer_first()
    first = s.contact_id
    s.contact(when(10, 14, 10, 5), "trading-software", outcome="answered_clear")
    s.contact_id = first
    s.label = suggestion
    s.wait(5, 20).complete()
    s.label = complaint
    s.wait(5, 20).resolve()
    s.investigate("upheld", day=2, hour=13).tell_and_do(day=3).handled().verify()


def letter_to_headquarters(office):
    """HQ receives it, handles it and verifies it itself."""
    s = office.new("hq", by="jiang-wenhua", channel="letter")
    s.contact(when(10, 14, 14, 11), "fee").go(s.now + timedelta(minutes=6)).file(
        receiving_unit="hq", receive_time=when(10, 14, 9, 0), occur_time=when(10, 10, 15, 0), persons_involved="柜台一名员工")
    s.wait(10, 30).accept("minor").answer_first().wait(10, 20).resolve()
    s.investigate("not_upheld", day=2).tell_and_do(day=3).handled().verify(by="tan-yujie")


def still_going_on(office):
    """As they stand when the month ends: one in each state, with limits missed up to every level."""
    def new(moment, **more):
        s = office.new(**more)
        return s.contact(moment, "service").go(s.now + timedelta(minutes=4)).file()

    new(when(10, 29, 10, 4), by="wang-fang").resolve()  # nobody has accepted it
    s = new(when(10, 28, 9, 14), by="li-qiang", figures=VIP).wait(10, 30).accept("serious", complex=True)
    s.wait(10, 30).reply("first").resolve()
    s = new(when(10, 28, 14, 24), by="qin-lan").wait(10, 30).accept("minor").answer_first()
    s.day(2, time(9, 10)).propose("upheld")
    s = new(when(10, 27, 9, 34), by="song-jia").wait(10, 30).accept("minor").answer_first()
    s.investigate("partly_upheld", day=2).wait(10, 30).resolve()
    s = new(when(10, 27, 13, 44), by="hao-yun").wait(10, 30).accept("minor").answer_first()
    s.investigate("upheld", day=2).tell_and_do(day=4, hour=15).handled()  # on the 30th: nobody has called yet


STORIES = [
    other_kinds, without_grounds, last_second_of_the_month, on_a_holiday, on_make_up_days, about_the_first_responder,
    about_the_lead, about_the_officer, beyond_authority, malicious, unreachable, not_given_up_before_the_call, superseded,
    superseded_for_the_better, after_a_satisfied_end, taken_up_by_the_officer, two_at_once, letter_to_headquarters,
    still_going_on,
]
