"""How values read on a page: times, names, numbers, texts of strangers. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from markupsafe import Markup, escape

from ...leads.routing import route_in
from ...model import JSON, id_of, iso, kind_of
from ...ports import Change
from ...queries.answers import LeadAnswer, LedgerAnswer
from ..json import encode

CLIP = 120
"""Characters of a text of strangers in a list."""

LONG = 600
"""Characters of a value where it stands alone."""

_NEEDED = re.compile(r" \([^()]*\b(?:needed|allowed)\)")
_ADDRESS = re.compile(r"[\w.!#$'+/=^`{|}~-]{1,64}@[\w-]+(\.[\w-]+)*", re.ASCII)
"""An e-mail address that a link can hold: one recipient, and nothing besides."""

MAX_ADDRESS = 254

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))
_FEW = 2
"""Up to so many of a unit, a length is said in the next smaller one: ``47 h``, not ``2 d``."""

# Controls have no shape, and the marks of direction would turn the text around them.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """A text that any page can hold: what has no shape is replaced by a mark."""
    if text.isascii() and text.isprintable():
        return text
    return _INVISIBLE.sub("�", text).encode("utf-8", "replace").decode()


def clipped(text: str, limit: int = CLIP) -> str:
    """A text that any page can hold, cut off where it is long."""
    found = clean(text)
    return found if len(found) <= limit else found[:limit] + "…"


def said(value: JSON, limit: int = CLIP) -> Markup:
    """A value of strangers: escaped, cut off, and with a direction of its own."""
    text = clean(as_text(value))
    short = clipped(text, limit)
    title = "" if short == text else f' title="{escape(text[:LONG])}"'
    return Markup(f"<bdi{title}>{escape(short)}</bdi>")  # noqa: S704 - both are escaped


def mailed(value: JSON, limit: int = CLIP) -> Markup:
    """A value of strangers; a link to write to it, if it is an e-mail address."""
    shown = said(value, limit)
    if not isinstance(value, str) or len(value) > MAX_ADDRESS or not _ADDRESS.fullmatch(value):
        return shown
    return Markup('<a href="mailto:{}">{}</a>').format(quote(value, safe="@"), shown)


def as_text(value: JSON) -> str:
    """A value as text: a text is itself, anything else is JSON."""
    return value if isinstance(value, str) else encode(value).decode()


def length(milliseconds: int) -> str:
    """A length of time, rounded, in its largest unit of which there are two: ``47 h``, ``3 d``.

    A whole one is said in its own unit: ``1 d``.
    """
    for unit, name in _UNITS:
        if milliseconds >= _FEW * unit or milliseconds == unit:
            return f"{(milliseconds + unit // 2) // unit} {name}"
    return "1 s" if milliseconds >= 1_000 else "0 s"


def relative(time: int, now: int) -> str:
    """A time as seen from now: ``3 h ago``, ``in 2 d``."""
    if abs(now - time) < 1_000:
        return "now"
    return f"{length(now - time)} ago" if time < now else f"in {length(time - now)}"


def when(time: int | None, now: int) -> Markup:
    """A time as seen from now, with the exact one beside it."""
    if time is None:
        return Markup("–")
    exact = iso(time)
    shown = f"{exact[:10]} {exact[11:19]} UTC"
    return Markup(  # noqa: S704 - made here, of digits and words
        f'<time datetime="{exact}" title="{shown}">{relative(time, now)}</time>'
    )


def clock(time: int) -> Markup:
    """The time of a day, for lists in which all is of one day or nearly so."""
    exact = iso(time)
    shown = f"{exact[:10]} {exact[11:19]} UTC"
    return Markup('<time datetime="{}" title="{}" data-clock>{}</time>').format(
        exact, shown, exact[11:19]
    )


def day(time: int | None) -> Markup:
    """The day of a time."""
    if not time:
        return Markup("–")
    exact = iso(time)
    shown = f"{exact[:10]} {exact[11:19]} UTC"
    return Markup('<time datetime="{}" title="{}" data-day>{}</time>').format(
        exact, shown, exact[:10]
    )


def number(value: float) -> str:
    """A number with its thousands apart."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")


