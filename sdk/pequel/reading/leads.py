"""`Leads`: what people do with leads, for a CRM or a bot of yours.

    leads = pequel.Leads("work key", "http://127.0.0.1:8321")
    for lead in leads.list(state="new", overdue=True):
        leads.assign(lead["id"], "ben")

A change waits for its answer, and is made once however often it has to be sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from pequel.clock import Clock
from pequel.errors import ReaderError
from pequel.messages.message_id import new_id
from pequel.reading.http import ApiClient, member
from pequel.reading.reader import BAD_ID, Reader, key_of, wire_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

    from pequel.answers import Lead, LeadDetail, LedgerEntry
    from pequel.reading.reader import Time


class Leads(Reader):
    """Lists leads and changes them. It can do all that a `Reader` can.

    Every change may name its `reason`, for the history, and its `actor`: who makes it; the label
    of the key if not given. With `if_state`, it is made only if the lead is in that state.
    """

    def __init__(
        self,
        work_key: str | None = None,
        host: str | None = None,
        *,
        timeout: float = 10.0,
        max_retries: int = 2,
        max_retry_wait: float = 5.0,
        session: requests.Session | None = None,
        clock: Clock | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        """As for a `Reader`, with a key that may change leads; PEQUEL_WORK_KEY if not given."""
        super().__init__(
            work_key,
            host,
            timeout=timeout,
            max_retries=max_retries,
            max_retry_wait=max_retry_wait,
            session=session,
            clock=clock,
            jitter=jitter,
        )
        self._clock = clock or Clock()

    list = Reader.pqls

    def __enter__(self) -> Leads:  # noqa: PYI034 - typing has no Self on Python 3.10
        return self

    def __iter__(self) -> Iterator[Lead]:
        """Every lead, as `list` without filters."""
        return self.pqls()

    def get(self, lead_id: str) -> LeadDetail:
        """One lead with its history and contacts.

        Raises:
            NotFoundError: there is no such lead.
            UnauthorizedError: the key may not read.
            UnavailableError: the collector could not be reached, or could not answer now.
            ReaderError: anything else. The errors above are subclasses.
        """
        return _detail(self._api.get(_lead_path(lead_id)))

    def assign(
        self,
        lead_id: str,
        owner: str | None = None,
        *,
        reason: str | None = None,
        actor: str | None = None,
        if_state: str | None = None,
    ) -> LeadDetail:
        """Assign a lead to an owner; without one, to its owner, else to the actor.

        Raises as `get`, and:
            ConflictError: the state of the lead does not allow it; `allowed` are those that it can
                be taken to.
        """
        return self._change(
            lead_id, state="assigned", owner=owner, reason=reason, actor=actor, if_state=if_state
        )

    def claim(
        self,
        lead_id: str,
        partner: str | None = None,
        *,
        reason: str | None = None,
        actor: str | None = None,
    ) -> LeadDetail:
        """Claim a lead for a partner; without one, for whose lead it is. Raises as `assign`.

        A partner's key claims for its own partner.
        """
        fields = {"partner": partner, "reason": reason, "actor": actor}
        given = {name: value for name, value in fields.items() if value is not None}
        key = new_id(self._clock.now_ms())
        return _detail(self._api.post_once(f"{_lead_path(lead_id)}/claim", given, key))

    def contact(
        self,
        lead_id: str,
        channel: str | None = None,
        note: str | None = None,
        at: Time | None = None,
        *,
        reason: str | None = None,
        actor: str | None = None,
        if_state: str | None = None,
    ) -> LeadDetail:
        """Log a contact, made at a time or now. Raises as `assign`."""
        made = {"channel": channel, "note": note, "at": None if at is None else wire_text(at)}
        made = {name: value for name, value in made.items() if value is not None}
        return self._change(lead_id, contact=made, reason=reason, actor=actor, if_state=if_state)

    def snooze(
        self,
        lead_id: str,
        until: Time | timedelta,
        *,
        reason: str | None = None,
        actor: str | None = None,
        if_state: str | None = None,
    ) -> LeadDetail:
        """Leave a lead until a time, or for so long from now. Raises as `assign`."""
        if isinstance(until, timedelta):
            until = datetime.fromtimestamp(self._clock.now_ms() / 1000, timezone.utc) + until
        return self._change(
            lead_id, snoozed_until=wire_text(until), reason=reason, actor=actor, if_state=if_state
        )

    def wake(
        self,
        lead_id: str,
        *,
        reason: str | None = None,
        actor: str | None = None,
        if_state: str | None = None,
    ) -> LeadDetail:
        """End the snooze of a lead. Raises as `assign`."""
        return self._change(
            lead_id, {"snoozed_until": None}, reason=reason, actor=actor, if_state=if_state
        )

    def dismiss(
        self,
        lead_id: str,
        reason: str,
        *,
        actor: str | None = None,
        if_state: str | None = None,
    ) -> LeadDetail:
        """Dismiss a lead that is not worth a contact. Raises as `assign`."""
        return self._change(
            lead_id, state="dismissed", reason=reason, actor=actor, if_state=if_state
        )

    def win(
        self,
        lead_id: str,
        amount: Decimal | float | str | None = None,
        currency: str | None = None,
        *,
        reason: str | None = None,
        actor: str | None = None,
        if_state: str | None = None,
    ) -> LeadDetail:
        """Say that a lead bought, and what the deal is worth. Raises as `assign`."""
        worth = None if amount is None else _decimal_text(amount)
        return self._change(
            lead_id,
            state="won",
            amount=worth,
            currency=currency,
            reason=reason,
            actor=actor,
            if_state=if_state,
        )

    def lose(
        self,
        lead_id: str,
        reason: str,
        *,
        actor: str | None = None,
        if_state: str | None = None,
    ) -> LeadDetail:
        """Say that a lead does not buy. Raises as `assign`."""
        return self._change(lead_id, state="lost", reason=reason, actor=actor, if_state=if_state)

    def reopen(
        self,
        lead_id: str,
        *,
        reason: str | None = None,
        actor: str | None = None,
        if_state: str | None = None,
    ) -> LeadDetail:
        """Make a lead new again that was dismissed, or that its owner gives back.

        Raises as `assign`.
        """
        return self._change(lead_id, state="new", reason=reason, actor=actor, if_state=if_state)

    def changes(self, after: str | None = None, *, page_size: int = 100) -> Changes:
        """The changes of all leads after a cursor, oldest first; without one, from the beginning.

        Args:
            after: the `cursor` of an earlier iteration.
            page_size: changes in one request, up to 1000.
        """
        return Changes(self._api, after, page_size)

    def _change(
        self, lead_id: str, removed: dict[str, None] | None = None, **fields: Any
    ) -> LeadDetail:
        given = {name: value for name, value in fields.items() if value is not None}
        key = new_id(self._clock.now_ms())
        return _detail(self._api.patch(_lead_path(lead_id), {**given, **(removed or {})}, key))

    @staticmethod
    def _key(given: object) -> str:
        return key_of("work_key", given, "Leads")


class Changes:
    """An iterator over the changes of leads, up to the latest.

    `cursor` is the place to go on from another time: save it after the changes are handled. It
    moves on when a request's changes are all handled, so a change may come again after a crash,
    and none is left out.
    """

    def __init__(self, api: ApiClient, after: str | None, page_size: int) -> None:
        self.cursor = after
        self._api, self._page_size = api, page_size

    def __iter__(self) -> Iterator[LedgerEntry]:
        """The changes after `cursor`. Each page is requested when the iteration reaches it.

        Raises:
            ReaderError: as `Leads.get`; `cursor` is then still the one to go on from.
        """
        while True:
            parameters = {"limit": str(self._page_size)}
            if self.cursor is not None:
                parameters["after"] = self.cursor
            page = self._api.get("/v1/pqls/changes", parameters)
            found = member(page, "data", list)
            cursor: str = member(page, "next_cursor", str)
            yield from found
            self.cursor = cursor
            if len(found) < self._page_size:
                return


def _detail(answer: dict[str, Any]) -> LeadDetail:
    member(answer, "history", list)
    return cast("LeadDetail", answer)


def _lead_path(lead_id: object) -> str:
    """The path of a lead. Raises ReaderError if it is not an id."""
    if not isinstance(lead_id, str) or not lead_id.strip():
        raise ReaderError(BAD_ID, f"the id of a lead is a text, not {lead_id!r:.100}")
    return f"/v1/pqls/{quote(wire_text(lead_id), safe='').replace('.', '%2E')}"


def _decimal_text(amount: Decimal | float | str) -> str:
    """An amount without an exponent; a text as it is."""
    return amount if isinstance(amount, str) else format(Decimal(str(amount)), "f")
