"""Whose every message is, and which account it falls to, whatever the order of arrival."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.history import Fact, facts_of, first_copies
from oracle.identity import placed
from oracle.streams import START, Ids, message, streams
from pequel_collector.app.bootstrap import Collector
from pequel_collector.identity.links import links_in, resolve
from pequel_collector.identity.people import Move
from pequel_collector.ingest import accept
from pequel_collector.marking.derive import Derivation
from pequel_collector.model import Lead, Stored
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.streams import collector_of, messages_of

Plain = dict[str, Any]
Whose = tuple[str | None, str | None]  # the account of a message, and the user that it is of
many = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


class Watched(Derivation):
    """A derivation that notes what it is told.

    ``whose`` is what it has heard of each message so far, over all batches of a test.
    """

    whose: dict[str, Whose]
    calls: list[tuple[str, Any]]

    def run_clock(self) -> None:
        self.calls.append(("run_clock", None))
        super().run_clock()

    def merge(self, old: str, person: str) -> None:
        self.calls.append(("merge", (old, person)))
        super().merge(old, person)

    def move(self, pairs: Sequence[Move], new: Sequence[Stored] = ()) -> None:
        self.calls.append(("move", [after.message.mid for _, after in pairs]))
        for before, after in pairs:
            assert before.message == after.message
            assert self.whose[before.message.mid] == before[1:] != after[1:]
        self.whose.update((after.message.mid, after[1:]) for _, after in pairs)
        super().move(pairs, new)

    def take(self, stored: Sequence[Stored]) -> None:
        self.calls.append(("take", [each.message.mid for each in stored]))
        assert not self.whose.keys() & {each.message.mid for each in stored}
        self.whose.update((each.message.mid, each[1:]) for each in stored)
        super().take(stored)

    def finish(self) -> list[Lead]:
        self.calls.append(("finish", None))
        return super().finish()


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    """What derivations were told; a test that begins anew clears it."""
    monkeypatch.setattr(accept, "Derivation", Watched)
    Watched.whose, Watched.calls = {}, []
    return Watched


@pytest.fixture
def collector(store_url: str, watched: type[Watched]) -> Iterator[Collector]:
    """A collector without definitions, on either database."""
    collector = collector_of("", store_url)
    yield collector
    collector.close()


def stored(collector: Collector) -> dict[str, Whose]:
    """Account and user of every message, as the store has them."""
    with collector.store.reading() as view:
        messages = view.latest(10_000)
        persons = view.persons({each.message.subject for each in messages})
    return {
        each.message.mid: (each.account, user_of(persons, each.message.subject))
        for each in messages
    }


def user_of(persons: dict[str, str], id_: str) -> str | None:
    """The subject key of the user that an id is of."""
    person = persons.get(id_, id_)
    return person if person.startswith("u:") else None


def tally(collector: Collector, name: str) -> int:
    """How often it was counted."""
    with collector.store.reading() as view:
        return view.totals().get(name, 0)


class Told:
    """Calls told one after the other, each in a batch of its own unless they are told together."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.number = 0

    def __call__(self, *calls: Plain) -> list[str]:
        """Send calls as one batch; their message ids."""
        for each in calls:
            self.number += 1
            each["messageId"] = f"m{self.number}"
        receipt = self.collector.ingest.accept(messages_of(calls))
        assert receipt.accepted == len(calls)
        return [each["messageId"] for each in calls]

    def whose(self, mid: str) -> Whose:
        """Account and user of a message."""
        return stored(self.collector)[mid]


@pytest.fixture
def told(collector: Collector) -> Told:
    """Tells the collector."""
    return Told(collector)


def track(at: int, user: str | None = None, visitor: str | None = None, **parts: Any) -> Plain:
    """An event of a user or a visitor at a time."""
    return message("track", Ids(user, visitor), START + at, event="clicked", **parts)


def group(at: int, account: str, user: str | None = None, visitor: str | None = None) -> Plain:
    """A group call."""
    return message("group", Ids(user, visitor), START + at, groupId=account)


def leave(at: int, account: str, user: str | None = None, visitor: str | None = None) -> Plain:
    """A group call of somebody who leaves."""
    return group(at, account, user, visitor) | {"traits": {"left": True}}


def identify(at: int, user: str | None = None, visitor: str | None = None) -> Plain:
    """An identify call."""
    return message("identify", Ids(user, visitor), START + at)


def alias(at: int, previous: str, user: str) -> Plain:
    """An alias call."""
    return message("alias", Ids(user, None), START + at, previousId=previous)


