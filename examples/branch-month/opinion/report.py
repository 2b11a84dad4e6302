"""The figures of the report, in the shape that the product gives them."""

from collections import Counter

from .callbacks import OPINIONS
from .complaints import CHANNELS
from .ground import CALLBACK_KINDS as KINDS
from .ground import standing

ESCALATIONS = ("responsible", "lead", "hq", "company_leader")


def report(month):
    n, by_state = month.count, Counter(case.closed_as or case.state for case in month.cases)
    counted = [case for case in month.cases if case.state not in ("merged", "void")]
    kinds = Counter(callback.kind for callback in month.callbacks)
    clocks = Counter(standing(clock.met, clock.missed) for case in counted for clock in case.clocks)
    limits = Counter((b.kind, standing(b.attempted, b.missed)) for b in month.callbacks
                     if b.attempted or b.missed or b.state != "cancelled")
    standings = ("kept", "missed", "running")
    responsible = {}
    for case in counted:
        tallies = [(case.first_responder, "first_responder"), (case.accountable, "accountable")]
        tallies += [(case.handler, "handling")] if case.state in ("open", "awaiting") else []
        for who, what in tallies:
            responsible.setdefault(who, dict(first_responder=0, accountable=0, handling=0))[what] += 1
    return {
        "contacts": {
            **{key: n[key] for key in ("total", *CHANNELS, "answered", "missed", "no_concern")},
            "outside_working_hours": n["outside"],
            **{key: n[key] for key in ("late", "violations", "second_answers_refused")},
        },
        "records": {key: n[key] for key in ("complete", "incomplete")},
        "cases": {
            "opened": len(month.cases), "merged": by_state["merged"], "void": by_state["void"],
            "closed_satisfied": by_state["satisfied"], "closed_unreachable": by_state["unreachable"],
            "closed_explained": by_state["explained"], "awaiting": by_state["awaiting"],
            "open": by_state["open"], "reopenings": n["reopenings"],
            "with_client_file": sum(case.client in month.clients for case in counted),
        },
        "hand_overs": {key: n[key] for key in ("offered", "accepted", "declined", "withdrawn", "expired")},
        "overrides": n["overrides"],
        "assists": sum(len(case.assistants) for case in month.cases),
        "refused_actions": n["refused_actions"],
        "limits": {
            "answer": {key: clocks[key] for key in standings},
            **{kind: {key: limits[kind, key] for key in standings}
               for kind in KINDS},
        },
        "escalations": {what: {level: n["escalated", what, level] for level in ESCALATIONS}
                        for what in ("cases", "callbacks", "complaints")},
        "callbacks": {
            **{kind: kinds[kind] for kind in KINDS},
            **{key: n[key] for key in ("coalesced", "attempts", "completed", "exhausted")},
            "cancelled": sum(callback.state == "cancelled" for callback in month.callbacks),
            "leases_lost": n["leases_lost"],
        },
        "satisfaction": {
            **{opinion: n["overall", opinion] for opinion in OPINIONS},
            "score_total": n["score_total"], "scored": n["scored"],
        },
        "clients": month.report_clients(),
        "complaints": month.report_complaints(),
        "responsible": dict(sorted(responsible.items())),
    }

