"""Two small worlds full of exceptions, with figures that were counted by hand.

In the first, days after the start:

    ada   signs up 0, uses 1 and 2, pays 10
    bob   signs up 0, uses 1 and 3
    cleo  uses 1 and 2, pays 5, and never signs up
    dan   pays 4, signs up 5, uses 6 and 7
    eve   signs up 10, uses twice and pays at the same instant of 11
    gil   signs up 0
    hal   signs up 20, uses 21 and 27 (exactly 7 days after), pays 40
    fay   signs up 80, uses 81 and 82

In the second there are accounts, and no users at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from support.sales import DAY, HOUR, Sales

DEFINITIONS = """
key_events = ["used"]
[[pql]]
name = "keen"
when = { event = "used", gte = 2 }
"""
PAID = {
    "ada": {"mrr": 10, "currency": "eur"},
    "cleo": {"mrr": 99.99, "currency": "JPY"},
    "dan": {"mrr": 5, "currency": "euros"},
    "eve": {"mrr": "much", "currency": "EUR"},
    "hal": {"mrr": 20, "currency": "USD", "term_months": 12},
}
LIVES = {
    "signed_up": {
        "ada": [0], "bob": [0], "dan": [5], "eve": [10], "gil": [0], "hal": [20], "fay": [80],
    },
    "used": {
        "ada": [1, 2], "bob": [1, 3], "cleo": [1, 2], "dan": [6, 7], "eve": [11, 11],
        "hal": [21, 27], "fay": [81, 82],
    },
    "subscribed": {"ada": [10], "cleo": [5], "dan": [4], "eve": [11], "hal": [40]},
}  # fmt: skip


def happened(team: Sales, lives: dict[str, dict[str, list[int]]]) -> None:
    """Let everything happen in order; each event arrives when it is done."""
    order = ("signed_up", "used", "subscribed")
    events = sorted(
        (day, order.index(name), user)
        for name, of in lives.items()
        for user, days in of.items()
        for day in days
    )
    for day, place, user in events:
        team.at(day * DAY + HOUR)
        name = order[place]
        team.tell(user, name, day * DAY + HOUR, properties=PAID[user] if place == 2 else {})
    team.at(100 * DAY)


@pytest.fixture
def users(store_url: str) -> Iterator[Sales]:
    team = Sales(DEFINITIONS, store_url)
    with closing(team.collector):
        happened(team, LIVES)
        yield team


def backtested(team: Sales, **body: Any) -> Any:
    answer = team.call("POST", "/definitions/backtest", json=body)
    assert answer.status_code == 200, answer.json
    return answer.json


def counts(found: Any) -> tuple[int, int, int, int]:
    return found["tp"], found["fp"], found["fn"], found["tn"]


def share(team: Sales, name: str, **query: Any) -> tuple[int, int, int, float | None]:
    found = team.get(f"/metrics/{name}", **query)
    return found["numerator"], found["denominator"], found["immature"], found["rate"]


class TestUsers:
    def test_the_strict_form(self, users: Sales) -> None:
        """Dan qualified after he had paid, eve at the same instant; cleo never signed up."""
        found = backtested(users, definition="keen")
        assert found["set_size"] == 7
        assert counts(found["strict"]) == (2, 2, 2, 1)
        assert found["strict"]["precision"] == found["strict"]["recall"] == 0.5
        assert found["strict"]["base_rate"] == pytest.approx(4 / 7, abs=1e-6)
        assert found["strict"]["lift"] == pytest.approx(7 / 8, abs=1e-6)
        assert found["strict"]["mcc"] == pytest.approx(-1 / 6, abs=1e-6)
        assert found["strict"]["lead_time_seconds_median"] == 8 * DAY / 1000

    def test_the_landmark_form(self, users: Sales) -> None:
        """Dan and eve had paid before, fay is too young, and hal qualified at the landmark."""
        found = backtested(users, definition="keen")["landmark"]
        assert counts(found) == (1, 1, 1, 1)
        assert (found["lift"], found["mcc"]) == (1, 0)
        assert (found["already_converted"], found["immature"]) == (2, 1)

    def test_an_end_before_it_all(self, users: Sales) -> None:
        found = backtested(users, definition="keen", end="2020-01-01")
        for form in ("strict", "landmark"):
            assert counts(found[form]) == (0, 0, 0, 0)
            assert found[form]["precision"] is found[form]["lift"] is found[form]["mcc"] is None
        assert found["notes"] == ["nobody is in the population signup"]

    def test_shares(self, users: Sales) -> None:
        assert share(users, "signup_to_pql") == (5, 6, 1, 5 / 6)
        assert share(users, "pql_to_customer", horizon="30d") == (3, 4, 1, 0.75)
        assert share(users, "pql_to_customer") == (2, 3, 2, 2 / 3)
        # Cleo was seen without a sign-up; dan was seen a day before his, the others with theirs.
        assert share(users, "visitor_to_signup") == (6, 7, 1, 6 / 7)

    def test_lengths_of_time(self, users: Sales) -> None:
        """Sorted: eve 1, ada 2, dan 2, fay 2, bob 3, hal 7 days; gil has not arrived."""
        found = users.get("/metrics/time_to_pql")
        assert (found["n"], found["censored"]) == (7, 1)
        assert found["median_seconds"] == 2 * DAY / 1000
        assert found["p90_seconds"] is None

    def test_money_stays_in_its_currency(self, users: Sales) -> None:
        found = users.get("/metrics/arpa")
        assert found["amounts"] == {"EUR": "10.00", "JPY": "99.99", "USD": "20.00"}
        assert found["unpriced"] == 2

    def test_a_period_without_anybody(self, users: Sales) -> None:
        period = {"from": "2020-01-01", "to": "2020-02-01"}
        assert share(users, "signup_to_pql", **period) == (0, 0, 0, None)
        assert users.get("/metrics/arpa", **period)["amounts"] == {}
        found = users.get("/metrics/time_to_pql", **period)
        assert (found["median_seconds"], found["p90_seconds"], found["n"]) == (None, None, 0)


TEAM = """
[[pql]]
name = "team"
subject = "account"
when = { event = "used", gte = 2 }
"""


@pytest.fixture
def accounts(store_url: str) -> Iterator[Sales]:
    """Acme uses 1 and 2 and pays 20; globex uses twice at once; initech uses once."""
    team = Sales(TEAM, store_url)
    with closing(team.collector):
        used = [("acme", 1), ("globex", 1), ("globex", 1), ("initech", 1), ("acme", 2)]
        for account in ("acme", "globex", "initech"):
            team.tell(None, "", HOUR, type="group", groupId=account, traits={"plan": "pro"})
        for account, day in used:
            team.at(day * DAY + HOUR)
            team.tell(None, "used", day * DAY + HOUR, groupId=account)
        team.at(20 * DAY + HOUR)
        team.tell(None, "subscribed", 20 * DAY + HOUR, groupId="acme")
        team.at(100 * DAY)
        yield team


class TestAccountsAlone:
    def test_nobody_signed_up(self, accounts: Sales) -> None:
        found = backtested(accounts, definition="team")
        assert found["set_size"] == 2
        assert found["strict"]["population"] == 0
        assert found["strict"]["precision"] is None
        assert found["notes"] == ["nobody is in the population signup"]

    def test_who_has_a_trait_is_counted_without_a_sign_up(self, accounts: Sales) -> None:
        found = backtested(accounts, definition="team", population="trait:plan=pro")
        assert counts(found["strict"]) == (1, 1, 0, 1)
        assert found["strict"]["lift"] == 1.5
        assert found["landmark"]["population"] == 0
        assert found["notes"][-1].startswith("3 of the population did not sign up")

    def test_metrics_of_leads_are_whole_and_those_of_people_are_of_nobody(
        self, accounts: Sales
    ) -> None:
        assert share(accounts, "pql_to_customer", horizon="30d") == (1, 2, 0, 0.5)
        for name in ("signup_to_pql", "visitor_to_signup"):
            assert share(accounts, name) == (0, 0, 0, None)
            assert accounts.get(f"/metrics/{name}")["interval"] is None
        assert accounts.get("/metrics/volume")["leads"] == 2
        assert accounts.get("/metrics/arpa")["unpriced"] == 1

    def test_a_search_says_that_there_is_too_little(self, accounts: Sales) -> None:
        answer = accounts.call("POST", "/definitions/suggest", json={"subject": "account"})
        assert answer.status_code == 200
        assert answer.json is not None
        [note] = answer.json["notes"]
        assert note.startswith("too little data: ")
