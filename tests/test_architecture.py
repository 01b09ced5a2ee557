"""The shape of the tree: imports point one way, and the two packages are strangers.

The contracts are in `pyproject.toml`, where import-linter reads them; what it cannot say is here.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
LINT = "from importlinter.cli import lint_imports_command as lint; lint()"
BROKEN_IMPORT = re.compile(r"(\S+) -> (\S+) \(l\.(\d+)")
WITHOUT_FLOOR = re.compile(r"^- (\S+)$", re.MULTILINE)

PLANTED = [  # (where, what, what is to be found)
    ("pequel_collector.ingest", "from pequel_collector import store", "pequel_collector.store"),
    ("pequel_collector.ingest", "import pequel_collector.queries", "pequel_collector.queries"),
    ("pequel_collector.leads", "import pequel_collector.marking", "pequel_collector.marking"),
    ("pequel_collector.web", "import pequel_collector.server", "pequel_collector.server"),
    ("pequel_collector.rules", "import pequel_collector.ports", "pequel_collector.ports"),
    (
        "pequel_collector.rules.language",
        "import pequel_collector.rules.engine",
        "pequel_collector.rules.engine",
    ),
    ("pequel_collector.rules", "from time import monotonic", "time"),
    ("pequel_collector.rules.engine", "import random", "random"),
    ("pequel_collector.app", "import flask", "flask"),
    ("pequel_collector.cli", "from flask import Flask", "flask"),
    ("pequel_collector.store", "from psycopg import rows", "psycopg"),
    ("pequel_collector.access", "import sqlite_utils", "sqlite_utils"),
    ("pequel_collector.model", "import pequel", "pequel"),
    ("pequel.client", "import pequel_collector", "pequel_collector"),
    ("pequel.client", "from attr.validators import gt", "attr"),
    ("pequel.client", "def late(): import flask", "flask"),
]


def test_the_tree_keeps_its_contracts() -> None:
    assert violations(REPOSITORY) == []


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with every violation planted in it."""
    copy = tmp_path_factory.mktemp("planted")
    shutil.copy(REPOSITORY / "pyproject.toml", copy)
    for source in ("sdk", "collector"):
        shutil.copytree(REPOSITORY / source, copy / source)
    for module, code, _ in PLANTED:
        plant(copy, module, code)
    plant(copy, "pequel_collector.attic", "import os")
    return copy


@pytest.fixture(scope="module")
def found(copy: Path) -> list[str]:
    return violations(copy)


class TestPlantedViolations:
    """The check above is worth something: what is planted is found."""

    @pytest.mark.parametrize(
        ("module", "code", "imported"), PLANTED, ids=[f"{m} imports {i}" for m, _, i in PLANTED]
    )
    def test_a_forbidden_import_is_found_with_its_file_and_line(
        self, copy: Path, found: list[str], module: str, code: str, imported: str
    ) -> None:
        path = file_of(copy, module)
        line = path.read_text().splitlines().index(code) + 1
        assert f"{path.relative_to(copy)}:{line}: imports {imported}" in found

    def test_a_module_without_a_floor_is_found(self, found: list[str]) -> None:
        path = "collector/pequel_collector/attic.py"
        assert f"{path}:1: has no floor in pyproject.toml" in found


def violations(root: Path) -> list[str]:
    """Return one `file:line: what is wrong` for each import that a rule forbids."""
    return sorted({*broken_contracts(root), *foreign_imports(root)})


def broken_contracts(root: Path) -> Iterator[str]:
    """Yield what import-linter finds in the tree at `root`."""
    lint = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo"],
        cwd=root,
        env=os.environ
        | {"PYTHONPATH": f"{root}/sdk{os.pathsep}{root}/collector", "COLUMNS": "500"},
        capture_output=True,
        text=True,
    )
    imports = BROKEN_IMPORT.findall(lint.stdout)
    homeless = WITHOUT_FLOOR.findall(lint.stdout)
    for module, imported, line in imports:
        yield f"{file_of(root, module).relative_to(root)}:{line}: imports {imported}"
    for module in homeless:
        yield f"{file_of(root, module).relative_to(root)}:1: has no floor in pyproject.toml"
    if lint.returncode and not imports and not homeless:
        yield lint.stdout + lint.stderr


def foreign_imports(root: Path) -> Iterator[str]:
    """Yield the SDK's imports that are not its own, the standard library's, or requests.

    A module named after a framework is made for it, and may import it.
    """
    own = sys.stdlib_module_names | {"pequel", "requests"}
    for path in sorted((root / "sdk").rglob("*.py")):
        for name, line in imported_packages(ast.parse(path.read_text())):
            if name not in own and name != path.stem:
                yield f"{path.relative_to(root)}:{line}: imports {name}"


def imported_packages(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the top-level package and the line of every absolute import, late ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node.lineno


def file_of(root: Path, module: str) -> Path:
    """Return the file of a module of either package, whether or not it exists."""
    source = "sdk" if module.partition(".")[0] == "pequel" else "collector"
    path = root.joinpath(source, *module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def plant(root: Path, module: str, code: str) -> None:
    """Add a line of code to a module."""
    with file_of(root, module).open("a") as file:
        file.write(f"\n{code}\n")
