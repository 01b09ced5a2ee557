"""The meaning of definitions, sentence by sentence, as the brute-force oracle reads it.

Times are milliseconds from a common start, written as `2 * DAY`; each definition is called
`it`. What holds for the oracle here has to hold for the engine.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings

from oracle import blocking_guards, observed, qualifications
from oracle.definitions import is_absence, leaf
from oracle.streams import FIRST, WHOLE, catalogues, streams
from oracle.toml import to_toml
from oracle.values import DAY, HOUR, MINUTE, duration, quantity

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Message = dict[str, Any]

START = 1_772_323_200_000  # 2026-03-01T00:00Z, a Sunday
ISO_START = "2026-03-01T00:00:00.000Z"


def message(kind: str, time: int, user: str | None, **parts: Any) -> Message:
    absent = dict.fromkeys(("anonymousId", "previousId", "groupId", "event"))
    empty: Message = {"properties": {}, "traits": {}, "context": {}}
    return {"type": kind, "time": START + time, "userId": user, **absent, **empty, **parts}


def track(
    time: int,
    event: str = "created",
    properties: Mapping[str, Any] | None = None,
    user: str | None = "u1",
    **parts: Any,
) -> Message:
    return message("track", time, user, event=event, properties=properties or {}, **parts)


def page(time: int, name: str, user: str | None = "u1") -> Message:
    return message("page", time, user, properties={"name": name})


def identify(
    time: int, traits: Mapping[str, Any] | None = None, user: str | None = "u1", **parts: Any
) -> Message:
    return message("identify", time, user, traits=traits or {}, **parts)


def group(
    time: int,
    account: str = "acme",
    traits: Mapping[str, Any] | None = None,
    user: str | None = "u1",
    **parts: Any,
) -> Message:
    return message("group", time, user, groupId=account, traits=traits or {}, **parts)


def alias(time: int, previous: str, user: str = "u1") -> Message:
    return message("alias", time, user, previousId=previous)


def anonymous(name: str) -> dict[str, Any]:
    return {"user": None, "anonymousId": name}


def named(messages: tuple[Message, ...]) -> list[Message]:
    """Give each message its id: later in the list is later in the order of one instant."""
    return [{"messageId": f"m{index:03}", **each} for index, each in enumerate(messages)]


def catalogue_of(definition: str, before: str = "") -> dict[str, Any]:
    return tomllib.loads(f'{before}\n[[pql]]\nname = "it"\n{definition}')


def qualified(
    definition: str, *messages: Message, before: str = "", **options: Any
) -> dict[str, list[int]]:
    """When each subject qualified for the definition, from the common start."""
    found = qualifications(catalogue_of(definition, before), named(messages), **options)
    return {
        subject: [time - START for time in times]
        for (name, _, subject), times in found.items()
        if name == "it"
    }


def first(definition: str, *messages: Message, before: str = "", **options: Any) -> int | None:
    """When the only subject first qualified."""
    found = qualified(definition, *messages, before=before, **options)
    assert len(found) <= 1, found
    return next(iter(found.values()))[0] if found else None


def sees(definition: str, *messages: Message, before: str = "", tau: int) -> Any:
    """What the only leaf observes of u1 (or of acme) at tau."""
    catalogue = catalogue_of(definition, before)
    kind = catalogue["pql"][-1].get("subject", "user")
    subject = {"user": "u1", "account": "acme"}[kind]
    (reading,) = observed(catalogue, named(messages), ("it", kind, subject), START + tau)
    return reading.observed


ACCOUNT = 'subject = "account"\n'
SIGNUP = '[project]\nsignup = "signed_up"\ntrial = "trial_started"\n'
THREE = 'when = { event = "created", gte = 3 }'


class TestFacts:
    """Section 4: what counts, whose it is, and which account it falls to."""

    def test_the_first_copy_of_a_message_wins_content_and_time(self) -> None:
        copies = [track(5, messageId="x"), track(1, "other", messageId="x")]
        assert first('when = { event = "created" }', *copies) == 5
        assert first('when = { event = "other" }', *copies) is None

    def test_pages_and_screens_are_events_and_other_calls_are_not(self) -> None:
        assert first('when = { event = "page", where = { name = "Home" } }', page(3, "Home")) == 3
        assert first('when = { event = "*" }', identify(1), group(2), alias(3, "u0")) is None

    def test_facts_of_one_instant_are_seen_together(self) -> None:
        later_by_id = [track(0, messageId="a"), identify(0, {"plan": "free"}, messageId="z")]
        both = 'when.all = [{ event = "created" }, { trait = "plan", eq = "free" }]'
        assert first(both, *later_by_id) == 0
        guarded = 'when = { event = "created" }\nunless = [{ trait = "plan", eq = "free" }]'
        assert first(guarded, *later_by_id) is None

    def test_the_message_id_says_which_of_one_instant_is_the_latest(self) -> None:
        pro, free = identify(0, {"plan": "pro"}), identify(0, {"plan": "free"})
        assert first('when = { trait = "plan", eq = "free" }', pro, free) == 0
        assert first('when = { trait = "plan", eq = "free" }', free, pro) is None

    def test_null_unsets_a_trait_and_a_trait_is_set_whole(self) -> None:
        history = [identify(0, {"a": {"x": 1, "y": 2}}), identify(1, {"a": {"y": 3}})]
        at_one = 'when.all = [{ event = "e" }, { trait = "a.x", exists = true }]'
        assert first(at_one, *history, track(0, "e")) == 0
        assert first(at_one, *history, track(1, "e")) is None
        assert first(at_one, *history, identify(2, {"a.x": 9}), track(2, "e")) == 2
        unset = [identify(0, {"plan": "free"}), identify(1, {"plan": None}), track(1, "e")]
        assert first('when.all=[{event="e"},{trait="plan", exists=true}]', *unset) is None

    def test_traits_go_before_context_traits_of_identify_alone(self) -> None:
        free: Message = {"context": {"traits": {"plan": "free", "kind": "x"}}}
        kind, plan = 'when = { trait = "kind", eq = "x" }', 'when = { trait = "plan", eq = "free" }'
        assert first(kind, identify(0, {"plan": None}, **free)) == 0
        assert first(plan, identify(0, {"plan": None}, **free)) is None
        assert first(plan, track(0, **free)) is None


class TestIdentity:
    """Links have no as-of: who it turned out to be did what was done before."""

    def test_what_was_done_before_the_login_counts_with_its_own_time(self) -> None:
        stream = [track(1, **anonymous("a")), track(9, "login", anonymousId="a")]
        assert qualified('when = { event = "created" }', *stream) == {"u1": [1]}

    def test_who_has_no_user_id_is_no_subject(self) -> None:
        assert qualified('when = { event = "created" }', track(1, **anonymous("a"))) == {}

    def test_the_earliest_link_wins_and_a_fact_with_a_user_is_that_users(self) -> None:
        early = identify(1, user="u1", anonymousId="a")
        late = track(5, user="u2", anonymousId="a")
        stream = [late, early, track(9, "seen", **anonymous("a"))]
        assert qualified('when = { event = "seen" }', *stream) == {"u1": [9]}
        assert qualified('when = { event = "created" }', *stream) == {"u2": [5]}

    def test_chains_lead_to_the_id_at_their_end(self) -> None:
        stream = [alias(3, "u1", "u2"), alias(2, "u2", "u3"), track(1, **anonymous("u1"))]
        assert qualified('when = { event = "created" }', *stream) == {"u3": [1]}

    def test_user_ids_and_anonymous_ids_are_separate_name_spaces(self) -> None:
        stream = [identify(1, user="u1", anonymousId="u2"), track(2, user="u2")]
        assert qualified('when = { event = "created" }', *stream) == {"u2": [2]}

    def test_only_an_alias_links_its_previous_id(self) -> None:
        stream = [track(1, user="u1", previousId="u2"), track(2, user="u2")]
        assert qualified('when = { event = "created" }', *stream) == {"u1": [1], "u2": [2]}

    def test_a_link_that_closes_a_circle_is_skipped(self) -> None:
        stream = [alias(1, "u1", "u2"), alias(2, "u2", "u1"), track(3, user="u1")]
        assert qualified('when = { event = "created" }', *stream) == {"u2": [3]}
        assert qualified('when = { event = "created" }', alias(1, "u1", "u1"), track(2)) == {
            "u1": [2]
        }

    def test_a_skipped_link_leaves_room_for_a_later_one(self) -> None:
        stream = [alias(1, "u1", "u2"), alias(2, "u2", "u1"), alias(3, "u2", "u3"), track(4)]
        assert qualified('when = { event = "created" }', *stream) == {"u3": [4]}

    def test_only_persons_with_a_user_id_are_counted_as_users(self) -> None:
        in_acme: Message = {"groupId": "acme"}
        stream = [track(t, user=u, **in_acme) for t, u in enumerate(["u1", "u2", "u1"])]
        ghost = track(0, **anonymous("a"), **in_acme)
        spread = ACCOUNT + 'when = { event = "*", distinct = "@user", gte = 2 }'
        assert first(spread, ghost, *stream) == 1
        assert first(spread, ghost, *stream, alias(9, "u2", "u1")) is None


class TestAccounts:
    """An account's facts, members and first member; a user's account."""

    created = ACCOUNT + 'when = { event = "created" }'

    def test_the_account_named_on_the_event_wins(self) -> None:
        named_twice = track(1, groupId="brix", context={"groupId": "acme"})
        assert qualified(self.created, group(0, "cody"), named_twice) == {"acme": [1]}
        assert qualified(self.created, group(0, "cody"), track(1, groupId="brix")) == {"brix": [1]}

    def test_else_it_is_that_of_the_persons_latest_group_call_at_or_before_it(self) -> None:
        history = [group(5, "acme"), group(7, "brix")]
        assert qualified(self.created, *history, track(4)) == {}
        assert qualified(self.created, track(5), *history) == {"acme": [5]}
        assert qualified(self.created, *history, track(7)) == {"brix": [7]}

    def test_a_person_without_a_user_id_has_group_calls_too(self) -> None:
        ghost = anonymous("a")
        assert qualified(self.created, group(0, **ghost), track(1, **ghost)) == {"acme": [1]}

    def test_only_a_group_call_joins_an_account(self) -> None:
        assert qualified(self.created, track(0, "x", groupId="acme"), track(1)) == {}
        assert qualified(self.created, track(0, groupId=7), track(0, groupId=" ")) == {"7": [0]}

    def test_a_message_of_nobody_is_a_fact_of_its_account_alone(self) -> None:
        assert qualified(self.created, track(0, user=None, groupId="acme")) == {"acme": [0]}
        assert qualified(self.created, group(0, user=None), track(1, user=None)) == {}

    def test_every_message_is_a_fact_of_the_account_and_may_be_its_moment(self) -> None:
        big = ACCOUNT + 'when.all = [{ event = "created" }, { trait = "size", gte = 5 }]'
        stream = [group(0, traits={"size": 5}), group(8, user="u2"), identify(9, user="u2")]
        assert qualified(big, *stream, track(3)) == {"acme": [3]}
        waits = ACCOUNT + 'when = { event = "created" }\nunless = [{ event = "x", within = "7d" }]'
        old = [group(0), track(1), track(1, "x"), identify(9 * DAY, user="u1")]
        assert qualified(waits, *old) == {"acme": [9 * DAY]}

    def test_the_group_call_of_any_member_sets_account_traits(self) -> None:
        plan = ACCOUNT + 'when = { trait = "plan", eq = "free" }'
        assert qualified(plan, group(2, traits={"plan": "free"}, user="u7")) == {"acme": [2]}
        assert qualified(plan, identify(2, {"plan": "free"}, groupId="acme")) == {}

    def test_a_users_account_is_that_of_their_latest_fact_that_has_one(self) -> None:
        in_free = 'when = { trait = "account.plan", eq = "free" }'
        free = group(0, "acme", {"plan": "free"}, user="u2")
        assert qualified(in_free, free, track(5, groupId="acme")) == {"u2": [0], "u1": [5]}
        moved = [track(4, groupId="acme", user="u1"), track(5, groupId="brix")]
        assert qualified(in_free, free, *moved, identify(6))["u1"] == [4]
        assert "u1" not in qualified(in_free, free, track(5, groupId="brix"), identify(6))

    def test_members_are_persons_with_a_user_id_and_a_fact_in_the_account(self) -> None:
        anyone = ACCOUNT + 'when = { users = { trait = "vip", eq = true }, gte = 1 }'
        vip = identify(0, {"vip": True}, groupId="acme")
        assert qualified(anyone, vip) == {"acme": [0]}
        assert qualified(anyone, identify(0, {"vip": True}), track(3, groupId="acme")) == {
            "acme": [3]
        }


class TestFactsOfAnAccountAlone:
    """A server may know the account and no person."""

    nobody: ClassVar[Message] = {"user": None, "groupId": "acme"}
    created = ACCOUNT + 'when = { event = "created" }'

    def test_they_are_facts_of_the_account(self) -> None:
        assert qualified(self.created, track(1, **self.nobody)) == {"acme": [1]}
        assert qualified('when = { event = "created" }', track(1, **self.nobody)) == {}

    def test_a_group_call_sets_traits_of_the_account_and_joins_nobody(self) -> None:
        plan = ACCOUNT + 'when = { trait = "plan", eq = "free" }'
        stream = [group(1, "acme", {"plan": "free"}, user=None), track(2, user=None)]
        assert qualified(plan, *stream) == {"acme": [1]}
        assert qualified(self.created, *stream) == {}

    def test_they_count_as_no_user_and_make_no_member(self) -> None:
        users = ACCOUNT + 'when = { event = "*", distinct = "@user" }'
        members = ACCOUNT + 'when = { users = { event = "*" } }'
        for definition in (users, members):
            assert qualified(definition, track(1, **self.nobody)) == {}
            stream = [track(1, **self.nobody), track(2, groupId="acme")]
            assert qualified(definition, *stream) == {"acme": [2]}

    def test_the_first_member_is_a_person(self) -> None:
        since = ACCOUNT + 'when = { event = "e", of = "signup", within = "1d" }'
        stream = [track(0, "e", **self.nobody), track(2, "e", groupId="acme")]
        assert qualified(since, *stream) == {"acme": [2]}

    def test_a_conversion_makes_the_account_and_its_users_customers(self) -> None:
        guarded = 'when = { event = "created" }\nunless = ["customer"]'
        project = '[project]\nconversion = "subscription_started"'
        paid = track(0, "subscription_started", **self.nobody)
        of_member = track(1, groupId="acme")
        assert qualified(ACCOUNT + guarded, paid, of_member, before=project) == {}
        assert qualified(guarded, paid, of_member, before=project) == {}
        assert qualified(guarded, of_member, before=project) == {"u1": [1]}


class TestLeaving:
    """A group call with the trait `left` ends the membership from its time on."""

    created = ACCOUNT + 'when = { event = "created" }'

    def left(self, time: int, account: str = "acme", **parts: Any) -> Message:
        return group(time, account, {"left": True, **parts})

    def test_what_comes_after_it_falls_to_no_account(self) -> None:
        assert qualified(self.created, group(0), self.left(2), track(3)) == {}
        assert qualified(self.created, group(0), self.left(2), track(2)) == {}
        assert qualified(self.created, group(0), self.left(2), track(1)) == {"acme": [1]}

    def test_an_event_that_names_the_account_is_its_fact_all_the_same(self) -> None:
        stream = [group(0), self.left(2), track(3, groupId="acme")]
        assert qualified(self.created, *stream) == {"acme": [3]}

    def test_one_comes_back_by_another_group_call(self) -> None:
        stream = [group(0), self.left(2), track(3), group(4), track(5)]
        assert qualified(self.created, *stream) == {"acme": [5]}

    def test_leaving_an_account_that_one_is_not_in_ends_nothing(self) -> None:
        stream = [group(0), group(1, "brix"), self.left(2, "acme"), track(3)]
        assert qualified(self.created, *stream) == {"brix": [3]}

    def test_one_goes_back_to_no_earlier_account(self) -> None:
        stream = [group(0), group(1, "brix"), self.left(2, "brix"), track(3)]
        assert qualified(self.created, *stream) == {}

    def test_at_one_instant_the_later_call_counts(self) -> None:
        assert qualified(self.created, group(1), self.left(1), track(2)) == {}
        assert qualified(self.created, self.left(1), group(1), track(2)) == {"acme": [2]}

    def test_the_call_itself_is_a_fact_of_its_account(self) -> None:
        plan = ACCOUNT + 'when = { trait = "plan", eq = "free" }'
        assert qualified(plan, group(0), self.left(2, plan="free")) == {"acme": [2]}

    def test_it_sets_no_trait_of_that_name(self) -> None:
        exists = ACCOUNT + 'when = { trait = "left", exists = true }'
        assert qualified(exists, self.left(0), group(1, traits={"left": False})) == {}
        assert qualified(exists, group(0, traits={"left": 3})) == {"acme": [0]}

    @pytest.mark.parametrize("value", [False, 1, "true", None])
    def test_only_true_leaves(self, value: Any) -> None:
        stream = [group(0), group(2, traits={"left": value}), track(3)]
        assert qualified(self.created, *stream) == {"acme": [3]}

    def test_of_two_persons_one_leaves(self) -> None:
        stream = [group(0), group(0, user="u2"), self.left(2), track(3), track(4, user="u2")]
        assert qualified(self.created, *stream) == {"acme": [4]}

    def test_it_counts_for_all_ids_of_a_person(self) -> None:
        stream = [group(0), group(2, traits={"left": True}, **anonymous("a")), track(3)]
        assert qualified(self.created, *stream) == {"acme": [3]}
        assert qualified(self.created, *stream, identify(9, anonymousId="a")) == {}

    def test_nobody_leaves_by_a_call_without_a_person(self) -> None:
        stream = [group(0), group(2, traits={"left": True}, user=None), track(3)]
        assert qualified(self.created, *stream) == {"acme": [3]}

    def test_the_users_account_stays_the_last_one_that_a_fact_of_theirs_has(self) -> None:
        plan = 'when.all = [{ event = "created" }, { trait = "account.plan", eq = "free" }]'
        free = group(0, "acme", {"plan": "free"})
        assert qualified(plan, free, self.left(2), track(3)) == {"u1": [3]}
        elsewhere = track(3, groupId="brix")
        assert qualified(plan, free, self.left(2), elsewhere) == {}

    def test_who_left_is_still_a_member(self) -> None:
        members = ACCOUNT + 'when = { users = { event = "created" }, gte = 2 }'
        stream = [group(0), track(1), self.left(2), track(3, groupId="acme", user="u2")]
        assert qualified(members, *stream) == {"acme": [3]}


class TestMoments:
    """Tau is the time of one of the subject's facts."""

    def test_it_qualifies_at_the_earliest_moment_looking_at_nothing_later(self) -> None:
        assert first(THREE, track(9), track(2), track(4), track(7)) == 7

    def test_a_trait_change_can_be_the_moment(self) -> None:
        both = 'when.all = [{ event = "created" }, { trait = "plan", eq = "free" }]'
        assert first(both, track(1), identify(5, {"plan": "free"})) == 5

    def test_another_subjects_fact_is_noticed_at_the_next_fact_of_its_own(self) -> None:
        in_big = 'when.all = [{ event = "created" }, { trait = "account.size", gte = 5 }]'
        stream = [group(0), track(1), group(2, traits={"size": 5}, user="u2")]
        assert qualified(in_big, *stream) == {}
        assert qualified(in_big, *stream, identify(6)) == {"u1": [6]}

    def test_a_guard_that_ends_later_lets_the_subject_qualify_then(self) -> None:
        guarded = 'when = { event = "created" }\nunless = [{ trait = "plan", eq = "paid" }]'
        stream = [identify(0, {"plan": "paid"}), track(1), identify(8, {"plan": None})]
        assert first(guarded, *stream) == 8

    def test_as_of_an_earlier_now_later_facts_are_not_there(self) -> None:
        stream = [track(2), track(4), track(7)]
        assert first(THREE, *stream, now=START + 6) is None
        assert first(THREE, *stream, now=START + 7) == 7


