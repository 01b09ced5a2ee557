"""Before the claim, evidence tells a partner numbers of what was done, and only shared traits."""

from __future__ import annotations

from typing import Any

import pytest

from pequel_collector.queries.partner_evidence import HIDDEN, reduced_evidence
from pequel_collector.rules.language.definition import leaves_of
from pequel_collector.rules.language.sentence import describe_leaf
from pequel_collector.rules.parser.catalogue import read_catalogue

SHARED = ("country", "employees", "address")


def seen(when: str, told: dict[str, Any], shared: tuple[str, ...] = SHARED) -> dict[str, Any]:
    """What a partner sees of evidence with one leaf, and of its sentence."""
    definition = read_catalogue(f'[[pql]]\nname = "keen"\nwhen = {when}').definitions[0]
    [leaf] = leaves_of(definition.when)
    full = {
        "measure": describe_leaf(leaf), "holds": True, "needed": 3, "events": [],
        "window": {"from": "2026-01-01", "to": None}, **told,
    }  # fmt: skip
    evidence = {"sentence": "SAID", "leaves": [full], "guards": [{"guard": "x", "blocks": False}]}
    found = reduced_evidence(evidence, definition, shared)
    return {"sentence": found.get("sentence"), **found["leaves"][0]}


class TestTraits:
    @pytest.mark.parametrize(
        "when",
        [
            '{ trait = "salary", gte = 50 }', '{ trait = "email", contains = "@acme.com" }',
            '{ trait = "account.contract", eq = 3 }',
        ],
    )  # fmt: skip
    def test_a_leaf_of_a_hidden_trait_tells_only_that_it_holds(self, when: str) -> None:
        told = {"observed": 120, "needed": {"gte": 50},
                "events": [{"message_id": "m", "properties": {"salary": 120}}]}  # fmt: skip
        found = seen(when, told)
        assert (found["measure"], found["observed"], found["needed"]) == (HIDDEN, None, None)
        assert (found["holds"], found["sentence"], found["window"]) == (True, None, None)
        assert found["events"] == [{"message_id": "m", "properties": {}}]

    def test_a_value_is_not_shown_because_a_shared_trait_has_the_same(self) -> None:
        assert seen('{ trait = "born_in", eq = "DE" }', {"observed": "DE"})["observed"] is None

    @pytest.mark.parametrize(
        "when", ['{ trait = "employees", gte = 50 }', '{ trait = "address.city", eq = "x" }']
    )
    def test_a_leaf_of_a_shared_trait_is_shown(self, when: str) -> None:
        found = seen(when, {"observed": 120, "needed": {"gte": 50}})
        assert (found["observed"], found["needed"], found["sentence"]) == (120, {"gte": 50}, "SAID")

    def test_a_shared_e_mail_address_is_not_spelled_by_what_it_is_compared_with(self) -> None:
        found = seen('{ trait = "email", starts_with = "ada" }', {"observed": "x"}, ("email",))
        assert "ada" not in str(found)


class TestEvents:
    def test_numbers_are_shown_without_properties(self) -> None:
        events = [
            {"message_id": "m", "user": "eva@acme.example", "properties": {"file": "x"}},
            "m2",
        ]
        found = seen('{ event = "used", gte = 3 }', {"observed": 4, "events": events})
        assert (found["observed"], found["needed"], found["sentence"]) == (4, 3, "SAID")
        shown = {"message_id": "m", "user": "•••@acme.example", "properties": {}}
        assert found["events"] == [shown, "m2"]

    def test_the_two_numbers_of_growth_are_shown(self) -> None:
        when = '{ event = "used", growth = 2, over = "7d" }'
        observed = {"latest": 9, "before": 3}
        assert seen(when, {"observed": observed})["observed"] == observed

    def test_a_text_that_was_observed_is_hidden(self) -> None:
        when = '{ event = "used", last = "theme", eq = "dark" }'
        found = seen(when, {"observed": "dark"})
        assert (found["observed"], found["sentence"]) == (None, None)

    def test_what_a_share_of_a_hidden_limit_needs_is_hidden(self) -> None:
        when = '{ event = "used", gte = { ratio = 0.8, of_trait = "seats" } }'
        found = seen(when, {"observed": 4, "needed": 40})
        assert (found["observed"], found["needed"], found["sentence"]) == (4, None, None)
        found = seen(when, {"observed": 4, "needed": 40}, ("seats",))
        assert (found["needed"], found["sentence"]) == (40, "SAID")

    def test_a_window_that_begins_at_a_hidden_trait_is_hidden(self) -> None:
        when = '{ event = "used", within = "7d", of = "trait:born_at" }'
        assert seen(when, {"observed": 4})["window"] is None
        assert seen(when, {"observed": 4}, ("born_at",))["window"] is not None


def test_the_points_of_a_score_with_a_hidden_trait_are_hidden() -> None:
    points = '[{ event = "used", add = 1 }, { trait = "salary", gte = 9, add = 7 }]'
    when = f"{{ score = {{ gte = 3 }}, points = {points} }}"
    told = {"observed": 8, "points": [{"of": "salary", "points": 7}]}
    found = seen(when, told)
    assert (found["observed"], found["points"], found["sentence"]) == (None, [], None)
    assert seen(when, told, ("salary",))["points"] == told["points"]


def test_of_a_leaf_that_the_definition_has_no_more_only_the_events_are_shown() -> None:
    leaf = {"measure": "born_in is DE", "holds": True, "observed": 3, "needed": {"eq": 3},
            "window": None, "events": []}  # fmt: skip
    found = reduced_evidence({"sentence": "born in DE", "leaves": [leaf]}, None, SHARED)
    assert "sentence" not in found
    assert found["leaves"] == [
        {**leaf, "measure": HIDDEN, "observed": None, "needed": None}
    ]  # fmt: skip


def test_evidence_of_early_releases_without_leaves_shows_nothing() -> None:
    assert reduced_evidence({}, None, SHARED) == {"leaves": [], "guards": []}
