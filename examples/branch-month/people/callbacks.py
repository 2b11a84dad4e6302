"""Who calls back, when, and what comes of it. A part of the generator."""

from datetime import date, time, timedelta

from opinion.ground import DAY, at, in_window, into_window, is_working_time, plain_phone

from . import vocabulary as words
from .setting import LAST, HOUR, MINUTE


class Callbacks:
    """The part of `Generator` that makes the actions naming a `callback_of`."""

    def plan_callback(self, contact, kind):
        callback = self.month.by_origin[contact, kind]
        fate = self.weighted({"talk": 66, "no answer": 12, "inconvenient": 5, "late": 9, "never reached": 5,
                              "lost lease": 5, "forgotten": 1})
        if fate == "forgotten":
            return
        late_enough = kind == "promised" and self.today > date(2025, 10, 10) and in_window(callback.due)
        if not self.on_the_dot["attempt"] and late_enough and self.chance(0.3):
            self.plan(callback.due, self.call, contact, kind, "no answer", exactly=True)
            return
        begin = max(callback.not_before, self.now + MINUTE)
        begin = begin if callback.client_asked else into_window(begin)
        if fate == "late" or begin >= callback.due - MINUTE:
            moment = callback.due + self.minutes(4, 200)
        elif kind == "promised":
            moment = self.between(begin, min(callback.due, begin + 12 * MINUTE))
        else:
            soon = 40 * MINUTE if kind == "missed_call" else 5 * HOUR
            moment = self.between(begin, min(callback.due, begin + soon))
        if callback.not_before - self.now > HOUR and self.forbidden("lease too early", 0.3):
            early = callback.not_before - self.minutes(5, 40)
            if in_window(early):
                self.plan(early, self.lease_refused, contact, kind, "TOO_EARLY", "lease too early")
            else:
                self.forbidden_left["lease too early"] += 1
        if kind == "missed_call" and is_working_time(self.now) and self.forbidden("lease at night", 0.2):
            moment = at(self.today, time(20, 0)) + self.minutes(3, 50)
            self.plan(moment, self.lease_refused, contact, kind, "OUTSIDE_CALLING_WINDOWS", "lease at night")
            moment += 13 * HOUR
        self.call_later(contact, kind, fate, moment)

    def call_later(self, contact, kind, fate, moment):
        callback = self.month.by_origin[contact, kind]
        moment = max(moment, callback.not_before)
        if not callback.client_asked:
            inside = into_window(moment)
            moment = inside if inside == moment else inside + self.minutes(0.1, 25)
        self.plan(moment, self.call, contact, kind, fate)

    def caller(self, callback):
        """Who calls now, or None when nobody responsible is there."""
        if not callback.case:
            crew = self.colleagues(callback.branch, self.today, self.lead[callback.branch])
            return self.pick(crew) if is_working_time(self.now) else self.on_duty(callback.branch, self.today)
        case = callback.case.survivor
        able = [who for who in (case.handler, case.accountable) if self.here(who, self.today)]
        if self.overridden(case):
            able.append(case.override[0])
        return able[0] if able else None

    def lease_refused(self, contact, kind, reason, what):
        callback = self.month.by_origin[contact, kind]
        who = self.caller(callback)
        wanted = callback.state == "waiting" and who
        if reason == "TOO_EARLY":
            wanted = wanted and self.now < callback.not_before and in_window(self.now)
        if reason == "OUTSIDE_CALLING_WINDOWS":
            wanted = wanted and self.now >= callback.not_before and not in_window(self.now)
        if wanted:
            self.act("lease", who, reason, callback_of=contact, kind=kind)
        else:
            self.forbidden_left[what] += 1

    def call(self, contact, kind, fate):
        callback = self.month.by_origin[contact, kind]
        if callback.state == "leased":
            return self.call_later(contact, kind, fate, callback.leased_until + self.minutes(2, 30))
        if callback.state != "waiting":
            return
        if self.now < callback.not_before or not (callback.client_asked or in_window(self.now)):
            return self.call_later(contact, kind, fate, self.now)
        case = callback.case.survivor if callback.case else None
        if case and self.busy(case) and self.now != callback.due:
            return self.call_later(contact, kind, fate, self.now + self.minutes(8, 33))
        who = self.caller(callback)
        if who is None:
            if case.state in ("open", "awaiting") and is_working_time(self.now):
                boss = self.lead[case.branch]
                self.act("begin_override", boss, contact=self.mention(case), reason=self.pick(words.OVERRIDE_REASONS))
                return self.call_later(contact, kind, fate, self.now + self.minutes(1, 9))
            return self.call_later(contact, kind, fate, self.desk(self.now + 5 * HOUR))
        names = {"callback_of": contact, "kind": kind}
        if case and self.forbidden("lease by a colleague", 0.05):
            self.act("lease", self.stranger(case), "NOT_RESPONSIBLE", **names)
            return self.call_later(contact, kind, fate, self.now + self.minutes(1, 4))
        if fate == "lost lease":
            self.act("lease", who, **names)
            self.grab(callback, who, names)
            return self.call_later(contact, kind, "talk", self.now + self.minutes(17, 90))
        if fate == "inconvenient":
            asked = self.chance(0.3)
            agreed = into_window(self.now + self.minutes(40, 1500)).replace(second=0)
            if asked:
                agreed = at(self.today + DAY, time(12, 20))
            self.act("attempt", who, **names, outcome="inconvenient", agreed_time=agreed, client_asked=asked)
            return self.call_later(contact, kind, "talk", agreed + self.minutes(0.2, 14))
        if fate in ("no answer", "never reached"):
            self.on_the_dot["attempt"] += self.now == callback.due
            self.act("attempt", who, **names, outcome=self.weighted({"no_answer": 5, "busy": 2, "switched_off": 2}))
            if callback.state == "lead_decides":
                return self.plan_decision(contact, kind)
            again = "talk" if fate == "no answer" and self.chance(0.75) else fate
            return self.call_later(contact, kind, again, callback.not_before + self.minutes(1, 150))
        self.talk(contact, kind, who, names)

    def grab(self, callback, who, names):
        """A colleague sees the same missed call on the list and wants to call as well."""
        if not callback.case and self.forbidden("lease what another holds"):
            other = self.pick(self.colleagues(callback.branch, self.today, who))
            self.plan(self.now + self.minutes(0.3, 0.9), self.act_later, "lease", other, "LEASED_BY_ANOTHER", names)

    def act_later(self, action, who, refused, fields):
        self.act(action, who, refused, **fields)

    def talk(self, contact, kind, who, names):
        """The result; before it, now and then, the outbound contact is registered like any other."""
        callback = self.month.by_origin[contact, kind]
        case = callback.case.survivor if callback.case else None
        phone = plain_phone(callback.phone)
        client = next((c for c in self.clients if c["phone"] == phone), None)
        if case:
            fits = case.client and case.state in ("open", "awaiting") and who in (case.handler, case.accountable)
            client = next((c for c in self.clients if c["client"] == case.client), None)
        else:
            fits = True
        fits = fits and self.today <= LAST and in_window(self.now + 14 * MINUTE)
        fits = fits and not self.now < callback.due < self.now + 10 * MINUTE  # the result would be too late
        if not fits or not self.chance(0.4):
            return self.result(contact, kind, who, names, None)
        self.act("lease", who, **names)
        self.grab(callback, who, names)
        clear = not is_working_time(self.now) or not is_working_time(self.now + 12 * MINUTE) or self.chance(0.7)
        topic = case.topic if case else self.pick(client["topics"]) if client else "general"
        begin = self.plan(self.now + timedelta(seconds=self.rng.randrange(8, 25)), self.dial,
                          contact, kind, who, names, client, topic, "answered_clear" if clear else "answer_owed")
        return begin

    def dial(self, contact, kind, who, names, client, topic, outcome):
        callback = self.month.by_origin[contact, kind]
        branch = callback.branch
        answered = self.reserve(self.now + timedelta(seconds=self.rng.randrange(4, 14)))
        ended = self.reserve(answered + self.minutes(1, 8))
        row = self.start(branch, "phone", client, topic, outcome=outcome, who=who, direction="outbound",
                         callback_of=contact, phone=callback.phone, answered_at=answered, ended_at=ended,
                         ended_by="client", entered_later_at=None, also_answered_by="")
        self.plan(row["ended_at"] + timedelta(seconds=self.rng.randrange(10, 70)), self.result,
                  contact, kind, who, names, row)

    def result(self, contact, kind, who, names, row):
        solved = row["outcome"] == "answered_clear" if row else self.chance(0.88)
        overall = self.weighted({"satisfied": 74, "neutral": 18, "dissatisfied": 8} if solved
                                else {"satisfied": 3, "neutral": 45, "dissatisfied": 52})
        score = {"satisfied": [8, 9, 9, 10, 10], "neutral": [5, 6, 7, 7], "dissatisfied": [1, 2, 3, 4]}[overall]
        self.act("complete", who, **names, solved=solved, overall=overall,
                 attitude="satisfied" if self.chance(0.85) else "neutral" if self.chance(0.7) else "dissatisfied",
                 score=self.pick(score) if self.chance(0.8) else 0, suggestions=self.pick(words.SUGGESTIONS),
                 answers=self.pick(words.TOLD if solved and overall != "dissatisfied" else words.TOLD_UNSOLVED),
                 charged=self.chance(0.03))
        callback = self.month.by_origin[contact, kind]
        if callback.case:
            case = callback.case.survivor
            name = self.mention(case)
            if case.state == "open":
                self.work(name, rounds=1)
            elif case.state == "closed":
                self.after_closing(name)

    def plan_decision(self, contact, kind):
        """The attempts are used up: a lead decides (B6)."""
        if self.forbidden("lease what a lead decides", 0.6):
            who = self.caller(self.month.by_origin[contact, kind])
            if who:
                self.plan(self.now + self.minutes(2, 20), self.act_later, "lease", who, "LEAD_DECIDES",
                          {"callback_of": contact, "kind": kind})
        self.plan(self.desk(self.now + self.minutes(30, 200)), self.decide, contact, kind)

    def decide(self, contact, kind):
        callback = self.month.by_origin[contact, kind]
        case = callback.case.survivor if callback.case else None
        branch = case.branch if case else callback.branch
        if callback.state != "lead_decides":
            return
        lead, names = self.lead[branch], {"callback_of": contact, "kind": kind}
        if self.chance(0.4):
            begin = into_window(self.desk(self.now + DAY)).replace(second=0)
            self.act("postpone", lead, **names, not_before=begin, reason=self.pick(words.POSTPONED))
            fate = self.weighted({"talk": 2, "never reached": 1})
            return self.call_later(contact, kind, fate, begin + self.minutes(1, 200))
        self.act("cancel", lead, **names, reason=self.pick(words.CANCELLED))
        if case and case.state in ("open", "awaiting"):
            self.follow(self.mention(case), self.minutes(3, 30), self.lead_closes, "unreachable")
