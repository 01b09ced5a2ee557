"""Reports of clients are heard once, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pequel_collector.ports import Store


class TestAReport:
    def test_is_news_the_first_time(self, store: Store) -> None:
        with store.writing() as tx:
            assert tx.record_client_report("k1", "c1", 1) is True
            assert tx.record_client_report("k1", "c1", 1) is False
        with store.writing() as tx:
            assert tx.record_client_report("k1", "c1", 1) is False
            assert tx.record_client_report("k1", "c1", 2) is True

    def test_is_old_when_a_later_one_was_heard(self, store: Store) -> None:
        with store.writing() as tx:
            assert tx.record_client_report("k1", "c1", 7) is True
            assert tx.record_client_report("k1", "c1", 6) is False

    def test_is_of_one_client_of_one_key(self, store: Store) -> None:
        with store.writing() as tx:
            heard = [
                tx.record_client_report(*who, 1)
                for who in (("k1", "c1"), ("k1", "c2"), ("k2", "c1"))
            ]
        assert heard == [True] * 3

    def test_is_forgotten_with_a_transaction_that_fails(self, store: Store) -> None:
        try:
            with store.writing() as tx:
                tx.record_client_report("k1", "c1", 1)
                raise RuntimeError
        except RuntimeError:
            pass
        with store.writing() as tx:
            assert tx.record_client_report("k1", "c1", 1) is True
