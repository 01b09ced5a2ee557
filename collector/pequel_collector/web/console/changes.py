"""Forms that change leads: from the fields of a form to the fields of ``PATCH /v1/pqls/{id}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple

from ...access.sessions import Viewer
from ...app.bootstrap import Collector
from ...errors import BadRequest, NotFound, PequelError
from ...leads.states import state_at
from ...marking.work import LeadChange
from ...model import CLOSED_STATES, JSON, Lead, iso
from ..api.partners import of_key
from ..api.queries import storable
from ..asked.lead_body import MAX_LENGTH, MAX_NOTE, lead_change
from .forms import required
from .words import who

MAX_AT_ONCE = 100
"""Leads that one form changes."""

MAX_NAMED = 10
"""Leads that were not changed and that a page names."""

SNOOZES: Mapping[str, tuple[int, str]] = {
    "4h": (4 * 3_600_000, "4 hours"),
    "1d": (86_400_000, "1 day"),
    "3d": (3 * 86_400_000, "3 days"),
    "7d": (7 * 86_400_000, "1 week"),
    "30d": (30 * 86_400_000, "30 days"),
}
"""For how long a lead can be snoozed: ms, and words."""

REASONS = ("Not a fit", "Too small", "No need now", "Already in touch", "Test account")
"""Reasons that are offered; any other text is one too."""

Fields = dict[str, JSON]


class Failed(NamedTuple):
    """A lead that was not changed, and why, as words after its name."""

    lead_id: str
    message: str


class Outcome(NamedTuple):
    """What a form did."""

    changed: Sequence[str]
    errors: Sequence[PequelError]
    failed: Sequence[Failed]

    @property
    def refusal(self) -> PequelError | None:
        """Why nothing was changed, if there is one reason: one lead, or a wrong field."""
        if self.changed or not self.errors:
            return None
        first = self.errors[0]
        return first if len(self.errors) == 1 or isinstance(first, BadRequest) else None


def assign(form: Mapping[str, str], lead: Lead, now: int) -> Fields:
    """Give a lead to somebody. One that is in contact already only gets another owner."""
    owner: Fields = {"owner": required(form, "owner", "who takes it", MAX_LENGTH)}
    takes = state_at(lead, now) in ("new", "assigned", "expired")
    return {"state": "assigned", **owner} if takes else owner


def contact(form: Mapping[str, str], _lead: Lead, _now: int) -> Fields:
    """Note a contact."""
    given = {name: form.get(name, "").strip() for name in ("channel", "note")}
    return {"contact": {name: text for name, text in given.items() if text}}


def snooze(form: Mapping[str, str], _lead: Lead, now: int) -> Fields:
    """Lay a lead aside for some time."""
    until = form.get("until", "")
    if until not in SNOOZES:
        expected = ", ".join(SNOOZES)
        raise BadRequest(f"until: found {until[:40]!a}, expected one of {expected}", field="until")
    return {"snoozed_until": iso(now + SNOOZES[until][0])}


def wake(_form: Mapping[str, str], _lead: Lead, _now: int) -> Fields:
    """Take a lead up again."""
    return {"snoozed_until": None}


def dismiss(form: Mapping[str, str], _lead: Lead, _now: int) -> Fields:
    """Take a lead off the list."""
    return {
        "state": "dismissed",
        "reason": required(form, "reason", "why it is dismissed", MAX_NOTE),
    }


def lose(form: Mapping[str, str], _lead: Lead, _now: int) -> Fields:
    """Say that a lead buys nothing."""
    return {"state": "lost", "reason": required(form, "reason", "why it is lost", MAX_NOTE)}


def win(form: Mapping[str, str], _lead: Lead, _now: int) -> Fields:
    """Say that a lead has bought, and for how much."""
    given = {name: form.get(name, "").strip() for name in ("amount", "currency")}
    return {"state": "won", **{name: text for name, text in given.items() if text}}


def reopen(_form: Mapping[str, str], _lead: Lead, _now: int) -> Fields:
    """Take a dismissed lead up again, or give an assigned one back."""
    return {"state": "new"}


ACTIONS: Mapping[str, tuple[Callable[[Mapping[str, str], Lead, int], Fields], str]] = {
    "assign": (assign, "assigned"),
    "contact": (contact, "contacted"),
    "snooze": (snooze, "snoozed"),
    "wake": (wake, "changed"),
    "dismiss": (dismiss, "dismissed"),
    "lose": (lose, "lost"),
    "win": (win, "won"),
    "reopen": (reopen, "reopened"),
}
"""What a button of a form does, and the notice that follows."""


def change_all(
    collector: Collector, ids: Sequence[str], form: Mapping[str, str], viewer: Viewer
) -> Outcome:
    """Change several leads as a form asks; each stands for itself. Raises BadRequest.

    A partner changes leads of its own, those that it has claimed.
    """
    partner, actor = viewer.key.partner, viewer.actor
    action, _ = ACTIONS[require_action(form)]
    now = collector.clock()
    with collector.store.reading() as tx:
        leads = tx.leads_by_id([id_ for id_ in ids if "\0" not in id_])
    changed: list[str] = []
    errors: list[PequelError] = []
    failed: list[Failed] = []
    for id_ in ids:
        try:
            if id_ not in leads or partner not in (None, leads[id_].partner):
                raise NotFound(f"there is no lead {id_[:100]!a}")
            fields = action(form, leads[id_], now)
            asked = _asked(fields, now, actor, form.get("once", ""))
            collector.intake.change(id_, asked if partner is None else of_key(viewer.key, asked))
            changed.append(id_)
        except PequelError as error:
            errors.append(error)
            failed.append(Failed(id_, _why(error)))
    return Outcome(changed, errors, failed)


def names_of(collector: Collector, outcome: Outcome, partner: str | None) -> dict[str, str]:
    """What people call the first leads that were not changed, by id; without those not there."""
    found = {}
    for each in outcome.failed[:MAX_NAMED]:
        with suppress(NotFound):
            answer = collector.queries.pql(storable("lead", each.lead_id), partner)
            found[each.lead_id] = who(answer)
    return found


def require_ids(ids: Sequence[str]) -> list[str]:
    """The leads that a form names, each once. Raises BadRequest for none, and for too many."""
    found = list(dict.fromkeys(ids))
    if not 1 <= len(found) <= MAX_AT_ONCE:
        found_some = f"found {len(found)} selected, expected 1 to {MAX_AT_ONCE}"
        raise BadRequest(f"select leads first: {found_some}", field="lead")
    return found


def require_action(form: Mapping[str, str]) -> str:
    """What a form asks for. Raises BadRequest."""
    name = form.get("action", "")
    if name not in ACTIONS:
        expected = ", ".join(ACTIONS)
        raise BadRequest(f"action: found {name[:40]!a}, expected one of {expected}", field="action")
    return name


def _why(error: PequelError) -> str:
    state = error.details.get("state")
    return f"is {state} already" if state in CLOSED_STATES else f"was not changed: {error.message}"


def _asked(fields: Fields, now: int, actor: str, once: str) -> LeadChange:
    """The change. A form that is sent again, with the same fields, changes nothing more."""
    if not once or "snoozed_until" in fields:
        return lead_change(fields, now, actor)
    digest = sha256(repr(sorted(fields.items())).encode("utf-8", "replace")).hexdigest()
    key = f"console {once[:64]} {digest[:16]}"
    return lead_change(fields, now, actor, idempotency_key=key, digest=digest)
