"""``pequel demo``: what it prints is true, and its commands can be run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DEMO = [sys.executable, "-m", "pequel_collector.cli", "demo"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """A demo that waits for Ctrl-C."""
    process = subprocess.Popen(
        DEMO,
        cwd=tmp_path_factory.mktemp("demo"),
        env=os.environ | {"COLUMNS": "100"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def output(demo: subprocess.Popen[str]) -> str:
    """What it prints before it waits for Ctrl-C."""
    assert demo.stdout
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if "Open the console" in line:
            break
    return "".join(lines)


@pytest.fixture(scope="module")
def curls(output: str) -> list[Any]:
    """The answers to its curl lines, run as they stand."""
    commands = [line for line in output.splitlines() if line.startswith("  curl ")]
    return [json.loads(subprocess.check_output(["sh", "-c", command])) for command in commands]


class TestTheStory:
    @pytest.mark.parametrize(
        "line",
        [
            r" day 5  ada \(acme\) +set_up +created 3 .*",
            r" day 8  acme +team_spread +invited 3 .*",
            r"day 10  ben \(acme\) +habit +completed tasks on 5 .*",
            r"   now  gus \(globex\) +hand_raised +clicked contact sales.*; high priority,.*",
        ],
    )
    def test_prints_each_lead_and_why(self, output: str, line: str) -> None:
        assert re.search(f"^{line}$", output, re.MULTILINE)

    def test_marks_no_other_leads(self, output: str) -> None:
        marks = re.findall(r"^(?: day \d|day \d\d|   now)  ", output, re.MULTILINE)
        assert len(marks) == 4

    def test_prints_who_is_close(self, output: str) -> None:
        assert "hana: 50% of set_up: 3 of 3 project_created, 1 of 2 integration_connected" in output

    def test_prints_why_the_most_active_user_is_not_a_lead(self, output: str) -> None:
        assert "fay: 90 × task_completed, but 0% of set_up" in output

    def test_prints_who_is_blocked(self, output: str) -> None:
        assert "jil: 100% of set_up, blocked by customer" in output
        assert "sam: 100% of set_up, blocked by internal" in output

    def test_fits_on_a_screen(self, output: str) -> None:
        assert len(output.splitlines()) <= 30

    def test_has_no_colours_off_a_terminal(self, output: str) -> None:
        assert "\x1b" not in output


class TestTheCurlLines:
    def test_show_the_list_most_urgent_first(self, curls: list[Any]) -> None:
        assert curls[0]["data"][0]["definition"] == "hand_raised"

    def test_let_the_reader_make_a_lead(self, curls: list[Any]) -> None:
        _, sent, answer = curls
        assert sent["accepted"] == 1
        assert answer["is_pql"]
        assert [lead["definition"] for lead in answer["leads"]] == ["set_up"]


@pytest.mark.slow
def test_it_stops_by_itself_with_exit(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--exit"], cwd=tmp_path, capture_output=True, text=True, timeout=15
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "curl" not in done.stdout  # there is nobody to answer any more
    assert list(tmp_path.iterdir()) == []


def test_it_lets_go_of_its_collector_when_terminated(tmp_path: Path) -> None:
    with subprocess.Popen(DEMO, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        found = (re.search(r"http://\S+\d", line) for line in process.stdout)
        url = next(match[0] for match in found if match)
        process.terminate()
        process.stdout.read()
    assert process.returncode == 0
    ask = subprocess.run(["curl", "-s", f"{url}/healthz"], capture_output=True)
    assert ask.returncode != 0