class TestPersons:
    """Whose a message is."""

    @pytest.mark.parametrize("login", [identify(5, "ada", "v1"), track(5, "ada", "v1")])
    def test_what_a_visitor_did_before_the_login_is_the_users(
        self, told: Told, login: Plain
    ) -> None:
        [before] = told(track(1, visitor="v1"))
        assert told.whose(before) == (None, None)
        told(dict(login))
        assert told.whose(before) == (None, "u:ada")

    def test_what_comes_after_the_login_is_the_users_too(self, told: Told) -> None:
        told(identify(5, "ada", "v1"))
        [after, earlier] = told(track(9, visitor="v1"), track(1, visitor="v1"))
        assert told.whose(after) == told.whose(earlier) == (None, "u:ada")

    def test_the_earliest_link_wins_though_it_comes_late(self, told: Told) -> None:
        [visit] = told(track(9, visitor="v1"))
        told(track(5, "bob", "v1"))
        assert told.whose(visit)[1] == "u:bob"
        told(track(2, "ada", "v1"))
        assert told.whose(visit)[1] == "u:ada"
        told(track(3, "cy", "v1"))
        assert told.whose(visit)[1] == "u:ada"

    def test_a_message_with_a_user_is_that_users_whoever_the_visitor_is(self, told: Told) -> None:
        told(track(1, "ada", "v1"))
        [mid] = told(track(2, "bob", "v1"))
        assert told.whose(mid)[1] == "u:bob"

    def test_alias_chains_lead_to_the_last_user(self, told: Told) -> None:
        [visit, old] = told(track(1, visitor="v1"), track(2, "a"))
        told(track(3, "a", "v1"))
        told(alias(4, "a", "b"))
        told(alias(5, "b", "c"))
        assert {told.whose(mid)[1] for mid in (visit, old)} == {"u:c"}

    def test_an_alias_takes_its_previous_id_as_a_visitor_too(self, told: Told) -> None:
        [visit] = told(track(1, visitor="v1"))
        told(alias(2, "v1", "ada"))
        assert told.whose(visit)[1] == "u:ada"

    def test_a_circle_is_refused(self, told: Told) -> None:
        [a, b] = told(track(1, "a"), track(1, "b"))
        told(alias(2, "a", "b"))
        told(alias(3, "b", "a"))
        assert told.whose(a)[1] == told.whose(b)[1] == "u:b"

    def test_an_earlier_alias_turns_a_circle_round(self, told: Told) -> None:
        [a, b] = told(track(1, "a"), track(1, "b"))
        told(alias(3, "a", "b"))
        told(alias(2, "b", "a"))
        assert told.whose(a)[1] == told.whose(b)[1] == "u:a"

    def test_an_alias_that_had_lost_holds_when_the_winner_closes_a_circle(self, told: Told) -> None:
        [a] = told(track(1, "a"))
        told(alias(5, "a", "b"), alias(7, "a", "c"))
        assert told.whose(a)[1] == "u:b"
        assert tally(told.collector, "link_conflicts") == 2  # "a" as a user and as a visitor
        told(alias(3, "b", "a"))
        assert told.whose(a)[1] == "u:c"
        assert tally(told.collector, "link_conflicts") == 1

    def test_an_alias_that_holds_at_last_leads_to_where_its_user_leads(self, told: Told) -> None:
        [a] = told(track(1, "a"))
        told(alias(1, "c", "d"))
        told(alias(5, "a", "b"), alias(7, "a", "c"))
        told(alias(3, "b", "a"))
        assert told.whose(a)[1] == "u:d"

    def test_ids_are_compared_exactly_and_in_two_name_spaces(self, told: Told) -> None:
        mids = told(track(1, visitor="x"), track(1, "x"), track(1, visitor="X"))
        told(track(2, "ada", "x"))
        assert [told.whose(mid)[1] for mid in mids] == ["u:ada", "u:x", None]


