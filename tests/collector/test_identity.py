"""Who is who is a function of the links alone: examples, and the law that the oracle gives."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import identity as oracle
from pequel_collector.identity import links
from pequel_collector.identity.links import Links, connected, links_in, news, resolve
from pequel_collector.model import Message, kind_of
from pequel_collector.ports import Link

IDS = ("i1", "i2", "i3", "i4")  # each a name in both name spaces
Plain = dict[str, Any]


def call(
    user: str | None = None,
    visitor: str | None = None,
    previous: str | None = None,
    *,
    at: int = 0,
    mid: str = "m",
    position: int = 0,
) -> Message:
    """A call with these ids; with a previous one it is an alias."""
    return Message(
        mid=mid,
        type="track" if previous is None else "alias",
        subject=f"u:{user}" if user else f"a:{visitor}",
        time=at,
        received=at,
        anonymous_id=visitor,
        previous_id=previous,
        position=position,
    )


def named(*calls: Message) -> set[tuple[str, str]]:
    """The pairs that calls link."""
    return set(links_in(calls))


class TestLinksInMessages:
    """What a message says about who is who."""

    def test_a_user_and_a_visitor_on_one_message_are_linked(self) -> None:
        assert named(call("ada", "v1")) == {("a:v1", "u:ada")}

    def test_an_alias_links_its_previous_id_of_both_sorts(self) -> None:
        assert named(call("ada", previous="old")) == {("a:old", "u:ada"), ("u:old", "u:ada")}

    def test_an_alias_links_its_visitor_too(self) -> None:
        assert ("a:v1", "u:ada") in named(call("ada", "v1", "old"))

    def test_a_visitor_alone_and_a_user_alone_link_nothing(self) -> None:
        assert named(call(visitor="v1"), call("ada")) == set()

    def test_a_user_is_not_linked_to_itself(self) -> None:
        assert named(call("ada", previous="ada")) == {("a:ada", "u:ada")}

    def test_a_link_stands_at_its_first_place_in_the_order_of_facts(self) -> None:
        calls = [call("ada", "v1", at=2, mid="a"), call("ada", "v1", at=1, mid="c")]
        again = call("ada", "v1", at=1, mid="b")
        assert links_in([*calls, again]) == {("a:v1", "u:ada"): (1, 0, "b")}
        first = call("ada", "v1", at=1, mid="d")
        last = call("ada", "v1", at=1, mid="a", position=1)
        assert links_in([last, first]) == {("a:v1", "u:ada"): (1, 0, "d")}


KNOWN: Links = {("a:v1", "u:ada"): (5, "m5")}


class TestNews:
    """What named links add to known ones."""

    def test_a_link_named_again_later_is_no_news(self) -> None:
        assert news({("a:v1", "u:ada"): (5, "m5")}, KNOWN) == {}
        assert news({("a:v1", "u:ada"): (5, "m6")}, KNOWN) == {}

    def test_an_unknown_link_and_an_earlier_one_are_news(self) -> None:
        named = {("a:v1", "u:ada"): (5, "m4"), ("a:v1", "u:bob"): (9, "m9")}
        assert news(named, KNOWN) == named


class TestResolution:
    """What links come to."""

    def test_the_first_link_of_an_id_wins_and_the_later_is_a_conflict(self) -> None:
        resolution = resolve({("a:v1", "u:bob"): (2, "m2"), ("a:v1", "u:ada"): (1, "m1")})
        assert resolution.users == {"a:v1": "u:ada"}
        assert resolution.conflicts == {("a:v1", "u:bob")}

    def test_at_one_instant_the_message_id_says_which_is_first(self) -> None:
        resolution = resolve({("a:v1", "u:bob"): (1, "m2"), ("a:v1", "u:ada"): (1, "m1")})
        assert resolution.users == {"a:v1": "u:ada"}

    def test_the_person_is_the_user_at_the_end_of_the_chain(self) -> None:
        links = {("a:v1", "u:a"): (3, "m3"), ("u:a", "u:b"): (2, "m2"), ("u:b", "u:c"): (1, "m1")}
        assert resolve(links).persons() == dict.fromkeys(["a:v1", "u:a", "u:b"], "u:c")

    def test_a_link_that_closes_a_circle_is_skipped_and_is_no_conflict(self) -> None:
        links = {("u:a", "u:b"): (1, "m1"), ("u:b", "u:c"): (2, "m2"), ("u:c", "u:a"): (3, "m3")}
        resolution = resolve(links)
        assert resolution.users == {"u:a": "u:b", "u:b": "u:c"}
        assert resolution.conflicts == set()

    def test_a_link_skipped_for_its_circle_leaves_the_id_free(self) -> None:
        links = {("u:a", "u:b"): (1, "m1"), ("u:b", "u:a"): (2, "m2"), ("u:b", "u:c"): (3, "m3")}
        assert resolve(links).persons() == {"u:a": "u:c", "u:b": "u:c"}

    def test_a_user_and_a_visitor_of_one_name_are_two_ids(self) -> None:
        assert resolve({("a:x", "u:y"): (1, "m1"), ("u:y", "u:x"): (2, "m2")}).persons() == {
            "a:x": "u:x",
            "u:y": "u:x",
        }

    def test_long_chains_are_resolved(self) -> None:
        links = {(f"u:{i}", f"u:{i + 1}"): (i, "m") for i in range(20_000)}
        assert set(resolve(links).persons().values()) == {"u:20000"}


@st.composite
def calls(draw: st.DrawFn) -> list[Plain]:
    """Messages that differ only in the ids that they name, on few instants."""
    some, none = st.sampled_from(IDS), st.none()
    kinds = st.one_of(
        st.tuples(some, some, none),
        st.tuples(some, none | some, some),
        st.tuples(none, some, none),
        st.tuples(some, none, none),
    )
    drawn = draw(st.lists(st.tuples(kinds, st.integers(0, 5)), max_size=25))
    return [
        {
            "type": "track" if previous is None else "alias",
            "userId": user,
            "anonymousId": visitor,
            "previousId": previous,
            "messageId": f"m{draw(st.integers(0, 9))}-{index}",
            "time": time,
            "position": draw(st.integers(0, 2)),
        }
        for index, ((user, visitor, previous), time) in enumerate(drawn)
    ]


def of_oracle(plain: Plain) -> Message:
    """The oracle's message as the collector has it."""
    ids = plain["userId"], plain["anonymousId"], plain["previousId"]
    return call(*ids, at=plain["time"], mid=plain["messageId"], position=plain["position"])


