"""What becomes of a lead, read a second time: step by step, from the table of the design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KEEP = object()

# From each state, the states that people can bring about.
WAYS = {
    "new": "assigned contacted won lost dismissed",
    "assigned": "new assigned contacted won lost dismissed",
    "contacted": "contacted won lost dismissed",
    "dismissed": "new won",
    "lost": "won",
    "won": "",
}


@dataclass(frozen=True)
class Step:
    """What somebody did: a state, an owner, a contact; each `KEEP` if it was not named."""

    time: int
    number: int
    state: Any
    owner: Any
    contact: int | None

    @staticmethod
    def of(made: Any) -> Step:
        patch, unset = made.patch, type(made.patch)().state
        state = KEEP if patch.state is unset else patch.state
        owner = KEEP if patch.owner is unset else patch.owner
        contact = None if patch.contact is unset else patch.contact.at
        if contact is None and state == "contacted":
            contact = made.at
        return Step(made.at, made.number, state, owner, contact)


def fate(lead: Any, steps: list[Step]) -> tuple[str, Any, int | None, bool]:
    """State, owner, the time at which it was won, and whether that was by itself."""
    alone = run(steps, lead.default_owner, None)
    if lead.withdrawn is not None and alone[0] == "new":
        return "voided", alone[1], None, False
    conversion = lead.conversion.time if lead.conversion is not None else None
    state, owner, won = run(steps, lead.default_owner, conversion)
    contacts = [step.contact for step in steps if step.contact is not None]
    before = [time for time in contacts if won is not None and time <= won]
    return state, owner, won, state == "won" and not before


def run(steps: list[Step], desk: Any, conversion: int | None) -> tuple[str, Any, int | None]:
    """The steps up to the conversion, the conversion, the steps after it."""
    ordered = sorted(steps, key=lambda step: (step.time, step.number))
    state, owner, won = "new", desk, None
    for step in ordered:
        if conversion is not None and conversion <= step.time and state != "won":
            state, won = "won", conversion
        state, owner, was_won = taken(step, state, owner, desk)
        won = step.time if was_won else won
    if conversion is not None and state != "won":
        state, won = "won", conversion
    return state, owner, won


def taken(step: Step, state: str, owner: Any, desk: Any) -> tuple[str, Any, bool]:
    """One step; whether it won the lead."""
    wanted = step.state
    if wanted is KEEP and step.owner is not KEEP:
        wanted = "assigned" if step.owner else "new"
    can = wanted is not KEEP and wanted in WAYS[state].split()
    if step.owner is not KEEP and (can or owner == desk or step.state is KEEP):
        owner = step.owner or desk
    if can:
        state = wanted
        owner = desk if wanted == "new" else owner
    won = can and wanted == "won"
    if step.contact is not None and state in ("new", "assigned"):
        state = "contacted"
    return state, owner, won


def standing(lead: Any, since: dict[str, int], kept: set[str], names: set[str]) -> str:
    """Whether the definitions in force decide about a lead: `judged`, `kept` or `merged`.

    `since` has, for each definition that looks forward, when it came in force. Reading: what
    qualified before that instant belongs to the time before the change, whenever it arrived. A
    lead that had lost its basis before such a change stays without one, until it is given.
    """
    if lead.merged_into is not None:
        return "merged"
    if lead.definition not in names:
        return "kept" if lead.definition in kept else "judged"
    return "kept" if lead.qualified_at < since.get(lead.definition, lead.qualified_at) else "judged"


def is_flagged(lead: Any, steps: list[Step]) -> bool:
    """Whether a lead has the flag `superseded`: its definition changed after people worked it."""
    return lead.withdrawn == "definition_changed" and fate(lead, steps)[0] != "voided"
