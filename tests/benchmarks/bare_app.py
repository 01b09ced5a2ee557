"""The yardstick: a bare Flask app that parses what comes and stores it, and does nothing else.

BARE_DATABASE=bare.db gunicorn -w 2 benchmarks.bare_app:app
"""

from __future__ import annotations

import json
import os
import sqlite3
from typing import Any

from flask import Flask, request

app = Flask(__name__)
_connections: dict[int, sqlite3.Connection] = {}


def _connection() -> sqlite3.Connection:
    """This process's connection: each commit is on disk when it returns."""
    if os.getpid() not in _connections:
        connection = sqlite3.connect(os.environ["BARE_DATABASE"], timeout=30)
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("PRAGMA synchronous = full")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS event (mid TEXT, user TEXT, name TEXT, time TEXT, body TEXT)"
        )
        _connections[os.getpid()] = connection
    return _connections[os.getpid()]


def _store(events: list[dict[str, Any]]) -> dict[str, int]:
    rows = [
        (e["messageId"], e["userId"], e["event"], e["timestamp"], json.dumps(e["properties"]))
        for e in events
    ]
    connection = _connection()
    with connection:
        connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?)", rows)
    return {"accepted": len(rows)}


@app.post("/v1/batch")
def batch() -> dict[str, int]:
    """Store a batch by one ``executemany``."""
    return _store(json.loads(request.get_data())["batch"])


@app.post("/v1/track")
def track() -> dict[str, int]:
    """Store one event."""
    return _store([json.loads(request.get_data())])