class TestWindows:
    """RollingWindow (tau - W, tau]; anchored [anchor + from, anchor + W)."""

    @pytest.mark.parametrize(("gap", "when"), [(DAY - 1, DAY - 1), (DAY, None), (DAY + 1, None)])
    def test_a_rolling_window_is_open_at_its_old_end(self, gap: int, when: int | None) -> None:
        assert first('when = { event = "e", gte = 2, within = "1d" }', *at(0, gap)) == when

    @pytest.mark.parametrize(
        ("time", "inside"), [(2 * DAY - 1, 0), (2 * DAY, 1), (5 * DAY - 1, 1), (5 * DAY, 0)]
    )
    def test_an_anchored_window_is_open_at_its_new_end(self, time: int, inside: int) -> None:
        since = 'when = { event = "e", within = "4d", from = "1d", of = "signup" }'
        signup = track(DAY, "signed_up")
        found = qualified(since, signup, track(time, "e"), before=SIGNUP)
        assert found == ({"u1": [time]} if inside else {})

    def test_of_alone_has_no_end(self) -> None:
        since = 'when = { event = "e", of = "signup" }'
        stream = [track(5, "signed_up"), track(4, "e"), track(900 * DAY, "e")]
        assert first(since, *stream, before=SIGNUP) == 900 * DAY

    def test_from_may_look_back(self) -> None:
        before = 'when = { event = "e", from = "-1d", of = "signup" }'
        stream = [track(2 * DAY, "signed_up"), track(DAY, "e")]
        assert first(before, *stream, before=SIGNUP) == 2 * DAY

    def test_all_branches_hold_at_the_same_moment(self) -> None:
        both = """
            when.all = [
                { event = "a", within = "1d" },
                { event = "b", within = "1d" },
            ]"""
        assert first(both, track(0, "a"), track(DAY, "b")) is None
        assert first(both, track(0, "a"), track(DAY - 1, "b")) == DAY - 1

    def test_days_are_the_date_of_tau_and_those_before_it(self) -> None:
        week = 'when = { event = "e", distinct = "@day", gte = 2, within = "7d" }'
        assert first(week, *at(0, 6 * DAY + 23 * HOUR)) == 6 * DAY + 23 * HOUR
        assert first(week, *at(23 * HOUR, 7 * DAY)) is None  # less than seven days apart
        assert first(week, *at(0, 23 * HOUR)) is None

    def test_days_are_those_of_the_projects_time_zone(self) -> None:
        two = 'when = { event = "e", distinct = "@day", gte = 2 }'
        zone = '[project]\ntimezone = "America/New_York"'  # midnight is 05:00 UTC
        assert first(two, *at(0, 4 * HOUR), before=zone) is None
        assert first(two, *at(0, 5 * HOUR), before=zone) == 5 * HOUR

    def test_hours_are_calendar_hours(self) -> None:
        two = 'when = { event = "e", distinct = "@hour", gte = 2, within = "2h" }'
        assert first(two, *at(0, 119 * MINUTE)) == 119 * MINUTE
        assert first(two, *at(59 * MINUTE, 2 * HOUR)) is None
        kolkata = '[project]\ntimezone = "Asia/Kolkata"'  # hours begin at half past, UTC
        assert first(two, *at(0, 30 * MINUTE), before=kolkata) == 30 * MINUTE
        assert first(two, *at(30 * MINUTE, 59 * MINUTE), before=kolkata) is None

    def test_where_the_clocks_change_a_date_is_shorter_and_an_hour_is_there_twice(self) -> None:
        berlin = '[project]\ntimezone = "Europe/Berlin"'
        spring = 28 * DAY  # 2026-03-29: 00:00 is 23:00 UTC of the day before, its end 22:00
        two = 'when = { event = "e", distinct = "@day", gte = 2, within = "2d" }'
        assert first(two, *at(spring - HOUR, spring + 21 * HOUR), before=berlin) is None
        night = spring + 22 * HOUR
        assert first(two, *at(spring - HOUR, night), before=berlin) == night
        autumn = 238 * DAY + HOUR  # 2026-10-25T01:00Z: 03:00 becomes 02:00
        two = 'when = { event = "e", distinct = "@hour", gte = 2, within = "2h" }'
        assert first(two, *at(autumn - 1, autumn), before=berlin) == autumn

    def test_anchored_windows_stay_exact_for_days(self) -> None:
        since = 'when={event="e", distinct="@day", gte=2, within="1d", of="signup"}'
        signup = track(12 * HOUR, "signed_up")
        night = 36 * HOUR
        assert first(since, signup, *at(13 * HOUR, night - 1), before=SIGNUP) == night - 1
        assert first(since, signup, *at(13 * HOUR, night), before=SIGNUP) is None

    def test_minutes_are_distinct_and_roll_exactly(self) -> None:
        two = 'when = { event = "e", distinct = "@minute", gte = 2, within = "2m" }'
        assert first(two, *at(0, 2 * MINUTE - 1)) == 2 * MINUTE - 1
        assert first(two, *at(0, 2 * MINUTE)) is None
        assert first(two, *at(0, MINUTE - 1)) is None


