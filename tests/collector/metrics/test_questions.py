"""What one may ask of metrics over HTTP, and what is wrong with what one may not."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from pequel_collector.errors import Unavailable
from pequel_collector.insights.metrics import catch_up
from pequel_collector.insights.metrics.catalogue import METRICS, ROLES
from pequel_collector.insights.metrics.roles import Roles
from pequel_collector.model import iso
from support.sales import DAY, HOUR, START, Sales, sales

DEFINITIONS = """
key_events = ["used"]

[[pql]]
name = "set_up"
when = { event = "used" }
sla = "1d"
"""


@pytest.fixture
def team() -> Iterator[Sales]:
    """Three users signed up; two of them qualified, and one of these became a customer."""
    with sales(DEFINITIONS) as made:
        for day, user in enumerate(("ada", "bob", "eve")):
            made.at(day * DAY)
            made.tell(user, "signed_up", day * DAY)
        for user in ("ada", "bob"):
            made.at(3 * DAY)
            made.tell(user, "used", 3 * DAY)
        made.at(10 * DAY)
        made.tell("ada", "subscribed", 10 * DAY, properties={"mrr": 20, "currency": "EUR"})
        made.at(40 * DAY)
        yield made


def error(team: Sales, path: str, **query: Any) -> tuple[int, str]:
    answer = team.call("GET", path, query_string=query)
    return answer.status_code, answer.json["error"]["message"]


def test_a_view_names_a_segment_that_none_of_its_figures_has(team: Sales) -> None:
    answer = team.call("GET", "/metrics/views/sales?by=zzz")
    assert (answer.status_code, answer.json["error"]["details"]["field"]) == (400, "by")


class TestAnswers:
    """A good question."""

    def test_a_share_says_of_how_many_and_how_sure(self, team: Sales) -> None:
        found = team.get("/metrics/signup_to_pql", definition="set_up")
        assert (found["numerator"], found["denominator"], found["immature"]) == (2, 3, 0)
        assert found["rate"] == pytest.approx(2 / 3)
        assert found["interval"] == pytest.approx([0.2077, 0.9385], abs=1e-4)
        assert (found["definition"], found["version"]) == ("set_up", 1)

    def test_the_young_are_in_neither_number(self, team: Sales) -> None:
        team.tell("new", "signed_up", 39 * DAY)
        found = team.get("/metrics/signup_to_pql")
        assert (found["denominator"], found["immature"]) == (3, 1)

    def test_of_nobody_there_is_no_rate(self, team: Sales) -> None:
        found = team.get("/metrics/signup_to_pql", to="2020-01-01")
        assert (found["rate"], found["interval"], found["denominator"]) == (None, None, 0)
        assert found["from"] == found["to"] == "2020-01-01T00:00:00.000Z"

    def test_what_is_missing_is_named(self, team: Sales) -> None:
        assert team.get("/metrics/trial_to_pql")["missing"] == ["[project] has no trial"]
        assert team.get("/metrics/cost_per_pql")["missing"] == ["nothing was spent in the period"]

    def test_a_metric_of_a_shared_answer_is_seen_after_the_next_event(self, team: Sales) -> None:
        assert team.get("/metrics/volume")["leads"] == 2
        team.tell("eve", "used", 40 * DAY)
        assert team.get("/metrics/volume")["leads"] == 3

    def test_a_change_of_a_lead_is_seen_at_once(self, team: Sales) -> None:
        assert team.get("/metrics/time_to_contact")["censored"] == 2
        team.work(team.lead("bob"), contact={"channel": "email"})
        assert team.get("/metrics/time_to_contact")["censored"] == 1

    def test_reasons_are_those_of_dismissals_only(self, team: Sales) -> None:
        """Whatever else somebody wrote on the way."""
        team.work(team.lead("bob"), owner="dismissed", reason="my turn")
        team.work(team.lead("bob"), state="dismissed", reason="too small")
        team.at(41 * DAY)
        found = team.get("/metrics/dismissal_reasons", by="definition")
        assert found["reasons"] == [{"reason": "too small", "leads": 1}]
        assert [group["by"] for group in found["groups"]] == [{"definition": "set_up"}]

    def test_without_a_write_a_figure_is_a_minute_old_at_most(self, team: Sales) -> None:
        first = team.get("/metrics/ageing")
        team.at(40 * DAY + 59_000)
        assert team.get("/metrics/ageing")["as_of"] == first["as_of"]
        team.at(40 * DAY + 60_000)
        assert team.get("/metrics/ageing")["as_of"] == iso(START + 40 * DAY + 60_000)

    def test_members_say_who_counts_as_what(self, team: Sales) -> None:
        found = team.get("/metrics/signup_to_pql/members")["data"]
        shown = {each["subject"]["id"]: each["standing"] for each in found}
        assert shown == {"ada": "in", "bob": "in", "eve": "out"}

    @pytest.mark.parametrize("standing", ["in", "out", "immature"])
    def test_members_come_in_pages(self, team: Sales, standing: str) -> None:
        for name in ("signup_to_pql", "pql_to_customer"):
            numbers = team.get(f"/metrics/{name}", horizon="20d")
            query = {"standing": standing, "limit": 1, "horizon": "20d"}
            pages, cursor = 0, {}
            while cursor is not None:
                page = team.get(f"/metrics/{name}/members", **query, **cursor)
                pages += len(page["data"])
                cursor = page["next_cursor"] and {"cursor": page["next_cursor"]}
            counts = {
                "in": numbers["numerator"],
                "out": numbers["denominator"] - numbers["numerator"],
                "immature": numbers["immature"],
            }
            assert pages == counts[standing]

    @pytest.mark.parametrize("name", METRICS)
    def test_every_metric_answers_each_of_its_segments(self, team: Sales, name: str) -> None:
        for by in METRICS[name].by:
            found = team.get(f"/metrics/{name}", by=by)
            assert all(list(group["by"]) == [by] for group in found["groups"])

    @pytest.mark.parametrize("role", ROLES)
    def test_a_view_has_the_same_numbers(self, team: Sales, role: str) -> None:
        found = team.get(f"/metrics/views/{role}")
        assert [figure["metric"] for figure in found["data"]] == list(ROLES[role])
        for figure in found["data"]:
            query = {"by": "partner"} if role == "partner" and figure["groups"] else {}
            assert team.get(f"/metrics/{figure['metric']}", **query) == figure

    def test_every_metric_is_listed_with_its_formula(self, team: Sales) -> None:
        found = team.get("/metrics")["data"]
        assert [each["metric"] for each in found] == list(METRICS)
        assert all(each["formula"] for each in found)

    def test_an_empty_store_has_no_figures_and_no_errors(self) -> None:
        with sales("") as made:
            for name in METRICS:
                found = made.get(f"/metrics/{name}")
                assert found.get("rate") is None
                assert found.get("interval") is None


class TestMistakes:
    """A question that cannot be answered says why."""

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ({"from": "2026-03-02", "to": "2026-03-01"}, "from: found a time at or after"),
            ({"to": "0001-01-01"}, "to: found '0001-01-01', expected a time in ISO 8601 from 1970"),
            ({"from": "9999-12-31"}, "from: found '9999-12-31', expected a time in ISO 8601"),
            ({"from": "soon"}, "from: found 'soon', expected a time in ISO 8601"),
            ({"horizon": "0"}, "horizon: found 0 ms, expected a length of time from 1m to 1095d"),
            ({"horizon": "2000d"}, "expected a length of time from 1m to 1095d"),
            ({"horizon": "long"}, "horizon: found 'long', expected a length of time"),
            ({"by": "owner"}, "by: found 'owner', expected one of channel, plan, country"),
            ({"by": "trait."}, "by: found 'trait.', expected one of"),
            (
                {"definition": "set_upp"},
                "found the unknown definition 'set_upp', expected 'set_up'",
            ),
            ({"segment": "plan"}, "segment: found an unknown parameter"),
        ],
    )
    def test_the_parameter_is_named(self, team: Sales, query: dict[str, str], message: str) -> None:
        status, found = error(team, "/metrics/signup_to_pql", **query)
        assert status == 400
        assert message in found

    def test_a_metric_that_is_about_no_definition_takes_none(self, team: Sales) -> None:
        status, found = error(team, "/metrics/arpa", definition="set_up")
        assert (status, found.partition(",")[0]) == (400, "definition: found 'set_up'")

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("/metrics/signups_to_pql", "expected signup_to_pql"),
            ("/metrics/views/boss", "expected one of marketing, sales"),
            ("/metrics/arpa/members", "arpa has no members, expected one of visitor_to_signup"),
        ],
    )
    def test_an_unknown_name_is_not_found(self, team: Sales, path: str, message: str) -> None:
        status, found = error(team, path)
        assert status == 404
        assert message in found

    def test_a_cursor_belongs_to_its_question(self, team: Sales) -> None:
        cursor = team.get("/metrics/signup_to_pql/members", limit=1)["next_cursor"]
        status, _ = error(team, "/metrics/signup_to_pql/members", cursor=cursor, standing="in")
        assert status == 400


class TestSpend:
    """``POST /v1/spend``."""

    GOOD: ClassVar = {
        "channel": "Google",
        "day": "2026-03-05",
        "amount": "120.50",
        "currency": "eur",
    }

    def test_an_amount_replaces_that_of_its_day(self, team: Sales) -> None:
        for amount in ("1", 120.5):
            team.call("POST", "/spend", json={**self.GOOD, "amount": amount})
        found = team.get("/metrics/cost_per_pql", by="channel")
        assert found["spend"] == {"EUR": "120.50"}
        assert found["amounts"] == {"EUR": "60.25"}
        by_channel = {g["by"]["channel"]: g["amounts"] for g in found["groups"]}
        assert by_channel == {"google": {"EUR": None}, "direct": {}}

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"amount": -1}, "0.amount"),
            ({"amount": "NaN"}, "0.amount"),
            ({"amount": True}, "0.amount"),
            ({"currency": "EURO"}, "0.currency"),
            ({"day": "2026-02-30"}, "0.day"),
            ({"day": "yesterday"}, "0.day"),
            ({"channel": " "}, "0.channel"),
            ({"channel": None}, "0.channel"),
            ({"channel": "a\0b"}, "0.channel"),
            ({"campaign": "x"}, "0.campaign"),
        ],
    )
    def test_a_mistake_is_named_and_nothing_is_written(
        self, team: Sales, change: dict[str, Any], field: str
    ) -> None:
        answer = team.call("POST", "/spend", json=[{**self.GOOD, **change}, self.GOOD])
        assert answer.status_code == 400
        assert answer.json["error"]["code"] == "bad_spend"
        assert answer.json["error"]["details"]["field"] == field
        assert team.get("/metrics/cost_per_pql")["spend"] == {}

    @pytest.mark.parametrize("item", [b"[]", b'{"channel":[]}'])
    def test_lists_inside_of_the_body_are_refused_before_they_take_memory(
        self, team: Sales, item: bytes
    ) -> None:
        body = b"[" + b",".join([item] * 100_000) + b"]"
        tracemalloc.start()
        answer = team.call("POST", "/spend", data=gzip.compress(body))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_spend")
        assert peak < 4 * len(body) + 1_000_000

    def test_a_body_that_is_large_when_inflated_is_refused(self, team: Sales) -> None:
        body = gzip.compress(b"[" + b"[]," * 1_000_000 + b"[]]")
        answer = team.call("POST", "/spend", data=body)
        assert answer.status_code == 413
        assert answer.json["error"]["details"]["limit"] == 2_000_000

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[1]", b'"x"', b"\xff"])
    def test_a_body_of_another_form_is_an_error(self, team: Sales, body: bytes) -> None:
        assert team.call("POST", "/spend", data=body).status_code == 400

    def test_a_read_key_may_not_write(self, team: Sales) -> None:
        assert team.call("POST", "/spend", key="read", json=self.GOOD).status_code == 401


class TestCatchingUp:
    """The tables that metrics are counted from."""

    def test_a_question_that_would_take_long_says_so_and_goes_on(self, team: Sales) -> None:
        store, roles = team.collector.store, Roles.of(team.collector.catalogue.project)
        with pytest.raises(Unavailable, match="are being counted: 0 of 1 blocks"):
            catch_up.require_current(store, roles, steps=0)
        catch_up.require_current(store, roles, steps=1)

    def test_nothing_is_noted_until_somebody_asks(self, team: Sales) -> None:
        team.tell("ada", "", 4 * DAY, type="alias", previousId="bob")
        with team.collector.store.reading() as view:
            assert view.stale_milestones(10) == []
        assert not team.collector.metrics.keep_up()

    def test_an_undone_import_counts_no_more(self, team: Sales) -> None:
        """What is removed takes its milestones with it."""
        assert team.get("/metrics/arpa")["customers"] == 1
        with team.collector.store.writing() as tx:
            gone = [each for each in tx.events(["u:ada"]) if each.message.name != "used"]
            tx.remove(gone)
            tx.swap_writer_token(1)
        assert team.get("/metrics/arpa")["customers"] == 0
        assert team.get("/metrics/signup_to_pql")["denominator"] == 2

    def test_the_background_reads_again_what_changed(self, team: Sales) -> None:
        team.get("/metrics/volume")
        team.tell("ada", "", 4 * DAY, type="alias", previousId="bob")
        while team.collector.metrics.keep_up():
            pass
        with team.collector.store.reading() as view:
            assert view.stale_milestones(10) == []


class TestVerifying:
    """``pequel verify`` compares the tables of metrics too."""

    @pytest.mark.parametrize(
        ("statement", "what"),
        [
            ("UPDATE milestone SET signup = 5 WHERE subject = 'u:ada'", "milestone signup"),
            ("DELETE FROM milestone WHERE subject = 'u:bob'", "milestone seen"),
            ("UPDATE milestone SET first_member = 'u:eve'", "milestone first_member"),
            ("DELETE FROM first_event WHERE role = 'value'", "first fact value of u:ada"),
            ("UPDATE revenue_event SET mrr = '1'", "revenue event m00006"),
        ],
    )
    def test_a_wrong_row_is_reported(self, team: Sales, statement: str, what: str) -> None:
        team.tell("ada", "used", 11 * DAY, groupId="acme")
        team.get("/metrics/volume")
        assert team.verified() == []
        with team.collector.store._database.writing() as session:  # type: ignore[attr-defined]
            session.run(statement)
        assert what in "\n".join(team.verified())


class TestFunnel:
    """From the first visit to a sale."""

    def test_each_stage_counts_those_who_reached_it_and_the_time_it_took(self, team: Sales) -> None:
        team.tell(None, "page", 39 * DAY, anonymousId="v1")
        team.work(team.lead("bob"), contact={"channel": "email"})
        team.work(team.lead("bob"), state="won")
        stages = team.get("/metrics/funnel")["stages"]
        people = {each["stage"]: each["people"] for each in stages}
        assert people == {"visitor": 4, "signup": 3, "pql": 2, "contacted": 1, "won": 1}
        assert stages[2]["rate"] == pytest.approx(2 / 3)
        pql = {name: stages[2][name] for name in ("median_seconds", "n", "censored")}
        assert pql == {"median_seconds": 3 * DAY / 1000, "n": 3, "censored": 1}

    def test_it_is_of_those_first_seen_in_the_period(self, team: Sales) -> None:
        stages = team.get("/metrics/funnel", **{"from": iso(START + DAY)})["stages"]
        assert [each["people"] for each in stages] == [2, 2, 1, 0, 0]

    def test_it_has_segments(self, team: Sales) -> None:
        found = team.get("/metrics/funnel", by="definition")["groups"]
        assert [(g["by"], g["stages"][2]["people"]) for g in found] == [
            ({"definition": "set_up"}, 2)
        ]


class TestReturn:
    """Revenue of a channel ÷ what it cost."""

    def test_it_is_exact_by_currency_and_null_without_spend(self, team: Sales) -> None:
        eur = {"channel": "direct", "day": "2026-03-05", "amount": "12.50", "currency": "EUR"}
        other = {**eur, "channel": "google", "currency": "USD"}
        assert team.call("POST", "/spend", json=[eur, other]).status_code == 200
        found = team.get("/metrics/roi", by="channel")
        assert found["revenue"] == {"EUR": "20.00", "USD": "0.00"}
        assert found["ratios"] == {"EUR": "1.6000", "USD": "0.0000"}
        ratios = {group["by"]["channel"]: group["ratios"] for group in found["groups"]}
        assert ratios == {"direct": {"EUR": "1.6000"}, "google": {"USD": "0.0000"}}

    def test_without_spend_there_is_no_ratio(self, team: Sales) -> None:
        found = team.get("/metrics/roi")
        assert (found["ratios"], found["spend"]) == ({"EUR": None}, {"EUR": "0.00"})


class TestStages:
    """The stages of marketing and sales beside PQLs."""

    def test_each_stage_counts_from_when_it_was_first_reached(self, team: Sales) -> None:
        for user, stage, day in (("ada", "mql", 1), ("ada", "sql", 4), ("eve", "mql", 5)):
            team.tell(user, "", day * DAY, type="identify", traits={"stage": stage})
        team.tell("ada", "", 12 * DAY, type="identify", traits={"stage": "late"})
        team.at(200 * DAY)
        found = team.get("/metrics/stage_to_customer", by="stage")
        shares = {
            group["by"]["stage"]: (group["numerator"], group["denominator"], group["total"])
            for group in found["groups"]
        }
        worth = {"EUR": "140.00"}
        assert shares == {"mql": (1, 2, worth), "sql": (1, 1, worth), "pql": (1, 2, worth)}
        assert (found["numerator"], found["denominator"]) == (1, 2)

    def test_the_leads_have_the_numbers_of_pql_to_customer(self, team: Sales) -> None:
        team.at(200 * DAY)
        [group] = team.get("/metrics/stage_to_customer", by="stage")["groups"]
        other = team.get("/metrics/pql_to_customer")
        for name in ("numerator", "denominator", "immature", "rate", "interval"):
            assert group[name] == other[name]


class TestHoldout:
    """Leads that nobody contacts."""

    SHARE = "holdout = 0.5\n" + DEFINITIONS

    def test_held_out_leads_are_flagged_and_logged(self) -> None:
        with sales(self.SHARE) as team:
            for number in range(40):
                team.tell(f"u{number}", "used", HOUR)
            leads = team.leads()
            held = {lead["subject"]["id"] for lead in leads if "holdout" in lead["flags"]}
            assert 8 < len(held) < 32
            opened = team.lead(min(held))["history"][0]
            assert opened["after"]["holdout"] is True
            assert team.verified() == []

    def test_their_conversion_is_compared_with_that_of_the_others(self) -> None:
        with sales(self.SHARE) as team:
            for number in range(20):
                team.tell(f"u{number}", "used", HOUR)
            held = [x["subject"]["id"] for x in team.leads() if "holdout" in x["flags"]]
            for user in held:
                team.tell(user, "subscribed", 2 * HOUR)
            team.at(100 * DAY)
            found = team.get("/metrics/contact_effect")
            assert found["held_out"]["numerator"] == len(held)
            assert found["numerator"] == 0
            assert found["difference"] == -1
            assert found["difference_interval"][1] < 0
