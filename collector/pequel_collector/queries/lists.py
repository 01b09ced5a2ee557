"""Lists of users and accounts: who they are, what they use, who is nearly there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import chain
from types import MappingProxyType

from ..errors import BadRequest
from ..marking.evaluators import Evaluators
from ..marking.snapshot import Snapshot
from ..model import Clock, Kind
from ..ports import ReadTransaction, Store
from ..rules.engine.rules import Rule
from . import adoption, cursors, near, people
from .adoption import AdoptionFilter
from .answers import AdoptionPage, ListedSubject, NearPage, Page, Path, PeoplePage
from .directory import latest_page, search_page
from .near import NearSort
from .path import path

AT_ONCE = 100
"""Users or accounts that are read at once for all of them."""

MAX_NAMED = 20
"""Definitions that an error names."""


class Lists:
    """The questions about many subjects, and about a subject's people and path, over one store.

    Each is bounded, however many subjects and messages there are: the modules say how.
    """

    def __init__(
        self, store: Store, evaluators_in: Callable[[ReadTransaction], Evaluators], clock: Clock
    ) -> None:
        self._store, self._evaluators_in, self._clock = store, evaluators_in, clock

    def subjects(
        self,
        kind: Kind,
        text: str | None,
        limit: int,
        cursor: str | None,
        traits: Mapping[str, str] = MappingProxyType({}),
    ) -> Page[ListedSubject]:
        """Users or accounts, those seen last first; with a text, those that it finds, in order.

        ``traits`` are values as text, by name. No index serves them: each subject is read, and a
        page looks at a bounded number of them. So it may be short, and still have a next one.
        """
        asked = [sorted(traits.items())] if traits else []
        of = cursors.list_id(f"{kind}s", text and text.lower(), *asked)
        if text is not None:
            hit = cursors.decode_hit(of, cursor)
            with self._snapshot() as snapshot:
                found, last = search_page(snapshot, kind, text, limit, hit, traits)
            return Page(found, last and cursors.encode(of, *last))
        seen = cursors.decode_seen(of, cursor)
        with self._snapshot() as snapshot:
            found, place = latest_page(snapshot, kind, limit, seen, traits)
        return Page(found, place and cursors.encode(of, *place))

    def all_subjects(
        self, kind: Kind, text: str | None, traits: Mapping[str, str]
    ) -> Iterator[ListedSubject]:
        """Every user or account, page by page; each page is as of the moment when it is read."""
        return self._pages_from(
            self.subjects(kind, text, AT_ONCE, None, traits), kind, text, traits
        )

    def _pages_from(
        self, page: Page[ListedSubject], kind: Kind, text: str | None, traits: Mapping[str, str]
    ) -> Iterator[ListedSubject]:
        yield from page.data
        while page.next_cursor is not None:
            page = self.subjects(kind, text, AT_ONCE, page.next_cursor, traits)
            yield from page.data

    def people(self, account: str, limit: int, cursor: str | None) -> PeoplePage:
        """The people of an account, most engaged first. Raises NotFound or BadRequest."""
        of = cursors.list_id("people", account)
        after = cursors.decode_people_cursor(of, cursor)
        with self._snapshot() as snapshot:
            found = people.people(snapshot, account, limit, after)
        return PeoplePage(
            found.data, found.complete, found.next and cursors.encode(of, *found.next)
        )

    def path(self, user: str) -> Path:
        """The path of a user. Raises NotFound."""
        with self._snapshot() as snapshot:
            return path(snapshot, user)

    def near(
        self, definition: str, limit: int, cursor: str | None, sort: NearSort = "progress"
    ) -> NearPage:
        """Who is near a definition, nearest or likeliest first.

        Raises BadRequest for a definition that is not in force, or without a likelihood.
        """
        of = cursors.list_id("near", definition, sort)
        after = cursors.decode_near_cursor(of, cursor)
        with self._snapshot() as snapshot:
            rule = _rule(snapshot.evaluators, definition)
            found = near.near(snapshot, rule, sort, limit, after)
        place = found.next and (*found.next.start, *found.next[1:])
        return NearPage(
            found.data, found.looked_at, found.is_complete, place and cursors.encode(of, *place)
        )

    def adoption(self, wanted: AdoptionFilter, limit: int, cursor: str | None) -> AdoptionPage:
        """Who has used a feature, or an event, and who has not; those seen last first."""
        of = cursors.list_id("adoption", wanted)
        before = cursors.decode_seen(of, cursor)
        with self._snapshot() as snapshot:
            found = adoption.adoption(snapshot, wanted, limit, before)
            events = adoption.events_of(snapshot.evaluators.catalogue, wanted.feature)
        return AdoptionPage(
            wanted.feature,
            events,
            found.data,
            found.used,
            found.not_used,
            found.next and cursors.encode(of, *found.next),
        )

    @contextmanager
    def _snapshot(self) -> Iterator[Snapshot]:
        with self._store.reading() as tx:
            yield Snapshot(tx, self._evaluators_in(tx), self._clock())


def _rule(evaluators: Evaluators, name: str) -> Rule:
    """The definition of this name. Raises BadRequest if it is not in force."""
    rules = {rule.name: rule for rule in chain(evaluators.users.rules, evaluators.accounts.rules)}
    if name in rules:
        return rules[name]
    closest = get_close_matches(name, rules, n=1) or list(rules)[:MAX_NAMED]
    expected = " or ".join(map(ascii, closest)) or "none, as no definition is in force"
    raise BadRequest(
        f"definition: found {name!a}, expected {expected}",
        "bad_parameter",
        field="definition",
        found=ascii(name),
        expected=expected,
    )