def key(id_: oracle.Id) -> str:
    """The oracle's id as a subject key."""
    kind, name = id_
    return {"user": "u:", "anonymous": "a:"}[kind] + name


@given(calls(), st.randoms(use_true_random=False))
def test_links_and_persons_are_those_of_the_oracle(
    arrived: list[Plain], chance: random.Random
) -> None:
    """Whatever the order of arrival."""
    links = oracle.links_of(arrived)
    shuffled = chance.sample(arrived, len(arrived))
    resolution = resolve(links_in([of_oracle(each) for each in shuffled]))
    assert resolution.users == {key(id_): key(user) for id_, user in links.items()}
    ends = {key(id_): key(oracle.chain(id_, links)[-1]) for id_ in links}
    assert resolution.persons() == ends


@given(calls())
def test_a_conflict_is_a_pair_whose_id_had_another_link_before(arrived: list[Plain]) -> None:
    """Counted once for each pair, at the place where the pair is first named."""
    expected, users = set(), defaultdict(set)
    for index, message in enumerate(oracle.in_order(arrived)):
        taken = oracle.links_of(oracle.in_order(arrived)[:index])
        for id_, user in oracle.links_in(message):
            if user not in (id_, *users[id_]) and taken.get(id_, user) != user:
                expected.add((key(id_), key(user)))
            users[id_].add(user)
    assert resolve(links_in([of_oracle(each) for each in arrived])).conflicts == expected


@given(calls(), st.integers(0, 25))
def test_news_and_what_is_known_are_all_links(arrived: list[Plain], cut: int) -> None:
    """To take links in as they arrive comes to the same as to take them all at once."""
    messages = [of_oracle(each) for each in arrived]
    known, named = links_in(messages[:cut]), links_in(messages[cut:])
    assert known | news(named, known) == links_in(messages)


class Chain:
    """A store of users each of whom is linked to the next one."""

    def __init__(self, length: int) -> None:
        self._links = [Link(f"u:{n}", f"u:{n + 1}", n, f"m{n}") for n in range(length)]

    def links(self, users: set[str]) -> list[Link]:
        return [link for link in self._links if {link.id, link.user} & users]


def test_each_link_of_a_long_chain_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []

    def counted(key: str) -> str:
        looked_at.append(key)
        return kind_of(key)

    monkeypatch.setattr(links, "kind_of", counted)
    users, found = connected(cast(Any, Chain(200)), {"u:0"})
    assert (len(users), len(found), len(looked_at)) == (201, 200, 200)
