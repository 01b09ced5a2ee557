"""A collector whose definitions change while events arrive, for laws about any order of these."""

from __future__ import annotations

import random
from collections import defaultdict
from contextlib import suppress
from itertools import chain
from typing import Any

from oracle import Key, qualifications
from oracle.identity import placed
from oracle.leads import standing
from oracle.streams import START
from oracle.toml import to_toml
from pequel_collector.app.bootstrap import Collector, assemble, open_collector
from pequel_collector.config import Settings
from pequel_collector.errors import BadRequest, Conflict
from pequel_collector.marking.active import BackfillProgress, active_definitions
from pequel_collector.marking.work import LeadChange
from pequel_collector.model import Lead, id_of, kind_of

from .streams import NOW, messages_of

Plain = dict[str, Any]


def replay_to_end(collector: Collector) -> list[BackfillProgress]:
    """Every step of a replay."""
    steps = []
    while (replay := collector.backfill_some()) and not replay.is_finished:
        steps.append(replay)
    return steps


class Stage:
    """A collector that is told and changed in any order, with a clock that is set by hand."""

    def __init__(self, first: Plain, url: str = "sqlite://") -> None:
        self.now = START
        self.collector = open_collector(
            Settings(database=url), clock=lambda: self.now, replay=False
        )
        self.collector.clock = self.collector.ingest.clock = self.clock
        self.collector.queries.clock = self.clock
        self.put(first)

    def clock(self) -> int:
        return self.now

    def put(self, catalogue: Plain) -> None:
        self.catalogue = catalogue
        self.collector.put_definitions(to_toml(catalogue))

    def tell(self, batch: list[Plain]) -> None:
        self.now = max(self.now, *(message["time"] for message in batch))
        self.collector.ingest.accept(messages_of(batch))

    def restart(self) -> None:
        """Nothing is remembered but what is stored."""
        old = self.collector
        with old.store.reading() as view:
            found = active_definitions(view)
        assert found
        assert found.text == old.catalogue.text
        self.collector = assemble(old.settings, old.store, old.catalogue, self.clock)

    def try_to_work(self, lead_id: str, change: LeadChange) -> None:
        """Change a lead, if its state allows that."""
        with suppress(Conflict, BadRequest):
            self.collector.desk.change(lead_id, change)

    def finish(self) -> None:
        """All that was left to do is done, until the end of time."""
        self.now = NOW
        replay_to_end(self.collector)
        self.collector.run_clock()

    def activated(self) -> dict[str, int]:
        """Since when each definition counts that looks forward only."""
        return dict(self.collector.ingest.evaluators.activated)

    def leads(self) -> list[Lead]:
        """Every lead that is stored, voided or not."""
        with self.collector.store.reading() as view:
            found = view.leads_of(view.subjects())
        return sorted(chain.from_iterable(found.values()), key=lambda lead: lead.id)

    def kept(self) -> list[Lead]:
        """The leads with a basis that the definitions in force leave as they are."""
        names = {table["name"] for table in self.catalogue["pql"]}
        taken_out = set(self.collector.ingest.evaluators.in_force.kept)
        return [
            lead
            for lead in self.leads()
            if standing(lead, self.activated(), taken_out, names) == "kept" and not lead.withdrawn
        ]

    def marks(self) -> dict[Key, list[int]]:
        """What the definitions in force give: the leads with a basis, but for those kept."""
        kept, found = self.kept(), defaultdict(list)
        for lead in sorted(self.leads(), key=lambda lead: lead.cycle):
            if lead.withdrawn is None and lead.merged_into is None and lead not in kept:
                found[key_of(lead)].append(lead.qualified_at)
        return dict(found)

    def expected(self, parts: list[list[Plain]]) -> dict[Key, list[int]]:
        """The same by the oracle: from nothing, under the last definitions, but for leads kept."""
        given = qualifications(self.catalogue, placed(parts), activated=self.activated())
        taken = {(key_of(lead), lead.cycle) for lead in self.kept()}
        free = {
            key: [time for cycle, time in enumerate(times, 1) if (key, cycle) not in taken]
            for key, times in given.items()
        }
        return {key: times for key, times in free.items() if times}


def key_of(lead: Lead) -> Key:
    """The definition and the subject of a lead, as the oracle names them."""
    return lead.definition, str(kind_of(lead.subject)), id_of(lead.subject)


def some_forward(catalogue: Plain, chance: random.Random) -> Plain:
    """The same definitions, of which some look forward only."""
    tables = [
        {**table, "on_change": "forward"} if chance.random() < 0.25 else table
        for table in catalogue["pql"]
    ]
    return {**catalogue, "pql": tables}
