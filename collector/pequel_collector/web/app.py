"""The WSGI application: every part of the API over one collector."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from ..app.bootstrap import Collector
from . import bodies, errors, logs
from .api import (
    account_lists,
    alerts,
    audit,
    backtest,
    definitions,
    diff,
    following,
    leads,
    likelihood,
    lint,
    lists,
    partners,
    preview,
    proof,
    queries,
    suggest,
)
from .api import metrics as metric_calls
from .console import blueprint as console
from .hooks import crm as crm_hooks
from .ingest import cors, handler
from .ingest.fast_path import FastPath
from .openapi import pages
from .ops import health, metrics
from .paths import RestOfPath

PARTS = (
    queries,
    lists,
    leads,
    partners,
    account_lists,
    alerts,
    proof,
    definitions,
    lint,
    preview,
    backtest,
    diff,
    likelihood,
    suggest,
    audit,
    following,
    metric_calls,
    crm_hooks,
    health,
    metrics,
    pages,
)
"""Every part of the API but ingestion; each has a ``blueprint`` over a collector."""


def create_app(collector: Collector) -> Flask:
    """A WSGI application over a collector."""
    app = Flask("pequel_collector", static_folder=None, template_folder=None)
    # Clients take a redirect for success, and what they sent is lost.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters["rest"] = RestOfPath
    logs.install(app)
    errors.install(app)
    cors.install(app)
    max_drained = 2 * collector.settings.max_body
    bodies.install(app, max_drained)
    ingest_handler = handler.IngestHandler(collector)
    app.register_blueprint(handler.blueprint(collector, ingest_handler))
    for part in PARTS:
        app.register_blueprint(part.blueprint(collector))
    app.register_blueprint(console.blueprint(collector))
    # Flask documents wrapping `wsgi_app` like this; to mypy it is a method.
    proxies = collector.settings.trusted_proxies
    as_clients_see_it = ProxyFix(app.wsgi_app, proxies, proxies, proxies, 0, proxies)
    fast_path = FastPath(as_clients_see_it, ingest_handler, max_drained, app.logger)
    app.wsgi_app = fast_path  # type: ignore[method-assign]
    return app
