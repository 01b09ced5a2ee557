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

    It receives events over HTTP, marks leads, and serves the query API. On the first start it
    creates a key of each kind and prints them, unless you set PEQUEL_WRITE_KEY, PEQUEL_READ_KEY
    or PEQUEL_ADMIN_KEY.

    SIGHUP reloads the definitions file. SIGTERM finishes the current requests, then stops. When
    definitions have changed, history is replayed under them while the collector serves.
    """
    from ..server.server import bind, is_in_memory, run

    settings = settings_from(given)
    if settings.workers > 1 and is_in_memory(settings.database):
        raise BadRequest(f"{settings.workers} workers cannot share an in-memory database")
    listeners = bind(settings.host, settings.port, settings.workers)
    # Opened once here, to report errors before a worker starts.
    open_collector(settings, replay=False).close()
    run(settings, listeners)
