"""The yardstick: a bare Flask app that parses what comes and stores it, and does nothing else.

BARE_DATABASE=bare.db gunicorn -w 2 --threads 8 benchmarks.bare_app:app
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from typing import Any

from flask import Flask, request

app = Flask(__name__)
_own = threading.local()


def _connection() -> sqlite3.Connection:
    """This thread's connection: each commit is on disk when it returns."""
    if not hasattr(_own, "connection"):
        _own.connection = sqlite3.connect(os.environ["BARE_DATABASE"], timeout=30)
        _own.connection.execute("PRAGMA journal_mode = wal")
        _own.connection.execute("PRAGMA synchronous = full")
        _own.connection.execute(
            "CREATE TABLE IF NOT EXISTS event"
            " (mid TEXT, user TEXT, name TEXT, time TEXT, properties TEXT)"
        )
    connection: sqlite3.Connection = _own.connection
    return connection


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