class TestLeaving:
    """A group call whose traits hold ``left = true`` ends the membership from its time on."""

    def test_what_comes_after_it_has_no_account_and_is_counted(self, told: Told) -> None:
        told(group(1, "acme", "ada"))
        [call] = told(leave(5, "acme", "ada"))
        before, after = told(track(4, "ada"), track(5, "ada"))
        assert told.whose(call) == told.whose(before) == ("acme", "u:ada")
        assert told.whose(after) == (None, "u:ada")
        assert tally(told.collector, "unattributed") == 1

    def test_that_comes_late_moves_what_came_after_it(self, told: Told) -> None:
        told(group(1, "acme", "ada"))
        before, after, named = told(
            track(4, "ada"), track(6, "ada"), track(7, "ada", groupId="acme")
        )
        told(leave(5, "acme", "ada"))
        assert told.whose(before)[0] == told.whose(named)[0] == "acme"
        assert told.whose(after)[0] is None
        assert tally(told.collector, "unattributed") == 1

    def test_counts_once_a_late_call_says_that_one_was_there(self, told: Told) -> None:
        told(group(1, "brix", "ada"), leave(5, "acme", "ada"))
        [mid] = told(track(6, "ada"))
        assert told.whose(mid)[0] == "brix"
        told(group(3, "acme", "ada"))
        assert told.whose(mid)[0] is None

    def test_counts_for_the_person_once_a_link_comes(self, told: Told) -> None:
        told(group(1, "acme", "ada"), leave(5, "acme", None, "v1"))
        [mid] = told(track(6, "ada"))
        assert told.whose(mid)[0] == "acme"
        told(identify(9, "ada", "v1"))
        assert told.whose(mid)[0] is None

    def test_sets_the_other_traits_of_the_account(self, told: Told) -> None:
        told(leave(5, "acme", "ada") | {"traits": {"left": True, "seats": 4}})
        told(group(6, "brix", "ada") | {"traits": {"left": 4}})
        with told.collector.store.reading() as view:
            keys = ["g:acme", "g:brix"]
            found = view.traits({key: [key] for key in keys})
        assert found == {"g:acme": {"seats": 4}, "g:brix": {"left": 4}}


class TestFactsOfAnAccountAlone:
    """Messages without a user and a visitor."""

    def test_belong_to_their_account_and_to_nobody(self, told: Told) -> None:
        event, call = told(track(1, groupId="acme"), group(2, "acme"))
        assert told.whose(event) == told.whose(call) == ("acme", None)
        assert tally(told.collector, "unattributed") == 0

    def test_make_nobody_a_member(self, told: Told) -> None:
        told(group(1, "acme"), leave(2, "acme"))
        with told.collector.store.reading() as view:
            assert view.memberships(["g:acme"]) == {"g:acme": []}
            assert view.subjects() == ["g:acme"]
            assert view.visitors() == []


class TestConflicts:
    """``link_conflicts`` counts each pair of ids that lost, once."""

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    def test_each_later_pair_of_an_id_is_one_conflict(
        self, told: Told, order: tuple[int, ...]
    ) -> None:
        calls = [track(1, "ada", "v1"), track(2, "bob", "v1"), track(3, "cy", "v1")]
        for index in order:
            told(calls[index])
        assert tally(told.collector, "link_conflicts") == 2

    def test_the_same_pair_again_counts_nothing_be_it_earlier_or_later(self, told: Told) -> None:
        told(track(1, "ada", "v1"), track(5, "bob", "v1"))
        told(track(9, "bob", "v1"), track(4, "bob", "v1"), track(9, "ada", "v1"))
        assert tally(told.collector, "link_conflicts") == 1

    def test_a_pair_that_loses_by_its_first_time_may_win_by_an_earlier_one(
        self, told: Told
    ) -> None:
        [visit] = told(track(0, visitor="v1"))
        told(track(3, "ada", "v1"), track(5, "bob", "v1"))
        told(track(2, "bob", "v1"))
        assert told.whose(visit)[1] == "u:bob"
        assert tally(told.collector, "link_conflicts") == 1

    def test_a_visitor_id_that_all_users_share_is_one_users(self, told: Told) -> None:
        [visit] = told(track(0, visitor="server"))
        told(*(track(at, f"user-{at}", "server") for at in range(1, 30)))
        assert told.whose(visit)[1] == "u:user-1"
        assert tally(told.collector, "link_conflicts") == 28


