"""Users and accounts: who is who, and what is known of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from ..model import JSON, Kind


class Trait(NamedTuple):
    """A value of a trait of a user or an account from ``time`` on; None unsets it."""

    subject: str
    name: str
    time: int
    mid: str
    value: JSON
    position: int = 0


class Membership(NamedTuple):
    """A group call of a user: the user's account from ``time`` on.

    With ``left``, the user leaves the account at ``time``, if it is the one they are in.
    """

    subject: str
    time: int
    mid: str
    account: str
    position: int = 0
    left: bool = False


class Link(NamedTuple):
    """A message that names an id together with a user, which makes it an id of that user.

    Only the first link of a pair, in the order of facts, is stored.
    """

    id: str
    user: str
    time: int
    mid: str
    position: int = 0


class ListedAccount(NamedTuple):
    """An entry of the account list of a partner: an account id or a domain, and since when (ms).

    ``domain`` is the one form of the domain; None for an entry that is none.
    """

    entry: str
    domain: str | None
    added_at: int


class SearchHit(NamedTuple):
    """An id, an e-mail address or a name that begins with what is searched, and whose it is.

    ``text`` is in lower case, and cut off after 64 characters. ``subject`` may be a visitor.
    """

    text: str
    subject: str


class Seen(NamedTuple):
    """Somebody had a message at ``time``. The key is empty for one without an account."""

    time: int
    key: str


class Activity(NamedTuple):
    """What somebody did: all events, those since an instant, and the span of all messages."""

    events: int = 0
    recent: int = 0
    first: int = 2**62
    last: int = -(2**62)

    def plus(self, other: Activity) -> Activity:
        """Both together."""
        return Activity(
            self.events + other.events,
            self.recent + other.recent,
            min(self.first, other.first),
            max(self.last, other.last),
        )


class FirstEvent(NamedTuple):
    """The first event of a name."""

    name: str
    time: int
    mid: str


class SubjectReads(Protocol):
    """The part of a read transaction that reads who is who, and what is known of subjects."""

    def trait_values(self, kind: Kind, names: Collection[str]) -> Iterator[tuple[str, list[Trait]]]:
        """The values that some traits ever had, in the order of facts, subject by subject."""

    def search(
        self, kind: Kind, prefix: str, after: SearchHit | None = None
    ) -> Iterator[SearchHit]:
        """Ids, e-mail addresses and names that begin with a prefix in lower case, in order.

        Addresses and names of the past are among them. Those after a hit.
        """

    def recently_seen(self, kind: Kind, before: Seen | None, limit: int) -> tuple[list[Seen], bool]:
        """Who sent the latest messages before a place, latest first; whether there are more.

        Somebody may come several times. At most ``limit`` messages of each block are looked at.
        """

    def persons(self, ids: Collection[str]) -> dict[str, str]:
        """The person of each id that is linked to one; other ids are left out."""

    def ids_of(self, persons: Collection[str]) -> dict[str, list[str]]:
        """All ids of each person: first its own, then the linked ones in key order."""

    def links(self, ids: Collection[str], limit: int | None = None) -> list[Link]:
        """The links with one of these ids on either side, in the order of facts; the first ones."""

    def links_between(self, pairs: Collection[tuple[str, str]]) -> list[Link]:
        """The links of these pairs of an id and a user."""

    def traits(self, subjects: Mapping[str, Collection[str]]) -> dict[str, dict[str, JSON]]:
        """The current traits of each subject, over all its ids, without those that are unset."""

    def trait_history(self, ids: Collection[str]) -> list[Trait]:
        """The trait values ever set on these ids, by id and name, in the order of facts."""

    def memberships(self, ids: Collection[str]) -> dict[str, list[Membership]]:
        """The group calls of each id, in the order of facts."""

    def account_list(self, partner: str) -> list[ListedAccount]:
        """The entries of the account list of a partner as it is now, sorted."""

    def partners_listing(self, account: str, domain: str | None) -> list[str]:
        """The partners whose lists have an account now, by its id or its domain."""

    def members(self, account: str) -> list[str]:
        """The ids with a message in an account, given by its key, in order."""


class SubjectWrites(Protocol):
    """The part of a write transaction that writes who is who, and what is known of subjects."""

    def add_traits(self, traits: Sequence[Trait]) -> None:
        """Store trait values."""

    def remove_traits(self, traits: Sequence[Trait]) -> None:
        """Remove trait values, by all but their value."""

    def add_memberships(self, memberships: Sequence[Membership]) -> None:
        """Store group calls."""

    def remove_memberships(self, memberships: Sequence[Membership]) -> None:
        """Remove group calls."""

    def add_links(self, links: Sequence[Link]) -> None:
        """Store links. Of two for one pair, the earlier in the order of facts is kept."""

    def remove_links(self, links: Sequence[Link]) -> None:
        """Remove links of these messages."""

    def set_persons(self, persons: Mapping[str, str]) -> None:
        """Set the person of each id. An id that is its own person becomes unlinked."""

    def count(self, tallies: Mapping[str, int]) -> None:
        """Add to running totals by name, such as ``unattributed``."""

    def add_to_account_list(self, partner: str, listed: Sequence[ListedAccount]) -> None:
        """Add entries to the account list of a partner."""

    def end_in_account_list(self, partner: str, entries: Collection[str], at: int) -> None:
        """Note that entries are no longer on the account list of a partner."""
