"""The application: every part of the API over one collector."""

from __future__ import annotations

from flask import Flask

from . import bodies, cors, definitions, errors, health, ingest, lint, metrics, proof, query
from .collector import Collector
from .paths import Rest
from .shortcut import Shortcut

PARTS = (ingest, query, proof, definitions, lint, health, metrics)
"""Every part of the API; each has a ``blueprint`` over a collector."""


def create_app(collector: Collector) -> Flask:
    """A WSGI application over a collector."""
    app = Flask("pequel_collector", static_folder=None, template_folder=None)
    # Clients take a redirect for success, and what they sent is lost.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters["rest"] = Rest
    errors.install(app)
    cors.install(app)
    bodies.install(app, most=2 * collector.settings.max_body)
    for part in PARTS:
        app.register_blueprint(part.blueprint(collector))
    app.wsgi_app = Shortcut(app.wsgi_app, collector, app.logger)  # type: ignore[method-assign]
    return app
