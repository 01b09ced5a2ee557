"""Fixtures of every test: databases, recorded data, and the order to run in."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from support.postgres import PostgresServer

REPOSITORY = Path(__file__).resolve().parents[1]
RUN_LAST = ("postgres", "slow", "e2e", "data")  # whatever bears none of these marks runs first
MARKED_BY_FIXTURE = {"postgres_server": "postgres", "shared_data": "data"}

# A shell that starts the tests in the background ignores Ctrl-C for them, and so would every
# process that a test starts and stops by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is no bug; continuous integration keeps Hypothesis's own profile for it.
settings.register_profile("local", deadline=None)
if not os.environ.get("CI"):
    settings.load_profile("local")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they ask for and where they live, and put the quickest first."""
    for item in items:
        for fixture, mark in MARKED_BY_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)
        if item.path.parent.name == "e2e":
            item.add_marker("e2e")
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    ranks = (rank for rank, mark in enumerate(RUN_LAST, 1) if item.get_closest_marker(mark))
    return max(ranks, default=0)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server; not having one is an error unless PEQUEL_SKIP_POSTGRES=1."""
    if os.environ.get("PEQUEL_SKIP_POSTGRES") == "1":
        pytest.skip("PEQUEL_SKIP_POSTGRES=1")
    from support.postgres import postgres

    with postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the test's own."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of the test's own, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'pequel.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Recorded event logs: PEQUEL_TEST_DATA, or a folder `shared/data` beside the repository."""
    given = os.environ.get("PEQUEL_TEST_DATA")
    folder = Path(given) if given else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"NO RECORDED EVENT LOGS at {folder}: name their folder in PEQUEL_TEST_DATA")
    return folder
