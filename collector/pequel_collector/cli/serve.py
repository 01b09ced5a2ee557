"""``pequel serve``: the collector behind an HTTP server."""

from __future__ import annotations

from typing import Any

import click

from ..app.bootstrap import open_collector
from ..errors import BadRequest
from .options import NAMES, example, settings_from, settings_options


@click.command(
    epilog=example("pequel serve --config pequel.toml --database sqlite:///pequel.db --port 8321")
)
@settings_options(*NAMES)
def serve(**given: Any) -> None:
    """Run the collector.

    It takes in events over HTTP, marks leads, and answers questions about them. Keys are made and
    printed on the first start. PEQUEL_WRITE_KEY, PEQUEL_READ_KEY and PEQUEL_ADMIN_KEY, where set,
    are accepted from the start instead. SIGHUP reads the definitions again; SIGTERM answers what
    was accepted, then stops. Where definitions have changed, history is replayed under them while
    it serves.
    """
    from ..server.server import bind, is_in_memory, run

    settings = settings_from(given)
    if settings.workers > 1 and is_in_memory(settings.database):
        raise BadRequest(f"{settings.workers} workers cannot share a database in memory")
    listeners = bind(settings.host, settings.port, settings.workers)
    # Opened here once, so that whatever is wrong is said before a worker is started.
    open_collector(settings, replay=False).close()
    run(settings, listeners)
