"""The console over a collector: every part, in one blueprint."""

from __future__ import annotations

from flask import Blueprint

from ...app.bootstrap import Collector
from . import (
    activity,
    alerting,
    catalogue,
    definitions,
    editor,
    figures,
    frame,
    lead,
    lead_forms,
    leads,
    live,
    login,
    partner,
    people,
    settings,
)

PARTS = (
    login,
    leads,
    lead,
    lead_forms,
    activity,
    live,
    definitions,
    editor,
    figures,
    people,
    catalogue,
    settings,
    alerting,
    partner,
)
"""Each adds its routes to the blueprint."""


def blueprint(collector: Collector) -> Blueprint:
    """The console."""
    bp = Blueprint("console", __name__)
    console = frame.Console(collector)
    frame.install(bp, console)
    for part in PARTS:
        part.add(bp, console)
    return bp
