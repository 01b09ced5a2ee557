"""How far people get: from the first visit to a sign-up, a PQL, a contact and a sale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ...model import JSON
from ...ports import FunnelLead, ReadTransaction, SpanQuery
from .figure import Values, of_duration, of_rate
from .rates import Rate, Span
from .segments import Key, key_of
from .survival import Lengths, duration, lengths_of, together

STAGES = ("visitor", "signup", "pql", "contacted", "won")

Steps = tuple[Lengths, Lengths, Lengths, Lengths]
"""The lengths from each stage to the next one."""


def steps_of(tx: ReadTransaction, wanted: SpanQuery) -> dict[Key, Steps]:
    """The steps of each segment. ``wanted`` goes from first seen to qualified."""
    cohort = wanted._replace(cohort="seen")
    first = tx.funnel_visits(cohort._replace(end="signup", definition=None))
    visits = _joined(wanted.by, ((v.segment, Lengths(v.took, v.waiting)) for v in first))
    signed_up = _joined(wanted.by, ((v.segment, Lengths([], v.signups)) for v in first))
    leads: defaultdict[Key, list[FunnelLead]] = defaultdict(list)
    for lead in tx.funnel_leads(cohort._replace(start="signup")):
        leads[key_of(lead.segment, wanted.by)].append(lead)
    return {
        key: (lengths, *_later(signed_up.get(key, Lengths([], [])), leads.get(key, ())))
        for key, lengths in visits.items()
    }


def _joined(by: str | None, found: Iterable[tuple[JSON, Lengths]]) -> Mapping[Key, Lengths]:
    parts: defaultdict[Key, list[Lengths]] = defaultdict(list)
    for value, lengths in found:
        parts[key_of(value, by)].append(lengths)
    return {key: together(some) for key, some in parts.items()}


def _later(signups: Lengths, leads: Sequence[FunnelLead]) -> tuple[Lengths, Lengths, Lengths]:
    """The steps from the sign-up on. Who was won without a contact is not in the last stage."""
    starts = [lead.signup for lead in leads]
    qualified = [lead.qualified_at - lead.signup for lead in leads]
    contacts: list[Span] = [(lead.qualified_at, lead.contacted_at) for lead in leads]
    wins: list[Span] = [
        (lead.contacted_at, lead.won_at) for lead in leads if lead.contacted_at is not None
    ]
    return (
        Lengths(qualified, signups.starts, starts),
        lengths_of(contacts),
        lengths_of(wins),
    )


def values_of(steps: Steps, now: int) -> Values:
    """How many reached each stage, their share of the stage before, and how long it took."""
    began = len(steps[0].arrived) + steps[0].waiting
    stages: list[Values] = [{"stage": STAGES[0], "people": began}]
    before = began
    for stage, lengths in zip(STAGES[1:], steps, strict=True):
        reached = len(lengths.arrived)
        rate = of_rate(Rate(reached, before))
        stages.append(
            {
                "stage": stage,
                "people": reached,
                "rate": rate["rate"],
                "interval": rate["interval"],
                **of_duration(duration(lengths, now)),
            }
        )
        before = reached
    return {"people": began, "stages": stages}


NOTHING: Steps = (Lengths([], []), Lengths([], []), Lengths([], []), Lengths([], []))