def at(*times: int) -> list[Message]:
    return [track(time, "e") for time in times]


class TestAnchors:
    """An anchor is the subject's earliest such event at or before tau."""

    since = 'when = { event = "e", within = "1d", of = "signup" }'

    def test_a_user_without_signup_has_no_clock(self) -> None:
        assert first(self.since, *at(5), before=SIGNUP) is None
        assert first(self.since, *at(5), track(6, "signed_up"), before=SIGNUP) is None

    def test_the_earliest_signup_counts(self) -> None:
        twice = [track(0, "signed_up"), track(5 * DAY, "signed_up")]
        assert first(self.since, *twice, *at(5 * DAY), before=SIGNUP) is None

    def test_without_a_signup_event_the_first_event_seen_is_it(self) -> None:
        assert first(self.since, identify(0), *at(9 * DAY)) == 9 * DAY
        assert first(self.since, track(0, "x"), *at(9 * DAY)) is None

    def test_an_absence_without_its_anchor_is_false_too(self) -> None:
        none_yet = 'clock = true\nwhen={event="e", eq=0, within="1d", of="trial"}'
        assert first(none_yet, *[track(t * DAY, "x") for t in range(4)], before=SIGNUP) is None

    def test_an_accounts_signup_is_its_first_members_wherever_it_happened(self) -> None:
        elsewhere = track(0, "signed_up", groupId="brix")
        stream = [elsewhere, group(2 * HOUR), track(3 * HOUR, "e"), track(DAY, "e")]
        assert qualified(ACCOUNT + self.since, *stream, before=SIGNUP) == {"acme": [3 * HOUR]}
        late = [elsewhere, group(DAY), track(DAY, "e")]
        second = [track(DAY, "signed_up", user="u2", groupId="acme")]
        assert qualified(ACCOUNT + self.since, *late, *second, before=SIGNUP) == {}

    def test_an_accounts_trial_is_among_its_own_events(self) -> None:
        trial = ACCOUNT + 'when = { event = "e", within = "1d", of = "trial" }'
        elsewhere = [track(0, "trial_started", groupId="brix"), track(1, "e", groupId="acme")]
        assert qualified(trial, *elsewhere, before=SIGNUP) == {}
        own = [track(0, "trial_started", groupId="acme", user="u2"), elsewhere[1]]
        assert qualified(trial, *own, before=SIGNUP) == {"acme": [1]}

    def test_the_first_event_of_a_name_is_an_anchor(self) -> None:
        after = 'when = { event = "e", within = "1d", of = "first:imported" }'
        assert first(after, *at(0), track(5, "imported"), *at(7)) == 7

    @pytest.mark.parametrize(
        ("text", "start"),
        [
            ("2026-03-02", DAY),
            ("2026-03-02T00:00:00Z", DAY),
            ("2026-03-02T00:00", DAY),
            ("2026-03-02T01:00:00+01:00", DAY),
            ("2026-03-01T19:00:00.0009-0500", DAY),
            ("2026-03-02T05:30+05:30", DAY),
            ("2026-03-02T00:00:00.001Z", DAY + 1),
        ],
    )
    def test_a_date_trait_is_an_anchor(self, text: str, start: int) -> None:
        since = 'when = { event = "e", within = "1d", of = "trait:began" }'
        dated = identify(0, {"began": text})
        assert first(since, dated, *at(start - 1, start)) == start
        assert first(since, dated, *at(start + DAY - 1)) == start + DAY - 1
        assert first(since, dated, *at(start + DAY)) is None

    @pytest.mark.parametrize("value", ["soon", "2026-02-30", "2026-W09", 1e30, None, True, []])
    def test_a_trait_that_is_no_date_is_no_anchor(self, value: object) -> None:
        since = 'when = { event = "e", of = "trait:began" }'
        assert first(since, identify(0, {"began": value}), *at(5)) is None

    @pytest.mark.parametrize(
        "value", [1_772_323_200, 1_772_323_200_000, "1772323200", 1772323200.0]
    )
    def test_a_number_is_the_seconds_or_the_milliseconds_since_1970(self, value: object) -> None:
        since = 'when = { event = "e", within = "1d", of = "trait:began" }'
        assert first(since, identify(0, {"began": value}), *at(5)) == 5
        assert first(since, identify(0, {"began": value}), *at(DAY)) is None

    def test_a_bare_date_is_midnight_in_the_time_zone_of_the_project(self) -> None:
        since = 'when = { event = "e", of = "trait:began" }'
        berlin = '[project]\ntimezone = "Europe/Berlin"\n'
        dated = identify(0, {"began": "2026-03-02"})
        assert first(since, dated, *at(DAY - HOUR), before=berlin) == DAY - HOUR
        assert first(since, dated, *at(DAY - HOUR - 1), before=berlin) is None

    def test_a_date_trait_is_its_value_at_tau(self) -> None:
        since = 'when = { event = "e", within = "1d", of = "trait:began" }'
        moved = [identify(0, {"began": "2026-03-01"}), identify(DAY, {"began": "2026-03-02"})]
        assert first(since, *moved, *at(DAY)) == DAY


