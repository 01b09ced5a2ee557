"""Pequel: send what users do to a collector, from inside your product.

    import pequel

    pequel.configure(write_key="pk_w_…", host="http://127.0.0.1:8321")
    pequel.identify("u1", {"email": "ada@example.com", "plan": "free"})
    pequel.track("u1", "project_created", {"project_id": "p9"})

`Client` is a client of its own, beside the default one behind these functions.
"""

from typing import TYPE_CHECKING

from pequel.client import Client
from pequel.config import Options
from pequel.default_client import (
    alias,
    configure,
    flush,
    group,
    identify,
    page,
    screen,
    shutdown,
    stats,
    track,
    tracked,
)
from pequel.errors import (
    REASONS,
    ConfigError,
    ConflictError,
    DroppedError,
    NotFoundError,
    PequelError,
    ReaderError,
    UnauthorizedError,
    UnavailableError,
)
from pequel.scope import context, current_context, set_context
from pequel.sending.queue import Stats
from pequel.sending.transport import (
    Delivery,
    FullTransport,
    Mark,
    Outcome,
    RecordingTransport,
    Rejection,
    Transport,
    Verdict,
)
from pequel.version import __version__

if TYPE_CHECKING:
    from pequel.reading.leads import Leads
    from pequel.reading.reader import Reader
else:

    def __getattr__(name: str) -> object:
        """Import what reads when it is first used, to keep the import of the package quick."""
        if name not in {"Leads", "Reader"}:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from pequel.reading import leads

        return getattr(leads, name)


__all__ = [
    "REASONS",
    "Client",
    "ConfigError",
    "ConflictError",
    "Delivery",
    "DroppedError",
    "FullTransport",
    "Leads",
    "Mark",
    "NotFoundError",
    "Options",
    "Outcome",
    "PequelError",
    "Reader",
    "ReaderError",
    "RecordingTransport",
    "Rejection",
    "Stats",
    "Transport",
    "UnauthorizedError",
    "UnavailableError",
    "Verdict",
    "__version__",
    "alias",
    "configure",
    "context",
    "current_context",
    "flush",
    "group",
    "identify",
    "page",
    "screen",
    "set_context",
    "shutdown",
    "stats",
    "track",
    "tracked",
]
