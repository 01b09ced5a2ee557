"""What a sender gets and answers.

A sender makes one attempt. It never waits to try again, and keeps nothing between two attempts:

    sender.send(delivery, http)  →  Sent            done
                                    Retry           later, with back-off
                                    Refused         never: the delivery is put with the dead ones
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..model import JSON
from .http import Http


@dataclass(frozen=True, slots=True)
class Delivery:
    """One change of a lead, on its way to where one alert goes. It is sent again under its ``id``.

    ``type`` is such as ``lead.qualified``; ``at`` is the time of the change (ms). ``lead`` is the
    lead as the API shows it, at the time of this attempt. ``change`` is what the ledger says of it:
    ``what``, ``at``, ``reason`` and ``actor``. ``attempt`` counts from 1. ``reference`` is what the
    last delivery of this lead and this alert has answered in ``Sent``, such as the id of a record
    in a CRM. ``link`` is the page of the lead in the console; None if its address is not known.
    """

    id: str
    alert: str
    type: str
    at: int
    lead: Mapping[str, JSON]
    route: JSON = None
    attempt: int = 1
    change: Mapping[str, JSON] | None = None
    reference: str | None = None
    link: str | None = None
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """It was taken. ``detail`` is for the log, such as ``200 OK``; see ``Delivery.reference``."""

    detail: str
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """It was not taken, and may be later: not before ``after`` seconds, if those are given.

    ``is_endpoint`` says that others would fail too, so that they wait as well: it does not answer,
    or it is too busy.
    """

    reason: str
    after: float | None = None
    is_endpoint: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """It was not taken, and never will be."""

    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """There is nothing to send any more: the lead was erased. No sender answers this."""

    reason: str = "the lead is gone"


Result = Sent | Retry | Refused


class Sender(Protocol):
    """Sends deliveries of one alert, from several threads at once.

    An attempt has to end within a minute, and each request of ``Http`` within 15 seconds.
    ``Unreachable`` and ``Forbidden`` may pass through it.
    """

    def send(self, delivery: Delivery, http: Http) -> Result:
        """Make one attempt."""


class MakeSender(Protocol):
    """Makes the sender of an alert; raises ``Misconfigured`` if a variable is missing or wrong."""

    def __call__(self, options: Mapping[str, JSON], environment: Mapping[str, str]) -> Sender: ...


class Misconfigured(Exception):
    """What an alert needs is not there; the message names the variable."""
