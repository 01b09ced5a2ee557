"""``[[persona]]`` tables: who does what, when it arrives, and which marks are expected of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ..errors import DefinitionError
from ..model import JSON, Kind, parse_iso
from ..rules.language import quantities
from ..rules.language.definition import Catalogue, Definition
from ..rules.language.quantities import QuantityError
from ..rules.parser.items import (
    Fields,
    Item,
    ItemParser,
    SourceFile,
    UnreadableError,
    one_of,
    quoted,
    read_all,
    value,
)
from ..rules.parser.project import check_names
from ..rules.parser.toml import parse

START = "2026-01-01T00:00:00Z"
MOST = 10_000
"""How often one fact may be repeated."""


@dataclass(frozen=True, slots=True)
class Act:
    """One message, without its time and its id.

    It happens, and arrives, so many milliseconds after the persona's start.
    """

    at: int
    arrives: int
    message: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Expected:
    """A mark that there should be: ``at`` so many ms after the start, or at any time."""

    definition: str
    kind: Kind
    subject: str
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Persona:
    """What happens from ``start`` (ms) on, in the order of the text, and what it should lead to.

    ``as_of`` is when to look, in ms after the start.
    """

    name: str
    start: int
    acts: tuple[Act, ...]
    expected: tuple[Expected, ...]
    as_of: int


@dataclass(frozen=True, slots=True)
class _Cast:
    """The user and account of a persona by default, and the definitions that may mark them."""

    user: str
    account: str | None
    catalogue: Catalogue


def read_personas(catalogue: Catalogue, file: str) -> list[Persona]:
    """The personas of a definitions file. Raises DefinitionError with every problem in them."""
    source = SourceFile(file, parse(catalogue.text))
    listed = Item(source.document.data.get("persona", []), ("persona",), source)
    check_names(list(listed.children()))
    found = read_all(listed.children(), lambda item: _persona(item, catalogue))
    if source.problems:
        raise DefinitionError(sorted(source.problems, key=lambda p: (p.line, p.column)))
    return found


def _persona(item: Item, catalogue: Catalogue) -> Persona:
    fields = item.read(PERSONA)
    name = fields.required("name")
    cast = _Cast(fields.get("user", name), fields.get("account"), catalogue)
    fields.refine("facts", lambda facts: _facts(facts, cast))
    acts = fields.get("facts", ())
    fields.refine("expect", lambda expect: _expect(expect, _whole(cast, acts)))
    _, expected = fields.required_all("facts", "expect")
    start = fields.get("start", parse_iso(START))
    return Persona(name, start, acts, expected, _as_of(item, fields, acts))


def _as_of(item: Item, fields: Fields, acts: tuple[Act, ...]) -> int:
    last = max((act.arrives for act in acts), default=0)
    found: int = fields.get("as_of", last)
    if found < last:
        raise item.child("as_of").wrong("a time no earlier than the last fact arrives")
    return found


def _whole(cast: _Cast, acts: tuple[Act, ...]) -> _Cast:
    """The same cast with the account, if the facts name exactly one."""
    named = {act.message["groupId"] for act in acts if "groupId" in act.message}
    return cast if cast.account or len(named) != 1 else replace(cast, account=named.pop())


# -- facts ---------------------------------------------------------------------------------


def _facts(item: Item, cast: _Cast) -> tuple[Act, ...]:
    acts = [] if cast.account is None else [_joins(cast.user, cast.account)]
    unread = False
    for one in _listed(item, "a list of facts"):
        try:
            acts += _fact(one, cast.user, acts[-1].at if acts else 0)
        except UnreadableError:
            unread = True
    if unread:
        raise UnreadableError
    return tuple(acts)


def _joins(user: str, account: str) -> Act:
    return Act(0, 0, {"type": "group", "userId": user, "groupId": account})


def _listed(item: Item, expected: str) -> Iterator[Item]:
    if not isinstance(item.value, list):
        raise item.wrong(expected)
    return item.children()


def _fact(item: Item, user: str, before: int) -> list[Act]:
    fields = item.read(FACT)
    if fields.failed:
        raise UnreadableError
    message = _message(item, fields) | _who(fields, user)
    at, late = fields.get("at", before), fields.get("late", 0)
    if "every" in fields.values and "times" not in fields.values:
        raise item.child("every").wrong_key('also "times"', '"every" without "times"')
    moments = [at + n * fields.get("every", 0) for n in range(fields.get("times", 1))]
    return [Act(moment, moment + late, message) for moment in moments]


def _message(item: Item, fields: Fields) -> dict[str, JSON]:
    sorts = [key for key in MESSAGES if key in fields.values]
    if len(sorts) != 1:
        found = " and ".join(map(quoted, sorts)) or "none of them"
        raise item.wrong(f"exactly {one_of(MESSAGES)}", found)
    type_, parts = MESSAGES[sorts[0]]
    _check_keys(item, fields, parts)
    content = {name: fields.values[key] for key, name in parts.items() if key in fields.values}
    return {"type": type_, **content}


def _check_keys(item: Item, fields: Fields, parts: Collection[str]) -> None:
    """Note the first key that belongs to another kind of message."""
    for owner, (_, others) in MESSAGES.items():
        for key in others:
            if key in fields.values and key not in parts:
                raise item.child(key).wrong_key(f"it beside {quoted(owner)}", quoted(key))


def _who(fields: Fields, user: str) -> dict[str, JSON]:
    anonymous = fields.get("anonymous")
    if anonymous is None:
        return {"userId": fields.get("user", user)}
    named = {"userId": fields.get("user")} if "user" in fields.values else {}
    return {"anonymousId": anonymous, **named}


# -- what is expected ----------------------------------------------------------------------


def _expect(item: Item, cast: _Cast) -> tuple[Expected, ...]:
    listed = list(_listed(item, "a list of the marks that there should be"))
    found = read_all(listed, lambda one: _expected(one, cast))
    if len(found) < len(listed):
        raise UnreadableError
    return tuple(found)


def _expected(item: Item, cast: _Cast) -> Expected:
    if isinstance(item.value, str):
        definition = _definition(item, cast.catalogue)
        return Expected(definition.name, definition.subject, _subject(item, definition, cast))
    fields = item.read(EXPECTED)
    fields.refine("pql", lambda pql: _definition(pql, cast.catalogue))
    definition = fields.required("pql")
    subject = fields.get("subject") or _subject(item, definition, cast)
    return Expected(definition.name, definition.subject, subject, fields.get("at"))


def _definition(item: Item, catalogue: Catalogue) -> Definition:
    found = catalogue.named(item.text())
    if found is None:
        names = [definition.name for definition in catalogue.definitions]
        raise item.wrong(item.near(item.value, names) or "a definition, of which there is none")
    return found


def _subject(item: Item, definition: Definition, cast: _Cast) -> str:
    found = cast.user if definition.subject == "user" else cast.account
    if found is None:
        raise item.wrong(
            f'{{ pql = {quoted(definition.name)}, subject = "…" }}, for the facts do not name '
            "just one account"
        )
    return found


# -- plain values --------------------------------------------------------------------------


def _moment(item: Item) -> int:
    """A time after the start, such as ``1d 3h``, in ms."""
    parts = item.text().split()
    try:
        lengths = [quantities.offset(part) for part in parts]
    except QuantityError as error:
        raise item.wrong(f"{error}, or several of them") from None
    if min(lengths) < 0:
        raise item.wrong("no time before the start")
    return sum(lengths)


def _instant(item: Item) -> int:
    written = item.value.isoformat() if isinstance(item.value, date) else item.value
    found = parse_iso(written) if isinstance(written, str) else None
    if found is None:
        raise item.wrong(f"a time such as {quoted(START)}")
    return found


def _times(item: Item) -> int:
    if type(item.value) is not int or not 1 <= item.value <= MOST:
        raise item.wrong(f"a whole number from 1 to {MOST:,}")
    return item.value


def _values(item: Item) -> dict[str, Any]:
    found: dict[str, Any] = value(item.table())
    return found


PERSONA: dict[str, ItemParser] = {
    "name": Item.name,
    "start": _instant,
    "user": Item.text,
    "account": Item.text,
    "facts": Item.keep,
    "expect": Item.keep,
    "as_of": _moment,
}

FACT: dict[str, ItemParser] = {
    "event": Item.text,
    "identify": _values,
    "group": Item.text,
    "alias": Item.text,
    "at": _moment,
    "properties": _values,
    "context": _values,
    "traits": _values,
    "user": Item.text,
    "anonymous": Item.text,
    "account": Item.text,
    "times": _times,
    "every": _moment,
    "late": _moment,
}

MESSAGES = {
    "event": (
        "track",
        {
            "event": "event",
            "properties": "properties",
            "context": "context",
            "account": "groupId",
        },
    ),
    "identify": ("identify", {"identify": "traits"}),
    "group": ("group", {"group": "groupId", "traits": "traits"}),
    "alias": ("alias", {"alias": "previousId"}),
}
"""The key that makes a fact a message: its type, and the fields that the fact's keys fill."""

EXPECTED: dict[str, ItemParser] = {"pql": Item.keep, "subject": Item.text, "at": _moment}
