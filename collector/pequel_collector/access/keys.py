"""API keys. A key is shown once; only its hash is stored."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from threading import Lock
from typing import Literal, NamedTuple, cast, get_args

from ..config import Settings
from ..errors import BadRequest, NotFound
from ..model import JSON, Key, iso
from ..ports import CLI, Act, AuditEntry, By, ReadTransaction, Store, WriteTransaction
from ..rules.language.routing import LONGEST_NAME, PARTNER_NAME, is_partner_name
from .refused import RefusedKeys

Scope = Literal["send", "marks", "leads", "read", "act", "work", "define", "audit", "alert"]
"""What a key may do: send events; see, in the answer, the leads that these open; see leads, a
partner's key its own; ask everything; change such leads, a partner's key those that it has claimed;
change all leads; put definitions in force; see who administered what; test alerts and send them
again."""

KeyKind = Literal["write", "write+marks", "read", "work", "admin", "partner"]
KINDS: tuple[KeyKind, ...] = get_args(KeyKind)

SCOPES: dict[str, frozenset[Scope]] = {
    "write": frozenset({"send"}),
    "write+marks": frozenset({"send", "marks"}),
    "read": frozenset({"leads", "read"}),
    "work": frozenset({"leads", "read", "act", "work"}),
    "admin": frozenset(get_args(Scope)),
    "partner": frozenset({"leads", "act"}),
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
    "partner": "pk_p_",
}

SHOWN = 9
"""Characters of a token that may be shown: its kind, and what tells it from others."""

HOUR = 3_600_000
"""Milliseconds between two writes of when a key was last used."""

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


def mark_of(key: Key) -> str:
    """What names a key in a session: its id, and enough of its hash to notice another key."""
    return f"{key.id}.{key.digest[:8]}"


class Keys:
    """The keys of a collector: the stored ones, and those in its settings."""

    def __init__(self, store: Store, clock: Callable[[], int], settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._given = {key.digest: key for key in _given(settings)}
        self._stored: dict[str, Key] = {}
        self._uses: dict[str, int] = {}
        self._saved: dict[str, int] = {}
        self._read_at: int | None = None
        self._reading = Lock()
        self.refused = RefusedKeys(store, clock)

    def find(self, token: str) -> Key | None:
        """The key of a token; None if it is unknown or revoked.

        Digests are looked up, not tokens: the time that a lookup takes reveals nothing about a
        token.
        """
        digest = digest_of(token)
        return self._used(self._given.get(digest) or self._find_stored(digest))

    def marked(self, mark: str) -> Key | None:
        """The key of a mark; None if it has ended, or another one has its id now."""
        id_ = mark.rpartition(".")[0]
        given = next((key for key in self._given.values() if key.id == id_), None)
        found = given or self._find(lambda key: key.id == id_)
        return found if found and mark_of(found) == mark else None

    def create(
        self,
        kind: KeyKind,
        label: str = "",
        rate: int | None = None,
        quota: int | None = None,
        by: By = CLI,
        partner: str | None = None,
    ) -> NewKey:
        """Create and store a key; ``rate``, ``quota`` and ``partner`` are those of ``model.Key``.

        Raises BadRequest for a partner's key without a partner, or another one with it.
        """
        _check_partner(kind, partner)
        with self._store.writing() as tx:
            new = self._add(tx, kind, label, rate, quota, partner)
            self._audit(tx, "key_created", by, **_about(new.key))
        self._invalidate()
        return new

    def rotate(self, key_id: str, overlap: int, by: By = CLI) -> NewKey:
        """Create a key in place of another one, which ends after ``overlap`` ms.

        The new key has the same kind, label, rate, quota and partner. Raises NotFound if no active
        key has this id, BadRequest for one that ends already.
        """
        with self._store.writing() as tx:
            old = self._active(tx, key_id)
            if old.expires_at is not None:
                raise BadRequest(f"the key {key_id} ends at {iso(old.expires_at)} already")
            ends = self._clock() + overlap
            kind = cast(KeyKind, old.kind)
            new = self._add(tx, kind, old.label, old.rate, old.quota, old.partner)
            tx.expire_key(key_id, ends)
            about = _about(old) | {"new_key": new.key.id, "ends_at": iso(ends)}
            self._audit(tx, "key_rotated", by, **about)
        self._invalidate()
        return new

    def save_uses(self) -> None:
        """Store when keys were last used: of each key once an hour at most."""
        since = self._clock() - HOUR
        used = {id_: at for id_, at in self._uses.copy().items() if self._saved_at(id_) <= since}
        if not used:
            return
        with self._store.writing() as tx:
            tx.use_keys(used, since)
            for key in self._given.values():
                if key.id in used and (_last_use(tx, key) or 0) <= since:
                    tx.set_meta(_used_name(key), str(used[key.id]))
        self._saved.update(used)

    def needs_first(self) -> bool:
        """Whether neither the store nor the settings have, or have had, a key."""
        return not self.listed()

    def create_first(self) -> list[NewKey]:
        """Create a key of each kind of a first start, unless there is or was a key."""
        if self._given:
            return []
        with self._store.writing() as tx:
            new = [] if tx.keys() else [self._add(tx, kind, "first start") for kind in FIRST_KINDS]
            for each in new:
                self._audit(tx, "key_created", By("cli", "first start"), **_about(each.key))
        self._invalidate()
        return new

    def missing(self) -> list[KeyKind]:
        """The kinds of a first start whose scopes no active key has."""
        now = self._clock()
        active = [SCOPES.get(key.kind, frozenset()) for key in self.listed() if key.is_active(now)]
        return [k for k in FIRST_KINDS if not any(SCOPES[k] <= scopes for scopes in active)]

    def listed(self) -> list[Key]:
        """Every key, also revoked ones: first those of the settings, then by age, oldest first."""
        with self._store.reading() as view:
            given = [replace(k, last_used_at=_last_use(view, k)) for k in self._given.values()]
            return [*given, *view.keys()]

    def revoke(self, key_id: str, by: By = CLI) -> bool:
        """Revoke a stored key. Returns False if there is no active key with this id."""
        with self._store.writing() as tx:
            found = tx.keys()
            stored = {key.id: key for key in found}
            revoked = tx.revoke_key(key_id, self._clock())
            if revoked:
                self._audit(tx, "key_revoked", by, **_about(stored[key_id]))
        self._invalidate()
        return revoked

    def _add(
        self,
        tx: WriteTransaction,
        kind: KeyKind,
        label: str,
        rate: int | None = None,
        quota: int | None = None,
        partner: str | None = None,
    ) -> NewKey:
        token = f"{_PREFIXES[kind]}{secrets.token_hex(16)}"
        id_, digest, now = secrets.token_hex(6), digest_of(token), self._clock()
        prefix = token[:SHOWN]
        key = Key(id_, kind, label, digest, now, None, rate, quota, prefix, partner=partner)
        tx.add_key(key)
        return NewKey(key, token)

    def _find_stored(self, digest: str) -> Key | None:
        if not self._is_fresh() or digest not in self._stored:
            self._read()
        found = self._stored.get(digest)
        return found if found and found.is_active(self._clock()) else None

    def _find(self, is_wanted: Callable[[Key], bool]) -> Key | None:
        """The first stored key that works and passes a test."""
        if not self._is_fresh():
            self._read()
        now = self._clock()
        return next((k for k in self._stored.values() if k.is_active(now) and is_wanted(k)), None)

    def _used(self, key: Key | None) -> Key | None:
        """The key, once its use is noted."""
        if key is not None:
            self._uses[key.id] = self._clock()
            self._saved.setdefault(key.id, key.last_used_at or 0)
        return key

    def _saved_at(self, key_id: str) -> int:
        return self._saved.get(key_id, 0)

    def _active(self, tx: WriteTransaction, key_id: str) -> Key:
        now, stored = self._clock(), tx.keys()
        for key in stored:
            if key.id == key_id and key.is_active(now):
                return key
        raise NotFound(f"there is no active key {key_id}: see `pequel keys list`")

    def _audit(self, tx: WriteTransaction, what: Act, by: By, **details: JSON) -> None:
        tx.add_audit(AuditEntry(self._clock(), what, by, details))

    def _is_fresh(self) -> bool:
        return self._read_at is not None and 0 <= self._clock() - self._read_at < FRESH_FOR

    def _read(self) -> None:
        with self._reading, self._store.reading() as view:
            now = self._clock()
            known = view.keys()
            self._stored = {key.digest: key for key in known if key.is_active(now)}
            self._read_at = now

    def _invalidate(self) -> None:
        with self._reading:  # a read in progress may have missed the change
            self._read_at = None


def _about(key: Key) -> dict[str, JSON]:
    """The details of a key in the audit log."""
    about: dict[str, JSON] = {"key": key.id, "kind": key.kind, "label": key.label}
    about["prefix"] = key.prefix
    return about if key.partner is None else about | {"partner": key.partner}


def _check_partner(kind: KeyKind, partner: str | None) -> None:
    if kind != "partner" and partner is not None:
        raise BadRequest(
            f"partner: found {partner!a} for a {kind} key, expected it only for the kind partner",
            field="partner",
        )
    if kind == "partner" and (partner is None or not is_partner_name(partner)):
        found = "nothing" if partner is None else ascii(partner[:LONGEST_NAME])
        raise BadRequest(
            f"partner: found {found}, expected {PARTNER_NAME}",
            field="partner",
        )


def _used_name(key: Key) -> str:
    """Under which name the store has the last use of a key in the settings."""
    return f"used {mark_of(key)}"


def _last_use(tx: ReadTransaction, key: Key) -> int | None:
    """When a key in the settings was last used, which has no row of its own."""
    text = tx.meta(_used_name(key))
    return None if text is None else int(text)


def _given(settings: Settings) -> list[Key]:
    """The keys in the settings. Raises BadRequest for a key of another kind than its variable."""
    tokens: dict[KeyKind, str] = {
        "write": settings.write_key,
        "read": settings.read_key,
        "admin": settings.admin_key,
    }
    for kind, token in tokens.items():
        _require_kind(kind, token)
    return [
        Key(f"settings-{kind}", kind, f"PEQUEL_{kind.upper()}_KEY", digest_of(token), 0)
        for kind, token in tokens.items()
        if token
    ]


def _require_kind(kind: KeyKind, token: str) -> None:
    """Raises BadRequest for a key that Pequel made as one of another kind."""
    made_as = next((each for each in KINDS if token.startswith(_PREFIXES[each])), kind)
    if made_as != kind:
        variable = f"PEQUEL_{kind.upper()}_KEY"
        raise BadRequest(
            f"{variable}: found a {made_as} key ({_PREFIXES[made_as]}…), expected a {kind} key",
            field=f"{kind}_key",
        )
