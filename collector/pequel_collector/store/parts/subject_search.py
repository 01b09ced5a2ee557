"""Finds users and accounts by the beginning of an id, an e-mail address or a name.

A *search text* is such a value in lower case. The table ``search_text`` has one for each e-mail
address and name that was ever set, and one for each id with capital letters in a sealed block. Ids
without capitals need none: postings are sorted by them, and so are the indexes of blocks. The ids
of the open block are looked at.
So an event costs nothing, and a trait one row. An example, of whom a search for "ad" finds three:

    table          (u, ada@x.example, u:7) (u, adele, a:v1)
    indexes        u:adam
    open block     u:Ben

Values of the past stay in the table, so whoever searches checks what is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge

from ...model import JSON, Kind, bucket_of, id_of, kind_of
from ...ports import SearchHit, Trait
from ..encoding import escape, unescape
from ..session import Insertion, Row, Session
from .message_index import MessageIndex

SEARCHED_TRAITS = ("email", "name")

MAX_TEXT = 64
"""Characters of a search text, so that it fits into an index."""

LAST = "\U0010ffff"
"""After every character."""

HITS_AT_ONCE = 200

ADD = Insertion("search_text", ("kind", "found_by", "subject", "bucket"), "ON CONFLICT DO NOTHING")

_HITS = """
SELECT found_by, subject FROM search_text
WHERE kind = :kind AND found_by >= :prefix AND found_by < :last
  AND (found_by, subject) > (:text, :subject)
ORDER BY found_by, subject LIMIT :limit
"""

_IDS = "SELECT DISTINCT subject FROM event WHERE block = :block"
_ACCOUNTS = """
SELECT DISTINCT 'g:' || account FROM event WHERE block = :block AND account IS NOT NULL
"""


def search_text(value: JSON) -> str | None:
    """A value as it is searched; None for one that cannot be searched."""
    return value.lower()[:MAX_TEXT] if isinstance(value, str) and value.strip() else None


def rows_of_traits(traits: Iterable[Trait]) -> list[Row]:
    """The search texts of traits, sorted."""
    found = ((each.subject, search_text(each.value)) for each in traits if _is_searched(each))
    return sorted({_row(subject, text) for subject, text in found if text is not None})


def add_ids_of_block(session: Session, block: int) -> None:
    """Add the ids with capitals of a block that is being sealed."""
    found = session.run(_IDS, block=block) + session.run(_ACCOUNTS, block=block)
    keys = {unescape(subject) for (subject,) in found}
    capital = (key for key in keys if kind_of(key) and _has_capitals(key))
    session.insert(ADD, sorted({_row(key, _text_of_id(key)) for key in capital}))


class SubjectSearch:
    """The users and accounts in one transaction, by search text."""

    def __init__(self, session: Session, index: MessageIndex) -> None:
        self._session, self._index = session, index

    def hits(self, kind: Kind, prefix: str, after: SearchHit | None) -> Iterator[SearchHit]:
        """What begins with a prefix in lower case, by text and key; what comes after a hit.

        A visitor may be found by a trait: who that is must be asked.
        """
        start = prefix[:MAX_TEXT]
        place = after or SearchHit("", "")
        every = merge(
            self._texts(kind, start, place),
            self._plain_ids(kind, start, place),
            self._open_ids(kind, start, place),
        )
        last = None
        for hit in every:
            if hit != last:
                yield hit
            last = hit

    def _texts(self, kind: Kind, prefix: str, after: SearchHit) -> Iterator[SearchHit]:
        rows: list[Row] = []
        while not rows or len(rows) == HITS_AT_ONCE:
            rows = self._session.run(
                _HITS,
                kind=_code(kind),
                prefix=prefix,
                last=prefix + LAST,
                text=after.text,
                subject=after.subject,
                limit=HITS_AT_ONCE,
            )
            if not rows:
                return
            found = [SearchHit(unescape(text), unescape(subject)) for text, subject in rows]
            yield from found
            after = found[-1]

    def _plain_ids(self, kind: Kind, prefix: str, after: SearchHit) -> Iterator[SearchHit]:
        """The ids without capitals, which are sorted as their texts are."""
        start = _code(kind) + ":"
        behind = start + _before(max(prefix, after.text))
        for key in self._index.between(behind, start + prefix + LAST, HITS_AT_ONCE):
            hit = SearchHit(_text_of_id(key), key)
            if not _has_capitals(key) and hit > after:
                yield hit

    def _open_ids(self, kind: Kind, prefix: str, after: SearchHit) -> list[SearchHit]:
        statement = _IDS if kind == "user" else _ACCOUNTS
        found = self._session.run(statement, block=self._index.open_block)
        keys = (unescape(subject) for (subject,) in found)
        hits = (
            SearchHit(_text_of_id(key), key)
            for key in keys
            if kind_of(key) == kind and _has_capitals(key)
        )
        return sorted(hit for hit in hits if hit.text.startswith(prefix) and hit > after)


def _row(subject: str, text: str) -> Row:
    kind = kind_of(subject) or "user"
    return _code(kind), escape(text), escape(subject), bucket_of(subject)


def _before(text: str) -> str:
    """A text behind everything that sorts before a text."""
    return text[:-1] + chr(max(1, ord(text[-1])) - 1) + LAST


def _code(kind: Kind) -> str:
    return "g" if kind == "account" else "u"


def _text_of_id(key: str) -> str:
    return id_of(key).lower()[:MAX_TEXT]


def _has_capitals(key: str) -> bool:
    return key.lower() != key


def _is_searched(trait: Trait) -> bool:
    return trait.name in SEARCHED_TRAITS
