"""Who has a lead, by its history."""

from __future__ import annotations

from typing import Any

from pequel_collector.ports import Change
from pequel_collector.web.console.holders import Holder, holder_of


def change(at: int, what: str, after: Any, actor: str | None = None) -> Change:
    return Change("lead", at, what, {}, after, None, actor)


def test_nobody_has_a_lead_without_an_owner() -> None:
    assert holder_of(None, [change(1, "assigned", {"owner": "ben"}, "mia")]) is None


def test_the_latest_entry_with_an_owner_counts() -> None:
    history = [
        change(1, "routed", {"owner": "ben"}, "route:rest"),
        change(2, "assigned", {"owner": "mia"}, "mia"),
        change(3, "contacted", {"state": "contacted"}, "eva"),
    ]
    assert holder_of("mia", history) == Holder("mia", 2, "mia")
    assert holder_of("ben", history[:1]) == Holder("ben", 1, "route:rest")


def test_a_history_that_does_not_say_it_is_not_guessed_from() -> None:
    assert holder_of("ben", []) == Holder("ben")
    assert holder_of("ben", [change(1, "assigned", {"owner": "mia"}, "mia")]) == Holder("ben")
    assert holder_of("ben", [change(1, "opened", None)]) == Holder("ben")


def test_a_route_gives_and_a_person_takes() -> None:
    assert Holder("ben", 1, "route:large companies").route == "large companies"
    assert Holder("ben", 1, "mia").route is None
    assert Holder("ben", 1, "ben").took_it
    assert not Holder("ben").took_it
