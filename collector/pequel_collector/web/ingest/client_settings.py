"""The settings that browser and phone libraries fetch before they send events.

Every request is answered, with any key: a library without settings never sends anything, and its
key is checked with its events. Caches may keep the answers.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from ...model import JSON
from .. import credentials
from ..json import json_response
from . import routes

CACHE_CONTROL = "public, max-age=300"

_PLAN = {"track": {"__default": {"enabled": True, "integrations": {}}}}
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def blueprint() -> Blueprint:
    """The settings; they need no collector."""
    bp = Blueprint("client_settings", __name__)

    @bp.get(routes.SETTINGS)
    def settings(key: str) -> Response:
        return _cached(_settings(key))

    @bp.get(routes.SOURCE_CONFIG)
    def source_config() -> Response:
        return _cached(_source_config(credentials.any_token(request) or ""))

    return bp


def _settings(key: str) -> JSON:
    """For the libraries of Segment and Customer.io."""
    here = {"apiKey": key, "apiHost": f"{request.host}/v1", "protocol": _scheme()}
    versions = {"version": "4.4.7", "componentTypes": ["browser"]}
    return {
        "integrations": {
            "Segment.io": here | {"versionSettings": versions},
            "Customer.io Data Pipelines": here,
        },
        "plan": _PLAN,
        "analyticsNextEnabled": True,
        "metrics": {"sampleRate": 0},
    }


def _source_config(key: str) -> JSON:
    """For the libraries of RudderStack."""
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
    """The scheme for events: an HTTPS page can send by HTTPS only, except to its own machine.

    Behind a proxy that terminates TLS, the request itself is HTTP.
    """
    is_secure = request.headers.get("Origin", "").startswith("https://")
    is_local = urlsplit(f"//{request.host}").hostname in _LOCAL_HOSTS
    return "https" if is_secure and not is_local else request.scheme


def _cached(data: JSON) -> Response:
    response = json_response(data)
    response.headers["Cache-Control"] = CACHE_CONTROL
    return response
