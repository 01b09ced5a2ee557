"""Logging in with a key or a link, and out; and the files of the pages."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...access.keys import kinds_with, may
from ...errors import NotFound
from .. import credentials
from . import frame, interrupted
from .forms import form
from .frame import Console, done, log_in, log_out, login_page, page_for, public, url, viewer

MAX_KEY = 512
"""Characters of a key."""

MAX_NAME = 80
"""Characters of the name of somebody who logs in."""

_ONE_YEAR = 31_536_000


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""

    @bp.post("/login")
    @public
    def login() -> Response:
        address = request.remote_addr or ""
        kept = interrupted.carried()
        if wait := console.throttle.wait(address):
            page = login_page(console, f"Too many wrong keys: try again in {wait} s.", 429, kept)
            page.headers["Retry-After"] = str(wait)
            return page
        token = form().get("key", "").strip()[:MAX_KEY]
        key = credentials.find(console.collector.keys, token) if token else None
        if key is None or not may(key, "leads"):
            console.throttle.failed(address)
            mistake = _mistake(token, None if key is None else key.kind)
            return login_page(console, mistake, 401, kept)
        console.throttle.succeeded(address)
        new = console.sessions.open(key, _name(form().get("name", "")))
        target = frame.local(form().get("next"), url("console.inbox"))
        again = None if kept is None else interrupted.page_of(kept, new.viewer)
        return log_in(done(target) if again is None else again, new.token)

    @bp.get("/open/<token>")
    @public
    def follow(token: str) -> Response:
        return _follow(console, token)

    @bp.post("/logout")
    @page_for("leads")
    def logout() -> Response:
        console.sessions.end(viewer())
        return log_out(done(url("console.inbox")))

    @bp.post("/logout-everywhere")
    @page_for("leads")
    def logout_everywhere() -> Response:
        console.sessions.end_all(viewer())
        return log_out(done(url("console.inbox")))

    @bp.get("/assets/<name>")
    @public
    def asset(name: str) -> Response:
        data = console.assets.get(name)
        if data is None:
            raise NotFound(f"there is no file {name[:100]!a} here")
        response = Response(data, mimetype=frame.TYPES[name[name.rindex(".") :]])
        response.headers["Cache-Control"] = f"public, max-age={_ONE_YEAR}, immutable"
        return response


def _follow(console: Console, token: str) -> Response:
    """Log in by the link of a start. A preview of the link does not use it up."""
    if request.method == "HEAD":
        return Response()
    new = console.sessions.follow(token[:MAX_KEY])
    if new is None:
        mistake = "This link was used, or is too old. Log in with a key."
        return login_page(console, mistake, 401)
    return log_in(done(url("console.inbox")), new.token)


def _mistake(token: str, kind: str | None) -> str:
    """What is wrong with a key."""
    if not token:
        return "Type a key."
    kinds = ", ".join(kinds_with("leads"))
    if kind is None:
        return f"This key is unknown, or was revoked. A key of one of these kinds works: {kinds}."
    return f"This is a {kind} key. A key of one of these kinds works: {kinds}."


def _name(text: str) -> str:
    """The name that somebody gives, without what has no shape."""
    return " ".join("".join(c for c in text if c.isprintable()).split())[:MAX_NAME]
