"""The plugin for pytest, in runs of their own."""

import pytest

pytest_plugins = ["pytester"]

APPLICATION = """
    import threading
    import pequel

    def test_it_is_recorded(pequel_events):
        client = pequel.configure(write_key="a real one")
        pequel.track("u1", "exported", {"rows": 3})
        thread = threading.Thread(target=client.track, args=("u1", "exported"))
        thread.start()
        thread.join()
        assert len(pequel_events) == 2
        pequel_events.assert_tracked("exported", user_id="u1", rows=3)

    def test_the_next_test_begins_with_nothing(pequel_events):
        assert list(pequel_events) == []

    def test_what_is_missing_fails_at_the_line_of_the_test(pequel_events):
        pequel.track("u2", "imported")
        pequel_events.assert_tracked("exported", user_id="u1")
"""

WITHOUT = """
    import sys

    def test_nothing_is_loaded_for_those_who_do_not_use_it():
        assert "pequel.integrations.pytest" in sys.modules
        for name in ("requests", "urllib3", "pequel.testing", "flask", "celery", "django"):
            assert name not in sys.modules
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs pytest in a process of its own, on a test file."""
    monkeypatch.setenv("PEQUEL_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "")

    def run(code):
        pytester.makepyfile(code)
        return pytester.runpytest_subprocess("-Werror", "-pno:cacheprovider", "-pno:schemathesis")

    return run


def test_the_fixture_records(run):
    result = run(APPLICATION)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            '>       pequel_events.assert_tracked("exported", user_id="u1")',
            "E       AssertionError: exported user_id='u1' was not tracked; what was recorded:",
            "E         track imported user_id='u2'",
        ]
    )


def test_without_it_nothing_happens(run):
    run(WITHOUT).assert_outcomes(passed=1)