class TestEvents:
    """The measure `event`: what it matches, and what is counted."""

    @pytest.mark.parametrize(
        ("event", "matches"),
        [
            ('"project_created"', True),
            ('"Project_created"', False),
            ('"project"', False),
            ('"project_*"', True),
            ('"*"', True),
            ('["x", "project_created"]', True),
            ('{ feature = "basic" }', True),
            ('{ feature = "advanced" }', False),
        ],
    )
    def test_a_name_a_list_a_prefix_everything_or_a_feature(
        self, event: str, matches: bool
    ) -> None:
        features = '[features]\nbasic = ["project_created"]\nadvanced = ["sso"]'
        definition = f"when = {{ event = {event} }}"
        found = first(definition, track(0, "project_created"), before=features)
        assert found == (0 if matches else None)

    def test_distinct_values_pass_over_events_without_the_property(self) -> None:
        three = 'when = { event = "e", distinct = "p", gte = 3 }'
        values = [1, 1.0, None, "1", True]
        stream = [track(time, "e", {"p": value}) for time, value in enumerate(values)]
        assert first(three, track(0, "e"), *stream) == 4

    def test_lists_and_objects_are_equal_when_their_parts_are(self) -> None:
        lists = [[1, {"a": 2}, None], [1.0, {"a": 2.0}, None], [{"a": 2}, 1, None], [1, {"a": 2}]]
        stream = [track(t, "e", {"p": v}) for t, v in enumerate(lists)]
        assert sees('when = { event = "e", distinct = "p" }', *stream, tau=1) == 1
        assert sees('when = { event = "e", distinct = "p" }', *stream, tau=9) == 3

    def test_sum_is_exact_for_decimals(self) -> None:
        tenths = [track(time, "e", {"p": 0.1}) for time in range(3)]
        assert first('when = { event = "e", sum = "p", gte = 0.3 }', *tenths) == 2
        assert first('when = { event = "e", sum = "p", gt = 0.3 }', *tenths) is None
        mixed = [track(0, "e", {"p": Decimal("1e20")}), track(1, "e", {"p": Decimal("1e-20")})]
        assert first('when = { event = "e", sum = "p", gt = 1e20 }', *mixed) == 1

    def test_sum_and_max_pass_over_what_is_no_number(self) -> None:
        stream = [track(0, "e", {"p": value}) for value in ("9", True, [9], None, 2, 1)]
        assert sees('when = { event = "e", sum = "p", gte = 9 }', *stream, tau=0) == 3
        assert sees('when = { event = "e", max = "p", gte = 9 }', *stream, tau=0) == 2

    def test_the_sum_of_nothing_is_0_its_max_and_last_are_missing(self) -> None:
        none_yet = 'when = { event = "x" }\nunless = [{ event = "e", %s = "p", lt = 1 }]'
        assert first(none_yet % "sum", track(0, "x")) is None
        assert first(none_yet % "max", track(0, "x")) == 0
        assert first(none_yet % "last", track(0, "x")) == 0

    def test_last_is_that_of_the_latest_event_that_has_it(self) -> None:
        last = 'when.all = [{ event = "look" }, { event = "e", last = "p", eq = "new" }]'
        old, new = track(5, "e", {"p": "old"}), track(6, "e", {"p": "new"})
        assert first(last, new, old, track(7, "e"), track(8, "look")) == 8
        tie = [track(5, "e", {"p": "new"}), old]
        assert first(last, *tie, track(8, "look")) is None

    def test_at_event_counts_names_and_all_is_the_number_of_them(self) -> None:
        features = '[features]\nbasic = ["a", "b", "c"]'
        whole = 'when = { event = { feature = "basic" }, distinct = "@event", gte = "all" }'
        stream = [track(t, name) for t, name in enumerate("abbxc")]
        assert first(whole, *stream, before=features) == 4
        assert first('when={event=["a","b"], distinct="@event", gte="all"}', *stream) == 1

    def test_per_asks_for_the_threshold_within_one_value(self) -> None:
        songs = 'when = { event = "song", gte = 2, per = "session" }'
        sessions = [1, 2, None, None, "1", 1.0]
        stream = [track(t, "song", {"session": s}) for t, s in enumerate(sessions)]
        assert first(songs, *stream) == 5
        assert first('when={event="song", distinct="x", gte=1, per="session"}', *stream) is None

    def test_a_metric_is_an_event_measure_and_where_is_added_to_its_own(self) -> None:
        metric = '[[metric]]\nname = "in"\nevent = "data"\nsum = "bytes"\nwhere = { ok = true }'
        heavy = 'when = { metric = "in", gte = "3k", where = { kind = "a" } }'
        parts = [(False, "a"), (True, "b"), (True, "a"), (True, "a")]
        stream = [
            track(t, "data", {"ok": ok, "kind": kind, "bytes": 1500})
            for t, (ok, kind) in enumerate(parts)
        ]
        assert first(heavy, *stream, before=metric) == 3
        counted = '[[metric]]\nname = "in"\nevent = "data"'
        assert first('when = { metric = "in" }', *stream, before=counted) == 0


