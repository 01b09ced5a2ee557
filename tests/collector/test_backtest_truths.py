"""Backtests of real event logs are those that were worked out apart from Pequel, digit by digit."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.importing.line import Line
from pequel_collector.ingest.event_log import Import
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.web.app import create_app
from support.described import client_of
from support.truths import LOGS, registrations

READ = {"Authorization": "Bearer read"}
CONVERSIONS = {
    "learn365-dev": "subscription_purchased",
    "sparkify-small": "Submit Upgrade",
    "gharchive-2015010100": None,
}
POPULATIONS = {"sparkify-small": "trait:level=free"}
NOT_ANSWERED = "qualified_at_or_after_conversion"
NAMES = {
    "precision_interval": "precision_wilson95",
    "lead_time_seconds_median": "lead_time_seconds_median_low",
    "immature": "excluded_not_fully_observed",
    "already_converted": "excluded_converted_before_landmark",
}


@pytest.fixture
def collector(store_url: str) -> Iterator[Collector]:
    """A collector that marks nobody: a backtest needs no leads."""
    settings = Settings(database=store_url, write_key="write", read_key="read")
    with closing(open_collector(settings, Catalogue())) as found:
        yield found


POSTGRES = pytest.mark.postgres
CASES = [
    ("learn365-dev", "sqlite"),  # the longest one
    ("sparkify-small", "sqlite"),
    ("gharchive-2015010100", "sqlite"),
    pytest.param("sparkify-small", "postgres", marks=POSTGRES),
    pytest.param("gharchive-2015010100", "postgres", marks=POSTGRES),
]


@pytest.mark.parametrize(("log", "store_url"), CASES, indirect=["store_url"])
def test_a_real_log_gives_the_true_figures(
    log: str, shared_data: Path, collector: Collector
) -> None:
    http = client_of(create_app(collector))
    folder = shared_data / log
    lines = gzip.decompress((folder / "events.ndjson.gz").read_bytes()).splitlines()
    _import(collector, [*lines, *registrations(lines), *_levels(lines)])
    truth = json.loads((folder / "truth.json").read_text())["definitions"]
    toml = _with_conversion(LOGS[log], CONVERSIONS[log])
    for name, expected in truth.items():
        body = {"definition": name, "toml": toml, "landmark": "7d", "horizon": "30d"}
        body["population"] = POPULATIONS.get(log, "signup")
        answer = http.post("/v1/definitions/backtest", json=body, headers=READ)
        assert answer.status_code == 200, answer.text
        _assert_true(name, answer.json, expected)


def _import(collector: Collector, lines: list[bytes]) -> None:
    imported = Import(collector.ingest.accept_batch, collector.settings, collector.clock)
    assert imported.run(Line(n, text) for n, text in enumerate(lines, 1)).stored == len(lines)


def _with_conversion(toml: str, conversion: str | None) -> str:
    if conversion is None:
        return toml
    line = f'conversion = "{conversion}"\n'
    if "[project]" in toml:
        return toml.replace("[project]\n", f"[project]\n{line}")
    return f"[project]\n{line}{toml}"


def _levels(lines: list[bytes]) -> list[bytes]:
    """Where events say the plan of their user: that of each event as a trait."""
    found = []
    for number, event in enumerate(json.loads(line) for line in lines if b'"level"' in line):
        if event["user_id"] is not None:
            call = {"type": "identify", "messageId": f"level-{number}", "userId": event["user_id"]}
            traits = {"level": event["properties"]["level"]}
            found.append(call | {"timestamp": event["timestamp"], "traits": traits})
    return [json.dumps(each).encode() for each in found]


def _assert_true(name: str, answer: dict[str, Any], truth: dict[str, Any]) -> None:
    assert answer["set_size"] == truth["set_size"], name
    assert answer["qualified"] == truth["qualified_at"], name
    ids = sorted(identifier.encode() for identifier in answer["qualified"])
    assert sha256(b"\n".join(ids)).hexdigest() == truth["ids_sha256"], name
    forms = {"strict": "backtest_strict", "landmark": "backtest_landmark_L7d_H30d"}
    for form, called in forms.items():
        figures = {NAMES.get(key, key): value for key, value in answer[form].items()}
        expected = {k: v for k, v in truth.get(called, {}).items() if k != NOT_ANSWERED}
        assert expected == {key: figures[key] for key in expected}, name
