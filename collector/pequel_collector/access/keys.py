"""API keys. A key is shown once; only its hash is stored."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from typing import Literal, NamedTuple, get_args

from ..config import Settings
from ..model import Key
from ..ports import Store, WriteTransaction

Scope = Literal["send", "marks", "read", "work", "define"]
"""What a key may do: send events; see, in the answer, the leads that these open; ask everything;
change leads; put definitions in force."""

KeyKind = Literal["write", "write+marks", "read", "work", "admin"]
KINDS: tuple[KeyKind, ...] = get_args(KeyKind)

SCOPES: dict[str, frozenset[Scope]] = {
    "write": frozenset({"send"}),
    "write+marks": frozenset({"send", "marks"}),
    "read": frozenset({"read"}),
    "work": frozenset({"read", "work"}),
    "admin": frozenset({"send", "marks", "read", "work", "define"}),
}
"""What each kind of key may do. A new kind is a row here."""

FIRST_KINDS: tuple[KeyKind, ...] = ("write", "read", "admin")
"""The keys of a first start: together they may do everything."""

_PREFIXES: dict[KeyKind, str] = {
    "write": "pk_w_",
    "write+marks": "pk_m_",
    "read": "pk_r_",
    "work": "pk_k_",
    "admin": "pk_a_",
}

# Milliseconds until a process sees the keys that another one creates or revokes.
FRESH_FOR = 1_000


class NewKey(NamedTuple):
    """A key and its token, which is not stored."""

    key: Key
    token: str


def may(key: Key, scope: Scope) -> bool:
    """Whether a key has a scope. A key of an unknown kind, from a later release, has none."""
    return scope in SCOPES.get(key.kind, ())


def kinds_with(scope: Scope) -> list[str]:
    """The kinds of key that have a scope."""
    return [kind for kind in KINDS if scope in SCOPES[kind]]


def digest_of(token: str) -> str:
    """The hash that is stored in place of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Keys:
    """The keys of a collector: the stored ones, and those in its settings."""

    def __init__(self, store: Store, clock: Callable[[], int], settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._given = {key.digest: key for key in _given(settings)}
        self._stored: dict[str, Key] = {}
        self._read_at: int | None = None
        self._reading = Lock()

    def find(self, token: str) -> Key | None:
        """The key of a token; None if it is unknown or revoked.

        Digests are looked up, not tokens: the time that a lookup takes reveals nothing about a
        token.
        """
        digest = digest_of(token)
        return self._given.get(digest) or self._find_stored(digest)

    def create(
        self, kind: KeyKind, label: str = "", rate: int | None = None, quota: int | None = None
    ) -> NewKey:
        """Create and store a key; ``rate`` and ``quota`` are those of ``model.Key``."""
        with self._store.writing() as tx:
            new = self._add(tx, kind, label, rate, quota)
        self._invalidate()
        return new

    def needs_first(self) -> bool:
        """Whether neither the store nor the settings have, or have had, a key."""
        return not self.listed()

    def create_first(self) -> list[NewKey]:
        """Create a key of each kind of a first start, unless there is or was a key."""
        if self._given:
            return []
        with self._store.writing() as tx:
            new = [] if tx.keys() else [self._add(tx, kind, "first start") for kind in FIRST_KINDS]
        self._invalidate()
        return new

    def missing(self) -> list[KeyKind]:
        """The kinds of a first start whose scopes no active key has."""
        active = [SCOPES.get(key.kind, frozenset()) for key in self.listed() if not key.revoked_at]
        return [k for k in FIRST_KINDS if not any(SCOPES[k] <= scopes for scopes in active)]

    def listed(self) -> list[Key]:
        """Every key, also revoked ones: first those of the settings, then by age, oldest first."""
        with self._store.reading() as view:
            return [*self._given.values(), *view.keys()]

    def revoke(self, key_id: str) -> bool:
        """Revoke a stored key. Returns False if there is no active key with this id."""
        with self._store.writing() as tx:
            revoked = tx.revoke_key(key_id, self._clock())
        self._invalidate()
        return revoked

    def _add(
        self,
        tx: WriteTransaction,
        kind: KeyKind,
        label: str,
        rate: int | None = None,
        quota: int | None = None,
    ) -> NewKey:
        token = f"{_PREFIXES[kind]}{secrets.token_hex(16)}"
        id_, digest, now = secrets.token_hex(6), digest_of(token), self._clock()
        key = Key(id_, kind, label, digest, now, rate=rate, quota=quota)
        tx.add_key(key)
        return NewKey(key, token)

    def _find_stored(self, digest: str) -> Key | None:
        if not self._is_fresh() or digest not in self._stored:
            self._read()
        return self._stored.get(digest)

    def _is_fresh(self) -> bool:
        return self._read_at is not None and 0 <= self._clock() - self._read_at < FRESH_FOR

    def _read(self) -> None:
        with self._reading, self._store.reading() as view:
            now = self._clock()
            known = view.keys()
            self._stored = {key.digest: key for key in known if key.revoked_at is None}
            self._read_at = now

    def _invalidate(self) -> None:
        with self._reading:  # a read in progress may have missed the change
            self._read_at = None


def _given(settings: Settings) -> list[Key]:
    tokens: dict[KeyKind, str] = {
        "write": settings.write_key,
        "read": settings.read_key,
        "admin": settings.admin_key,
    }
    return [
        Key(f"settings-{kind}", kind, f"PEQUEL_{kind.upper()}_KEY", digest_of(token), 0)
        for kind, token in tokens.items()
        if token
    ]