class TestComparisons:
    """What holds between a value and a threshold."""

    @pytest.mark.parametrize(
        ("comparison", "value", "holds"),
        [
            ("gte = 2", 2, True),
            ("gte = 2", 2.0, True),
            ("gt = 2", 2, False),
            ("lt = 2", 1.9, True),
            ("lte = 0.3", Decimal("0.30"), True),
            ("gte = 2", "3", False),
            ("gte = 1", True, False),
            ('gte = "1k"', 1000, True),
            ('gt = "1GB"', 10**9, False),
            ('gt = "1GiB"', 10**9 + 1, False),
            ('gte = "80%"', 0.8, True),
            ("between = [1, 2]", 1, True),
            ("between = [1, 2]", 2, True),
            ("between = [1, 2]", 2.1, False),
            ("eq = 1", 1.0, True),
            ("eq = 1", "1", False),
            ("eq = 1", True, False),
            ("eq = true", True, True),
            ('eq = "1k"', 1000, False),
            ('eq = "Free"', "free", False),
            ('eq = ["a", 1]', ["a", 1.0], True),
            ("ne = 1", "1", True),
            ("ne = 1", 1.0, False),
            ('in = ["a", 1]', 1.0, True),
            ('in = ["a", 1]', "1", False),
            ('not_in = ["a", 1]', "1", True),
            ("exists = true", False, True),
            ("exists = false", False, False),
            ('contains = "da"', "ada", True),
            ('contains = "a"', ["a", "b"], True),
            ("contains = 1", ["1", 1.0], True),
            ("contains = 1", "1", False),
            ("contains = 1", 1, False),
            ('contains = "c"', ["a", "b"], False),
            ('contains = "A"', "ada", False),
            ('starts_with = "ad"', "ada", True),
            ('starts_with = "da"', "ada", False),
            ('starts_with = "1"', 1, False),
            ('ends_with = "1"', 1, False),
            ('ends_with = "ad"', "ada", False),
            ('ends_with = ["@x", "@y"]', "ada@y", True),
        ],
    )
    def test_of_a_value_that_is_there(self, comparison: str, value: object, holds: bool) -> None:
        expected = 0 if holds else None
        assert first(f'when = {{ trait = "t", {comparison} }}', identify(0, {"t": value})) == (
            expected
        )
        where = f'when = {{ event = "e", where = {{ t = {{ {comparison} }} }} }}'
        assert first(where, track(0, "e", {"t": value})) == expected

    @pytest.mark.parametrize(
        "comparison",
        [
            "gte = 0",
            "lt = 9",
            "eq = 1",
            "ne = 1",
            "not_in = [1]",
            "eq = false",
            "exists = true",
            "in = [1]",
        ],
    )
    def test_what_is_missing_is_false_unless_or_missing(self, comparison: str) -> None:
        for traits in ({}, {"t": None}):
            plain = f'when = {{ trait = "t", {comparison} }}'
            assert first(plain, identify(0, traits)) is None
            lenient = f'when = {{ trait = "t", {comparison}, or_missing = true }}'
            assert first(lenient, identify(0, traits)) == 0
            where = f'when = {{ event="e", where = {{ t = {{ {comparison}, or_missing=true }} }} }}'
            assert first(where, track(0, "e", traits)) == 0

    def test_exists_false_is_what_a_missing_value_satisfies(self) -> None:
        assert first('when = { trait = "t", exists = false }', identify(0)) == 0

    @pytest.mark.parametrize(
        ("where", "properties", "holds"),
        [
            ("{ x = 1 }", {"x": 1}, True),
            ("{ x = [1, 2] }", {"x": 2}, True),
            ("{ x = [1, 2] }", {"x": [1, 2]}, False),
            ("{ x = { gte = 1, lt = 3 } }", {"x": 3}, False),
            ("{ x = { gte = 1, lt = 3 } }", {"x": 2}, True),
            ("{ x = 1, y = 2 }", {"x": 1}, False),
            ("{ x.y = 1 }", {"x": {"y": 1}}, True),
            ('{ "x.y" = 1 }', {"x": {"y": 1}}, True),
            ('{ "x.y" = 1 }', {"x.y": 1, "x": {"y": 2}}, True),
            ('{ "x.y" = 2 }', {"x.y": 1, "x": {"y": 2}}, False),
            ("{ x.y = { gte = 1 } }", {"x": {"y": 1}}, True),
            ("{ x.y = 1 }", {"x": 1}, False),
        ],
    )
    def test_where(self, where: str, properties: Mapping[str, Any], holds: bool) -> None:
        found = first(f'when = {{ event = "e", where = {where} }}', track(0, "e", properties))
        assert found == (0 if holds else None)

    def test_a_threshold_may_be_a_share_of_a_trait(self) -> None:
        near = 'when={event="e", last="p", gte={ratio=0.8, of_trait="limit"}}'
        used = track(5, "e", {"p": 8})
        assert first(near, identify(0, {"limit": 10}), used) == 5
        for limit in (10.1, 0, -5, "10", None):
            assert first(near, identify(0, {"limit": limit}), used) is None

    def test_the_share_is_of_the_subjects_trait_at_tau(self) -> None:
        near = 'when={event="e", gte={ratio=0.5, of_trait="limit"}}'
        assert first(near, identify(0, {"limit": 9}), track(1, "e"), identify(2, {"limit": 2})) == 2

    def test_a_duration_counts_in_the_unit_of_what_is_distinct(self) -> None:
        spans = [
            ("@minute", "2h", 120),
            ("@hour", "1d", 24),
            ("@day", "1w", 7),
            ("@day", "1k", 1000),
        ]
        for unit, span, needed in [*spans, ("@day", "1k", 1000)]:
            table = {"event": "e", "distinct": unit, "gte": span}
            catalogue = {"pql": [{"name": "it", "when": table}]}
            (reading,) = observed(catalogue, named((track(0, "e"),)), ("it", "user", "u1"), START)
            assert (reading.observed, reading.needed) == (1, needed)

    def test_durations_and_quantities(self) -> None:
        spans = [duration(text) for text in ("30m", "4h", "7d", "2w", "-1d")]
        assert spans == [30 * MINUTE, 4 * HOUR, 7 * DAY, 14 * DAY, -DAY]
        amounts = [quantity(text) for text in ("1k", "2.5M", "10GB", "1GiB", "80%", "7")]
        assert amounts == [1000, 2_500_000, 10**10, 2**30, Decimal("0.8"), 7]

    def test_what_is_neither_is_an_error(self) -> None:
        for text in ("10 parsecs", "GB", "1.2.3"):
            with pytest.raises(ValueError, match="not a quantity"):
                quantity(text)
        for text in ("7", "1y", "1.5d"):
            with pytest.raises(ValueError, match="not a duration"):
                duration(text)


