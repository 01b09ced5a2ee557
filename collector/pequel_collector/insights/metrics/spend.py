"""What channels cost, as somebody states it: JSON records, or a file of CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from datetime import date

from ...errors import BadRequest
from ...model import JSON
from ...ports import Spend
from ...rules.engine.conversions import amount_of, currency_of
from .channels import MAX_CHANNEL

FIELDS = ("channel", "day", "amount", "currency")

MAX_RECORDS = 10_000
"""Amounts that one request or one file states."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MAX_SHOWN = 100


def spend_of(records: JSON) -> list[Spend]:
    """The amounts in a list of records, or in one record. Raises BadRequest for any mistake."""
    listed = records if isinstance(records, list) else [records]
    if not 0 < len(listed) <= MAX_RECORDS:
        raise _mistake("the body", f"{len(listed)} records", f"1 to {MAX_RECORDS}")
    return [_spend(record, place) for place, record in enumerate(listed)]


def read_csv(lines: Iterable[str]) -> list[Spend]:
    """The amounts in a CSV with a header. Raises BadRequest for any mistake."""
    rows = csv.DictReader(lines, strict=True)
    found: list[Spend] = []
    try:
        if lacking := [name for name in FIELDS if name not in (rows.fieldnames or ())]:
            raise _mistake("line 1", "a header without " + ", ".join(lacking), ",".join(FIELDS))
        for row in rows:
            place = f"line {rows.line_num}"
            found.append(_spend({name: row[name] for name in FIELDS}, place))
            if len(found) > MAX_RECORDS:
                raise _mistake(place, "more amounts", f"{MAX_RECORDS} at most")
    except csv.Error as error:
        raise _mistake(f"line {rows.line_num}", str(error), "CSV") from None
    if not found:
        raise _mistake("the file", "no amounts", "a line for each amount below the header")
    return found


def _spend(record: JSON, place: int | str) -> Spend:
    if not isinstance(record, Mapping):
        raise _mistake(f"{place}", _shown(record), f"an object with {', '.join(FIELDS)}")
    if unknown := [name for name in record if name not in FIELDS]:
        raise _mistake(f"{place}.{unknown[0][:_MAX_SHOWN]}", "an unknown field", ", ".join(FIELDS))
    read = {
        "channel": (_channel, f"a text of 1 to {MAX_CHANNEL} printable characters"),
        "day": (_day, "a day such as 2026-03-01"),
        "amount": (amount_of, "an amount such as 120.50, with no sign and at most six decimals"),
        "currency": (currency_of, "three letters such as EUR"),
    }
    found: dict[str, str] = {}
    for name, (reader, expected) in read.items():
        value = reader(record.get(name))
        if value is None:
            raise _mistake(f"{place}.{name}", _shown(record.get(name)), expected)
        found[name] = value
    return Spend(**found)


def _channel(value: JSON) -> str | None:
    text = value.strip().lower() if isinstance(value, str) else ""
    return text if 0 < len(text) <= MAX_CHANNEL and text.isprintable() else None


def _day(value: JSON) -> str | None:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return None


def _shown(value: JSON) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {ascii(value)[:_MAX_SHOWN]}"


def _mistake(field: str, found: str, expected: str) -> BadRequest:
    message = f"{field}: found {found}, expected {expected}"
    return BadRequest(message, "bad_spend", field=field, found=found, expected=expected)
