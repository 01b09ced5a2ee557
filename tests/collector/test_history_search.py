"""The facts of a history in pages are found by their time, from either side."""

from __future__ import annotations

from math import log2

from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.marking.history import History
from pequel_collector.marking.replay import SubjectReplay
from pequel_collector.rules.engine.state import EmptyWorld, FactList
from pequel_collector.rules.engine.view import FIRST, EvalContext
from support.leaves import START, OneLeaf, PageStore

LEAF = OneLeaf('{ event = "used", gte = 100000 }')


class CountingPages(PageStore):
    """Counts the pages that are read."""

    reads = 0

    def page(self, number: int) -> bytes:
        self.reads += 1
        return super().page(number)


def history_of(times: list[int]) -> History:
    """A history with an event at each time."""
    facts = LEAF.facts([(time, "used", {}) for time in times])
    history = History(CountingPages(), LEAF.evaluator.version)
    history.extend(facts, LEAF.evaluator, EmptyWorld(), None)
    return history


@given(
    st.lists(st.integers(0, 60) | st.integers(0, 900), max_size=150),
    st.integers(-2, 902),
    st.integers(-2, 902),
    st.none() | st.integers(1, 80),
)
def test_facts_are_found_by_their_times(
    times: list[int], first: int, behind: int, looked_at: int | None
) -> None:
    history, facts = history_of(times), LEAF.facts([(time, "used", {}) for time in times])
    replay = SubjectReplay(LEAF.evaluator, EmptyWorld())
    replay.extend(facts)
    for reader in (history, replay, FactList(facts)):
        found = [fact for _, fact in reader.facts(reader.since(START + first))]
        assert found == facts[len(facts) - len(found) :]
        assert len(found) >= sum(fact.time >= START + first for fact in facts)
        earlier = [fact for _, fact in reader.before(START + first)]
        assert earlier[::-1] == [fact for fact in facts if fact.time < START + first]

        ctx = EvalContext("user", history.head, EmptyWorld(), reader, START + 500)
        inside = [f for f in facts if START + first <= f.time < START + min(behind, 501)]
        if looked_at is not None and len(inside) > 2 * looked_at:
            inside = inside[:looked_at] + inside[-looked_at:]
        assert list(ctx.between(START + first, START + behind, looked_at)) == inside


def test_a_page_is_found_by_its_time_in_few_steps() -> None:
    history = history_of(list(range(4_000)))
    pages = history._store
    assert isinstance(pages, CountingPages)
    for time in (0, 1, 100, 2_000, 3_900, 3_999, 9_999):
        pages.reads = 0
        history.shrink()
        assert next(history.facts(history.since(START + time)), (FIRST,))[0] <= history.end
        assert pages.reads <= 2 * log2(4_000 / 32) + 2