class TestCombinators:
    two = """
        [pql.when]
        at_least = 2
        of_these = [{ event = "a" }, { event = "b" }, { event = "c" }]"""

    def test_any_at_least_and_nesting(self) -> None:
        stream = [track(t, name) for t, name in enumerate("bbc")]
        assert first('when.any = [{ event = "a" }, { event = "b" }]', *stream) == 0
        assert first(self.two, *stream) == 2
        nested = 'when.all = [{ any = [{ event = "a" }, { event = "c" }] }, { event = "b" }]'
        assert first(nested, *stream) == 2

    def test_inheriting_is_both_or_nothing(self) -> None:
        within = 'within = "1d"\nof = "signup"\n'
        stream = [track(0, "signed_up"), *at(5 * DAY, 5 * DAY + 1)]
        assert first(within + 'when = { event = "e" }', *stream, before=SIGNUP) is None
        own = within + 'when = { event = "e", gte = 2, within = "2d" }'
        assert first(own, *stream, before=SIGNUP) == 5 * DAY + 1
        endless = within + 'when = { event = "e", of = "signup" }'
        assert first(endless, *stream, before=SIGNUP) == 5 * DAY

    def test_inheriting_reaches_users_sequence_score_and_metric(self) -> None:
        within = ACCOUNT + 'within = "1d"\n'
        old = [group(0), *at(0), group(2 * DAY, "acme")]
        assert qualified(within + 'when = { users = { event = "e", gte = 2 } }', *old) == {}
        spread = [group(0), *at(0, DAY)]
        twice = within + 'when = { users = { event = "e", gte = 2 } }'
        assert qualified(twice, *spread) == {}
        assert qualified(within + 'when = { sequence = ["e", "e"] }', *spread) == {}
        points = 'score = { gte = 2 }, points = [{ event = "e", add = 1 }]'
        assert qualified(within + f"when = {{ {points} }}", *spread) == {}
        metric = '[[metric]]\nname = "n"\nevent = "e"'
        counted = within + 'when = { metric = "n", gte = 2 }'
        assert qualified(counted, *spread, before=metric) == {}

    def test_inheriting_does_not_reach_trait_pql_growth_and_unless(self) -> None:
        within = 'within = "1d"\n'
        past = identify(0, {"plan": "free"})
        trait = within + 'when.all = [{ trait = "plan", eq = "free" }, { event = "e" }]'
        assert first(trait, past, *at(5 * DAY)) == 5 * DAY
        activated = '[[pql]]\nname = "activated"\nwhen = { event = "e" }'
        marked = within + 'when.all = [{ pql = "activated" }, { event = "x" }]'
        assert first(marked, *at(0), track(5 * DAY, "x"), before=activated) == 5 * DAY
        grown = within + 'when = { event = "e", growth = 1, over = "2d" }'
        assert first(grown, *at(0, 3 * DAY)) == 3 * DAY
        unless = within + 'when = { event = "x" }\nunless = [{ event = "e" }]'
        assert first(unless, *at(0), track(5 * DAY, "x")) is None


class TestSequence:
    within = 'when = { sequence = ["a", "b"], within = "1h" }'

    @pytest.mark.parametrize(
        ("steps", "when"),
        [
            ([("a", 0), ("b", HOUR - 1)], HOUR - 1),
            ([("a", 0), ("b", HOUR)], None),
            ([("a", 0), ("b", 0)], 0),
            ([("b", 0), ("a", 0)], 0),
            ([("b", 0), ("a", 1)], None),
            ([("a", 0), ("x", 1), ("a", 2), ("b", HOUR + 1)], HOUR + 1),
        ],
    )
    def test_in_order_with_others_between(
        self, steps: list[tuple[str, int]], when: int | None
    ) -> None:
        assert first(self.within, *(track(time, name) for name, time in steps)) == when

    def test_steps_are_different_events(self) -> None:
        twice = 'when = { sequence = ["a", "a*"] }'
        assert first(twice, track(0, "a")) is None
        assert first(twice, track(0, "a"), track(0, "ab")) == 0

    def test_each_step_is_at_or_after_the_one_before(self) -> None:
        three = 'when = { sequence = ["a", "b", "c"] }'
        assert first(three, track(0, "a"), track(1, "c"), track(2, "b")) is None
        assert first(three, track(0, "a"), track(1, "c"), track(1, "b")) == 1

    def test_within_is_the_span_and_does_not_roll(self) -> None:
        later = 'when.all = [{ sequence = ["a", "b"], within = "1h" }, { event = "c" }]'
        stream = [track(0, "a"), track(1, "b"), track(9 * DAY, "c")]
        assert first(later, *stream) == 9 * DAY

    def test_with_of_all_steps_lie_in_the_anchored_window_instead(self) -> None:
        since = 'when = { sequence = ["a", "b"], within = "1d", of = "signup" }'
        signup = track(HOUR, "signed_up")
        inside = [track(HOUR, "a"), track(DAY + HOUR - 1, "b")]
        assert first(since, signup, *inside, before=SIGNUP) == DAY + HOUR - 1
        assert first(since, signup, track(0, "a"), inside[1], before=SIGNUP) is None

    def test_where_applies_to_each_step(self) -> None:
        ok = 'when = { sequence = ["a", ["b", "c"]], where = { ok = true } }'
        stream = [track(0, "a", {"ok": True}), track(1, "b"), track(2, "c", {"ok": True})]
        assert first(ok, *stream) == 2

    def test_what_is_observed_is_the_steps_made(self) -> None:
        assert sees(self.within, track(0, "a"), track(HOUR, "b"), tau=HOUR) == 1


class TestGrowth:
    doubled = 'when = { event = "e", growth = 2.0, over = "1d", base = 2 }'

    def test_cur_is_at_least_r_times_prev_and_prev_at_least_the_base(self) -> None:
        prev, cur = at(1, 2), at(DAY + 1, DAY + 2, DAY + 2, DAY + 2)
        assert first(self.doubled, *prev, *cur) == DAY + 2
        assert first(self.doubled, *prev, *cur[:3]) is None
        assert first(self.doubled, *prev[:1], *cur) is None

    def test_both_periods_are_open_at_their_old_end(self) -> None:
        assert sees(self.doubled, *at(0, DAY, 2 * DAY), tau=2 * DAY) == (1, 1)

    def test_the_base_defaults_to_one(self) -> None:
        grown = 'when = { event = "e", growth = 2, over = "1d" }'
        assert first(grown, *at(DAY, DAY)) is None
        assert first(grown, *at(1, DAY + 1, DAY + 1)) == DAY + 1

    def test_it_is_tested_at_facts_only(self) -> None:
        stream = at(0, HOUR, 25 * HOUR, 25 * HOUR, 25 * HOUR)
        grown = 'when = { event = "e", growth = 2, over = "1d" }'
        assert first(grown, *stream) is None  # though from 2 * DAY on `prev` is but one
        assert first(grown, *stream, identify(2 * DAY)) == 2 * DAY


class TestScore:
    def test_capped_sums_of_points_and_static_trait_points(self) -> None:
        score = """
            [pql.when]
            score = { gte = 12 }
            points = [
                { event = "a", add = 5, cap = 7 },
                { event = "b", add = 2, where = { ok = true } },
                { trait = "size", gte = 10, add = 3 },
            ]"""
        stream = [*[track(t, "a") for t in range(3)], track(3, "b"), track(4, "b", {"ok": True})]
        assert sees(score, *stream, tau=4) == 9
        assert first(score, *stream, identify(9, {"size": 10})) == 9

    def test_points_decay_by_the_half_life_and_trait_points_do_not(self) -> None:
        score = """
            [pql.when]
            score = { gte = 99 }
            half_life = "1d"
            points = [{ event = "a", add = 8 }, { trait = "size", gte = 1, add = 1 }]"""
        stream = [track(0, "a"), track(DAY, "a"), identify(0, {"size": 1})]
        assert sees(score, *stream, tau=0) == 9
        assert sees(score, *stream, tau=DAY) == 13
        assert sees(score, *stream, tau=3 * DAY) == 4
        assert sees(score, track(0, "a"), tau=12 * HOUR) == Decimal("5.656854")

    def test_it_is_rounded_to_six_decimals_before_it_is_compared(self) -> None:
        points = 'points = [{ event = "a", add = 0.3333333 }]'
        assert first(f"when={{score={{gte=1}}, {points}}}", *[track(t, "a") for t in range(3)]) == 2

    def test_its_window_restricts_events(self) -> None:
        recent = 'when={score={gte=2}, within="1d", points=[{event="a", add=1}]}'
        assert first(recent, track(0, "a"), track(DAY, "a")) is None
        since = 'when={score={gte=2}, within="1d", of="signup", points=[{event="a", add=1}]}'
        stream = [track(0, "a"), track(1, "signed_up"), track(2, "a"), track(3, "a")]
        assert first(since, *stream, before=SIGNUP) == 3