class TestAccounts:
    """Which account a message falls to."""

    def test_the_account_named_on_the_event_wins(self, told: Told) -> None:
        told(group(1, "acme", "ada"))
        [named] = told(track(2, "ada", groupId="brix"))
        [in_context] = told(track(2, "ada", groupId="brix", context={"groupId": "cable"}))
        assert told.whose(named)[0] == "brix"
        assert told.whose(in_context)[0] == "cable"

    def test_else_it_is_that_of_the_latest_group_call_until_then(self, told: Told) -> None:
        told(group(2, "acme", "ada"), group(4, "brix", "ada"))
        mids = told(*(track(at, "ada") for at in (1, 2, 3, 4, 5)))
        assert [told.whose(mid)[0] for mid in mids] == [None, "acme", "acme", "brix", "brix"]

    def test_a_late_group_call_moves_what_it_concerns_and_no_more(self, told: Told) -> None:
        told(group(6, "brix", "ada"))
        mids = told(*(track(at, "ada") for at in (1, 3, 5, 7)), track(4, "ada", groupId="cable"))
        told(group(3, "acme", "ada"))
        accounts = [told.whose(mid)[0] for mid in mids]
        assert accounts == [None, "acme", "acme", "brix", "cable"]
        assert Watched.calls[-3] == ("move", mids[1:3])

    def test_group_calls_are_the_persons_with_all_of_its_ids(self, told: Told) -> None:
        told(group(1, "acme", visitor="v1"))
        [before, after] = told(track(2, visitor="v1"), track(4, "ada"))
        assert [told.whose(mid)[0] for mid in (before, after)] == ["acme", None]
        told(identify(3, "ada", "v1"))
        assert [told.whose(mid) for mid in (before, after)] == [("acme", "u:ada")] * 2
        [other] = told(group(5, "brix", visitor="v1"), track(6, "ada"))[1:]
        assert told.whose(other)[0] == "brix"

    def test_a_visitor_is_a_person_of_its_own_whose_group_calls_hold(self, told: Told) -> None:
        told(group(1, "acme", visitor="v1"))
        [own, others] = told(track(2, visitor="v1"), track(2, visitor="v2"))
        assert told.whose(own) == ("acme", None)
        assert told.whose(others) == (None, None)

    def test_a_group_call_falls_to_the_account_it_names(self, told: Told) -> None:
        told(group(1, "acme", "ada"))
        [mid] = told(group(2, "brix", "ada"))
        assert told.whose(mid)[0] == "brix"

    def test_who_loses_an_id_loses_its_group_calls(self, told: Told) -> None:
        told(group(1, "acme", visitor="v1"), track(5, "bob", "v1"))
        [bobs] = told(track(6, "bob"))
        assert told.whose(bobs)[0] == "acme"
        told(track(4, "ada", "v1"))
        assert told.whose(bobs)[0] is None


class TestUnattributed:
    """``unattributed`` counts the events that fall to no account."""

    def test_only_events_count(self, told: Told) -> None:
        told(identify(1, "ada", "v1"), alias(1, "v2", "ada"), track(1, "ada"))
        told(message("page", Ids("ada", None), START), message("screen", Ids("ada", None), START))
        assert tally(told.collector, "unattributed") == 3

    def test_visitors_events_count(self, told: Told) -> None:
        told(track(1, visitor="v1"))
        assert tally(told.collector, "unattributed") == 1

    def test_a_late_group_call_takes_what_it_attributes_out(self, told: Told) -> None:
        told(*(track(at, "ada") for at in (1, 2, 3)), identify(4, "ada"))
        told(group(2, "acme", "ada"))
        assert tally(told.collector, "unattributed") == 1

    def test_events_that_lose_their_account_are_counted_again(self, told: Told) -> None:
        told(group(1, "acme", visitor="v1"), track(5, "bob", "v1"), track(6, "bob"))
        assert tally(told.collector, "unattributed") == 0
        told(track(4, "ada", "v1"))
        assert tally(told.collector, "unattributed") == 2


class TestDerivation:
    """What the derivation is told, and when."""

    def test_a_user_who_turns_out_to_be_another_is_merged_before_all_else(self, told: Told) -> None:
        [old] = told(track(1, "a"))
        Watched.calls.clear()
        [mid] = told(alias(2, "a", "b"))
        assert Watched.calls == [
            ("merge", ("u:a", "u:b")),
            ("move", [old]),
            ("take", [mid]),
            ("finish", None),
        ]

    def test_a_visitor_and_a_user_merged_before_are_only_moved(self, told: Told) -> None:
        mids = told(track(1, visitor="v1"), track(1, "a"))
        told(alias(2, "a", "b"))
        Watched.calls.clear()
        told(alias(3, "b", "c"), track(3, "a", "v1"))
        merges = [what for name, what in Watched.calls if name == "merge"]
        assert merges == [("u:b", "u:c")]
        assert {mid for name, what in Watched.calls if name == "move" for mid in what} >= {*mids}

    def test_duplicates_move_and_take_nothing(self, told: Told) -> None:
        call = track(1, "ada", "v1") | {"messageId": "m"}
        for _ in range(2):
            told.collector.ingest.accept(messages_of([call]))
        assert [name for name, _ in Watched.calls].count("take") == 1

    def test_the_clock_is_asked_only_where_a_definition_has_one(self, told: Told) -> None:
        told(track(1, "ada"))
        assert ("run_clock", None) not in Watched.calls
        silent = read_catalogue(
            '[[pql]]\nname = "silent"\nclock = true\n'
            'when = { event = "clicked", eq = 0, within = "7d" }'
        )
        told.collector.ingest.use_catalogue(silent)
        Watched.calls.clear()
        told(track(2, "ada"))
        assert Watched.calls[0] == ("run_clock", None)


