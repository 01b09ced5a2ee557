"""``pequel serve``: the collector behind an HTTP server."""

from __future__ import annotations

import os
from typing import Any

import click

from ..app.bootstrap import open_collector
from ..config import SECRET, is_foreign
from ..errors import BadRequest
from .options import NAMES, example, settings_from, settings_options


@click.command(
    epilog=example("pequel serve --config pequel.toml --database sqlite:///pequel.db --port 8321")
)
@settings_options(*NAMES)
def serve(**given: Any) -> None:
    """Run the collector.

    It receives events over HTTP, marks leads, and serves the query API. On the first start it
    creates a write, a read and an admin key, unless you set PEQUEL_WRITE_KEY, PEQUEL_READ_KEY or
    PEQUEL_ADMIN_KEY. It prints them on a terminal, and otherwise writes them to a file beside the
    database.

    SIGHUP reloads the definitions file. SIGTERM finishes the current requests, then stops. When
    definitions have changed, history is replayed under them while the collector serves.
    """
    from ..server.server import bind, is_in_memory, run

    settings = settings_from(given | dict.fromkeys(SECRET))
    port = os.environ.get("PEQUEL_PORT", "").strip()
    if given["port"] is None and is_foreign("port", port):
        click.echo(f"PEQUEL_PORT={port} is of a Kubernetes service, and is ignored", err=True)
    if settings.workers > 1 and is_in_memory(settings.database):
        raise BadRequest(f"{settings.workers} workers cannot share an in-memory database")
    listeners = bind(settings.host, settings.port, settings.workers)
    # Opened once here, to report errors before a worker starts.
    open_collector(settings, replay=False).close()
    run(settings, listeners)
