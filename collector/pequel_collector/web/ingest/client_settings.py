"""The settings that browser and phone libraries fetch before they send events.

Every request is answered, with any key: a library without settings never sends anything, and its
key is checked with its events. Of known keys, an answer repeats only those that can be public.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from ...access.keys import Keys
from ...model import JSON
from .. import credentials
from ..json import json_response
from ..openapi.operation import describe
from . import description, routes

CACHE_CONTROL = "private, no-store"

_PLAN = {"track": {"__default": {"enabled": True, "integrations": {}}}}
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def blueprint(keys: Keys) -> Blueprint:
    """The settings, for the keys of a collector."""
    bp = Blueprint("client_settings", __name__)

    @bp.get(routes.SETTINGS)
    @describe(description.SETTINGS)
    def settings(key: str) -> Response:
        found = credentials.find(keys, key)
        return _uncached(_settings(key if found is None or found.kind == "write" else ""))

    @bp.get(routes.SOURCE_CONFIG)
    @describe(description.SETTINGS)
    def source_config() -> Response:
        token = credentials.any_token(request) or ""
        found = credentials.find(keys, token)
        return _uncached(_source_config(token if found and found.kind == "write" else ""))

    return bp


def _settings(key: str) -> JSON:
    """For the libraries of Segment and Customer.io."""
    host = f"{request.host}{request.root_path}/v1"
    here = {"apiKey": key, "apiHost": host, "protocol": _scheme()}
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

    Behind a proxy that terminates TLS and is not trusted, the request itself is HTTP.
    """
    is_secure = request.headers.get("Origin", "").startswith("https://")
    is_local = urlsplit(f"//{request.host}").hostname in _LOCAL_HOSTS
    return "https" if is_secure and not is_local else request.scheme


def _uncached(data: JSON) -> Response:
    response = json_response(data)
    response.headers["Cache-Control"] = CACHE_CONTROL
    return response
