"""Folds that are too long for the write lock are prepared without it, and checked before use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector
from pequel_collector.audit.verify import verify
from pequel_collector.marking import evaluators, preparations
from pequel_collector.marking.derive import Derivation
from pequel_collector.marking.prepare import LongFold, PreparedFold, prepare
from support.streams import NOW, collector_of, marks, messages_of, plain_event

USED = '[[pql]]\nname = "used"\nwhen = { event = "used", gte = 90 }\n'
OF_AN_ACTIVE_USER = """
[[pql]]
name = "active"
when = { event = "used", gte = 3 }

[[pql]]
name = "team"
subject = "account"
when = { users = { pql = "active" }, gte = 1 }
"""
MINUTE = 60_000
START = NOW - 1_000 * MINUTE


@pytest.fixture(autouse=True)
def _long_from_64_facts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluators, "LEAVES_UNDER_LOCK", 0)
    monkeypatch.setattr(evaluators, "MIN_UNDER_LOCK", 64)


@pytest.fixture
def open_with(tmp_path: Path) -> Callable[[str], Collector]:
    def opened(toml: str) -> Collector:
        return collector_of(toml, f"sqlite:///{tmp_path}/events.db")

    return opened


class Between:
    """Does something after a fold was prepared, before the batch is tried again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *actions: Callable[[], Any]) -> None:
        self.folds: list[LongFold] = []
        self._actions = list(actions)
        monkeypatch.setattr(preparations, "prepare", self._prepare)

    def _prepare(
        self, store: Any, evaluators: Any, fold: LongFold, now: int
    ) -> PreparedFold | None:
        found = prepare(store, evaluators, fold, now)
        self.folds.append(fold)
        if self._actions:
            self._actions.pop(0)()
        return found


def used(number: int, at: int | None = None, user: str = "ada", **parts: Any) -> dict[str, Any]:
    time = START + number * MINUTE if at is None else at
    return plain_event(user, "used", f"{user}-{number:04d}", time, **parts)


def take(collector: Collector, *events: dict[str, Any]) -> None:
    collector.ingest.accept(messages_of(events))


def differences(collector: Collector) -> list[Any]:
    found: list[Any] = []
    verify(collector.store, collector.clock, found.append)
    return found


