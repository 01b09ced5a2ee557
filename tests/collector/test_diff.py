"""``diff``: what two texts of definitions differ in, in words, on the data, and over HTTP."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from hypothesis import given, settings

from oracle.streams import WHOLE, catalogues
from oracle.toml import to_toml
from pequel_collector.app.bootstrap import open_collector
from pequel_collector.cli.commands import pequel
from pequel_collector.config import Settings
from pequel_collector.insights.diff import OnData, diff
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.rules.parser.table_changes import Change
from pequel_collector.web.answers.diff_schemas import NAMED, OnDataAnswer
from pequel_collector.web.app import create_app
from support.described import client_of
from support.streams import NOW, messages_of, plain_event

READ = {"Authorization": "Bearer read"}
PROJECT = '[project]\nsignup = "signed_up"\n'
KEEN = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 2 }\n'
OLD, NEW = PROJECT + KEEN, PROJECT + KEEN.replace("gte = 2", "gte = 1")


@settings(max_examples=25)
@given(catalogue=catalogues(WHOLE))
def test_a_text_does_not_differ_from_itself(catalogue: dict[str, Any]) -> None:
    text = to_toml(catalogue)
    assert diff(read_catalogue(text), read_catalogue(f"# a comment\n{text}")).is_same


@settings(max_examples=25)
@given(one=catalogues(WHOLE), other=catalogues(WHOLE))
def test_what_is_added_one_way_is_removed_the_other_way(one: Any, other: Any) -> None:
    old, new = (read_catalogue(to_toml(each)) for each in (one, other))
    there, back = diff(old, new), diff(new, old)
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert {d.name: turned[d.status] for d in there.definitions} == {
        d.name: d.status for d in back.definitions
    }
    assert {
        (c.path, c.before, c.after) for c in there.shared if not isinstance(c.before, list)
    } == {(c.path, c.after, c.before) for c in back.shared if not isinstance(c.after, list)}


def test_says_which_values_differ() -> None:
    found = diff(read_catalogue(OLD), read_catalogue(NEW + 'title = "Keen"\n'))
    [keen] = found.definitions
    assert (keen.status, keen.before) == ("changed", "A user who used at least 2 times")
    assert keen.changes == [Change("when.gte", 2, 1), Change("title", None, "Keen")]


def test_a_definition_changes_with_the_one_that_it_names() -> None:
    both = '[[pql]]\nname = "two"\nwhen = { pql = "keen" }\n'
    found = diff(read_catalogue(OLD + both), read_catalogue(NEW + both))
    assert [(each.name, len(each.changes)) for each in found.definitions] == [
        ("keen", 1),
        ("two", 0),
    ]


def test_shared_tables_are_compared() -> None:
    found = diff(read_catalogue(OLD), read_catalogue(OLD.replace("signed_up", "joined")))
    assert found.shared == [Change("project.signup", "signed_up", "joined")]


# -- on the command line -------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """u1 did it once, u2 twice; two versions were in force, the second one is."""
    monkeypatch.chdir(tmp_path)
    Path("old.toml").write_text(OLD)
    Path("new.toml").write_text(NEW)
    with closing(open_collector(Settings(), read_catalogue(OLD))) as collector:
        for number in (1, 2):
            used = [plain_event(f"u{number}", "used", f"{number}{n}", NOW + n) for n in range(2)]
            collector.ingest.accept(messages_of(used[:number]))
        collector.put_definitions(NEW)
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(pequel, ["diff", *arguments])


def test_files_on_data(folder: Path) -> None:
    done = _run("old.toml", "new.toml", "--database", "sqlite:///pequel.db", "--exit-code")
    assert done.exit_code == 1
    assert "  on the data: 1 → 2; 1 gained, 0 lost, 1 earlier, 0 later" in done.stdout.splitlines()
    assert "    + u1  " in done.stdout
    same = _run("old.toml", "old.toml", "--exit-code")
    assert (same.exit_code, same.stdout) == (0, "no difference\n")


@pytest.mark.parametrize("old", ["keen@1", "old.toml"])
@pytest.mark.parametrize("new", ["keen@2", "active", "new.toml"])
def test_versions_of_the_database(folder: Path, old: str, new: str) -> None:
    done = _run(old, new, "--database", "sqlite:///pequel.db", "--format", "json")
    [keen] = json.loads(done.stdout)["definitions"]
    assert list(keen["on_data"]["gained"]) == ["u1"]


def test_git_revisions(folder: Path) -> None:
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x.example", "-c", "init.defaultBranch=m"]
    for words in (["init", "-q"], ["add", "old.toml"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    inside = folder / "inside"
    inside.mkdir()
    done = _run("HEAD:old.toml", "new.toml", "--format", "md")
    assert "### `keen`: changed" in done.stdout.splitlines()
    assert "* `when.gte: 2 → 1`" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope.toml", "new.toml"], "expected a file, REVISION:FILE, NAME@VERSION or active"),
        (["keen@1", "new.toml"], "name it with --database"),
        (["keen@9", "new.toml", "--database", "sqlite:///pequel.db"], "there is no version 9"),
        (["HEAD:nope", "new.toml"], "git cannot show HEAD:nope"),
        (["--", "-x:y", "new.toml"], "expected REVISION:FILE"),
        (["wrong.toml", "new.toml"], "wrong.toml:1:"),
        (["old.toml", "new.toml", "--population", "x"], "population: found 'x'"),
    ],
)
def test_an_error_is_no_difference(folder: Path, arguments: list[str], message: str) -> None:
    Path("wrong.toml").write_text("[[pql]\n")
    done = _run(*arguments)
    assert (done.exit_code, message in done.stderr) == (2, True), done.stderr


# -- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture
def http(folder: Path) -> Iterator[FlaskClient]:
    with closing(open_collector(Settings(read_key="read"))) as collector:
        yield client_of(create_app(collector))


def _post(http: FlaskClient, **body: Any) -> Any:
    return http.post("/v1/definitions/diff", json=body, headers=READ)


def test_texts_and_versions(http: FlaskClient) -> None:
    found = _post(http, old="keen@1", new="active").json
    assert found == _post(http, old=OLD, new=NEW).json
    [keen] = found["definitions"]
    assert (keen["on_data"]["before"]["set_size"], keen["on_data"]["after"]["set_size"]) == (1, 2)
    words = _post(http, new=OLD, data=False).json
    assert (words["same"], words["definitions"][0]["on_data"]) == (False, None)
    assert _post(http, new=NEW).json == {"same": True, "definitions": [], "shared": []}


def test_bad_input_is_named(http: FlaskClient) -> None:
    assert _post(http).status_code == 400
    assert _post(http, new=7).json["error"]["details"]["field"] == "new"
    assert _post(http, new="keen@9").status_code == 404
    wrong = _post(http, new="[[pql]").json["error"]["details"]["problems"]
    assert wrong[0]["file"] == "new"


def test_of_very_many_the_latest_are_named_and_all_are_counted() -> None:
    gained = {f"u:{number}": number for number in range(NAMED + 5)}
    answer: Any = OnDataAnswer().dump(OnData(None, None, gained, {"u:lost": 7}, 0, 0))
    assert (answer["gained_total"], answer["lost_total"]) == (NAMED + 5, 1)
    assert set(answer["gained"]) == {str(number) for number in range(5, NAMED + 5)}
    assert list(answer["lost"]) == ["lost"]
