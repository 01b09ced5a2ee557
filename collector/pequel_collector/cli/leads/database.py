"""The leads in a database, for the commands that read and change them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from ...app.bootstrap import now, open_store
from ...errors import BadRequest, Conflict, NotFound
from ...marking.evaluators import Evaluators, active_evaluators
from ...marking.work import LeadDesk
from ...model import JSON
from ...ports import LeadFilter, ReadTransaction, Store
from ...queries.answers import LeadAnswer
from ...queries.lead_tests import NO_TESTS, LeadTests
from ...queries.queries import Queries
from ...web.asked.arguments import MAX_LIMIT
from ...web.asked.lead_body import lead_change
from ..options import settings_from

MAX_NAMED = 5
"""Ids that an error names."""


class LeadDatabase:
    """Questions about the leads in a store, and changes of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._evaluators: Evaluators | None = None
        self.clock = now
        self.queries = Queries(store, self._active, self.clock)
        self._desk = LeadDesk(store, self._active, self.clock)

    def leads(
        self, wanted: LeadFilter, limit: int | None, tests: LeadTests = NO_TESTS
    ) -> Iterator[LeadAnswer]:
        """The leads of a filter, in the order of the list; at most ``limit``."""
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            page = self.queries.pqls(wanted, min(left or MAX_LIMIT, MAX_LIMIT), cursor, tests)
            yield from page.data
            left, cursor = left and left - len(page.data), page.next_cursor
            if cursor is None:
                return

    def lead(self, abbreviated: str) -> LeadAnswer:
        """One lead with its history. Raises NotFound or BadRequest for the id."""
        return self.queries.pql(self._full_id(abbreviated))

    def change(self, abbreviated: str, actor: str, fields: Mapping[str, JSON]) -> LeadAnswer:
        """Make a change, given as the body of ``PATCH /v1/pqls/{id}``; the lead after it."""
        asked = lead_change(fields, self.clock(), actor)
        try:
            lead = self._desk.change(self._full_id(abbreviated), asked)
        except Conflict as error:
            allowed = error.details.get("allowed")
            possible = f"; it can become {', '.join(allowed)}" if allowed else ""
            raise Conflict(error.message + possible) from None
        return self.queries.pql(lead.id)

    def _full_id(self, abbreviated: str) -> str:
        with self._store.reading() as tx:
            found = tx.lead_ids(abbreviated, MAX_NAMED + 1)
        if not found:
            raise NotFound(f"there is no lead {abbreviated!a}: see `pequel leads list`")
        if len(found) > 1 and found[0] != abbreviated:
            more = ", …" if len(found) > MAX_NAMED else ""
            named = ", ".join(found[:MAX_NAMED])
            raise BadRequest(f"{abbreviated!a} is the start of several ids: {named}{more}")
        return found[0]

    def _active(self, tx: ReadTransaction) -> Evaluators:
        if self._evaluators is None:
            self._evaluators = active_evaluators(tx)
        return self._evaluators


@contextmanager
def lead_database(given: dict[str, Any]) -> Iterator[LeadDatabase]:
    """The leads in the database that the options of a command name."""
    with closing(open_store(settings_from(given).database, make=False)) as store:
        yield LeadDatabase(store)
