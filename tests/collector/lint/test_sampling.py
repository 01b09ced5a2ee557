"""A sample out of a real store: whom it takes, and what it knows of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from pequel_collector.insights import sampling
from pequel_collector.insights.lift import Life
from pequel_collector.insights.sample import Sample
from pequel_collector.insights.sampling import take
from pequel_collector.rules.language.definition import EventPattern
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.streams import NOW, collector_of, messages_of, plain_event

CATALOGUE = """
[project]
signup = "signed_up"
conversion = "paid"
[[pql]]
name = "exports"
when = { event = "exported", gte = 2 }
[[pql]]
name = "team"
subject = "account"
when = { event = "exported", gte = 3 }
[[pql]]
name = "silent"
clock = true
when.all = [{ event = "*", eq = 0, within = "1d" }, { event = "exported" }]
"""
DAY = 86_400_000


def event(user: str | None, name: str, time: int, **parts: Any) -> dict[str, Any]:
    """An event with an id of its own."""
    return plain_event(user, name, f"{user}-{name}-{time}", time, **parts)


STORY = [
    event("bob", "signed_up", 5),
    event("ada", "signed_up", 10),
    event("ada", "exported", 20, groupId="acme", properties={"id": "r1", "size": {"kb": 3}}),
    event("ada", "exported", 30, groupId="acme", properties={"id": "r1"}),
    event("bob", "exported", 40, groupId="acme"),
    event("bob", "exported", 45),
    event("bob", "paid", 50, groupId="acme"),
    event(None, "exported", 60, anonymousId="v1"),
    event("ada", "", 70, type="identify", traits={"plan": "free"}, anonymousId="v1"),
    event("ada", "", 80, type="group", groupId="acme", traits={"size": 5}),
]


def sampled(
    events: Iterable[dict[str, Any]] = STORY, toml: str = CATALOGUE, now: int = NOW
) -> Sample:
    """A sample of a store that was told these."""
    collector = collector_of("")
    collector.ingest.accept(messages_of(events))
    with collector.store.reading() as view:
        return take(view, read_catalogue(toml), now)


class TestSubjects:
    def test_are_persons_with_what_they_did_and_how_they_are(self) -> None:
        ada = sampled().users[0]
        assert (ada.key, ada.signup, ada.traits) == ("u:ada", 10, {"plan": "free"})
        assert (ada.counts["exported"], ada.firsts["exported"]) == (3, 20)

    def test_who_was_merged_into_another_is_none(self) -> None:
        alias = event("ada", "", 90, type="alias", previousId="bob")
        assert [user.key for user in sampled([*STORY, alias]).users] == ["u:ada"]

    def test_accounts_are_those_that_the_users_were_in(self) -> None:
        [acme] = sampled().accounts
        assert (acme.key, acme.traits, acme.counts) == (
            "g:acme",
            {"size": 5},
            {"exported": 3, "paid": 1},
        )

    def test_an_account_signs_up_with_its_first_member(self) -> None:
        assert sampled().accounts[0].signup == 10

    def test_a_user_has_converted_once_an_account_of_theirs_has(self) -> None:
        assert [user.converted for user in sampled().users] == [50, 50]

    def test_without_a_sign_up_event_the_first_event_is_it(self) -> None:
        toml = CATALOGUE.replace('signup = "signed_up"', "")
        assert [user.signup for user in sampled(toml=toml).users] == [10, 5]


class TestEvents:
    def test_of_users_are_counted_where_they_fall_to_no_account(self) -> None:
        exported = sampled().events["exported"]
        assert (exported.count, exported.homeless, exported.anonymous) == (5, 1, 1)
        assert exported.teams == {"acme": {"ada", "bob"}}

    def test_have_properties_by_their_paths(self) -> None:
        properties = sampled().events["exported"].properties
        assert {path: found.count for path, found in properties.items()} == {
            "id": 2, "size": 1, "size.kb": 1,
        }  # fmt: skip
        assert len(properties["id"].given) == 1
        assert properties["id"].values.seen == {"sr1": 2}
        assert properties["size"].values.types == {"an object": 1}

    def test_are_known_by_when_they_and_their_properties_were_there_last(self) -> None:
        sample = sampled()
        assert sample.lasts == {"signed_up": 10, "exported": 60, "paid": 50}
        assert sample.events["exported"].properties["id"].last == 30

    def test_that_arrived_long_ago_are_known_from_their_users(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sampling, "LATEST", 1)
        sample = sampled()
        assert sample.events == {}
        assert sample.lasts == {"signed_up": 10, "exported": 60, "paid": 50}


class TestTheDryRun:
    def test_marks_as_the_collector_would(self) -> None:
        sample = sampled()
        assert sample.marks["exports"] == {"u:ada": (30,), "u:bob": (45,)}
        assert sample.marks["team"] == {"g:acme": (40,)}

    def test_lets_the_clock_run(self) -> None:
        sample = sampled()
        assert sample.marks["silent"] == {"u:ada": (DAY + 60,), "u:bob": (DAY + 50,)}

    def test_is_the_same_on_either_database(self, store_url: str) -> None:
        collector = collector_of("", store_url)
        collector.ingest.accept(messages_of(STORY))
        with collector.store.reading() as view:
            found = take(view, read_catalogue(CATALOGUE), NOW)
        collector.close()
        assert found == sampled()

    def test_writes_nothing(self) -> None:
        collector = collector_of("")
        collector.ingest.accept(messages_of(STORY))
        with collector.store.reading() as view:
            take(view, read_catalogue(CATALOGUE), NOW)
            assert (view.versions(), view.totals()["leads"]) == ([], 0)

    def test_tells_of_lives(self) -> None:
        assert [*sampled().lives("user", "exports")] == [Life(10, 30, 50), Life(5, 45, 50)]


class TestBounds:
    def test_a_sample_of_a_whole_store_is_whole(self) -> None:
        sample = sampled()
        assert sample.is_whole
        assert str(sample) == "2 users, 1 account of theirs and the latest 10 messages"

    def test_so_many_users(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sampling, "USERS", 1)
        sample = sampled()
        assert [user.key for user in sample.users] == ["u:ada"]
        assert str(sample).startswith("the first 1 user, ")

    def test_so_many_of_the_latest_events(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sampling, "LATEST", 3)
        assert sampled().latest == 3

    def test_so_many_messages_and_no_subject_in_part(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sampling, "MESSAGES", 7)
        sample = sampled()
        assert [(user.key, sum(user.counts.values())) for user in sample.users] == [("u:ada", 4)]
        assert (sample.accounts, sample.is_whole) == ((), False)

    def test_who_is_only_asked_about_counts_as_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        toml = CATALOGUE + '[[pql]]\nname = "big"\nwhen = { trait = "account.size", gte = 5 }\n'
        assert sampled(toml=toml).marks["big"] == {"u:ada": (80,)}
        monkeypatch.setattr(sampling, "MESSAGES", 10)  # enough for both users
        assert "big" not in sampled(toml=toml).marks

    def test_the_sample_of_an_empty_store_is_empty(self) -> None:
        sample = sampled([])
        assert (sample.users, sample.accounts, sample.marks, sample.until) == ((), (), {}, 0)
        assert sample.share("user", EventPattern(any=True)) is None
