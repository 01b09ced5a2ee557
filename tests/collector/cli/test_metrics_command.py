"""``pequel metrics`` and ``pequel import --spend``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pequel_collector.cli.commands import pequel
from support.sales import DAY, PROJECT, sales

DEFINITIONS = """
[[pql]]
name = "set_up"
when = { event = "used" }
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command over a store in which one of two users qualified."""
    url = f"sqlite:///{tmp_path / 'pequel.db'}"
    with sales(DEFINITIONS, url) as team:
        for user in ("ada", "bob"):
            team.tell(user, "signed_up", 0)
        team.tell("ada", "used", DAY)
        paid = {"mrr": 10, "currency": "EUR"}
        team.tell("ada", "subscribed", 2 * DAY, properties=paid)

    def run(*words: str) -> Result:
        return CliRunner().invoke(pequel, [*words, "--database", url])

    return run


def test_a_table_says_what_it_is_of(run: Run) -> None:
    result = run("metrics", "signup_to_pql", "--from", "2026-03-01", "--definition", "set_up")
    assert result.exit_code == 0
    title, header, row = result.output.splitlines()
    assert title.startswith("Sign-ups who become PQLs (signup_to_pql; 2026-03-01 to ")
    assert title.endswith("within 30d; set_up, version 1)")
    assert header.split() == [
        "segment", "numerator", "denominator", "immature", "rate", "interval",
    ]  # fmt: skip
    assert row.split()[:6] == ["all", "1", "2", "0", "50.0", "%"]


def test_segments_are_rows(run: Run) -> None:
    result = run("metrics", "signup_to_pql", "--by", "channel", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.output)))
    assert [row["segment"] for row in rows] == ["all", "direct"]


def test_an_import_that_is_undone_counts_no_more(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pequel.toml").write_text(PROJECT + DEFINITIONS)
    log = tmp_path / "log.jsonl"
    log.write_text(
        "".join(
            json.dumps(
                {"type": "track", "userId": user, "event": name, "messageId": f"{user}-{name}",
                 "timestamp": "2026-03-01T00:00:01Z"}
            ) + "\n"
            for user in ("bob", "new") for name in ("signed_up", "used")
        )
    )  # fmt: skip
    assert shares(run) == (1, 2)
    assert run("import", str(log)).exit_code == 0
    assert shares(run) == (3, 3)
    assert run("import", "--undo", "1").exit_code == 0
    assert shares(run) == (1, 2)
    assert run("verify").exit_code == 0


def shares(run: Run) -> tuple[int, int]:
    [found] = json.loads(run("metrics", "signup_to_pql", "--format", "json").output)
    return found["numerator"], found["denominator"]


def test_the_other_forms_have_the_same_numbers(run: Run) -> None:
    [found] = json.loads(run("metrics", "arpa", "--format", "json").output)
    assert found["amounts"] == {"EUR": "10.00"}
    assert "| all | EUR 10.00 |" in run("metrics", "arpa", "--format", "md").output


@pytest.mark.parametrize("form", ["text", "csv", "json", "md"])
@pytest.mark.parametrize("role", ["sales", "marketing", "engineering"])
def test_a_role_has_its_metrics(run: Run, role: str, form: str) -> None:
    result = run("metrics", "--role", role, "--format", form)
    assert result.exit_code == 0
    assert "pql" in result.output


def test_without_a_name_all_metrics_are_listed(run: Run) -> None:
    assert "signup_to_pql" in run("metrics").output
    assert len(json.loads(run("metrics", "--format", "json").output)) > 20


def test_members_are_listed(run: Run) -> None:
    result = run("metrics", "signup_to_pql", "--members", "--standing", "in")
    assert [line.split()[2] for line in result.output.splitlines()[2:]] == ["ada"]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("arpa", "--role", "sales"), 2, "expected either NAME or --role"),
        (("--members",), 2, "--members needs the NAME of a metric"),
        (("arpa", "--standing", "in"), 2, "--standing needs --members"),
        (("arpa", "--from", "soon"), 2, "found 'soon', expected a time"),
        (("arpas",), 2, "'arpas' is not one of"),
        (("arpa", "--by", "owner"), 1, "by: found 'owner', expected one of channel"),
        (("arpa", "--members"), 1, "arpa has no members"),
    ],
)
def test_a_mistake_is_named(run: Run, words: tuple[str, ...], status: int, message: str) -> None:
    result = run("metrics", *words)
    assert result.exit_code == status
    assert message in result.output + result.stderr


class TestSpend:
    """``pequel import --spend``."""

    def test_amounts_come_from_a_csv(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "spend.csv"
        file.write_text("channel,day,amount,currency,note\nDirect,2026-03-01,30.5,eur,x\n")
        assert run("import", "--spend", str(file)).output == "1 amounts written\n"
        [found] = json.loads(run("metrics", "cost_per_pql", "--format", "json").output)
        assert found["amounts"] == {"EUR": "30.50"}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("channel,day,amount\n", "line 1: found a header without currency"),
            ("channel,day,amount,currency\n", "the file: found no amounts"),
            ("channel,day,amount,currency\nx,2026-03-01,-1,EUR\n", "line 2.amount: found str '-1'"),
            ('channel,day,amount,currency\n"x,2026-03-01,1,EUR\n', "unexpected end of data"),
            ("channel,day,amount,currency\nx,2026-03-01\n", "line 2.amount: found nothing"),
            ("", "line 1: found a header without channel"),
            ("x" * 2_000_001, "spend.csv is over 2000000 characters"),
        ],
    )
    def test_a_mistake_is_named(self, run: Run, tmp_path: Path, text: str, message: str) -> None:
        file = tmp_path / "spend.csv"
        file.write_text(text)
        result = run("import", "--spend", str(file))
        assert result.exit_code == 1
        assert message in result.stderr

    def test_it_stands_alone(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "spend.csv"
        file.write_text("x")
        result = run("import", "--list", "--spend", str(file))
        assert "expected one of FILE, --list, --undo and --spend" in result.stderr
