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
    """What somebody did: a state, an owner, a contact; each `KEEP` if it was not named.

    `route` is what a route decided, `claim` a partner and until when; a step has one or neither.
    """

    time: int
    number: int
    state: Any
    owner: Any
    contact: int | None
    subject: str = ""
    route: Any = None
    claim: tuple[str, int] | None = None

    @staticmethod
    def of(made: Any) -> Step:
        patch, unset = made.patch, type(made.patch)().state
        state = KEEP if patch.state is unset else patch.state
        owner = KEEP if patch.owner is unset else patch.owner
        contact = None if patch.contact is unset else patch.contact.at
        if contact is None and state == "contacted":
            contact = made.at
        route = None if patch.routed is unset else patch.routed
        claim = None if patch.claim is unset else (patch.claim.partner, patch.claim.until)
        return Step(
            made.at, made.number, state, owner, contact, made.subject, route=route, claim=claim
        )


@dataclass
class Story:
    """A lead on its way: `desk` owns it while nobody has taken it."""

    state: str
    owner: Any
    desk: Any
    won: int | None = None
    partner: str | None = None
    until: int | None = None
    route: str | None = None

    def is_held(self, time: int) -> bool:
        """Whether a claim holds at a time: it has not run out, or there was a contact."""
        if self.until is None:
            return False
        return self.state not in ("new", "assigned") or time < self.until


def fate(lead: Any, steps: list[Step]) -> tuple[str, Any, int | None, bool]:
    """State, owner, the time at which it was won, and whether that was by itself."""
    alone = told(lead, steps, None)
    if lead.withdrawn is not None and alone.state == "new":
        return "voided", alone.owner, None, False
    end = told(lead, steps, lead.conversion.time if lead.conversion is not None else None)
    contacts = [step.contact for step in steps if step.contact is not None]
    before = [time for time in contacts if end.won is not None and time <= end.won]
    return end.state, end.owner, end.won, end.state == "won" and not before


def whose(lead: Any, steps: list[Step]) -> tuple[str | None, int | None, str | None]:
    """The partner, until when its claim is, and the route."""
    alone = told(lead, steps, None)
    if lead.withdrawn is not None and alone.state == "new":
        return alone.partner, alone.until, alone.route
    end = told(lead, steps, lead.conversion.time if lead.conversion is not None else None)
    return end.partner, end.until, end.route


def told(lead: Any, steps: list[Step], conversion: int | None) -> Story:
    """The steps up to the conversion, the conversion, the steps after it."""
    story = Story("new", lead.default_owner, lead.default_owner)
    ordered = counting(lead, sorted(steps, key=lambda step: (step.time, step.number)))
    for step in ordered:
        if conversion is not None and conversion <= step.time and story.state != "won":
            story.state, story.won = "won", conversion
        if step.route is not None:
            routed(story, step, lead.default_owner)
        elif step.claim is not None:
            claimed(story, step)
        else:
            taken(story, step)
    if conversion is not None and story.state != "won":
        story.state, story.won = "won", conversion
    return story


def counting(lead: Any, steps: list[Step]) -> list[Step]:
    """Without the routes of the other one, where two leads that were routed became one."""
    initial = [step for step in steps if step.route is not None and step.route.step == 0]
    if len(initial) <= 1:
        return steps
    mine = [step for step in initial if step.subject == lead.subject]
    winner = mine[0] if mine else initial[0]
    whose_count = {winner.subject, lead.subject}
    kept = []
    for step in steps:
        if step.route is not None and step is not winner:
            later = step.route.step > 0 and step.subject in whose_count
            if not later:
                continue
        kept.append(step)
    return kept


def routed(story: Story, step: Step, default: Any) -> None:
    """A route sets the owner of a free lead, an escalation of any; the partner if none holds it."""
    held, free = story.is_held(step.time), story.owner == story.desk
    story.desk = step.route.owner or default
    if free or step.route.step > 0:
        story.owner = story.desk
    if not held:
        story.partner, story.until = step.route.partner, None
    story.route = step.route.name


def claimed(story: Story, step: Step) -> None:
    """A claim takes an open lead that nobody has contacted or claimed."""
    if story.state in ("new", "assigned") and not story.is_held(step.time):
        story.state = "assigned"
        story.partner, story.until = step.claim or (None, None)


def taken(story: Story, step: Step) -> None:
    """What somebody did."""
    wanted = step.state
    if wanted is KEEP and step.owner is not KEEP:
        wanted = "assigned" if step.owner else "new"
    can = wanted is not KEEP and wanted in WAYS[story.state].split()
    if step.owner is not KEEP and (can or story.owner == story.desk or step.state is KEEP):
        story.owner = step.owner or story.desk
    if can:
        story.state = wanted
        if wanted == "new":
            story.owner, story.until = story.desk, None
        if wanted == "won":
            story.won = step.time
    if step.contact is not None and story.state in ("new", "assigned"):
        story.state = "contacted"


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
