"""What employees do about a case: hand it over, answer, ask, close, take it up again. A part of the generator."""

from datetime import date, time, timedelta

from opinion.ground import at

from . import vocabulary as words
from .setting import HOUR, MINUTE, LEAVE


class Cases:
    """The part of `Generator` that makes the actions naming a `contact`."""

    def case(self, contact):
        return self.month.case_of[contact].survivor

    def busy(self, case):
        """A client talks to somebody about it, or it is on offer: nobody decides meanwhile."""
        return bool(case.offer) or any(self.case(row["contact"]) is case for row in self.talking)

    def mention(self, case):
        """Some contact of the case: any of them names it."""
        names = [contact for contact, own in self.month.case_of.items() if own.survivor is case]
        return names[0] if self.chance(0.7) else self.pick(names)

    def follow(self, contact, delay, what, *arguments, moment=None, exactly=False):
        """Plans the next step for the case, in working hours; any newer plan for the case replaces it."""
        case = self.case(contact)
        number = self.chain[case] = self.chain.get(case, 0) + 1

        def step():
            if self.case(contact) is case and self.chain[case] == number:
                what(contact, case, *arguments)

        moment = moment or self.desk(self.now + delay)
        self.plan(moment, step, exactly=exactly)

    def work(self, contact, rounds=0):
        case = self.case(contact)
        style = self.weighted({"resolve": 66, "hand over": 30 if rounds < 3 else 0, "forget": 3})
        if style == "hand over":
            delay = self.minutes(4, 90)
            self.follow(contact, delay, self.offer, rounds)
        elif style == "resolve":
            self.plan_resolve(contact, case)

    def plan_resolve(self, contact, case):
        due = case.clocks[-1].due
        if not self.on_the_dot["resolve"] and self.today > date(2025, 10, 12) and self.chance(0.1):
            self.follow(contact, None, self.resolve, moment=due, exactly=True)
            return
        if self.chance(0.1) or due - self.now < HOUR:
            moment = self.desk(due + self.minutes(15, 1500))
        else:
            moment = self.desk(self.between(self.now + 12 * MINUTE, due))
            accepted = self.today
            if accepted in (date(2025, 9, 29), date(2025, 9, 30)) and self.chance(0.6):
                last = due.date()  # the last moment: the holiday lies between
                moment = self.between(at(last, time(8, 40)), at(last, time(16, 50)))
            if moment >= due:
                moment = due - self.minutes(6, 170)
        self.follow(contact, None, self.resolve, moment=moment)

    def offer(self, contact, case, rounds):
        if case.state not in ("open", "awaiting") or self.busy(case) or self.overridden(case):
            return self.plan_resolve(contact, case) if case.state == "open" else None
        giver = case.handler if self.here(case.handler, self.today) else case.accountable
        others = self.colleagues(case.branch, self.today, case.handler, giver, self.lead[case.branch])
        away = [who for who in LEAVE if who in self.staff[case.branch] and not self.here(who, self.today)
                and who not in (giver, case.handler)]
        back = case.accountable != case.handler and self.chance(0.3) and self.here(case.accountable, self.today)
        receiver = case.accountable if back and giver != case.accountable else self.pick(others)
        if away and self.chance(0.12):
            receiver = self.pick(away)
        fields = {"to": receiver, "reason": self.pick(words.OFFER_REASONS),
                  "explanation": self.pick(words.EXPLANATIONS)}
        name = self.mention(case)
        if self.forbidden("offer by a colleague"):
            stranger = self.stranger(case, receiver)
            self.act("offer", stranger, "NOT_RESPONSIBLE", contact=name, **fields)
            return self.follow(contact, self.minutes(2, 9), self.offer, rounds)
        self.act("offer", giver, contact=name, **fields)
        fate = self.weighted({"accept": 58, "decline": 15, "withdraw": 9, "expire": 18})
        if receiver in away:
            fate = "expire"
        elif self.forbidden("accept by a third person", 0.1):
            fate = "third person"
        elif self.forbidden("second offer", 0.1):
            fate = "second offer"
        elif fate == "expire" and self.forbidden("accept at expiry", 0.4):
            return self.follow(contact, None, self.too_late, receiver, rounds, moment=case.offer.expires, exactly=True)
        if fate == "expire":
            late = fate == "expire" and receiver not in away and self.forbidden("accept after expiry", 0.5)
            step = (self.too_late, receiver, rounds) if late else (self.after_offer, rounds, False)
            return self.follow(contact, None, *step, moment=case.offer.expires + self.minutes(1, 70))
        moment = self.now + self.minutes(1, 27)
        self.follow(contact, None, self.answer_offer, fate, giver, receiver, rounds, moment=moment)

    def stranger(self, case, *without):
        """Somebody of the branch who is neither responsible nor assisting."""
        taken = {case.handler, case.accountable, self.lead[case.branch], *case.assistants, *without}
        return self.pick([who for who in self.colleagues(case.branch, self.today) if who not in taken])

    def answer_offer(self, contact, case, fate, giver, receiver, rounds):
        if not case.offer:
            return
        if any(self.case(row["contact"]) is case for row in self.talking):
            moment = self.now + self.minutes(1, 4)
            expired = moment >= case.offer.expires
            step = (self.after_offer, rounds, False) if expired else (self.answer_offer, fate, giver, receiver, rounds)
            return self.follow(contact, None, *step, moment=moment)
        name = self.mention(case)
        if fate == "third person":
            self.act("accept", self.stranger(case, receiver), "NOT_THE_RECEIVER", contact=name)
        if fate == "second offer":
            self.act("offer", giver, "OFFER_PENDING", contact=name, to=self.stranger(case, receiver),
                     reason=self.pick(words.OFFER_REASONS), explanation=self.pick(words.EXPLANATIONS))
        if fate in ("third person", "second offer"):
            soon = min(self.now + self.minutes(1, 3), case.offer.expires - timedelta(seconds=5))
            return self.follow(contact, None, self.answer_offer, "accept", giver, receiver, rounds, moment=soon)
        if fate == "accept":
            self.act("accept", receiver, contact=name)
        elif fate == "decline":
            self.act("decline", receiver, contact=name, reason=self.pick(words.DECLINE_REASONS))
        else:
            self.act("withdraw", giver, contact=name)
        still = fate == "accept" and giver in (case.accountable, case.handler)
        if still and self.forbidden("withdraw after acceptance"):
            return self.follow(contact, self.minutes(1, 5), self.withdraw_too_late, giver, rounds)
        self.after_offer(contact, case, rounds, fate == "accept")

    def withdraw_too_late(self, contact, case, giver, rounds):
        self.act("withdraw", giver, "NO_SUCH_OFFER", contact=self.mention(case))
        self.after_offer(contact, case, rounds, True)

    def too_late(self, contact, case, receiver, rounds):
        self.act("accept", receiver, "NO_SUCH_OFFER", contact=self.mention(case))
        self.after_offer(contact, case, rounds, False)

    def after_offer(self, contact, case, rounds, accepted):
        if case.state != "open":
            return
        if not accepted and self.chance(0.65) and rounds < 3:
            self.follow(contact, self.minutes(2, 60), self.offer, rounds + 1)
        elif accepted and self.chance(0.12) and rounds < 3:
            self.follow(contact, self.minutes(30, 300), self.offer, rounds + 1)
        else:
            self.plan_resolve(contact, case)

    def resolve(self, contact, case):
        if case.state != "open":
            return
        if self.busy(case):
            return self.follow(contact, self.minutes(6, 16), self.resolve)
        name = self.mention(case)
        if self.forbidden("resolve by a colleague", 0.05):
            self.act("resolve", self.stranger(case), "NOT_RESPONSIBLE", contact=name, answer=self.pick(words.ANSWERS))
            return self.follow(contact, self.minutes(3, 12), self.resolve)
        if self.forbidden("close by staff", 0.04):
            colleague = self.pick(self.colleagues(case.branch, self.today, self.lead[case.branch]))
            self.act("close", colleague, "ROLE_REQUIRED", contact=name, kind="explained",
                     reason=self.pick(words.EXPLAINED))
            return self.follow(contact, self.minutes(3, 12), self.resolve)
        if case.branch == "changzhi" and self.forbidden("close by another branch", 0.04):
            self.act("close", self.lead["taiyuan"], "BRANCH_OUT_OF_REACH", contact=name, kind="explained",
                     reason=self.pick(words.EXPLAINED))
            return self.follow(contact, self.minutes(3, 12), self.resolve)
        able = [who for who in (case.handler, case.accountable) if self.here(who, self.today)]
        if not able or (self.chance(0.015) and not self.overridden(case)):
            return self.override(contact, case, self.resolve_as)
        who = able[-1] if len(able) == 2 and self.chance(0.15) else able[0]
        self.resolve_as(contact, case, who)

    def overridden(self, case):
        return case.override and self.now < case.override[1]

    def override(self, contact, case, then):
        who = self.lead[case.branch]
        if who in (case.handler, case.accountable) or self.chance(0.15):
            who = self.pick(["jiang-wenhua", "tan-yujie"])
        if self.overridden(case):
            who = case.override[0]
        else:
            self.act("begin_override", who, contact=self.mention(case), reason=self.pick(words.OVERRIDE_REASONS))
        ends = self.chance(0.6)
        self.follow(contact, None, self.use_override, who, then, ends, moment=self.now + self.minutes(1, 12))

    def use_override(self, contact, case, who, then, ends):
        if case.state == "open" and not self.busy(case):
            then(contact, case, who)
        if ends and self.overridden(case) and case.override[0] == who:
            self.plan(self.now + self.minutes(1, 9), self.end_override, contact, case, who)

    def end_override(self, contact, case, who):
        if case.state == "open" or case.state == "awaiting":
            if self.case(contact) is case and self.overridden(case) and case.override[0] == who:
                self.act("end_override", who, contact=contact)

    def resolve_as(self, contact, case, who):
        self.on_the_dot["resolve"] += self.now == case.clocks[-1].due
        self.act("resolve", who, contact=self.mention(case), answer=self.pick(words.ANSWERS))
        self.follow(contact, self.minutes(30, 2200), self.ask)

    def ask(self, contact, case):
        """Satisfaction is asked for (O8)."""
        if case.state != "awaiting":
            return
        who = case.handler if self.here(case.handler, self.today) else case.accountable
        if self.busy(case) or not self.here(who, self.today):
            return self.follow(contact, self.minutes(20, 300), self.ask)
        name = self.mention(case)
        assistants = [one for one in sorted(case.assistants) if one not in (case.handler, case.accountable)]
        if assistants and self.forbidden("confirm by an assistant"):
            self.act("confirm", assistants[0], "NOT_RESPONSIBLE", contact=name, satisfied=True, reason="")
        again = self.reopened[case]
        word = self.weighted({"satisfied": 72, "dissatisfied": 13 if again < 2 else 0, "explained": 12 * again,
                              "unreachable": 3, "silence": 6})
        if word == "satisfied":
            self.act("confirm", who, contact=name, satisfied=True, reason="")
            self.after_closing(contact)
        elif word == "dissatisfied":
            self.act("confirm", who, contact=name, satisfied=False, reason=self.pick(words.DISSATISFIED))
            self.reopened[case] += 1
            self.work(contact, rounds=1)
        elif word != "silence":
            self.lead_closes(contact, case, word)

    def lead_closes(self, contact, case, kind):
        if case.state not in ("open", "awaiting"):
            return
        if self.busy(case):
            return self.follow(contact, self.minutes(10, 40), self.lead_closes, kind)
        reason = self.pick(words.UNREACHABLE if kind == "unreachable" else words.EXPLAINED)
        self.act("close", self.lead[case.branch], contact=self.mention(case), kind=kind, reason=reason)
        self.after_closing(contact)

    def after_closing(self, contact):
        """Some come back: a few are simply taken up again, a few have opened a newer case on the topic meanwhile."""
        case = self.case(contact)
        if case.state != "closed":
            return
        if self.here(case.handler, self.today) and self.forbidden("resolve a closed case", 0.02):
            self.follow(contact, self.minutes(20, 60), self.resolve_closed)
        elif case.client and self.today < date(2025, 10, 18) and self.chance(0.035):
            self.follow(contact, self.minutes(300, 4000), self.come_back)
        elif self.chance(0.02):
            self.follow(contact, self.minutes(600, 5000), self.take_up_again)

    def resolve_closed(self, contact, case):
        if case.state == "closed":
            self.act("resolve", case.handler, "ILLEGAL_TRANSITION", contact=contact, answer=self.pick(words.ANSWERS))

    def take_up_again(self, contact, case, who=None):
        if case.state != "closed" or self.busy(case):
            return
        newer = self.month.keys.get((case.client, case.topic)) if case.client else None
        if newer and (newer.assistants or self.busy(newer) and not newer.offer):
            return
        who = who or self.pick(self.colleagues(case.branch, self.today))
        self.act("reopen", who, contact=contact, reason=self.pick(words.REOPENED))
        self.reopened[case] += 1
        self.work(contact, rounds=1)

    def come_back(self, contact, case):
        """The client calls about the same thing, a new case begins, and then the old one is found and reopened."""
        if case.state != "closed" or (case.client, case.topic) in self.month.keys:
            return
        client = next(c for c in self.clients if c["client"] == case.client)
        row = self.start(case.branch, "phone", client, case.topic, outcome="answer_owed")
        if row["entered_later_at"]:
            return
        self.plan(row["ended_at"] + self.minutes(2, 6), self.found, contact, case, row)

    def found(self, contact, case, row):
        newer = self.month.case_of[row["contact"]]
        if newer.state != "open" or case.state != "closed" or newer.offer:
            return
        who = row["answered_by"]
        # Nobody goes on with the newer case; now and then it is already on offer.
        self.chain[newer] = self.chain.get(newer, 0) + 1
        if self.chance(0.4):
            to = self.stranger(newer)
            self.act("offer", who, contact=row["contact"], to=to, reason=self.pick(words.OFFER_REASONS),
                     explanation=self.pick(words.EXPLANATIONS))
        self.plan(self.now + self.minutes(3, 20), self.reopen_older, contact, case, row)

    def reopen_older(self, contact, case, row):
        self.take_up_again(contact, case, row["answered_by"])
        newer = self.month.case_of[row["contact"]]
        if newer.state == "open":
            self.work(row["contact"])

    def complain_at_the_end(self):
        """Some who kept silent are not satisfied after all; their new limit still runs when the play ends."""
        silent = [case for case in self.month.cases if case.state == "awaiting" and not self.busy(case)]
        for case in silent[:3]:
            self.plan(self.now + self.minutes(2, 90), self.complain, case)

    def complain(self, case):
        if case.state == "awaiting":
            self.act("confirm", case.handler, contact=self.mention(case), satisfied=False,
                     reason=self.pick(words.DISSATISFIED))
