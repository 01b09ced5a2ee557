"""Keys, what came in with them, who did what, and the sessions of the console."""

from __future__ import annotations

from typing import Any, cast, get_args

from flask import Blueprint, Response

from ...access.keys import KINDS, KeyKind
from ...errors import BadRequest, NotFound
from ...ports import AuditEntry, By
from ...rules.language.quantities import QuantityError, milliseconds
from ...rules.language.routing import LONGEST_NAME
from .forms import again, form, optional
from .frame import Console, done, needs, url, viewer

ACTS = 30
"""Administrative acts that the page shows."""

OVERLAPS = ("0", "1h", "24h", "7d")
"""How long a key that is rotated still works."""

MAX_LABEL = 120
MAX_REASON = 500


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector = console.collector

    def page(status: int = 200) -> Response:
        keys = collector.keys.listed()
        is_admin = viewer().may("audit")
        return console.page(
            "settings.html",
            status,
            keys=[key for key in keys if key.revoked_at is None],
            revoked=[key for key in keys if key.revoked_at is not None],
            usage=collector.queries.usage(keys),
            acts=collector.queries.audit(ACTS).data if is_admin else None,
            changed_by=changed_by,
            may_define=viewer().may("define"),
            kinds=KINDS,
            overlaps=OVERLAPS,
            settings=collector.settings,
        )

    @bp.get("/settings")
    def settings() -> Response:
        return page()

    @bp.post("/keys")
    @needs("define")
    @again(page)
    def create_key() -> Response:
        kind = _kind(form().get("kind", ""))
        label = optional(form(), "label", MAX_LABEL)
        rate, quota = _limit("rate"), _limit("quota")
        partner = optional(form(), "partner", LONGEST_NAME) or None
        new = collector.keys.create(kind, label, rate, quota, _by(), partner)
        return console.page("key.html", new=new, old=None)

    @bp.post("/keys/<key_id>/rotate")
    @needs("define")
    @again(page)
    def rotate_key(key_id: str) -> Response:
        new = collector.keys.rotate(key_id[:64], _overlap(), _by())
        return console.page("key.html", new=new, old=key_id[:64])

    @bp.post("/keys/<key_id>/revoke")
    @needs("define")
    @again(page)
    def revoke_key(key_id: str) -> Response:
        if not collector.keys.revoke(key_id[:64], _by()):
            raise NotFound("there is no active key of this id that is stored")
        return done(url("console.settings"), "revoked")


def changed_by(act: AuditEntry) -> list[str]:
    """What a change of definitions changed, in words; nothing for other acts."""
    details = cast(dict[str, Any], act.details)
    versions = (
        f"{name} → {'taken out' if version is None else f'version {version}'}"
        for name, version in details.get("versions", {}).items()
    )
    fields = (f"{', '.join(keys)} of {name}" for name, keys in details.get("fields", {}).items())
    tables = (f"[{table}]" for table in details.get("tables", ()))
    return [*versions, *fields, *tables]


def _by() -> By:
    return By(viewer().key.id, optional(form(), "reason", MAX_REASON) or None)


def _kind(text: str) -> KeyKind:
    if text not in get_args(KeyKind):
        expected = ", ".join(KINDS)
        raise BadRequest(f"kind: found {text[:40]!a}, expected one of {expected}", field="kind")
    return cast(KeyKind, text)


def _limit(name: str) -> int | None:
    """A limit of a key; None for the one of the settings."""
    text = form().get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise BadRequest(
            f"{name}: found {text[:40]!a}, expected a whole number of at most 12 digits", field=name
        )
    return int(text)


def _overlap() -> int:
    text = form().get("overlap", "24h").strip()
    if text == "0":
        return 0
    try:
        return milliseconds(text[:40])
    except QuantityError as error:
        raise BadRequest(f"overlap: {error}", field="overlap") from None