class TestUsers:
    rely = ACCOUNT + 'when = { users = { event = "e", gte = 2, within = "1d" }, gte = 2 }'

    def test_members_for_whom_the_leaf_holds_at_the_accounts_tau(self) -> None:
        ones = [track(t, "e", groupId="acme") for t in (0, 1)]
        twos = [track(t, "e", user="u2", groupId="acme") for t in (DAY - 2, DAY - 1, DAY)]
        assert qualified(self.rely, *ones, *twos) == {"acme": [DAY - 1]}
        assert qualified(self.rely, *ones, *twos[1:]) == {}

    def test_over_their_events_in_this_account(self) -> None:
        twos = [track(t, "e", user="u2", groupId="acme") for t in (2, 3)]
        mine = [track(0, "e", groupId="brix"), track(1, "e", groupId="acme")]
        assert qualified(self.rely, *mine, *twos) == {}

    def test_with_their_own_traits_anchors_and_marks(self) -> None:
        fans = ACCOUNT + 'when = { users = { trait = "fan", eq = true }, gte = 2 }'
        stream = [identify(0, {"fan": True}, user, groupId="acme") for user in ("u1", "u2")]
        assert qualified(fans, *stream) == {"acme": [0]}
        fresh = ACCOUNT + 'when = { users = { event = "e", within = "1d", of = "signup" } }'
        stream = [track(0, "signed_up", groupId="brix"), track(DAY - 1, "e", groupId="acme")]
        assert qualified(fresh, *stream, before=SIGNUP) == {"acme": [DAY - 1]}
        marked = '[[pql]]\nname = "active"\nwhen = { event = "e", gte = 2 }'
        actives = ACCOUNT + 'when = { users = { pql = "active" } }'
        elsewhere = [*at(0, 1), group(5)]
        assert qualified(actives, *elsewhere, before=marked) == {"acme": [5]}

    def test_the_account_of_a_member_is_the_one_whose_members_are_counted(self) -> None:
        free = ACCOUNT + 'when = { users = { trait = "account.plan", eq = "free" } }'
        stream = [group(0, "acme", {"plan": "free"}), group(0, "brix", {"plan": "pro"})]
        assert qualified(free, *stream) == {"acme": [0]}


class TestMarks:
    activated = '[[pql]]\nname = "activated"\nwhen = { event = "e" }\n'

    def test_that_definition_was_qualified_at_or_before_tau(self) -> None:
        later = 'when.all = [{ pql = "activated" }, { event = "x" }]'
        assert first(later, *at(5), track(3, "x"), before=self.activated) == 5
        assert first(later, *at(5), track(5, "x"), before=self.activated) == 5

    def test_from_a_user_definition_an_account_one_is_that_of_the_users_account(self) -> None:
        team = f'[[pql]]\nname = "team"\n{ACCOUNT}when = {{ event = "e", gte = 2 }}\n'
        member = 'when.all = [{ pql = "team" }, { event = "x" }]'
        in_acme = [track(t, "e", user="u2", groupId="acme") for t in (1, 4)]
        stream = [track(2, "x", groupId="acme"), *in_acme]
        assert qualified(member, *stream, before=team) == {}
        assert qualified(member, *stream, identify(9), before=team) == {"u1": [9]}
        assert qualified(member, *stream, track(9, groupId="brix"), before=team) == {}


class TestGuards:
    project = """
        [project]
        conversion = "paid"
        internal = { email_domain = ["our.example"], trait = { is_employee = true } }
    """
    created = 'when = { event = "created" }\n'

    @pytest.mark.parametrize(
        ("traits", "internal"),
        [
            ({"email": "ada@our.example"}, True),
            ({"email": "Ada@Our.Example"}, True),
            ({"email": "ada@not-our.example"}, False),
            ({"email": "our.example"}, False),
            ({"email": 7, "is_employee": "true"}, False),
            ({"email": "ada@x.example", "is_employee": True}, True),
        ],
    )
    def test_internal_when_any_line_matches(self, traits: Message, internal: bool) -> None:
        guarded = self.created + 'unless = ["internal"]'
        found = first(guarded, identify(0, traits), track(1), before=self.project)
        assert found == (None if internal else 1)

    def test_internal_for_an_account_by_its_own_traits_or_its_first_member(self) -> None:
        guarded = ACCOUNT + self.created + 'unless = ["internal"]'
        event = track(5, groupId="acme")
        ours = {"email": "a@our.example"}
        by_trait = group(0, traits={"is_employee": True})
        assert qualified(guarded, by_trait, event, before=self.project) == {}
        first_ours = [identify(0, ours), group(1), track(5, groupId="acme", user="u2")]
        assert qualified(guarded, *first_ours, before=self.project) == {}
        second_ours = [group(0, user="u2"), identify(0, ours), event]
        assert qualified(guarded, *second_ours, before=self.project) == {"acme": [5]}

    def test_customer_by_a_conversion_of_its_own_or_of_its_account(self) -> None:
        guarded = self.created + 'unless = ["customer"]'
        assert first(guarded, track(0, "paid"), track(1), before=self.project) is None
        assert first(guarded, track(1, "paid"), track(1), before=self.project) is None
        assert first(guarded, track(2, "paid"), track(1), before=self.project) == 1
        colleague = track(0, "paid", user="u2", groupId="acme")
        assert "u1" not in qualified(guarded, colleague, group(1), track(2), before=self.project)
        account = qualified(ACCOUNT + guarded, colleague, group(1), track(2), before=self.project)
        assert account == {}

    def test_conditions_are_looked_at_like_any_other(self) -> None:
        guarded = self.created + 'unless = [{ event = "seen", eq = 0 }]'
        assert first(guarded, track(0), track(1, "seen")) == 1

    def test_absence_guards_at_any_age(self) -> None:
        guarded = self.created + 'unless = [{ event = "seen", eq = 0, within = "7d" }]'
        assert first(guarded, track(0), track(1)) is None

    def test_which_guards_block(self) -> None:
        guards = 'unless = ["internal", { event = "x" }, { trait = "t", eq = 1 }]'
        catalogue = catalogue_of(self.created + guards, self.project)
        stream = named((identify(0, {"t": 1, "is_employee": True}),))
        assert blocking_guards(catalogue, stream, ("it", "user", "u1"), START) == [0, 2]


class TestAbsence:
    silent = 'clock = true\nwhen = { event = "e", eq = 0, within = "2d" }'

    def test_the_clock_adds_the_moments_fact_time_and_window(self) -> None:
        assert first(self.silent, *at(0, DAY)) == 3 * DAY
        assert first(self.silent, *at(0, DAY), now=START + 3 * DAY - 1) is None
        assert first(self.silent, *at(0, DAY), now=START + 3 * DAY) == 3 * DAY

    def test_only_for_a_subject_as_old_as_the_window_since_its_first_event(self) -> None:
        assert first(self.silent, track(0, "x")) == 2 * DAY
        assert first(self.silent, identify(0)) is None
        assert first(self.silent, identify(0), track(DAY, "x")) == 3 * DAY

    def test_a_sum_or_score_of_0_is_absence_too(self) -> None:
        few = 'clock = true\nwhen={event="e", sum="p", lt=1, within="2d"}'
        assert first(few, track(0, "e", {"p": 5})) == 2 * DAY
        weak = 'clock = true\nwhen={score={lt=5}, points=[{event="e", add=9}], within="2d"}'
        assert first(weak, *at(0)) is None  # scores are not the clock's business
        assert first(weak, *at(0), identify(2 * DAY)) == 2 * DAY

    def test_the_window_of_absent_users_is_that_of_the_leaf_inside(self) -> None:
        none = 'clock = true\nwhen = { users = { event = "e", within = "2d" }, lt = 1 }'
        assert qualified(ACCOUNT + none, track(DAY, "e", groupId="acme")) == {"acme": [3 * DAY]}

    def test_what_a_count_of_0_satisfies(self) -> None:
        texts = ["eq = 0", "lt = 1", "lte = 0", "ne = 3", "gte = 0", "between = [0, 2]"]
        for text in (*texts, "lt = { ratio = 0.5, of_trait = 'x' }"):
            assert is_absence(leaf(tomllib.loads(f'a = {{ event = "e", {text} }}')["a"], {}, {}))
        for text in ("eq = 1", "gt = 0", "between = [1, 2]", 'max = "p", lt = 3'):
            written = tomllib.loads(f'a = {{ event = "e", {text} }}')["a"]
            assert not is_absence(leaf(written, {}, {}))


