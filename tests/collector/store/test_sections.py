"""Messages of full blocks are indexed together, and every read stays exact meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from pequel_collector.app.bootstrap import assemble
from pequel_collector.app.jobs import Housekeeper
from pequel_collector.config import Settings
from pequel_collector.model import Message, Stored
from pequel_collector.ports import ReadTransaction, Store
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.store import open_store, sections

MakeMessage = Callable[..., Stored]
KEYS = ["u:ada", "u:bob", "a:v1", "g:acme", "g:bolt", "u:u7", "g:\U0010ffff"]
BLOCK, SECTION = 20, 2


def again(url: str) -> Store:
    return open_store(url, clock=lambda: 1, block_size=BLOCK, section_blocks=SECTION)


@pytest.fixture
def roomy(store_url: str) -> Iterator[Store]:
    """A store with blocks of twenty messages and sections of two blocks."""
    store = again(store_url)
    yield store
    store.close()


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "MESSAGES_PER_STEP", 8)


def stream(number: int) -> list[Stored]:
    """Messages of a user with very many, of others, of a visitor and of an account alone."""
    whose = ["u:ada", "u:ada", "a:v1", "u:ada", "u:bob", "g:acme", "u:ada"]
    found = []
    for n in range(number):
        subject = f"u:u{n}" if n % 11 == 0 else whose[n % 7]
        account = "acme" if subject == "g:acme" else (None, "acme", "bolt", "\U0010ffff")[n % 4]
        fields: dict[str, Any] = {"name": "abc"[n % 3], "position": n % 2}
        if n % 5 == 0:
            fields["account"] = account
        message = Message(f"m{n:04}", "track", subject, n // 2, n, **fields)
        found.append(Stored(message, account))
    return found


def fill(store: Store, messages: Sequence[Stored]) -> None:
    for start in range(0, len(messages), 7):
        with store.writing() as tx:
            tx.append(messages[start : start + 7])


def answers(view: ReadTransaction) -> list[Any]:
    """Everything that is found by subject."""
    latest = [[m.message.mid for m in view.latest_of([key], 5)] for key in KEYS]
    return [
        [[stored.message.mid for stored in view.events([key])] for key in KEYS],
        [[stored.message.mid for stored in view.events([key], 10, 30)] for key in KEYS],
        [view.counts([key]) for key in KEYS],
        view.counts(["u:ada", "g:acme"]),
        [view.span([key]) for key in KEYS],
        view.first_seen(KEYS),
        view.last_times(KEYS),
        view.last_times(KEYS, 40),
        latest,
        [view.latest_named([key]) for key in KEYS if key[0] != "g"],
        view.names_of(["u:ada", "u:bob", "a:v1"]),
        [view.activity_in(name, 20, 10_000) for name in ("acme", "bolt")],
        view.subjects(),
        view.subjects("g:acme", 3),
        view.visitors(),
        view.totals(),
    ]


def index(store: Store, steps: int | None = None) -> int:
    """Index everything, or so many steps; how many steps it took."""
    done = 0
    while steps is None or done < steps:
        with store.writing() as tx:
            is_more = tx.index_messages()
        done += 1
        if not is_more:
            break
    return done


def state(store: Store) -> tuple[int, str, int]:
    with store._database.reading() as session:  # type: ignore[attr-defined]
        [found] = session.run("SELECT sections, reached, block FROM indexing")
    return found  # type: ignore[no-any-return]


def count(store: Store, table: str) -> int:
    with store._database.reading() as session:  # type: ignore[attr-defined]
        [(number,)] = session.run(f"SELECT count(*) FROM {table}")
    return int(number)


def test_every_answer_is_the_same_after_each_step(roomy: Store) -> None:
    fill(roomy, stream(130))
    with roomy.reading() as view:
        wanted = answers(view)
        assert view.has_messages_to_index()
    is_more = True
    while is_more:
        with roomy.writing() as tx:
            is_more = tx.index_messages()
            assert answers(tx) == wanted
        with roomy.reading() as view:
            assert answers(view) == wanted
            assert view.has_messages_to_index() is is_more
    assert state(roomy)[0] == 3


def test_only_full_sections_are_indexed(roomy: Store) -> None:
    fill(roomy, stream(SECTION * BLOCK - 1))
    with roomy.reading() as view:
        assert not view.has_messages_to_index()
    with roomy.writing() as tx:
        assert not tx.index_messages()
    assert state(roomy) == (0, "a:", 0)
    assert count(roomy, "posting") == 0


def test_a_message_has_a_posting_for_its_subject_and_one_for_its_account(roomy: Store) -> None:
    messages = stream(SECTION * BLOCK)
    fill(roomy, messages)
    index(roomy)
    own = sum(stored.message.subject[0] != "g" for stored in messages)
    assert count(roomy, "posting") == own + sum(stored.account is not None for stored in messages)


def test_the_counts_of_the_blocks_go_when_their_section_is_counted(roomy: Store) -> None:
    fill(roomy, [Stored(m.message, "acme") for m in stream(SECTION * BLOCK)])
    assert count(roomy, "event_count") > 0
    index(roomy)
    assert count(roomy, "event_count") == 0
    assert count(roomy, "section_count") > 0


def test_a_step_handles_few_messages_whoever_has_them(roomy: Store, message: MakeMessage) -> None:
    fill(roomy, [message(f"m{n:03}", time=n, to="acme") for n in range(SECTION * BLOCK)])
    before = 0
    is_more = True
    while is_more:
        with roomy.writing() as tx:
            is_more = tx.index_messages()
        now = count(roomy, "posting")
        assert now - before <= BLOCK
        before = now
    assert before == 2 * SECTION * BLOCK


def test_a_message_that_moves_is_found_whenever_it_moves(
    store_url: str, message: MakeMessage
) -> None:
    """Before, while and after its section is indexed, one by one and many at once."""
    store = again(store_url)
    fill(store, stream(90))
    for turn, to in enumerate(["bolt", "acme", None, "bolt", "\U0010ffff", "acme"] * 4):
        with store.reading() as view:
            own = [m.message.mid for m in view.events(["u:ada"])]
        with store.writing() as tx:
            tx.attribute(dict.fromkeys(own[: 1 + turn * 3], to), "u:ada")
        with store.reading() as view:
            stored = [view.message(f"m{n:04}") for n in range(90)]
            for account in ("acme", "bolt", "\U0010ffff"):
                wanted = [s for s in stored if s and s.account == account]
                found = [m.message.mid for m in view.events([f"g:{account}"])]
                assert found == [s.message.mid for s in wanted]
                assert sum(view.counts([f"g:{account}"]).values()) == len(wanted)
        index(store, 2)
    store.close()


@pytest.mark.parametrize("steps", [0, 3, 7, 12, 99])
def test_a_message_that_is_removed_is_gone_whenever_it_is_removed(roomy: Store, steps: int) -> None:
    messages = stream(90)
    fill(roomy, messages)
    index(roomy, steps)
    gone = messages[::4]
    with roomy.writing() as tx:
        tx.remove(gone)
    index(roomy)
    left = [stored for stored in messages if stored not in gone]
    with roomy.reading() as view:
        for key in ("u:ada", "u:bob"):
            own = [s.message for s in left if s.message.subject == key]
            own.sort(key=lambda m: (m.time, m.position, m.mid))
            assert [m.message.mid for m in view.events([key])] == [m.mid for m in own]
            assert sum(view.counts([key]).values()) == len(own)
            named = [m.account for m in own if m.account is not None]
            assert view.latest_named([key]) == (named[-1] if named else None)


def test_a_step_that_is_undone_is_done_again(roomy: Store) -> None:
    fill(roomy, stream(90))
    with roomy.reading() as view:
        wanted = answers(view)
    for steps in range(6):
        with suppress(ZeroDivisionError), roomy.writing() as tx:
            tx.index_messages()
            raise ZeroDivisionError
        index(roomy, steps)
        with roomy.reading() as view:
            assert answers(view) == wanted
    index(roomy)
    with roomy.reading() as view:
        assert answers(view) == wanted


def test_the_place_is_kept_when_the_store_is_opened_again(store_url: str) -> None:
    store = again(store_url)
    fill(store, stream(90))
    index(store, 5)
    reached = state(store)
    assert reached != (0, "a:", 0)
    store.close()
    store = again(store_url)
    assert state(store) == reached
    with store.reading() as view:
        wanted = answers(view)
    index(store)
    with store.reading() as view:
        assert answers(view) == wanted
    store.close()


def test_the_background_jobs_index_what_is_full(roomy: Store) -> None:
    fill(roomy, stream(90))
    collector = assemble(Settings(), roomy, Catalogue(), lambda: 1)
    housekeeper = Housekeeper(collector, lambda _: None, lambda _: None)
    for _ in range(60):
        housekeeper.run_once()
    assert state(roomy) == (2, "a:", 0)
    assert not collector.index_messages()
