"""Likelihood to convert: what it learns, what it says of itself, and whom it orders."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.app.likelihood import save
from pequel_collector.cli.commands import pequel
from pequel_collector.config import Settings
from pequel_collector.errors import BadRequest
from pequel_collector.insights.backtest import end_of_data
from pequel_collector.insights.bulk import Budget
from pequel_collector.insights.likelihood import scores, training
from pequel_collector.insights.likelihood.calibration import auc, bins, calibration
from pequel_collector.insights.likelihood.model import Model, Term, logistic, stored
from pequel_collector.insights.likelihood.scores import Scores, features_of
from pequel_collector.insights.likelihood.training import model_of, train
from pequel_collector.insights.suggest.search import Condition
from pequel_collector.insights.suggest.suggest import Wanted, sample_of
from pequel_collector.model import Kind, id_of
from pequel_collector.ports import CLI
from pequel_collector.queries.likely import SET
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from support.conversions import User, sample, told, users
from support.described import client_of
from support.streams import messages_of

PROJECT = """
[project]
signup = "signed_up"
conversion = "paid"

[labels]
created = { one = "created a project", many = "created {n} projects" }
"""
CATALOGUE = read_catalogue(PROJECT)
OUTCOMES = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=2, max_size=30
).filter(lambda found: len({came for _, came in found}) == 2)


# -- calibration -----------------------------------------------------------------------------


@given(OUTCOMES)
def test_the_auc_is_the_share_of_pairs_in_the_right_order(found: list[tuple[float, bool]]) -> None:
    yes, no = ([p for p, came in found if came is which] for which in (True, False))
    pairs = [1 if p > q else 0.5 if p == q else 0 for p, q in product(yes, no)]
    assert auc(found) == pytest.approx(sum(pairs) / len(pairs))


@given(OUTCOMES)
def test_the_bins_have_everybody_once_and_split_no_equals(found: list[tuple[float, bool]]) -> None:
    table = list(bins(found))
    assert sum(each.number for each in table) == len(found)
    assert sum(each.converted for each in table) == sum(came for _, came in found)
    assert all(one.predicted < other.predicted for one, other in pairwise(table))
    assert len(table) <= len({p for p, _ in found})


def test_the_brier_score_is_the_mean_squared_error() -> None:
    found = calibration([(0.8, True), (0.4, False), (0.1, False), (0.1, True)])
    assert found.brier == pytest.approx((0.04 + 0.16 + 0.01 + 0.81) / 4)
    assert found.brier_of_base_rate == pytest.approx(0.25)
    assert (found.base_rate, found.is_useful) == (0.5, False)


def test_the_logistic_function_overflows_nowhere() -> None:
    assert (logistic(-1e9), logistic(0), logistic(1e9)) == (0.0, 0.5, 1.0)


# -- training --------------------------------------------------------------------------------


def test_what_is_planted_gets_the_weight() -> None:
    """Of those who created 3 times in the first 7 days 40 % pay, of the others 6 %."""
    model = model_of(sample(1, 3_000, planted=0.4), CATALOGUE, Wanted(), end=0, now=7)
    heaviest = max(model.terms, key=lambda term: abs(term.weight))
    assert heaviest.condition.feature.event == "created"
    assert heaviest.weight > 0.5
    assert heaviest.text.startswith("created 3 or more projects in the first ")
    assert model.calibration.is_useful
    assert model.calibration.auc > 0.6
    assert model.notes == []
    low, high = model.calibration.bins[0], model.calibration.bins[-1]
    assert low.observed < high.observed
    assert high.interval.includes(high.predicted)


def test_where_use_says_nothing_the_model_says_so() -> None:
    found = [model_of(sample(s, 1_200), CATALOGUE, Wanted(), end=0, now=7) for s in range(3)]
    assert all(0.4 < model.calibration.auc < 0.6 for model in found)
    assert all(
        bool(model.notes) is not model.calibration.is_useful and abs(term.weight) < 1
        for model in found
        for term in model.terms
    )


def test_a_model_is_stored_as_json_whatever_the_events_are_called() -> None:
    """A lone surrogate is no UTF-8, and a database takes no NUL."""
    model = model_of(sample(1, 1_200, planted=0.4), CATALOGUE, Wanted(), end=0, now=7)
    feature = model.terms[0].condition.feature._replace(event="\ud800\0é")
    odd = replace(model, terms=[Term(Condition(feature, 3), 0.5, "\ud800\0é"), *model.terms])
    settings = Settings(database="sqlite://")
    with closing(open_collector(settings, CATALOGUE)) as collector:
        save(collector.store, odd, CLI)
        with collector.store.reading() as tx:
            assert stored(tx, "user") == odd
            assert str(tx.meta("likelihood:user")).isascii()


@pytest.mark.parametrize("number", [0, 1, 100])
def test_too_little_data_is_refused(number: int) -> None:
    with pytest.raises(BadRequest, match=r"too little data: .* expected at least 30") as refused:
        model_of(sample(1, number), CATALOGUE, Wanted(), end=0, now=7)
    assert refused.value.code == "too_little_data"


def test_without_scikit_learn_training_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "find_spec", lambda _: None)
    with pytest.raises(BadRequest, match=r"pip install \"pequel\[insights\]\""):
        training.require_installed()


# -- over a store ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """700 users, each in an account of their own, of whom those who created often pay more."""
    settings = Settings(database="sqlite://", read_key="read", admin_key="admin")
    with closing(open_collector(settings, CATALOGUE)) as found:
        _fill(found, users(3, 700, planted=0.6))
        yield found


def _fill(collector: Collector, some: Iterable[User], prefix: str = "") -> None:
    """Store what users did, each in an account of their own."""
    plain = []
    for user in some:
        plain += told(user, prefix, groupId=f"of-{prefix}{id_of(user[0])}")
    plain.sort(key=lambda each: each["time"])
    for start in range(0, len(plain), 5_000):
        collector.ingest.accept(messages_of(plain[start : start + 5_000]))


@pytest.fixture(scope="module")
def models(collector: Collector) -> dict[Kind, Model]:
    """A model of each kind, trained and stored."""
    kinds: tuple[Kind, ...] = ("user", "account")
    with collector.store.reading() as tx:
        found = {kind: train(tx, CATALOGUE, Wanted(subject=kind), 7) for kind in kinds}
    for model in found.values():
        save(collector.store, model, CLI)
    return found


@pytest.mark.parametrize("kind", ["user", "account"])
def test_a_subject_has_the_features_that_it_was_trained_with(
    collector: Collector, models: dict[Kind, Model], kind: Kind
) -> None:
    """What is read for one subject equals what the search reads of all in one pass."""
    model = models[kind]
    with collector.store.reading() as tx:
        assert stored(tx, kind) == model
        found = sample_of(tx, CATALOGUE, Wanted(subject=kind), end_of_data(tx), None, Budget())
        scored = Scores(tx).of(found.keys)
        for place, key in enumerate(found.keys):
            features = features_of(tx, model, key, [key])
            for term in model.terms:
                of_all = dict(found.columns[term.condition.feature].items()).get(place, 0)
                assert features.get(term.condition.feature, 0) == of_all
            by_hand = model.intercept + math.fsum(t.weight for t in scored[key].reasons)
            assert scored[key].probability == pytest.approx(1 / (1 + math.exp(-by_hand)))


@pytest.mark.usefixtures("models")
def test_who_is_unknown_or_has_not_signed_up_has_no_likelihood(collector: Collector) -> None:
    with collector.store.reading() as tx:
        assert Scores(tx).of(["u:nobody", "a:visitor"]) == {}


def test_of_a_subject_with_very_many_messages_the_first_are_looked_at(
    collector: Collector, models: dict[Kind, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models["user"]
    monkeypatch.setattr(scores, "MAX_MESSAGES", 3)
    with collector.store.reading() as tx:
        features = features_of(tx, model, "u:0", ["u:0"])
    assert max(features.values(), default=0) <= 3


# -- over HTTP -------------------------------------------------------------------------------

READ = {"Authorization": "Bearer read"}
ADMIN = {"Authorization": "Bearer admin"}
KEEN = (
    PROJECT
    + """
