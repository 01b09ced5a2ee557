"""Windows: how long a leaf looks back, and from where."""

from __future__ import annotations

from ..language.definition import Metric, Window
from ..language.quantities import CALENDAR, MINUTE, UNITS
from .items import (
    Fields,
    Item,
    ItemParser,
    quoted,
)
from .scope import Scope

ANCHORS = ("signup", "trial", "first:EVENT", "trait:NAME")
WINDOW: dict[str, ItemParser] = {"within": Item.duration, "of": Item.keep, "from": Item.offset}

_UNREAD = "signup"  # stands for an anchor that could not be read


def anchor(item: Item, scope: Scope) -> str:
    """The anchor of a window: ``signup``, ``trial``, or a word with a name after a colon."""
    word = item.text()
    sort, colon, name = word.partition(":")
    match sort + colon:
        case "signup":
            pass
        case "trial":
            if "trial" not in scope.settings:
                raise item.wrong('a trial event: set "trial" in [project]')
        case "first:":
            if not name.strip():
                raise item.wrong('the name of an event after "first:"')
            item.check_stars(name)
        case "trait:":
            if not name.strip():
                raise item.wrong('the name of a trait after "trait:"')
            scope.trait(item, name)
        case _:
            raise item.wrong(item.near(word, ANCHORS), f"the unknown anchor {quoted(word)}")
    return word


def inherited(fields: Fields, scope: Scope) -> Window:
    """The window that a definition or a leaf states, taken out of its fields."""
    fields.refine("of", lambda of: anchor(of, scope))
    unread = _UNREAD if "of" in fields.failed else None
    return Window(fields.values.pop("within", None), fields.values.pop("of", unread))


def window(item: Item, fields: Fields, scope: Scope) -> Window:
    """The window of a leaf: its own, or the definition's if the leaf states none."""
    start, own = fields.get("from"), {"within", "of"} & item.value.keys()
    found = inherited(fields, scope) if own else scope.window
    if start is not None and found.of is None:
        item.child("from").wrong_key(
            'also "of": what it is that long before or after', '"from" without "of"'
        )
    return found if start is None else Window(found.within, found.of, start)


def check_calendar(item: Item, drawn: Metric, window: Window) -> None:
    """Days and hours of the calendar are counted in rolling windows of whole ones only."""
    unit = drawn.value
    if drawn.measure != "distinct" or unit not in CALENDAR:
        return
    if window.of is not None or window.within is None or not window.within % UNITS[unit]:
        return
    stated = next(key for key in ("within", "distinct", "metric") if key in item.value)
    item.child(stated).wrong(
        f"a rolling window of whole {unit[1:]}s, as {quoted(unit)} needs",
        f"a window of {window.within // MINUTE} minutes",
    )
