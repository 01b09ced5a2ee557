"""What the query API answers about a collector, as JSON data, without HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pequel_collector.app.bootstrap import Collector
from pequel_collector.model import Key, Kind
from pequel_collector.ports import LeadFilter, RejectedFilter
from pequel_collector.web.answers import schemas


class Api:
    """The queries of a collector, each answer in the form of its schema."""

    def __init__(self, collector: Collector) -> None:
        self._queries = collector.queries

    def pqls(self, wanted: LeadFilter, limit: int, cursor: str | None = None) -> dict[str, Any]:
        return schemas.page(schemas.LEAD, self._queries.pqls(wanted, limit, cursor))

    def status(self, kind: Kind, identifier: str) -> dict[str, Any]:
        return _plain(schemas.STATUS.dump(self._queries.status(kind, identifier)))

    def user(self, identifier: str) -> dict[str, Any]:
        return self._profile("user", identifier)

    def account(self, identifier: str) -> dict[str, Any]:
        return self._profile("account", identifier)

    def definitions(self) -> dict[str, Any]:
        return _plain(schemas.DEFINITIONS.dump(self._queries.definitions()))

    def rejected(
        self, wanted: RejectedFilter, limit: int, cursor: str | None = None
    ) -> dict[str, Any]:
        found = self._queries.rejected(wanted, limit, cursor)
        return schemas.page(schemas.REJECTED_EVENT, found)

    def usage(self, keys: Iterable[Key] = ()) -> dict[str, Any]:
        return _plain(schemas.USAGE.dump(self._queries.usage(keys)))

    def _profile(self, kind: Kind, identifier: str) -> dict[str, Any]:
        found = self._queries.profile(kind, identifier)
        return _plain(schemas.PROFILES[kind].dump(found))


def _plain(dumped: Any) -> dict[str, Any]:
    return dict(dumped)
