"""How far a replay of history is, on a terminal and nowhere else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pequel_collector.app import progress
from pequel_collector.app.progress import replaying, watching
from pequel_collector.marking.active import BackfillProgress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is one."""
    stderr = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stderr))


def replay(done: int, total: int | None, finished_at: int | None = None) -> BackfillProgress:
    return BackfillProgress("c", 0, done=done, total=total, finished_at=finished_at)


@pytest.mark.usefixtures("terminal")
class TestOnATerminal:
    def test_one_line_is_written_over_itself(self, capsys: pytest.CaptureFixture[str]) -> None:
        shown = watching()
        assert shown
        for each in (replay(50, None), replay(1000, 1204), replay(1210, 1204)):
            shown(each)
        shown(replay(1210, 1210, finished_at=1))
        said = "replaying history under changed definitions: "
        assert capsys.readouterr().err == (
            f"\r{said}50 users and accounts"
            f"\r{said}1,000 of 1,204 users and accounts"
            f"\r{said}1,210 of 1,210 users and accounts\n"
        )

    def test_nothing_is_printed_about_a_finished_replay(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with replaying() as shown:
            assert shown
            shown(replay(3, 3, finished_at=1))
        assert capsys.readouterr().err == ""

    def test_the_line_ends_with_the_work(self, capsys: pytest.CaptureFixture[str]) -> None:
        with replaying() as shown:
            assert shown
            shown(replay(1, 3))
        assert capsys.readouterr().err.endswith("1 of 3 users and accounts\n")


def test_no_progress_is_written_to_a_file() -> None:
    with replaying() as shown:
        assert shown is None
    assert watching() is None
