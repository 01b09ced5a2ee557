"""Read a definitions file: from TOML to a catalogue, or to every problem in it.

Tables map each key of the language to its parser: ``FILE`` and ``DEFINITION`` here, ``PROJECT``
and ``METRIC`` in ``project``, ``CONDITIONS`` and ``GUARDS`` in ``conditions``, and the keys of each
leaf next to its parser.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from ...errors import DefinitionError, Problem
from ...model import Kind
from ..language.analysis import in_order
from ..language.content_hash import content_hash
from ..language.definition import Catalogue, Definition, Project
from .conditions import guards, node
from .crm.tables import crms
from .expansion import check_expanded
from .handoff.alerts import alerts
from .handoff.lead_conditions import LEAD_KINDS, PRIORITIES, lead_scope
from .handoff.routes import routing_tables
from .items import (
    Fields,
    Item,
    ItemParser,
    SourceFile,
    choice,
    quoted,
    read_all,
)
from .printer import plain
from .project import (
    PROJECT,
    check_names,
    features,
    labels,
    metrics,
    personas,
    project,
    stated_name,
    tables,
)
from .references import check_circles
from .scope import Scope
from .toml import TomlError, parse
from .windows import inherited

RULES = tuple(f"L{number:02}" for number in range(1, 30))


def read_catalogue(
    text: str, file: str = "pequel.toml", may_send: Callable[[str], bool] = lambda _variable: True
) -> Catalogue:
    """Read the text of a definitions file. Raises ``DefinitionError`` with every problem in it.

    ``may_send`` says which environment variables an alert may send. Without it, the check is left
    to the sender.
    """
    try:
        document = parse(text)
    except TomlError as error:
        problem = Problem("valid TOML", f"a mistake: {error}", "toml", file, *error.position)
        raise DefinitionError([problem]) from None
    source = SourceFile(file, document, may_send=may_send)
    scope = Scope()
    whole = Item(document.data, (), source)
    catalogue = _catalogue(whole, scope)
    check_circles(scope.calls)
    if not source.problems:
        check_expanded(catalogue, whole)
    if source.problems:
        raise DefinitionError(sorted(source.problems, key=lambda p: (p.line, p.column)))
    return replace(catalogue, definitions=_hashed(catalogue), text=text)


def _catalogue(item: Item, scope: Scope) -> Catalogue:
    fields = item.read(FILE)
    scope = replace(scope, settings=_settings(item), features=_stated(fields, "features"))
    fields.refine("metric", lambda listed: metrics(listed, scope))
    scope = replace(scope, metrics=_stated(fields, "metric"))
    subjects: dict[str, Kind | None] = {}
    fields.refine("pql", lambda listed: _definitions(listed, scope, subjects))
    definitions: tuple[Definition, ...] = fields.get("pql", ())
    named = lead_scope(definitions, subjects)
    fields.refine("alert", lambda listed: alerts(listed, named))
    return Catalogue(
        fields.get("project", Project()),
        definitions,
        {name: events for name, events in (scope.features or {}).items() if events},
        tuple(found.metric for found in (scope.metrics or {}).values() if found),
        fields.get("labels", {}),
        fields.get("persona", ()),
        routing=routing_tables(fields, named),
        alerts=fields.get("alert", ()),
        crms=fields.get("crm", {}),
    )


def _settings(item: Item) -> Collection[str]:
    """The keys in [project]; all keys that it may have if it is not a table."""
    stated = item.value.get("project", {})
    return stated.keys() if isinstance(stated, dict) else PROJECT.keys()


def _stated(fields: Fields, key: str) -> Mapping[str, Any] | None:
    """The values of a table by name; None if the table could not be read."""
    return None if key in fields.failed else fields.get(key, {})


# -- [[pql]] -------------------------------------------------------------------------------


def _definitions(
    item: Item, scope: Scope, subjects: dict[str, Kind | None]
) -> tuple[Definition, ...]:
    """The definitions; the kind of subject of each, by name, goes to ``subjects``."""
    listed = tables(item, "pql")
    check_names(listed)
    subjects |= {stated_name(one): _subject(one) for one in listed}
    inside = replace(scope, subjects=subjects)
    return tuple(read_all(listed, lambda one: _definition(one, inside)))


def _subject(item: Item) -> Kind | None:
    """The kind of subject of a definition; None if that cannot be read."""
    stated = item.value.get("subject", "user")
    return stated if stated in ("user", "account") else None


def _definition(item: Item, scope: Scope) -> Definition:
    scope = replace(scope, name=stated_name(item), subject=_subject(item))
    fields = item.read(DEFINITION)
    inside = replace(
        scope,
        window=inherited(fields, scope),
        absence="clock" in fields.failed or fields.get("clock", False),
    )
    fields.refine("when", lambda when: node(when, inside))
    fields.refine("unless", lambda unless: guards(unless, inside))
    fields.required_all("name", "when")
    return Definition(
        **{_FIELDS.get(key, key): found for key, found in fields.values.items()},
        source=plain(item.value),
        text=item.source.document.written(item.path),
    )


def _silence(item: Item) -> int:
    """The silence after which a subject may qualify again, in milliseconds."""
    silence: int = item.read({"after_silence": Item.duration}).required("after_silence")
    return silence


def _accepted(item: Item) -> tuple[tuple[str, str], ...]:
    """The lint rules whose findings are accepted, each with the reason."""
    return tuple(read_all(item.table().children(), _reason))


def _reason(item: Item) -> tuple[str, str]:
    rule = str(item.key)
    if rule not in RULES:
        raise item.wrong_key(item.near(rule, RULES), f"the unknown rule {quoted(rule)}")
    return rule, item.text()


def _hashed(catalogue: Catalogue) -> tuple[Definition, ...]:
    """The definitions with their hashes. A hash depends on the hashes of named definitions."""
    definitions = catalogue.definitions
    hashes: dict[str, str] = {}
    for place in in_order(definitions):
        found = definitions[place]
        hashes[found.name] = content_hash(found, catalogue.project, hashes)
    return tuple(replace(definition, hash=hashes[definition.name]) for definition in definitions)


DEFINITION: dict[str, ItemParser] = {
    "name": Item.name,
    "subject": choice("user", "account"),
    "when": Item.keep,
    "unless": Item.keep,
    "within": Item.duration,
    "of": Item.keep,
    "requalify": _silence,
    "cooldown": Item.duration,
    "expires": Item.duration,
    "clock": Item.boolean,
    "title": Item.text,
    "kind": choice(*LEAD_KINDS),
    "priority": choice(*PRIORITIES),
    "sla": Item.duration,
    "play": Item.text,
    "owner": Item.text,
    "on_change": choice("retroactive", "forward"),
    "accept": _accepted,
}

_FIELDS = {"requalify": "after_silence", "accept": "accepted"}

FILE: dict[str, ItemParser] = {
    "project": project,
    "features": features,
    "labels": labels,
    "metric": Item.keep,
    "persona": personas,
    "pql": Item.keep,
    "team": Item.keep,
    "partner": Item.keep,
    "route": Item.keep,
    "alert": Item.keep,
    "crm": crms,
}