class TestCycles:
    again = 'when = { event = "created", gte = 2 }\nrequalify = { after_silence = "10d" }\n'

    def test_without_requalify_there_is_one_cycle(self) -> None:
        stream = [track(time) for time in (0, 1, 50 * DAY, 51 * DAY)]
        assert qualified('when = { event = "created" }', *stream) == {"u1": [0]}

    def test_a_cycle_opens_with_the_first_event_after_silence_and_counts_from_there(self) -> None:
        stream = [track(time) for time in (0, 1, 1 + 10 * DAY, 2 + 10 * DAY)]
        assert qualified(self.again, *stream) == {"u1": [1, 2 + 10 * DAY]}
        sooner = [track(time) for time in (0, 1, 10 * DAY, 10 * DAY + 1)]
        assert qualified(self.again, *sooner) == {"u1": [1]}

    def test_silence_is_without_any_event(self) -> None:
        broken = [track(0), track(1), track(5 * DAY, "x"), track(12 * DAY), track(12 * DAY)]
        assert qualified(self.again, *broken) == {"u1": [1]}
        fact = [track(0), track(1), identify(5 * DAY), track(12 * DAY), track(12 * DAY)]
        assert qualified(self.again, *fact) == {"u1": [1, 12 * DAY]}

    def test_it_opens_only_once_the_last_has_qualified(self) -> None:
        stream = [track(time * DAY) for time in (0, 10, 20, 30, 31)]
        assert qualified(self.again, *stream) == {"u1": [10 * DAY, 30 * DAY]}

    def test_a_cycle_inside_a_cooldown_qualifies_at_the_first_moment_after_it(self) -> None:
        cooled = self.again + 'cooldown = "30d"\n'
        endings = {("it", "user", "u1"): [START + 10 * DAY]}
        stream = [track(time * DAY) for time in (0, 1, 20, 21, 30, 39, 40)]
        assert qualified(cooled, *stream) == {"u1": [DAY, 21 * DAY]}
        assert qualified(cooled, *stream, endings=endings) == {"u1": [DAY, 40 * DAY]}
        endings = {("it", "user", "u1"): [START + 21 * DAY]}
        assert qualified(cooled, *stream, endings=endings) == {"u1": [DAY]}

    def test_the_observed_counts_are_those_of_the_open_cycle(self) -> None:
        stream = [track(time) for time in (0, 1, 1 + 10 * DAY)]
        assert sees(self.again, *stream, tau=2) == 2
        assert sees(self.again, *stream, tau=1 + 10 * DAY) == 1


class TestLaws:
    """Whatever the stream and the catalogue."""

    @given(catalogues(WHOLE), streams(duplicates=False))
    @settings(max_examples=60)
    def test_the_order_of_arrival_and_resending_change_nothing(
        self, catalogue: Message, stream: list[Message]
    ) -> None:
        expected = qualifications(catalogue, stream)
        assert qualifications(catalogue, stream[::-1] + stream) == expected

    @given(catalogues(WHOLE), streams(identity=False))
    @settings(max_examples=60)
    def test_what_comes_later_does_not_change_the_past(
        self, catalogue: Message, stream: list[Message]
    ) -> None:
        now = sorted(each["time"] for each in stream)[len(stream) // 2]
        past = {
            key: [time for time in times if time <= now]
            for key, times in qualifications(catalogue, stream).items()
        }
        earlier = {key: times for key, times in past.items() if times}
        assert qualifications(catalogue, stream, now=now) == earlier

    @given(catalogues(FIRST), streams(identity=False))
    @settings(max_examples=60)
    def test_a_qualification_is_at_a_fact_of_its_subject(
        self, catalogue: Message, stream: list[Message]
    ) -> None:
        for (_, kind, subject), times in qualifications(catalogue, stream).items():
            assert kind == "account" or all(
                any(each["userId"] == subject and each["time"] == time for each in stream)
                for time in times
            )

    @given(catalogues(WHOLE))
    @settings(max_examples=60)
    def test_a_catalogue_is_the_same_after_writing_and_reading_it(self, catalogue: Message) -> None:
        assert tomllib.loads(to_toml(catalogue)) == catalogue


# --- recorded data --------------------------------------------------------------------------

LEARN = """
[project]
signup = "student_registered"
conversion = "subscription_purchased"

[[pql]]
name = "L1"
when = { event = "lesson_watched", distinct = "@day", gte = 3, within = "7d", of = "signup" }

[[pql]]
name = "L2"
when = { event = "lesson_watched", sum = "minutes", gte = 60, within = "7d", of = "signup" }

[[pql]]
name = "L3"
when = { event = "lesson_watched", distinct = "course_id", gte = 2, within = "14d" }

[[pql]]
name = "L4"
when.all = [
  { event = "exam_completed", where = { result = { gte = 80 } } },
  { event = "lesson_watched" },
]

[[pql]]
name = "L5"
[pql.when]
event = ["lesson_watched", "quiz_attempted", "exam_completed"]
distinct = "@day"
gte = 5
within = "7d"

[[pql]]
name = "L6"
when = { event = ["lesson_watched", "quiz_attempted", "exam_completed"] }

[[pql]]
name = "L7"
[pql.when]
score = { gte = 20 }
within = "14d"
of = "signup"
points = [
  { event = "lesson_watched", add = 1 },
  { event = "quiz_attempted", add = 2 },
  { event = "exam_completed", add = 5 },
  { event = "question_asked", add = 10 },
]

[[pql]]
name = "L8"
when = { event = "lesson_watched", gte = 5, within = "7d" }
"""

SPARKIFY = """
[[pql]]
name = "S1"
when = { event = "NextSong", gte = 100, within = "7d" }

[[pql]]
name = "S2"
when = { event = "*", distinct = "@day", gte = 5, within = "7d" }

[[pql]]
name = "S3"
when = { event = "NextSong", gte = 20, within = "10d", of = "trait:registration" }

[[pql]]
name = "S4"
when = { event = "NextSong", where = { level = "free" }, gte = 20, within = "7d" }

[[pql]]
name = "S5"
when = { event = "NextSong", gte = 10, per = "sessionId" }

[[pql]]
name = "S6"
when.all = [{ event = "Upgrade" }, { event = "NextSong", gte = 5 }]

[[pql]]
name = "S7"
when = { event = "NextSong", distinct = "artist", gte = 20, within = "7d" }

[[pql]]
name = "S8"
when = { event = "Add Friend", gte = 7, within = "10d", of = "signup" }
"""

GITHUB = """
[[pql]]
name = "G1"
when = { event = "PushEvent", gte = 3, within = "10m" }

[[pql]]
name = "G2"
subject = "account"
when = { event = "*", distinct = "@user", gte = 2 }

[[pql]]
name = "G3"
when = { event = "*", distinct = "@event", gte = 3 }

[[pql]]
name = "G4"
when = { event = "PushEvent", where = { distinct_size = { gte = 2 } }, gte = 2 }
"""


class TestRecordedData:
    """Event logs that nobody here wrote, with answers worked out apart from this."""

    @pytest.mark.parametrize(
        ("folder", "definitions"),
        [("learn365-dev", LEARN), ("sparkify-small", SPARKIFY), ("gharchive-2015010100", GITHUB)],
    )
    def test_every_definition_has_its_known_answer(
        self, shared_data: Path, folder: str, definitions: str
    ) -> None:
        truth = json.loads((shared_data / folder / "truth.json").read_text("utf-8"))["definitions"]
        messages = list(recorded(shared_data / folder))
        found: dict[str, dict[str, str]] = {name: {} for name in truth}
        for (name, _, subject), times in qualifications(
            tomllib.loads(definitions), messages
        ).items():
            found[name][subject] = iso(times[0])
        for name, answer in truth.items():
            assert found[name] == answer["qualified_at"], name
            assert len(found[name]) == answer["set_size"], name
            assert digest(found[name]) == answer["ids_sha256"], name
            lines = (f"{subject}\t{time}" for subject, time in found[name].items())
            assert digest(lines) == answer["qualified_at_sha256"], name


def recorded(folder: Path) -> Iterator[Message]:
    """The log as messages; a `registration` on the events becomes a trait of their user."""
    registered = set()
    with gzip.open(folder / "events.ndjson.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            user, properties = event["user_id"], event["properties"]
            common = {
                "time": milliseconds(event["timestamp"]) - START,
                "user": user,
                "context": {"groupId": event.get("account_id")},
            }
            yield track(
                event=event["event"], properties=properties, messageId=event["event_id"], **common
            )
            if "registration" in properties and user not in registered:
                registered.add(user)
                traits = {"registration": iso(properties["registration"])}
                yield identify(traits=traits, messageId=f"registration-{user}", **common)


def digest(texts: Mapping[str, str] | Iterator[str]) -> str:
    return hashlib.sha256(b"\n".join(sorted(text.encode() for text in texts))).hexdigest()


def milliseconds(text: str) -> int:
    read = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
    return round(read.timestamp() * 1000)


def iso(time: int) -> str:
    seconds, rest = divmod(time, 1000)
    instant = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{rest:03}Z"
