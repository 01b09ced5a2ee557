"""Routes the leads of one transaction, and remembers what it decided until that is written."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from ..model import Lead, Routed
from ..ports import ReadTransaction, WriteTransaction
from ..rules.language.definition import Catalogue
from ..rules.language.routing import Assignment, Route
from . import routing
from .deadlines import due_soon
from .hours import after_working, week_of
from .view import LeadsOf, Needs, needs_of, view_of


class Router:
    """Decides for the leads of one transaction at ``now``, by the routes of a catalogue."""

    def __init__(
        self, tx: ReadTransaction, catalogue: Catalogue, now: int, leads_of: LeadsOf
    ) -> None:
        self._tx, self._catalogue, self._now = tx, catalogue, now
        self._tables, self._leads_of = catalogue.routing, leads_of
        self._decided: list[Routed] = []

    def decide(self, lead: Lead) -> Routed | None:
        """Who gets a new lead; None if no route matches."""
        if not self._tables.routes:
            return None
        view = view_of(self._tx, lead, self._catalogue, self._needs, self._leads_of)
        return self._noted(routing.decide(self._tables, view, self._load))

    def escalate(self, lead: Lead) -> Routed | None:
        """Who gets a lead that nobody has contacted; None if its route has no further step."""
        route, step = self._route_of(lead)
        if routing.next_step(route, step) is None or route is None:
            return None
        return self._noted(routing.escalate(self._tables, route, step + 1, self._load))

    def next_assignment(self, lead: Lead) -> Assignment | None:
        """Whom the next step of the escalation of a lead names."""
        found = routing.next_step(*self._route_of(lead))
        return None if found is None else found.assign

    def set_deadlines(self, lead: Lead, routed_at: int) -> None:
        """Set when a lead is due and when it escalates, now that its route has assigned it.

        ``routed_at`` is when the route first did so, from which ``after`` counts.
        """
        route, step = self._route_of(lead)
        definition = self._catalogue.named(lead.definition)
        sla = None if definition is None else definition.sla
        hours = None
        if route is not None:
            sla = sla if route.sla is None else route.sla
            hours = self._tables.hours(route.escalate[step - 1].assign if step else route.assign)
        lead.due_at = None if sla is None else after_working(self._now, sla, hours)
        self.set_due_soon(lead)
        later = routing.next_step(route, step)
        at = None if later is None else after_working(routed_at, later.after, hours)
        lead.escalate_at = None if at is None else max(at, self._now + 1)

    def set_due_soon(self, lead: Lead) -> None:
        """Set when a lead is due soon, given when it is due."""
        lead.due_soon_at = due_soon(lead.due_at, self._now, self._catalogue.project.due_soon)

    def close(self, tx: WriteTransaction) -> None:
        """Write who got how many leads, and whose turn it is."""
        if not self._decided:
            return
        names = (routing.counted_as(each) for each in self._decided)
        tx.count_routed(self._week, Counter(name for name in names if name is not None))
        tx.set_last_of_teams(routing.last_of(self._decided))
        self._decided = []

    # -- parts -----------------------------------------------------------------------------

    def _noted(self, routed: Routed | None) -> Routed | None:
        if routed is not None:
            routing.note(self._load, routed)
            self._decided.append(routed)
        return routed

    def _route_of(self, lead: Lead) -> tuple[Route | None, int]:
        """The route that assigned a lead, if it still is in the file, and the step it is at."""
        if lead.route is None or lead.route.name is None:
            return None, 0
        route, step = self._tables.route(lead.route.name), lead.route.step
        is_there = route is not None and step <= len(route.escalate)
        return (route, step) if is_there else (None, 0)

    @cached_property
    def _needs(self) -> Needs:
        return needs_of(route.when for route in self._tables.routes)

    @cached_property
    def _week(self) -> int:
        return week_of(self._now, self._catalogue.project.timezone)

    @cached_property
    def _load(self) -> routing.Load:
        counts = Counter(self._tx.routed_counts(self._week))
        return routing.Load(counts, self._tx.last_of_teams())
