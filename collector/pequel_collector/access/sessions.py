"""Sessions of the console: who is logged in, for how long, and with which rights.

A cookie holds a random token, and the store its hash. A token is changed every hour; the old one
works for a minute more, because a browser may have several requests on the way.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import NamedTuple

from ..model import Clock, Key
from ..ports import ConsoleSession, Store, WriteTransaction
from .keys import Keys, Scope, digest_of, mark_of, may

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

LINK_LASTS = 15 * MINUTE
"""How long a link works that opens one session (ms)."""

IDLE = 7 * DAY
"""How long a session lasts without use (ms)."""

LONGEST = 30 * DAY
"""How long a session lasts at most (ms)."""

ROTATION = HOUR
"""How long a token is used before another takes its place (ms)."""

OVERLAP = MINUTE
"""How long a token still works after that (ms)."""

LOCAL = Key("console", "admin", "the console", "", 0)
"""In place of a key, for a session that a link on this machine has opened."""


class Viewer(NamedTuple):
    """Somebody who is logged in: the session, its key, and the token if it has just changed."""

    session: ConsoleSession
    key: Key
    new_token: str | None = None

    @property
    def actor(self) -> str:
        """Who works in the session."""
        return self.session.actor

    @property
    def form_token(self) -> str:
        """What every form of the session carries. A page of another origin cannot know it."""
        return sha256(b"form\0" + self.session.family.encode()).hexdigest()[:32]

    def may(self, scope: Scope) -> bool:
        """Whether the key of the session has a scope."""
        return may(self.key, scope)

    def sent(self, form_token: str) -> bool:
        """Whether a form was sent from a page of this session."""
        return hmac.compare_digest(form_token.encode(), self.form_token.encode())


class NewSession(NamedTuple):
    """A session and its token, which is not stored."""

    viewer: Viewer
    token: str


class Sessions:
    """The sessions of the console, over one store."""

    def __init__(self, store: Store, keys: Keys, clock: Clock) -> None:
        self._store, self._keys, self._clock = store, keys, clock

    def open(self, key: Key, actor: str = "") -> NewSession:
        """Open a session with the rights of a key, for somebody."""
        with self._store.writing() as tx:
            return self._open(tx, key, mark_of(key), actor or key.label or key.id)

    def link(self) -> str:
        """The token of a link that opens one session with every right."""
        token, now = _token(), self._clock()
        family = secrets.token_hex(16)
        session = ConsoleSession(
            digest_of(token), family, "link", None, LOCAL.label, now, now, now + LINK_LASTS
        )
        with self._store.writing() as tx:
            tx.purge_console_sessions(now)
            tx.add_console_session(session)
        return token

    def follow(self, token: str) -> NewSession | None:
        """Open the session of a link; None for one that was used, or is too old."""
        digest = digest_of(token)
        with self._store.writing() as tx:
            found = tx.console_session(digest)
            if found is None or found.kind != "link" or not tx.take_console_session(digest):
                return None
            if found.ends_at <= self._clock():
                return None
            return self._open(tx, LOCAL, None, found.actor)

    def find(self, token: str) -> Viewer | None:
        """Who has a token; None if their session or its key has ended."""
        with self._store.reading() as tx:
            session = tx.console_session(digest_of(token))
        now = self._clock()
        if session is None or session.kind != "session" or session.ends_at <= now:
            return None
        key = LOCAL if session.key_mark is None else self._keys.marked(session.key_mark)
        if key is None:
            return None
        is_due = session.made_at + ROTATION <= now < session.began_at + LONGEST
        return self._rotated(session, key) if is_due else Viewer(session, key)

    def end(self, viewer: Viewer) -> None:
        """End a session."""
        with self._store.writing() as tx:
            tx.end_console_session(viewer.session.family)

    def end_all(self, viewer: Viewer) -> None:
        """End every session that was opened with the key of this one."""
        with self._store.writing() as tx:
            tx.end_console_sessions_of(viewer.session)

    def _open(self, tx: WriteTransaction, key: Key, mark: str | None, actor: str) -> NewSession:
        now, token = self._clock(), _token()
        family = secrets.token_hex(16)
        session = ConsoleSession(
            digest_of(token), family, "session", mark, actor, now, now, now + IDLE
        )
        tx.purge_console_sessions(now)
        tx.add_console_session(session)
        return NewSession(Viewer(session, key), token)

    def _rotated(self, session: ConsoleSession, key: Key) -> Viewer:
        """The session under a new token. Each of several requests gets one: answers may be lost."""
        now, token = self._clock(), _token()
        ends_at = min(now + IDLE, session.began_at + LONGEST)
        new = session._replace(digest=digest_of(token), made_at=now, ends_at=ends_at)
        with self._store.writing() as tx:
            tx.purge_console_sessions(now)
            tx.shorten_console_session(session.digest, now + OVERLAP)
            tx.add_console_session(new)
        return Viewer(new, key, token)


def _token() -> str:
    return secrets.token_urlsafe(32)
