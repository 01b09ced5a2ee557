"""Leads as text for people, and as rows of a CSV file."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator

from ...model import JSON, id_of, iso, kind_of
from ...ports import Change
from ...queries.answers import ContactAnswer, LeadAnswer
from ...queries.csv_rows import csv_lines
from ...rules.language.quantities import DAY, HOUR, MINUTE
from ..output import columns, printable

SHORT_ID = 8
"""Characters of an id in the list, unless more are needed to tell ids apart."""

NARROWEST = 40
"""Columns of a terminal below which text is no longer wrapped."""

CSV_COLUMNS = (
    "id", "definition", "version", "subject_kind", "subject_id", "email", "account", "cycle",
    "qualified_at", "marked_at", "state", "overdue", "priority", "kind", "owner", "due_at",
    "snoozed_until", "contacted_at", "won_at", "self_serve", "amount", "currency", "sentence",
)  # fmt: skip


def listed(leads: list[LeadAnswer], now: int) -> str:
    """Leads as a table, each with its sentence below."""
    if not leads:
        return "no leads"
    length = _length_of_ids([answer.lead.id for answer in leads])
    heading = ("ID", "AGE", "PRIORITY", "STATE", "OWNER", "SUBJECT")
    head, *rows = columns([heading, *(_row(answer, length, now) for answer in leads)])
    lines = [head]
    for answer, row in zip(leads, rows, strict=True):
        lead = answer.lead
        lines += [row, *_wrapped(f"{lead.definition}: {_sentence(answer)}", " " * (length + 2))]
    return "\n".join(lines)


def shown(answer: LeadAnswer, now: int) -> str:
    """One lead in full: what it is, why, and what people did with it."""
    lead = answer.lead
    times = {
        "qualified": lead.qualified_at,
        "marked": lead.marked_at,
        "due": None if answer.state not in ("new", "assigned") else lead.due_at,
        "snoozed until": lead.snoozed_until,
        "contacted": lead.contacted_at,
        "won": lead.won_at,
        "expires": lead.expires_at if lead.state == "new" else None,
    }
    money = " ".join(part for part in (lead.amount, lead.currency) if part)
    values = {
        "lead": lead.id,
        "subject": f"{kind_of(lead.subject)} {_subject(answer)}",
        "definition": f"{lead.definition}, version {lead.version}, cycle {lead.cycle}",
        "state": _state(answer) + (" (bought without a contact)" if lead.self_serve else ""),
        "owner": lead.owner,
        "priority": lead.priority,
        **{name: time and f"{iso(time)}  {_when(time, now)}" for name, time in times.items()},
        "amount": money,
        "flags": ", ".join(lead.flags),
        "merged into": lead.merged_into,
    }
    lines = [f"{name:<14}{printable(value)}" for name, value in values.items() if value]
    lines += ["", *_wrapped(_sentence(answer), "")]
    if answer.contacts:
        lines += ["", "contacts", *_table(map(_contact, answer.contacts))]
    history = answer.history or ()
    cut = f" (the newest {len(history):,} of {answer.history_total:,} entries)"
    title = "history" + (cut if len(history) < (answer.history_total or 0) else "")
    lines += ["", title, *_table(map(_entry, history))]
    return "\n".join(lines)


def changed(answer: LeadAnswer) -> str:
    """What a lead is after a change, in a line."""
    lead = answer.lead
    owner = f", owner {lead.owner}" if lead.owner else ""
    until = lead.snoozed_until
    snoozed = f", snoozed until {iso(until)}" if until is not None else ""
    money = " ".join(part for part in (lead.amount, lead.currency) if part)
    worth = f", {money}" if money else ""
    return printable(f"{lead.id} {_subject(answer)} is {answer.state}{owner}{snoozed}{worth}")


def as_csv(leads: Iterable[LeadAnswer]) -> Iterator[str]:
    """Leads as the lines of a CSV file, with a heading."""
    return csv_lines(CSV_COLUMNS, map(_csv_row, leads), end="")


# -- parts ---------------------------------------------------------------------------------


def _row(answer: LeadAnswer, length: int, now: int) -> tuple[str, ...]:
    lead = answer.lead
    return (
        lead.id[:length],
        age(now - lead.marked_at),
        lead.priority,
        _state(answer),
        lead.owner or "-",
        _subject(answer),
    )


def _state(answer: LeadAnswer) -> str:
    return f"{answer.state}, overdue" if answer.overdue else answer.state


def _subject(answer: LeadAnswer) -> str:
    lead, traits = answer.lead, answer.traits
    known = traits.get("email") if kind_of(lead.subject) == "user" else traits.get("name")
    called = f" <{known}>" if isinstance(known, str) and known != id_of(lead.subject) else ""
    within = f" of {answer.lead.account}" if lead.account is not None else ""
    return f"{id_of(lead.subject)}{called}{within}"


def _sentence(answer: LeadAnswer) -> str:
    return str(answer.lead.evidence.get("sentence", ""))


def age(length: int) -> str:
    """How long something has lasted, in its largest unit: ``3d``, ``5h``, ``12m``."""
    for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if length >= unit:
            return f"{length // unit}{letter}"
    return "now"


def _when(time: int, now: int) -> str:
    length = age(abs(now - time))
    if length == "now":
        return "(now)"
    return f"({length} ago)" if time <= now else f"(in {length})"


def _length_of_ids(ids: list[str]) -> int:
    """How many characters tell these ids apart."""
    length = SHORT_ID
    while len({id_[:length] for id_ in ids}) < len(ids):
        length += 1
    return length


def _wrapped(text: str, indent: str) -> list[str]:
    width = shutil.get_terminal_size((100, 24)).columns
    text = printable(text)
    if width < NARROWEST:
        return [indent + text]
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    found = list(rows)
    return [f"  {line}" for line in columns(found)] if found else []


def _contact(contact: ContactAnswer) -> tuple[str, ...]:
    at = "" if contact.at is None else iso(contact.at)
    return at, contact.channel or "-", contact.actor or "-", contact.note or ""


def _entry(entry: Change) -> tuple[str, ...]:
    return iso(entry.at), entry.what, entry.actor or "-", entry.reason or ""


def _csv_row(answer: LeadAnswer) -> list[JSON]:
    lead = answer.lead
    times = ("qualified_at", "marked_at", "due_at", "snoozed_until", "contacted_at", "won_at")
    values: dict[str, JSON] = {name: getattr(lead, name, None) for name in CSV_COLUMNS}
    values |= {
        "subject_kind": kind_of(lead.subject),
        "subject_id": id_of(lead.subject),
        "email": answer.traits.get("email"),
        "account": answer.account,
        "state": answer.state,
        "overdue": answer.overdue,
        "sentence": _sentence(answer),
    }
    values |= {name: iso(values[name]) for name in times if values[name] is not None}
    return [values[name] for name in CSV_COLUMNS]
