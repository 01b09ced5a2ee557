"""``pequel diff``: what lies between two texts of definitions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import click

from ...app.bootstrap import open_store
from ...errors import BadRequest, PequelError
from ...insights.backtest import Question
from ...insights.confusion import Confusion
from ...insights.diff import ACTIVE, DefinitionDiff, Diff, OnData, diff_on_data, resolved
from ...insights.diff import diff as compared
from ...insights.population import population_of
from ...model import id_of, iso
from ...ports import ReadTransaction
from ...rules.language.definition import Catalogue
from ...web.answers.diff_schemas import DIFF
from ..options import example, stated
from ..output import Failure, echo_as, printable
from ..progress import subjects_shown
from .figures import number, percent
from .question import PATIENCE, format_option, horizon_option, landmark_option

NAMES = 10
"""Subjects that the text names for each effect."""

DIFFERENT = 1
"""The exit status for definitions that differ."""


class DiffFailure(Failure):
    """An error, which must not look like a difference."""

    exit_code = 2


@click.command(
    epilog=example(
        "pequel diff HEAD~1:pequel.toml pequel.toml",
        "pequel diff active pequel.toml --database sqlite:///pequel.db --format md",
        "pequel diff set_up@1 set_up@2 --database sqlite:///pequel.db --exit-code",
    )
)
@click.argument("old")
@click.argument("new")
@click.option(
    "--database",
    metavar="URL",
    help="Also compare on the data in this database.  [env var: PEQUEL_DATABASE]",
)
@landmark_option("As in backtest.")
@horizon_option("As in backtest.")
@click.option("--population", default="signup", show_default=True, help="As in backtest.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the definitions differ.")
@format_option("text", "json", "md")
@click.pass_context
def diff(
    context: click.Context,
    /,
    old: str,
    new: str,
    database: str | None,
    landmark: int,
    horizon: int,
    population: str,
    exit_code: bool,
    output_format: str,
) -> None:
    """Show what lies between two texts of definitions.

    OLD and NEW are each a file, a file in a git revision (HEAD~1:pequel.toml), a version in the
    database (set_up@3), or what is in force there (active). With a database, also says who would be
    gained and lost, and how the figures change. The exit status is 2 for an error.
    """
    try:
        url = stated({"database": database}).get("database")
        question = Question(landmark, horizon, population_of(population))
        found = _found(old, new, url, question)
    except PequelError as error:
        raise DiffFailure(error) from None
    echo_as(output_format, FORMATS[output_format](found))
    if exit_code and not found.is_same:
        context.exit(DIFFERENT)


def _found(old: str, new: str, url: str | None, question: Question) -> Diff:
    if url is None:
        return compared(_catalogue(None, old), _catalogue(None, new))
    with ExitStack() as stack:
        store = stack.enter_context(closing(open_store(url, make=False, timeout=PATIENCE)))
        tx = stack.enter_context(store.reading())
        progress = stack.enter_context(subjects_shown("reading"))
        catalogues = _catalogue(tx, old), _catalogue(tx, new)
        return diff_on_data(tx, *catalogues, question, progress)


def _catalogue(tx: ReadTransaction | None, reference: str) -> Catalogue:
    """The definitions that an argument names. Raises PequelError."""
    path = Path(reference)
    if path.is_file():
        return resolved(tx, _text(path), reference)
    if reference == ACTIVE or ("@" in reference and ":" not in reference):
        return resolved(tx, reference, reference)
    if ":" in reference:
        return resolved(tx, _in_git(reference), reference)
    raise BadRequest(
        f"found {reference!r}, expected a file, REVISION:FILE, NAME@VERSION or {ACTIVE}"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"cannot read {path}: {error}") from None


def _in_git(reference: str) -> str:
    """The text of a file in a git revision; its path is relative to the current folder."""
    revision, _, path = reference.partition(":")
    if revision.startswith("-"):
        raise BadRequest(f"found {reference!r}, expected REVISION:FILE")
    relative = path if path.startswith(("./", "../", "/")) else f"./{path}"
    try:
        # Arguments are passed as they are, without a shell.
        shown = subprocess.run(  # noqa: S603
            ["git", "show", f"{revision}:{relative}"],  # noqa: S607 - the git of the user's PATH
            capture_output=True,
            check=True,
        )
        return shown.stdout.decode()
    except FileNotFoundError:
        raise BadRequest(f"{reference} is in git, which is not installed") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise BadRequest(f"git cannot show {reference}: {said}") from None
    except UnicodeDecodeError:
        raise BadRequest(f"{reference} is not UTF-8") from None


# -- output ----------------------------------------------------------------------------------


def _as_json(found: Diff) -> str:
    return json.dumps(DIFF.dump(found), ensure_ascii=False)


def _as_text(found: Diff) -> str:
    if found.is_same:
        return "no difference"
    lines = [str(each) for each in found.shared]
    for each in found.definitions:
        lines += ["", f"{each.name}: {each.status}", *(f"  {line}" for line in _details(each))]
    return "\n".join(lines).strip("\n")


def _details(each: DefinitionDiff) -> Iterator[str]:
    if each.before is not None:
        yield f"- {each.before}"
    if each.after is not None:
        yield f"+ {each.after}"
    yield from map(str, each.changes)
    if each.on_data is not None:
        yield _effect(each.on_data)
        yield from _named("+", each.on_data.gained)
        yield from _named("-", each.on_data.lost)
        for name, before, after in _figures(each.on_data):
            yield f"{name}: {before} → {after}"


def _effect(on_data: OnData) -> str:
    sizes = [0 if side is None else side.set_size for side in (on_data.before, on_data.after)]
    return (
        f"on the data: {sizes[0]:,} → {sizes[1]:,}; {len(on_data.gained):,} gained, "
        f"{len(on_data.lost):,} lost, {on_data.earlier:,} earlier, {on_data.later:,} later"
    )


def _named(sign: str, subjects: Mapping[str, int]) -> Iterator[str]:
    listed = sorted(subjects.items())
    yield from (f"  {sign} {printable(id_of(key))}  {iso(time)}" for key, time in listed[:NAMES])
    if len(listed) > NAMES:
        yield f"  … and {len(listed) - NAMES:,} more"


def _figures(on_data: OnData) -> Iterator[tuple[str, str, str]]:
    """Each figure before and after."""
    for form in ("strict", "landmark"):
        sides = [None if s is None else getattr(s, form) for s in (on_data.before, on_data.after)]
        for name, show in FIGURES.items():
            before, after = ("–" if side is None else show(side) for side in sides)
            yield f"{form} {name}", before, after


FIGURES: dict[str, Callable[[Confusion], str]] = {
    "precision": lambda found: percent(found.precision, found.precision_interval),
    "recall": lambda found: percent(found.recall, found.recall_interval),
    "lift": lambda found: number(found.counts.lift, found.lift_interval),
}


def _as_md(found: Diff) -> str:
    if found.is_same:
        return "The definitions do not differ."
    lines = [f"* `{each}`" for each in found.shared]
    for each in found.definitions:
        lines += ["", f"### `{each.name}`: {each.status}", ""]
        lines += [f"* before: {each.before}"] if each.before is not None else []
        lines += [f"* after: {each.after}"] if each.after is not None else []
        lines += [f"* `{change}`" for change in each.changes]
        if each.on_data is not None:
            lines += [
                f"* {_effect(each.on_data)}",
                "",
                "| | before | after |",
                "| --- | --- | --- |",
            ]
            lines += [f"| {' | '.join(row)} |" for row in _figures(each.on_data)]
    return "\n".join(lines).strip("\n")


FORMATS: dict[str, Callable[[Diff], str]] = {"text": _as_text, "json": _as_json, "md": _as_md}