def batches(messages: list[Plain], sizes: random.Random, largest: int) -> Iterator[list[Plain]]:
    """Messages in their order, cut anywhere."""
    start = 0
    while start < len(messages):
        stop = start + sizes.randint(1, largest)
        yield messages[start:stop]
        start = stop


@st.composite
def crowded(draw: st.DrawFn) -> list[Plain]:
    """Few ids on few instants, and little but links and group calls."""
    users, visitors = st.sampled_from(("i1", "i2", "i3", "i4")), st.sampled_from(("i1", "i2"))
    ids = st.builds(Ids, users, st.none() | visitors) | st.builds(Ids, st.none(), visitors)
    times = st.integers(START, START + 5)
    accounts = st.sampled_from(("acme", "brix"))
    kinds = st.one_of(
        st.builds(message, st.just("track"), ids, times, event=st.just("clicked")),
        st.builds(message, st.just("group"), ids, times, groupId=accounts),
        st.builds(
            message, st.just("alias"), st.builds(Ids, users, st.none()), times, previousId=users
        ),
    )
    arrived = draw(st.lists(kinds, max_size=25))
    for index, each in enumerate(arrived):
        each["messageId"] = f"m{draw(st.integers(0, 9))}-{index:02}"
    return arrived


def expected(facts: Sequence[Fact]) -> dict[str, Whose]:
    """The oracle's accounts and users."""
    return {fact.message_id: (fact.account, fact.user_id and f"u:{fact.user_id}") for fact in facts}


def assert_as_the_oracle_says(collector: Collector, messages: list[Plain]) -> None:
    """Persons, accounts, tallies and what the derivation knows are those of all facts at once."""
    first = first_copies(messages)
    facts = facts_of(first)
    assert stored(collector) == expected(facts)
    assert Watched.whose == expected(facts)
    lost = sum(fact.event is not None and fact.account is None for fact in facts)
    assert tally(collector, "unattributed") == lost
    conflicts = resolve(links_in(messages_of(first))).conflicts
    assert tally(collector, "link_conflicts") == len(conflicts)


@settings(many, max_examples=100)
@given(
    messages=streams() | crowded(),
    sizes=st.randoms(use_true_random=False),
    largest=st.integers(1, 10),
)
def test_every_message_is_whose_the_oracle_says(
    watched: type[Watched], messages: list[Plain], sizes: random.Random, largest: int
) -> None:
    """In any order of arrival, in any batches, with duplicates."""
    watched.whose, watched.calls = {}, []
    collector = collector_of("")
    parts = list(batches(messages, sizes, largest))
    for batch in parts:
        collector.ingest.accept(messages_of(batch))
    assert_as_the_oracle_says(collector, placed(parts))
    collector.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_longer_stream_comes_to_the_same_on_either_database(
    collector: Collector, seed: int
) -> None:
    """Hundreds of messages of a dozen people, shuffled, some sent twice."""
    chance = random.Random(seed)
    messages = [any_message(chance, number) for number in range(400)]
    messages += chance.sample(messages, 40)
    chance.shuffle(messages)
    parts = list(batches(messages, chance, 60))
    for batch in parts:
        collector.ingest.accept(messages_of(batch))
    assert_as_the_oracle_says(collector, placed(parts))


def any_message(chance: random.Random, number: int) -> Plain:
    """A message of somebody at some time: often an event, now and then a group call or alias."""
    user = chance.choice([None, *(f"u{n}" for n in range(8))])
    visitor = f"v{chance.randrange(12)}" if user is None or chance.random() < 0.2 else None
    at, mid = chance.randrange(300), f"m{number:03}"
    if user is not None and chance.random() < 0.04:
        return alias(at, f"u{chance.randrange(8)}", user) | {"messageId": mid}
    if chance.random() < 0.05:
        return leave(at, chance.choice(["acme", "brix"]), user, visitor) | {"messageId": mid}
    if chance.random() < 0.05:
        return track(at, groupId=chance.choice(["acme", "brix"])) | {"messageId": mid}
    if chance.random() < 0.1:
        return group(at, chance.choice(["acme", "brix"]), user, visitor) | {"messageId": mid}
    return track(at, user, visitor) | {"messageId": mid}