def count(value: int, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def first_up(text: str) -> str:
    """A text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def named(traits: Mapping[str, JSON], identifier: str) -> str:
    """What people call somebody: the name, else the e-mail address, else the id."""
    for trait in ("name", "email"):
        value = traits.get(trait)
        if isinstance(value, str) and value.strip():
            return value
    return identifier


def who(answer: LeadAnswer) -> str:
    """What people call the subject of a lead."""
    subject = answer.lead.subject
    traits = answer.brief.account_traits if kind_of(subject) == "account" else answer.traits
    return named({**traits, **answer.traits}, id_of(subject))


def at_account(answer: LeadAnswer) -> str | None:
    """What people call the account of a user's lead; None without one."""
    if kind_of(answer.lead.subject) == "account" or answer.account is None:
        return None
    return named({"name": answer.brief.account_traits.get("name")}, answer.account)


def sentence(answer: LeadAnswer) -> str:
    """Why somebody is a lead; for evidence without a sentence, the title of the definition."""
    found = answer.lead.evidence.get("sentence")
    return str(found) if found else answer.brief.title


def brief(answer: LeadAnswer) -> str:
    """The sentence without what was needed: the bars of the lead show that."""
    return _NEEDED.sub("", sentence(answer))


HISTORY = {
    "opened": "Became a lead",
    "restated": "Qualified earlier than was known",
    "reopened": "Reopened",
    "voided": "Taken back",
    "superseded": "The definition changed",
    "merged": "Merged with a lead of the same person",
    "routed": "Given to {who} by {route}",
    "escalated": "Passed on to {who} by {route}",
    "due_soon": "Is due soon",
    "overdue": "Became overdue",
    "assigned": "Assigned to {who}",
    "contacted": "Contacted",
    "won": "Won",
    "lost": "Lost",
    "dismissed": "Dismissed",
    "given_back": "Given back",
    "owner_removed": "Has no owner any more",
    "snoozed": "Snoozed until {until}",
    "woken": "Taken up again",
    "amount_set": "Worth {amount}",
    "claimed": "Claimed by {who}",
    "claim_expired": "The claim ran out",
}
"""The words of the ledger for people."""


REASONS = {"definition_changed": "the definition changed"}
"""Reasons of the ledger that are codes, for people; others are words already."""


def reason(text: str) -> str:
    """Why a lead changed, in words."""
    return REASONS.get(text, text)


def why_voided(answer: LeadAnswer) -> str:
    """Why a voided lead is none any more."""
    if answer.lead.merged_into is not None:
        return "merged with a lead of the same person"
    return reason(answer.lead.withdrawn or "")


def play(answer: LeadAnswer) -> str | None:
    """What to do with a lead, as long as nobody has got in touch and nothing has closed it."""
    return answer.brief.play if answer.state in ("new", "assigned", "expired") else None


def happened(change: Change | LedgerAnswer) -> Markup:
    """An entry of the ledger in words."""
    after = change.after if isinstance(change.after, Mapping) else {}
    partner = change.partner if isinstance(change, Change) else None
    who = after.get("owner") or after.get("partner") or partner or "nobody"
    until = after.get("snoozed_until")
    worth = (after.get("currency"), after.get("amount"))
    text = HISTORY.get(change.what, first_up(change.what.replace("_", " ")))
    route = route_in(change.actor)
    return escape(text).format(
        who=said(who, 40),
        route=Markup("a route") if route is None else Markup("the route ") + said(route, 60),
        until=str(until)[:10] if until else "later",
        amount=said(" ".join(str(each) for each in worth if each), 40),
    )


def guard(name: str) -> str:
    """A guard of a definition that lets somebody pass, in words."""
    return {"customer": "no customer", "internal": "not internal"}.get(name, f"not: {name}")


def about_account(answer: LeadAnswer) -> list[str]:
    """What a salesperson wants to know of an account, in a few words."""
    traits = dict(answer.brief.account_traits) | {
        name: answer.traits[name] for name in ("plan", "country") if name in answer.traits
    }
    employees = traits.get("employees")
    found = [as_text(traits[name]) for name in ("plan", "country") if traits.get(name) is not None]
    if isinstance(employees, int | float) and not isinstance(employees, bool):
        found.insert(0, f"{number(employees)} people")
    return [clean(each) for each in found]


FILTERS = {
    "said": said,
    "mailed": mailed,
    "number": number,
    "first_up": first_up,
    "clipped": clipped,
    "who": who,
    "at_account": at_account,
    "sentence": sentence,
    "brief": brief,
    "guard": guard,
    "happened": happened,
    "route_in": route_in,
    "reason": reason,
    "why_voided": why_voided,
    "play": play,
    "about_account": about_account,
    "day": day,
    "clock": clock,
    "lasting": length,
    "text": as_text,
}

FUNCTIONS = {"count": count, "kind_of": kind_of, "id_of": id_of, "iso": iso, "named": named}


def title(text: str) -> Markup:
    """The title of a page: a text of strangers without a direction of its own."""
    return escape(clipped(text, 60))