def test_a_late_event_is_folded_without_the_lock(
    open_with: Callable[[str], Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = open_with(USED)
    take(collector, *(used(n) for n in range(1, 301)))
    calls = Between(monkeypatch)

    take(collector, used(0))

    assert [fold.key for fold in calls.folds] == ["u:ada"]
    assert marks(collector) == {("used", "user", "ada"): [START + 89 * MINUTE]}
    assert differences(collector) == []
    assert collector.ingest.evaluators.prepared == []


def joined(number: int, account: str) -> dict[str, Any]:
    return used(number, type="group", groupId=account) | {"event": None}


def of_visitor(number: int) -> dict[str, Any]:
    return used(number, user="v", userId=None, anonymousId="v")


LINK = plain_event("ada", "signed_up", "link", START + 500 * MINUTE, anonymousId="v")


def test_the_long_past_of_a_visitor_who_signs_up_is_folded_without_the_lock(
    open_with: Callable[[str], Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = open_with(USED)
    take(collector, *map(of_visitor, range(1, 301)))
    calls = Between(monkeypatch)

    take(collector, LINK)

    assert [(fold.key, fold.stamp) for fold in calls.folds] == [("u:ada", 0)]
    assert marks(collector) == {("used", "user", "ada"): [START + 90 * MINUTE]}
    assert differences(collector) == []
    assert collector.ingest.evaluators.prepared == []


def test_the_folds_of_a_move_are_prepared_together(
    open_with: Callable[[str], Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late group call moves all messages: of the user, and from one account to another."""
    of_account = USED.replace('"used"\nwhen', '"busy"\nsubject = "account"\nwhen')
    collector = open_with(USED + of_account)
    take(collector, joined(0, "acme"))
    take(collector, *map(used, range(10, 310)))
    calls, tries = Between(monkeypatch), []
    commit = collector.ingest.commit
    monkeypatch.setattr(
        collector.ingest,
        "commit",
        lambda *given, **named: tries.append(1) or commit(*given, **named),
    )

    take(collector, joined(5, "brix"))

    assert sorted(fold.key for fold in calls.folds) == ["g:acme", "g:brix", "u:ada"]
    assert len(tries) == 2
    assert {key[2] for key in marks(collector)} == {"ada", "brix"}
    assert differences(collector) == []


@pytest.mark.parametrize(("number", "folds"), [(400, 1), (0, 2)], ids=["later", "earlier"])
def test_a_user_whose_first_event_comes_meanwhile_is_folded_with_it(
    open_with: Callable[[str], Collector],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    folds: int,
) -> None:
    collector = open_with(USED)
    take(collector, *map(of_visitor, range(1, 301)))
    calls = Between(monkeypatch, lambda: take(collector, used(number)))

    take(collector, LINK)

    assert len(calls.folds) == folds
    assert marks(collector) == {("used", "user", "ada"): [START + (90 if number else 89) * MINUTE]}
    assert differences(collector) == []


def test_facts_that_come_meanwhile_at_the_end_are_folded_on_top(
    open_with: Callable[[str], Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = open_with(USED)
    take(collector, *(used(n) for n in range(1, 151)))
    calls = Between(monkeypatch, lambda: take(collector, *(used(n) for n in range(151, 201))))

    take(collector, used(0))

    assert len(calls.folds) == 1
    assert marks(collector) == {("used", "user", "ada"): [START + 89 * MINUTE]}
    assert differences(collector) == []


def test_a_fold_is_prepared_again_if_the_history_was_rewound_meanwhile(
    open_with: Callable[[str], Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = open_with(USED)
    take(collector, *(used(n) for n in range(2, 301)))
    calls = Between(monkeypatch, lambda: take(collector, used(1)))

    take(collector, used(0))

    assert len(calls.folds) > 2
    assert marks(collector) == {("used", "user", "ada"): [START + 89 * MINUTE]}
    assert differences(collector) == []


def test_a_fold_is_prepared_again_if_what_it_asked_of_others_has_changed(
    open_with: Callable[[str], Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = open_with(OF_AN_ACTIVE_USER)
    take(collector, *(used(n, groupId="acme", user=f"u{n}") for n in range(1, 201)))
    late = [used(300 + n, START + n * 1_000, user="u1", groupId="acme") for n in range(2)]
    calls = Between(monkeypatch, lambda: take(collector, *late))

    take(collector, used(0, user="u0", groupId="acme"))

    assert calls.folds
    assert ("team", "account", "acme") in marks(collector)
    assert differences(collector) == []


def test_after_many_tries_a_batch_holds_the_lock_for_as_long_as_it_takes(
    open_with: Callable[[str], Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = open_with(USED)
    take(collector, *(used(n) for n in range(1, 301)))
    monkeypatch.setattr(preparations, "prepare", lambda *_: None)

    take(collector, used(0))

    assert marks(collector) == {("used", "user", "ada"): [START + 89 * MINUTE]}
    assert differences(collector) == []


def test_back_fill_folds_a_long_history_without_the_lock(
    open_with: Callable[[str], Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = open_with("")
    take(collector, *(used(n) for n in range(1, 301)))
    calls = Between(monkeypatch)

    collector.put_definitions(USED)
    while (progress := collector.backfill_some()) is None or not progress.is_finished:
        pass

    assert [fold.key for fold in calls.folds] == ["u:ada"]
    assert progress.leads == 1
    assert marks(collector) == {("used", "user", "ada"): [START + 90 * MINUTE]}
    assert differences(collector) == []


def test_a_request_commits_while_another_one_is_prepared(
    open_with: Callable[[str], Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = open_with(USED)
    take(collector, *(used(n) for n in range(1, 301)))
    accepted: list[int] = []

    def other() -> None:
        accepted.append(collector.intake.accept(messages_of([used(1, user="eve")])).accepted)

    Between(monkeypatch, other)

    assert collector.intake.accept(messages_of([used(0)])).accepted == 1
    assert accepted == [1]
    assert differences(collector) == []


def test_a_derivation_without_a_limit_prepares_nothing(
    open_with: Callable[[str], Collector],
) -> None:
    collector = open_with(USED)
    take(collector, *(used(n) for n in range(1, 301)))
    with collector.store.writing() as tx:
        derivation = Derivation(tx, collector.ingest.evaluators, NOW)
        derivation.rebuild("u:ada")
        assert derivation.finish() == []
