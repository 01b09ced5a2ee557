"""``pequel test``: personas pass or fail, and say why."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pequel_collector.cli.commands import pequel

DEFINITIONS = """\
[[pql]]
name = "exports"
when = { event = "exported", gte = 2, within = "7d" }
"""
ADA = """
[[persona]]
name = "ada"
facts = [{ event = "exported", at = "1d", times = 2, every = "1h" }]
expect = [{ pql = "exports", at = "1d 1h" }]
"""
BOB = """
[[persona]]
name = "bob"
facts = [{ event = "exported", at = "1d" }]
expect = ["exports"]
"""
WHY_NOT_BOB = (
    "exports (user bob) was expected; why not yet: 50% done; "
    "✗ exported at least 2 times within any 7 days: 1 of 2"
)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(toml: str, *arguments: str) -> Result:
    """Run the command where this is the definitions file."""
    Path("pequel.toml").write_text(toml)
    return CliRunner().invoke(pequel, ["test", *arguments])


def test_personas_that_are_as_expected_pass() -> None:
    done = run(DEFINITIONS + ADA)
    assert done.exit_code == 0
    assert done.output == "✓ ada: exports (user ada) at 1d 1h\n1 of 1 personas passed\n"


def test_one_that_is_not_fails_and_says_what_is_missing() -> None:
    done = run(DEFINITIONS + ADA + BOB)
    assert done.exit_code == 1
    assert done.output.splitlines()[1:] == [
        "✗ bob: nothing",
        f"    {WHY_NOT_BOB}",
        "1 of 2 personas passed",
    ]


def test_a_mistake_in_a_persona_is_printed_with_its_place() -> None:
    done = run(DEFINITIONS + ADA.replace("1d 1h", "soon"))
    assert done.exit_code == 1
    assert done.output.startswith('pequel.toml:8:35: persona[0].expect[0].at: found "soon"')


def test_a_file_without_personas_tests_nothing_and_fails() -> None:
    done = run(DEFINITIONS)
    assert done.exit_code == 1
    assert done.output == "pequel: there is no [[persona]] in pequel.toml\n"


def test_another_file_can_be_named() -> None:
    Path("other.toml").write_text(DEFINITIONS + ADA)
    assert CliRunner().invoke(pequel, ["test", "other.toml"]).exit_code == 0


def test_nothing_is_left_behind() -> None:
    run(DEFINITIONS + ADA)
    assert [path.name for path in Path().iterdir()] == ["pequel.toml"]
