"""Batches that were stored together: each has a receipt, and the counts add up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.app.bootstrap import open_collector
from pequel_collector.config import Settings
from pequel_collector.ingest.receipts import Batch, Outcome
from pequel_collector.model import Lead, Message, RejectedEvent, Stored
from pequel_collector.ports import StoredRejectedEvent, Usage
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.usage import balance_of, month_of
from support.streams import NOW, messages_of, plain_event

JANUARY, FEBRUARY = 1_767_300_000_000, 1_770_000_000_000
THREE = '[[pql]]\nname = "three"\nwhen = { event = "used", gte = 3 }\n'


def message(mid: str, user: str = "u1", time: int = NOW) -> Message:
    return messages_of([plain_event(user, "used", mid, time)])[0]


def stored(*messages: Message, account: str | None = None) -> list[Stored]:
    return [Stored(each, account, each.subject) for each in messages]


def lead(subject: str, time: int = NOW) -> Lead:
    return Lead("l1", "three", 1, subject, 1, time, NOW)


class TestALead:
    """It is told to one of the batches that were stored together."""

    def test_is_told_to_the_batch_with_the_moment_of_qualification(self) -> None:
        early, late = message("a", time=NOW - 5), message("b")
        batches = [Batch([late]), Batch([early])]
        outcome = Outcome(batches, stored(late, early), [lead("u:u1")])
        assert [len(receipt.qualified) for receipt in outcome.receipts()] == [1, 0]

    def test_is_else_told_to_the_last_batch_with_a_message_of_its_subject(self) -> None:
        one, two, other = message("a"), message("b"), message("c", "u2")
        batches = [Batch([one]), Batch([two]), Batch([other])]
        outcome = Outcome(batches, stored(one, two, other), [lead("u:u1", NOW - 9)])
        assert [len(receipt.qualified) for receipt in outcome.receipts()] == [0, 1, 0]

    def test_of_an_account_is_told_to_the_batch_of_a_member(self) -> None:
        one, other = message("a"), message("c", "u2")
        fresh = [*stored(one, account="acme"), *stored(other)]
        outcome = Outcome([Batch([one]), Batch([other])], fresh, [lead("g:acme")])
        assert [len(receipt.qualified) for receipt in outcome.receipts()] == [1, 0]

    def test_of_somebody_else_is_told_to_the_last_batch(self) -> None:
        one, other = message("a"), message("c", "u2")
        outcome = Outcome([Batch([one]), Batch([other])], stored(one, other), [lead("u:u9")])
        assert [len(receipt.qualified) for receipt in outcome.receipts()] == [0, 1]


class TestCounts:
    def test_are_by_key_month_and_outcome(self) -> None:
        new, known = message("a"), message("b")
        rejected = [RejectedEvent(1, "bad_value", "no"), RejectedEvent(2, "bad_value", "no")]
        batches = [Batch([new, known], rejected, "k1"), Batch([known])]
        usage = Outcome(batches, stored(new), ()).usage(FEBRUARY)
        assert sorted(usage) == [
            Usage("", "2026-02", "duplicate", 1),
            Usage("k1", "2026-02", "duplicate", 1),
            Usage("k1", "2026-02", "rejected:bad_value", 2),
            Usage("k1", "2026-02", "stored", 1),
        ]

    def test_move_from_rejected_to_stored_in_the_month_in_which_it_came(self) -> None:
        one, other = message("a"), message("b")
        rejected = [
            StoredRejectedEvent(id_, JANUARY, "k1", RejectedEvent(0, "too_large", "no"))
            for id_ in ("r1", "r2")
        ]
        outcome = Outcome([Batch([one, other], replayed=rejected)], stored(one, other), ())
        assert sorted(outcome.usage(FEBRUARY, {"r1"})) == [
            Usage("k1", "2026-01", "rejected:too_large", -1),
            Usage("k1", "2026-01", "stored", 1),
        ]

    def test_know_the_month_in_utc(self) -> None:
        assert [month_of(FEBRUARY), month_of(JANUARY)] == ["2026-02", "2026-01"]


class TestTheLaw:
    """received = stored + duplicate + rejected, for any batches stored in any grouping."""

    @given(
        sent=st.lists(
            st.tuples(
                st.lists(st.integers(0, 12), max_size=4),
                st.integers(0, 2),
                st.sampled_from(["k1", "k2", None]),
            ),
            max_size=8,
        ),
        together=st.integers(1, 4),
    )
    def test_holds(self, sent: list[tuple[list[int], int, str | None]], together: int) -> None:
        collector = open_collector(
            Settings(database="sqlite://"), read_catalogue(THREE), clock=lambda: NOW
        )
        batches = [
            Batch(
                [message(f"m{n}", f"u{n % 2}") for n in numbers],
                [RejectedEvent(0, "bad_value", "no")] * number_rejected,
                key,
            )
            for numbers, number_rejected, key in sent
        ]
        receipts = [
            receipt
            for start in range(0, len(batches), together)
            for receipt in collector.ingest.accept_all(batches[start : start + together])
        ]
        with collector.store.reading() as view:
            balance, totals = balance_of(view.usage()), view.totals()
        assert balance.received == sum(len(b.messages) + len(b.rejected) for b in batches)
        assert balance.stored == totals["messages"] == sum(r.accepted for r in receipts)
        assert balance.duplicates == sum(r.duplicates for r in receipts)
        assert balance.rejected.total() == totals["rejected"]
        told = [each.id for receipt in receipts for each in receipt.qualified]
        assert len(told) == len(set(told)) == totals["leads"]
        collector.close()
