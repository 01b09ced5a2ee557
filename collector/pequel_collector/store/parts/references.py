"""Which lead a record of a CRM belongs to, in shared SQL."""

from __future__ import annotations

from ..encoding import escape, unescape
from ..session import Session

_LEAD = """
SELECT lead FROM delivery WHERE reference = :reference ORDER BY change DESC LIMIT 1
"""


class ReferenceReads:
    """The references of a read transaction. ``ports`` documents the methods."""

    _session: Session

    def lead_of_reference(self, reference: str) -> str | None:
        found = self._session.run(_LEAD, reference=escape(reference))
        return unescape(found[0][0]) if found else None
