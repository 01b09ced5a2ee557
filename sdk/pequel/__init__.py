"""Pequel: tell a collector what users do, from inside the product.

    import pequel

    pequel.configure(write_key="…", host="http://127.0.0.1:8321")
    pequel.identify("u1", {"email": "ada@example.com", "plan": "free"})
    pequel.track("u1", "project_created", {"project_id": "p9"})

`Client` is the same without a default.
"""

from pequel.client import Client
from pequel.config import Options
from pequel.default import (
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
)
from pequel.errors import REASONS, ConfigError, DroppedError, PequelError
from pequel.outbox import Stats
from pequel.transport import Outcome, RecordingTransport, Rejection, Transport, Verdict
from pequel.version import __version__

__all__ = [
    "REASONS",
    "Client",
    "ConfigError",
    "DroppedError",
    "Options",
    "Outcome",
    "PequelError",
    "RecordingTransport",
    "Rejection",
    "Stats",
    "Transport",
    "Verdict",
    "__version__",
    "alias",
    "configure",
    "flush",
    "group",
    "identify",
    "page",
    "screen",
    "shutdown",
    "stats",
    "track",
]