[[pql]]
name = "keen"
when = { event = "searched" }

[[pql]]
name = "very_keen"
when = { event = "viewed", gte = 500 }
"""
)


@pytest.fixture(scope="module")
def http() -> Iterator[FlaskClient]:
    """600 users, of whom those who created often pay more; a definition that has nothing to do
    with it, so that there are leads of all likelihoods, and one that nobody meets.
    """
    settings = Settings(database="sqlite://", read_key="read", admin_key="admin")
    with closing(open_collector(settings, read_catalogue(KEEN))) as collector:
        _fill(collector, users(4, 600, planted=0.6))
        yield client_of(create_app(collector))


def _pages(http: FlaskClient, path: str, **arguments: Any) -> list[Any]:
    """Every page of a list."""
    pages = [http.get(path, query_string=arguments, headers=READ).json]
    while pages[-1]["next_cursor"]:
        arguments["cursor"] = pages[-1]["next_cursor"]
        pages.append(http.get(path, query_string=arguments, headers=READ).json)
    return pages


LISTS = ("/v1/pqls?sort=likelihood", "/v1/near?definition=very_keen&sort=likelihood")


def test_without_a_model_lists_say_how_to_train_one(http: FlaskClient) -> None:
    for path in LISTS:
        answer = http.get(path, headers=READ)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "no_model")
        assert "pequel likelihood train" in answer.json["error"]["message"]
    answer = http.get("/v1/likelihood", headers=READ)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
    leads = http.get("/v1/pqls?limit=1", headers=READ).json
    one = http.get(f"/v1/pqls/{leads['data'][0]['id']}", headers=READ).json
    assert "likelihood" not in leads["data"][0] | one


def test_only_an_admin_key_trains(http: FlaskClient) -> None:
    assert http.post("/v1/likelihood", json={}, headers=READ).status_code == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [("landmark", "400d"), ("horizon", 7), ("subject", "team"), ("end", "x"), ("level", 0.1)],
)
def test_bad_input_is_named(http: FlaskClient, field: str, value: Any) -> None:
    answer = http.post("/v1/likelihood", json={field: value}, headers=ADMIN)
    assert answer.status_code == 400
    assert field in answer.json["error"]["message"]


def test_too_little_data_is_a_400(http: FlaskClient) -> None:
    answer = http.post("/v1/likelihood", json={"horizon": "199d"}, headers=ADMIN)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "too_little_data")


@pytest.fixture(scope="module")
def model(http: FlaskClient) -> Any:
    answer = http.post("/v1/likelihood", json={}, headers=ADMIN)
    assert answer.status_code == 200, answer.json
    return answer.json


def test_the_model_and_its_calibration_are_shown(http: FlaskClient, model: Any) -> None:
    assert http.get("/v1/likelihood", headers=READ).json == model
    assert http.get("/v1/likelihood?subject=account", headers=READ).status_code == 404
    assert model["calibration"]["auc"] > 0.6
    table = model["calibration"]["bins"]
    assert sum(each["number"] for each in table) == model["calibration"]["population"]
    assert any(term["text"].startswith("created ") for term in model["terms"])
    latest = http.get("/v1/audit?limit=1", headers=ADMIN).json["data"][0]
    assert latest["what"] == "likelihood_trained"


def test_leads_come_in_the_order_of_their_likelihood(http: FlaskClient, model: Any) -> None:
    plain = [lead for page in _pages(http, "/v1/pqls") for lead in page["data"]]
    pages = _pages(http, "/v1/pqls", sort="likelihood", limit=37)
    leads = [lead for page in pages for lead in page["data"]]
    assert {lead["id"] for lead in leads} == {lead["id"] for lead in plain}
    assert len(leads) == len(plain) > SET
    sizes = [page["looked_at"] for page in pages]
    assert sizes[0] == SET
    assert not any(page["complete"] for page in pages)
    first = [lead["likelihood"] for lead in leads[:SET]]
    assert first == sorted(first, reverse=True)
    assert first[0] > first[-1]


def test_a_short_list_is_complete(http: FlaskClient, model: Any) -> None:
    [page] = _pages(http, "/v1/pqls", sort="likelihood", q="1", limit=1000, count="true")
    assert page["complete"]
    assert page["looked_at"] == len(page["data"]) == page["total"]
    [empty] = _pages(http, "/v1/pqls", sort="likelihood", q="nobody")
    assert (empty["data"], empty["looked_at"], empty["complete"]) == ([], 0, True)


def test_a_lead_says_why_it_is_likely(http: FlaskClient, model: Any) -> None:
    [lead, *_] = http.get("/v1/pqls?sort=likelihood&limit=1", headers=READ).json["data"]
    one = http.get(f"/v1/pqls/{lead['id']}", headers=READ).json
    assert one["likelihood"] == lead["likelihood"]
    log_odds = model["intercept"] + sum(each["weight"] for each in one["likelihood_reasons"])
    assert one["likelihood"] == pytest.approx(1 / (1 + math.exp(-log_odds)), abs=1e-6)
    texts = {term["text"] for term in model["terms"]}
    assert {each["text"] for each in one["likelihood_reasons"]} <= texts


def test_who_is_near_comes_in_the_order_of_likelihood(http: FlaskClient, model: Any) -> None:
    given = {"definition": "very_keen", "limit": 50}
    plain = [each for page in _pages(http, "/v1/near", **given) for each in page["data"]]
    pages = _pages(http, "/v1/near", sort="likelihood", **given)
    found = [each for page in pages for each in page["data"]]
    who = {each["subject"]["id"]: each["likelihood"] for each in found}
    assert who == {each["subject"]["id"]: each["likelihood"] for each in plain}
    first = [each["likelihood"] for each in found[: len(pages[0]["data"])]]
    assert first == sorted(first, reverse=True)


@pytest.mark.parametrize(
    "query", ["format=csv", "subject_kind=account", "cursor=x", "definition=unknown"]
)
def test_what_cannot_be_sorted_is_a_400(http: FlaskClient, model: Any, query: str) -> None:
    answer = http.get(f"/v1/pqls?sort=likelihood&{query}", headers=READ)
    assert answer.status_code == 400
    assert answer.json["error"]["details"]["field"] in ("sort", "cursor", "definition")


# -- on the command line ---------------------------------------------------------------------


def test_the_command_trains_and_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pequel.toml").write_text(PROJECT)
    run = CliRunner().invoke
    with closing(open_collector(Settings())) as collector:
        _fill(collector, users(3, 10))
    few = run(pequel, ["likelihood", "train"])
    assert (few.exit_code, "too little data: 0 of " in few.stderr) == (1, True)
    none = run(pequel, ["likelihood", "show"])
    assert (none.exit_code, "pequel likelihood train" in none.stderr) == (1, True)
    with closing(open_collector(Settings())) as collector:
        _fill(collector, users(4, 400, planted=0.7), "x")
    text = run(pequel, ["likelihood", "train"]).stdout
    assert "Brier score" in text
    assert "created " in text
    assert run(pequel, ["likelihood", "show"]).stdout == text
    answer = json.loads(run(pequel, ["likelihood", "show", "--format", "json"]).stdout)
    assert answer["calibration"]["population"] > 0
    long = run(pequel, ["likelihood", "train", "--landmark", "400d"])
    assert (long.exit_code, "at most 366d" in long.stderr) == (2, True)
