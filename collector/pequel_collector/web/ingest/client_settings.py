"""What the libraries of browsers and phones fetch before they send: where to, and that they may.

Everybody is answered, whatever their key: what they send is another question, and a library that
is refused here never sends anything. Caches may keep the answers.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from ...model import JSON
from .. import credentials
from ..json import answer
from . import routes

FRESH = "public, max-age=300"

_EVERYTHING = {"track": {"__default": {"enabled": True, "integrations": {}}}}
_OWN_MACHINE = ("localhost", "127.0.0.1", "::1")


def blueprint() -> Blueprint:
    """The answers to start-up fetches; they need no collector."""
    paths = Blueprint("startup", __name__)

    @paths.get(routes.SETTINGS)
    def settings(key: str) -> Response:
        return _cached(_settings(key))

    @paths.get(routes.SOURCE_CONFIG)
    def source_config() -> Response:
        return _cached(_source_config(credentials.of_anybody(request) or ""))

    return paths


def _settings(key: str) -> JSON:
    """What the libraries of Segment and Customer.io ask for."""
    here = {"apiKey": key, "apiHost": f"{request.host}/v1", "protocol": _scheme()}
    versions = {"version": "4.4.7", "componentTypes": ["browser"]}
    return {
        "integrations": {
            "Segment.io": here | {"versionSettings": versions},
            "Customer.io Data Pipelines": here,
        },
        "plan": _EVERYTHING,
        "analyticsNextEnabled": True,
        "metrics": {"sampleRate": 0},
    }


def _source_config(key: str) -> JSON:
    """What the libraries of RudderStack ask for."""
    return {
        "source": {
            "id": "pequel",
            "name": "Pequel",
            "writeKey": key,
            "enabled": True,
            "workspaceId": "pequel",
            "config": {},
            "connections": [],
            "destinations": [],
            "dataplanes": {},
        },
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }


def _scheme() -> str:
    """How the client reaches this collector: a secure page can do so by HTTPS only.

    Behind a proxy that ends TLS, the request itself does not say so. A secure page may speak
    plainly to its own machine.
    """
    is_secure = request.headers.get("Origin", "").startswith("https://")
    is_near = urlsplit(f"//{request.host}").hostname in _OWN_MACHINE
    return "https" if is_secure and not is_near else request.scheme


def _cached(data: JSON) -> Response:
    response = answer(data)
    response.headers["Cache-Control"] = FRESH
    return response
