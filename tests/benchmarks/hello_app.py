"""A bare Flask app that answers ``hello``: what reading is compared with."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/hello")
def hello() -> dict[str, str]:
    """Answer without any work."""
    return {"hello": "world"}
